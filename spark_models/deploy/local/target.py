"""The client of the target `local`."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spark_models.deploy.calls import Calls
from spark_models.deploy.client import BaseDeploymentClient, Config, target_rest
from spark_models.deploy.config import config_help, option, read_config
from spark_models.deploy.local.keeper import ALIVE, KEPT, LOG, STATUS, WANTED
from spark_models.deploy.rows import post, ready
from spark_models.deploy.state import (
    STATE_VARIABLE,
    checked_name,
    is_held,
    locked,
    private_directory,
    read_json,
    state_home,
    write_json,
)
from spark_models.errors import (
    DeploymentExistsError,
    DeploymentFailedError,
    DeploymentNotFoundError,
    InvalidArgumentError,
    NotSupportedError,
    listed,
)
from spark_models.package.manifest import copy_verified
from spark_models.package.reader import open_package

TOKEN_VARIABLE = "SPARK_MODELS_TOKEN"  # noqa: S105 - the name of a variable

PACKAGES = "packages"

OWN = "deployment"
"""The file that says that a directory is a deployment's: a delete takes no other."""


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """What a local server is started with: the options of `spark-models serve` and how long to wait for it."""

    host: str = option("127.0.0.1", "the address to listen on")
    port: int = option(0, "the port; 0 is one that is free, kept over updates and restarts")
    workers: int = option(1, "processes that share the port")
    timeout: float = option(60.0, "seconds that a request may take")
    max_body: str = option("64MB", "the largest body")
    queue: int = option(256, "requests that wait in each worker")
    method: str | None = option(None, "another method of the model, such as predict_proba")
    wrap: bool = option(False, "put every JSON answer under predictions")
    allow_host: tuple[str, ...] = option((), "names of this server beside localhost; * any")
    token_file: str | None = option(None, "a file with the bearer token that requests must bring")
    allow_code: bool | None = option(None, "whether loading may run code that the package carries")
    expected_hash: str | None = option(None, "the content hash that the package must have")
    start_timeout: float = option(120.0, "seconds to wait until it answers")


HELP = f"""\
local: a server on this host, in the background.

URI: local, or local:/DIRECTORY for the state to be there; else ${STATE_VARIABLE}, or ~/.local/state/spark-models.
The server outlives the shell, not the host: after a restart of it, create or update starts it again. An update starts
the new server beside the old one on the same socket: no request is lost, and one that can't start changes nothing.

config:
"""


def target_help() -> str:
    """The URI and configuration of the target."""
    return HELP + config_help(LocalConfig)


def run_local(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> None:
    """Serves a model in the foreground until it is interrupted, with the configuration of a deployment."""
    _check_flavor(flavor)
    chosen = read_config(LocalConfig, config, "local")
    command = [sys.executable, "-m", "spark_models", "serve", *arguments(model_uri, chosen)]
    Calls(show).do(
        "start",
        {"command": [*command, "-p", str(chosen.port or 5000)]},
        lambda: subprocess.run([*command, "-p", str(chosen.port or 5000)], check=False),
        None,
    )


def arguments(package: str | Path, config: LocalConfig) -> list[str]:
    """The options of `spark-models serve` for a package, without the port."""
    given = ["-m", str(package), "-h", config.host, "-w", str(config.workers), "--timeout", str(config.timeout)]
    given += ["--max-body", config.max_body, "--queue", str(config.queue)]
    for name, value in (
        ("--method", config.method),
        ("--token-file", config.token_file and str(Path(config.token_file).absolute())),
        ("--expected-hash", config.expected_hash),
    ):
        given += [] if value is None else [name, value]
    for host in config.allow_host:
        given += ["--allow-host", host]
    given += ["--wrap"] if config.wrap else []
    return given + ([] if config.allow_code is None else ["--allow-code" if config.allow_code else "--no-code"])


def _check_flavor(flavor: str | None) -> None:
    if flavor not in (None, "python_function"):
        raise InvalidArgumentError(
            f"The server serves no flavor {flavor!r}", "python_function is the one that it serves"
        )


class LocalClient(BaseDeploymentClient):
    """Deployments on this host."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        rest = target_rest(target_uri)
        self.home = state_home() if rest == "" else Path("/", rest)
        self._calls = Calls()

    def dry_run(self, show: Callable[[str], None]) -> None:
        """From now on what would be started or removed is shown, and not done."""
        self._calls = Calls(show)

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The new deployment, which answers at its "url".

        Raises:
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there is one of the name, of another package or configuration.
            DeploymentFailedError: [DEPLOYMENT_FAILED] the server does not start; its last lines are in the text.
        """
        _check_flavor(flavor)
        chosen = read_config(LocalConfig, config, "local")
        package = open_package(model_uri)
        _ = package.pyfunc
        if not self._calls.real:
            return self._shown(name, str(model_uri), chosen)
        with self._locked(name) as folder:
            wanted = read_json(folder / WANTED)
            status = read_json(folder / STATUS) or {}
            if wanted is not None and status.get("generation") is not None:
                same = wanted["content_hash"] == package.content_hash() and wanted["config"] == _stored(chosen)
                if not same:
                    raise DeploymentExistsError(name, self.target_uri)
            if not _is_kept(folder) or status.get("generation") is None:
                self._stop(name, folder)
                self._want(folder, str(model_uri), chosen)
                self._begin(name, folder, chosen)
            return self._described(name, folder)

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The deployment with its new model or configuration; one that does not answer is started.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] the new server does not start: the old one goes on.
        """
        _check_flavor(flavor)
        with self._locked(name, there=True) as folder:
            wanted = read_json(folder / WANTED)
            given = {**wanted["config"], **({} if config is None else config)}
            chosen = read_config(LocalConfig, given, "local")
            if not self._calls.real:
                return self._shown(name, model_uri or wanted["model_uri"], chosen)
            serves = _is_kept(folder)
            if serves and (chosen.host, chosen.port or None) not in (
                (wanted["host"], wanted["port"] or None),
                (wanted["host"], (read_json(folder / STATUS) or {}).get("port")),
            ):
                raise InvalidArgumentError(
                    "The address of a deployment that serves can't change", "delete it and create it again"
                )
            source = str(folder / wanted["package"]) if model_uri is None else model_uri
            try:
                self._want(folder, source, chosen, model_uri or wanted["model_uri"])
                if serves:
                    _signal(folder, signal.SIGHUP)
                if not serves or not self._wait(name, folder, chosen):
                    self._stop(name, folder)
                    self._begin(name, folder, chosen)
            except BaseException as error:  # Ctrl-C too: the old server goes on, and needs its package to start again
                if serves:
                    write_json(folder / WANTED, wanted)
                    _signal(folder, signal.SIGHUP)
                    if isinstance(error, DeploymentFailedError):
                        self._sweep(folder)
                raise
            self._sweep(folder)
            return self._described(name, folder)

    def delete_deployment(self, name: str) -> None:
        """Ends the server, which answers first what it has, and removes all that was written.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] there is a directory of the name that is not a deployment's.
        """
        checked_name(name)
        folder = self.home / name
        if not folder.exists():
            return
        _refuse_other(folder)
        if not self._calls.real:
            self._calls.do("end the server and remove", {"directory": str(folder)}, lambda: None, None)
            return
        with contextlib.suppress(DeploymentNotFoundError), self._locked(name, there=True, whole=False):
            self._stop(name, folder)
            # What says whose it is goes last, so that a delete which is cut off can be repeated.
            _mark(folder)
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != OWN:
                    path.unlink()
            (folder / OWN).unlink()
            folder.rmdir()
            # While it is held: who waits for it takes the next.
            (self.home / f".{name}.lock").unlink()

    def list_deployments(self) -> list[dict[str, Any]]:
        """All deployments by name."""
        if not self.home.is_dir():
            return []
        names = sorted(path.name for path in self.home.iterdir() if not path.name.startswith(".") and _is_own(path))
        return [self._described(name, self.home / name) for name in names]

    def get_deployment(self, name: str) -> dict[str, Any]:
        """A deployment: "status" is running, starting, failed or stopped.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """
        return self._described(name, self._folder(name))

    def predict(self, deployment_name: str, df: Any) -> Any:
        """A deployment's predictions; the token is that of its `token_file`, else of SPARK_MODELS_TOKEN.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] it does not answer, or with an error.
        """
        folder = self._folder(deployment_name)
        found = self._described(deployment_name, folder)
        resource = f"local deployment {deployment_name}"
        if found["url"] is None:
            advice = f"spark-models deployments update -t {self.target_uri} --name {deployment_name} starts it"
            raise DeploymentFailedError("predict", resource, f"it is {found['status']}", advice=advice)
        path = found["config"]["token_file"]
        token = os.environ.get(TOKEN_VARIABLE) if path is None else Path(path).read_text().strip()
        headers = {} if not token else {"Authorization": f"Bearer {token}"}
        return post(f"{found['url']}/invocations", df, resource, headers, found["config"]["timeout"], here=True)

    def _folder(self, name: str) -> Path:
        folder = self.home / checked_name(name)
        if not _is_own(folder):
            raise DeploymentNotFoundError(name, self.target_uri, tuple(self._names()))
        return folder

    def _names(self) -> list[str]:
        return [found["name"] for found in self.list_deployments()]

    @contextlib.contextmanager
    def _locked(self, name: str, *, there: bool = False, whole: bool = True) -> Iterator[Path]:
        """The directory of a deployment, held for one command; it is made unless it must be `there`.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] it must be there, and is not; where it must be `whole`, a
                create that was cut off before it wrote what is wanted made none.
        """
        folder = self.home / checked_name(name)

        def check() -> None:
            if there and (not folder.exists() or (whole and read_json(self._folder(name) / WANTED) is None)):
                raise DeploymentNotFoundError(name, self.target_uri, tuple(self._names()))
            _refuse_other(folder, known=() if there else _WRITTEN)

        check()
        private_directory(self.home)
        lock = self.home / f".{name}.lock"
        with locked(lock):
            try:
                check()  # again: a delete may have been before this command
            except DeploymentNotFoundError:
                if not folder.exists():
                    lock.unlink()
                raise
            private_directory(folder)
            _mark(folder)
            yield folder

    def _want(self, folder: Path, source: str, config: LocalConfig, model_uri: str | None = None) -> None:
        """Copies the package and writes what is wanted; a copy that was cut off is made again."""
        package = open_package(source)
        if config.expected_hash is not None:
            package.verify(config.expected_hash)
        digest = package.content_hash()
        copy = folder / PACKAGES / digest
        if not copy.exists():
            stage = private_directory(folder / PACKAGES) / f".{digest}"
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(mode=0o700)
            copy_verified(package.root, stage)
            os.replace(stage, copy)
        wanted = {
            "generation": uuid.uuid4().hex,
            "model_uri": source if model_uri is None else model_uri,
            "flavor": "python_function",
            "content_hash": digest,
            "package": f"{PACKAGES}/{digest}",
            "config": _stored(config),
            "host": config.host,
            "port": config.port,
            "arguments": arguments(copy, config),
        }
        write_json(folder / WANTED, wanted)

    def _begin(self, name: str, folder: Path, config: LocalConfig) -> None:
        command = [sys.executable, "-m", "spark_models.deploy.local.keeper", str(folder)]
        with open(os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            keeper = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                env=_variables(),
            )
        # It outlives this process; while that lives, somebody must take note when it ends.
        threading.Thread(target=keeper.wait, daemon=True).start()
        self._wait(name, folder, config, keeper)

    def _wait(
        self, name: str, folder: Path, config: LocalConfig, keeper: subprocess.Popen[bytes] | None = None
    ) -> bool:
        """Waits until what is wanted serves; False where the keeper, which was there before, is gone."""
        generation = read_json(folder / WANTED)["generation"]
        resource = f"local deployment {name} ({folder})"
        until = time.monotonic() + config.start_timeout
        while time.monotonic() < until:
            status = read_json(folder / STATUS) or {}
            if status.get("generation") == generation and not status.get("draining"):
                return True
            if keeper is None and not _is_kept(folder):
                return False
            failed = status.get("failed") or {}
            if failed.get("generation") == generation:
                if keeper is not None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        keeper.wait(10)
                raise DeploymentFailedError("start the server", resource, "it can't serve", tuple(failed["said"][-10:]))
            if keeper is not None and keeper.poll() is not None:
                said = tuple((folder / LOG).read_text().splitlines()[-10:])
                raise DeploymentFailedError("start the server", resource, "its keeper ended", said)
            time.sleep(0.05)
        if (read_json(folder / STATUS) or {}).get("generation") == generation:
            return True
        if keeper is not None:
            self._stop(name, folder)
        problem = f"it did not answer within {config.start_timeout:g} s"
        raise DeploymentFailedError("start the server", resource, problem, advice=f"the log is {folder / LOG}")

    def _stop(self, name: str, folder: Path) -> None:
        if not is_held(folder / ALIVE):
            return
        wanted = read_json(folder / WANTED)
        patience = 15.0 + (60.0 if wanted is None else float(wanted["config"]["timeout"]))
        until = time.monotonic() + patience
        _signal(folder, signal.SIGTERM)
        while is_held(folder / ALIVE) and time.monotonic() < until:
            time.sleep(0.05)
        if is_held(folder / ALIVE):
            _signal(folder, signal.SIGKILL)
            until = time.monotonic() + 10
            while is_held(folder / ALIVE) and time.monotonic() < until:
                time.sleep(0.05)
        if is_held(folder / ALIVE):
            raise DeploymentFailedError("end the server", f"local deployment {name} ({folder})", "it does not end")

    def _sweep(self, folder: Path) -> None:
        """Removes the packages of generations that serve no more."""
        kept = Path(read_json(folder / WANTED)["package"]).name
        for path in (folder / PACKAGES).iterdir():
            if path.name != kept:
                shutil.rmtree(path, ignore_errors=True)

    def _shown(self, name: str, model_uri: str, config: LocalConfig) -> dict[str, Any]:
        show = self._calls.do
        show("copy", {"package": model_uri, "to": str(self.home / name / PACKAGES)}, lambda: None, None)
        show("start", {"command": ["spark-models", "serve", *arguments("PACKAGE", config)]}, lambda: None, None)
        return {"name": name, "flavor": "python_function", "model_uri": model_uri, "status": "not made"}

    def _described(self, name: str, folder: Path) -> dict[str, Any]:
        wanted = read_json(folder / WANTED) or {}
        status = read_json(folder / STATUS) or {}
        url = None
        state = "stopped"
        if is_held(folder / ALIVE):
            state = "starting"
            if status.get("generation") is not None:
                url = _url(status["host"], status["port"])
                state = "running" if ready(f"{url}/ping") else "not answering"
                if state == "running" and status["generation"] != wanted.get("generation"):
                    state = "updating"
        elif status.get("failed") is not None:
            state = "failed"
        return {
            "name": name,
            "flavor": wanted.get("flavor"),
            "model_uri": wanted.get("model_uri"),
            "content_hash": wanted.get("content_hash"),
            "status": state,
            "url": url,
            "pid": status.get("pid") if url is not None else None,
            "config": wanted.get("config"),
            "log": str(folder / LOG),
        }

    def explain(self, deployment_name: str, df: Any) -> Any:
        """Is not there.

        Raises:
            NotSupportedError: [NOT_SUPPORTED] always.
        """
        raise NotSupportedError("explain", "local")


def _stored(config: LocalConfig) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}


_WRITTEN = (PACKAGES, WANTED, STATUS, LOG, f"{LOG}.1", ALIVE, KEPT)


def _mark(folder: Path) -> None:
    os.close(os.open(folder / OWN, os.O_WRONLY | os.O_CREAT, 0o600))


def _is_own(folder: Path) -> bool:
    """Whether a directory says that it is a deployment's."""
    return (folder / OWN).is_file() or (folder / WANTED).is_file()


def _refuse_other(folder: Path, known: Collection[str] = ()) -> None:
    """Raises InvalidArgumentError where a directory that is no deployment's holds more than the `known` names."""
    there = f"choose another name, or another directory for the state: local:/DIRECTORY, or {STATE_VARIABLE}"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:  # nothing is there, or no more
        return
    except NotADirectoryError as error:
        raise InvalidArgumentError(f"{folder} is no directory", there) from error
    others = [] if {OWN, WANTED} & set(names) else sorted(set(names) - set(known))
    if others != []:
        raise InvalidArgumentError(f"The directory {folder} is no deployment's: it holds {listed(others)}", there)


def _is_kept(folder: Path) -> bool:
    """Whether the keeper lives: without it a server may still answer, but nobody looks after it."""
    return is_held(folder / ALIVE) and is_held(folder / KEPT)


def _signal(folder: Path, number: int) -> None:
    """Sends a signal to the keeper, and where it is gone or must be killed, to its server.

    The lock says that one of them lives; which, that a number is still theirs, is as sure as the lock is held.
    """
    status: Mapping[str, Any] = read_json(folder / STATUS) or {}
    pids = [int(text)] if (text := (folder / ALIVE).read_text()) != "" else []
    server = status.get("server_pid")
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
            if number != signal.SIGKILL:
                return
    if server is not None and number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.kill(server, number)


def _variables() -> dict[str, str]:
    """The variables of this process; a relative path to this toolkit would lead elsewhere from another directory."""
    path = os.environ.get("PYTHONPATH", "")
    parts = [str(Path(part).absolute()) for part in path.split(os.pathsep) if part != ""]
    return {**os.environ, **({} if parts == [] else {"PYTHONPATH": os.pathsep.join(parts)})}


def _url(host: str, port: int) -> str:
    named = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what is listened on
    return f"http://{f'[{named}]' if ':' in named else named}:{port}"

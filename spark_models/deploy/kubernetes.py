"""The target `kubernetes`: manifests in a directory, for kustomize, and applied with kubectl where that is asked."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from spark_models.deploy import docker
from spark_models.deploy.calls import Calls
from spark_models.deploy.client import BaseDeploymentClient, Config, target_rest
from spark_models.deploy.config import config_help, read_config
from spark_models.deploy.manifests import FILES, KINDS, MANAGED_BY, KubernetesConfig, manifests, selector
from spark_models.deploy.rows import post
from spark_models.deploy.state import checked_name, read_json, write_json
from spark_models.errors import (
    DeploymentExistsError,
    DeploymentFailedError,
    DeploymentNotFoundError,
    InvalidArgumentError,
    InvalidConfigError,
    listed,
)
from spark_models.package.reader import open_package

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,51}[a-z0-9])?")
"""What a Service may be called, and short enough for the names that Kubernetes makes of it."""

RECORD = ".spark-models.json"
"""The file that says that a directory is a deployment's, what is wanted, and in which clusters it was applied."""

HELP = """\
kubernetes: manifests of a Deployment, a Service, a HorizontalPodAutoscaler and a PodDisruptionBudget, with a
kustomization.

URI: kubernetes, which writes into ./kubernetes/NAME, or kubernetes:/DIRECTORY.
Build and push the image first: spark-models models build-docker -m MODEL -n REGISTRY/NAME:TAG
With apply=true the manifests are applied with kubectl, and removed with it; else: kubectl apply -k DIRECTORY/NAME

config:
"""


def target_help() -> str:
    """The URI and configuration of the target."""
    return HELP + config_help(KubernetesConfig)


def run_local(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> None:
    """Builds the image and runs it in the foreground, as a cluster would."""
    docker.run_image(name, model_uri, flavor, config, show=show)


class KubernetesClient(BaseDeploymentClient):
    """Deployments whose manifests are in a directory."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        rest = target_rest(target_uri)
        self.home = Path("kubernetes").absolute() if rest == "" else Path("/", rest)
        self._calls = Calls()

    def dry_run(self, show: Callable[[str], None]) -> None:
        """From now on manifests and commands are shown, and nothing is written or run."""
        self._calls = Calls(show)

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The deployment, whose manifests are in "directory".

        Raises:
            InvalidConfigError: [INVALID_CONFIG] the configuration lacks the image, or has wrong values.
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there are manifests of the name, of another configuration.
            DeploymentFailedError: [DEPLOYMENT_FAILED] kubectl failed.
        """
        record = self._record(name, model_uri, flavor, config)
        found = self._read(name)
        if found is not None and any(found[key] != record[key] for key in _WANTED):
            raise DeploymentExistsError(name, self.target_uri)
        if found is None:
            self._refuse_others(name, self._texts(name, record))
        return self._put(name, record, _places(found))

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The deployment with its new image or configuration; with apply=true this waits for the rollout.

        Then objects that are wanted no more are removed, and all of them where the deployment was before, in another
        namespace or context. With apply=false the cluster stays as it is until the deployment is deleted.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """
        found = self._found(name)
        given = {**found["config"], **({} if config is None else config)}
        record = self._record(name, model_uri or found["model_uri"], flavor, given)
        return self._put(name, record, _places(found))

    def delete_deployment(self, name: str) -> None:
        """Removes the manifests; what was applied is removed first, from every cluster and namespace where it was.

        Files of the user's own stay, and then so does the directory.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] the directory has manifests that this target did not write.
            DeploymentFailedError: [DEPLOYMENT_FAILED] kubectl failed.
        """
        checked_name(name, NAME)
        folder = self.home / name
        found = self._read(name)
        if found is None:
            self._refuse_others(name, FILES)
        for place in _places(found):
            self._remove(place, name, KINDS.values())
        if folder.is_dir() or any(self.home.glob(_stages(name))):
            self._calls.do("remove", {"directory": str(folder)}, lambda: self._unwritten(name), None)

    def list_deployments(self) -> list[dict[str, Any]]:
        """All deployments whose manifests are in the directory."""
        names = sorted(path.parent.name for path in self.home.glob(f"*/{RECORD}"))
        return [self.get_deployment(name) for name in names]

    def get_deployment(self, name: str) -> dict[str, Any]:
        """A deployment: its configuration, manifests, and with apply=true what the cluster says of it.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """
        found = self._found(name)
        described = self._described(name, found)
        if found["config"]["apply"] and self._calls.real:
            text = self._kubectl(found["config"], name, "get", "deployment", name, "-o", "json")
            status = json.loads(text).get("status", {})
            described["ready_replicas"] = status.get("readyReplicas", 0)
            described["replicas"] = status.get("replicas", 0)
        return described

    def predict(self, deployment_name: str, df: Any) -> Any:
        """A deployment's predictions, from `url`, else from the service's name inside the cluster.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] it does not answer, or with an error.
        """
        found = self._described(deployment_name, self._found(deployment_name))
        token = os.environ.get("SPARK_MODELS_TOKEN")
        headers = {} if not token else {"Authorization": f"Bearer {token}"}
        return post(f"{found['url']}/invocations", df, f"service {deployment_name} at {found['url']}", headers)

    def _record(self, name: str, model_uri: str, flavor: str | None, config: Config | None) -> dict[str, Any]:
        checked_name(name, NAME, "use lower-case letters, digits and '-', at most 53, a letter first")
        if flavor not in (None, "python_function"):
            raise InvalidArgumentError(f"The server serves no flavor {flavor!r}", "it serves python_function")
        chosen = read_config(KubernetesConfig, config, "kubernetes")
        problems = []
        if chosen.replicas < 1:
            problems.append("replicas must be 1 or more")
        if chosen.service_type not in ("ClusterIP", "NodePort", "LoadBalancer"):
            problems.append("service_type must be ClusterIP, NodePort or LoadBalancer")
        if problems != []:
            raise InvalidConfigError("kubernetes", tuple(problems))
        package = open_package(model_uri)
        _ = package.pyfunc
        return {
            "flavor": "python_function",
            "model_uri": str(model_uri),
            "content_hash": package.content_hash(),
            "config": {**asdict(chosen)},
            "applied": False,
            "places": [],
        }

    def _refuse_others(self, name: str, files: Iterable[str]) -> None:
        """Raises InvalidArgumentError where the directory of a deployment that is not there has one of the files."""
        folder = self.home / name
        there = [file for file in files if os.path.lexists(folder / file)]
        if there != []:
            raise InvalidArgumentError(
                f"The directory {folder} has {listed(there)}, and no {RECORD}: this target did not write them",
                "move them away, or give the target another directory: kubernetes:/DIRECTORY",
            )

    def _put(self, name: str, record: dict[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
        """Writes the manifests, and applies them where that is wanted; `before` is where they were applied already."""
        folder = self.home / name
        texts = self._texts(name, record)
        here = self._place(record["config"]) if record["config"]["apply"] else None
        # Known before kubectl is called, so that a delete finds what an interrupted call has made.
        places = [*before, *([here] if here is not None and here not in before else [])]
        record = {**record, "places": places}
        if not self._calls.real:
            for file, text in texts.items():
                self._calls.do(
                    "write", {"file": str(folder / file), "manifest": yaml.safe_load(text)}, lambda: None, None
                )
        else:
            _write(folder, texts, record)
        if here is not None:
            self._kubectl(here, name, "apply", "-k", str(folder))
            wait = f"--timeout={record['config']['start_timeout'] + 60}s"
            self._kubectl(here, name, "rollout", "status", f"deployment/{name}", wait)
            self._remove(here, name, [kind for file, kind in KINDS.items() if file not in texts])
            for place in before:
                if place != here:
                    self._remove(place, name, KINDS.values())
            record = {**record, "applied": True, "places": [here]}
            if self._calls.real:
                write_json(folder / RECORD, record)
        return self._described(name, record)

    def _place(self, config: dict[str, Any]) -> dict[str, Any]:
        """The context and namespace of a deployment; the current context by its name, as it may be another by then."""
        context = config["context"]
        if context is None and self._calls.real and shutil.which("kubectl") is not None:
            said = self._calls.run(["kubectl", "config", "current-context"], resource="the context", check=False)
            context = said.strip() or None
        return {"context": context, "namespace": config["namespace"]}

    def _remove(self, place: dict[str, Any], name: str, kinds: Iterable[str]) -> None:
        """Removes the objects of some kinds from a cluster: those with the deployment's labels."""
        names = ",".join(kinds)
        if names != "":
            self._kubectl(place, name, "delete", names, "-l", selector(name), "--ignore-not-found", "--wait")

    def _unwritten(self, name: str) -> None:
        """Removes what `_write` wrote; the record last, so that a delete which is cut off can be repeated."""
        folder = self.home / name
        for stage in self.home.glob(_stages(name)):
            shutil.rmtree(stage, ignore_errors=True)
        for file in (*folder.glob(f".{RECORD}.*"), *(folder / file for file in (*FILES, RECORD))):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a file of the user's is in it
            folder.rmdir()

    def _texts(self, name: str, record: dict[str, Any]) -> dict[str, str]:
        config = read_config(KubernetesConfig, record["config"], "kubernetes")
        made = manifests(name, config, record["content_hash"])
        return {file: yaml.safe_dump(manifest, sort_keys=False) for file, manifest in made.items()}

    def _kubectl(self, place: dict[str, Any], name: str, *words: str) -> str:
        where = [] if place["context"] is None else ["--context", place["context"]]
        where += [] if place["namespace"] is None else ["--namespace", place["namespace"]]
        if self._calls.real and shutil.which("kubectl") is None:
            raise DeploymentFailedError(
                f"kubectl {words[0]}", f"kubernetes deployment {name}", "kubectl is not on this host"
            )
        return self._calls.run(["kubectl", *where, *words], resource=f"kubernetes deployment {name}")

    def _read(self, name: str) -> Any:
        return read_json(self.home / name / RECORD)

    def _found(self, name: str) -> Any:
        found = self._read(checked_name(name, NAME))
        if found is None:
            known = tuple(sorted(path.parent.name for path in self.home.glob(f"*/{RECORD}")))
            raise DeploymentNotFoundError(name, self.target_uri, known)
        return found

    def _described(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        config = record["config"]
        namespace = config["namespace"] or "default"
        inside = f"http://{name}.{namespace}.svc:{config['service_port']}"
        return {
            "name": name,
            **{key: record[key] for key in ("flavor", "model_uri", "content_hash", "config", "applied")},
            "directory": str(self.home / name),
            "url": (config["url"] or inside).rstrip("/"),
            "managed_by": MANAGED_BY,
        }


def _write(folder: Path, texts: dict[str, str], record: dict[str, Any]) -> None:
    """Puts all manifests in place, after the record that says whose they are; files of the user's own stay."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RECORD, record)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=_stages(folder.name)[:-1]) as name:
        stage = Path(name)
        for file, text in texts.items():
            (stage / file).write_text(text)
        for gone in FILES:
            if gone not in texts:
                (folder / gone).unlink(missing_ok=True)
        for file in texts:
            os.replace(stage / file, folder / file)


_WANTED = ("flavor", "model_uri", "content_hash", "config")
"""What of a record says which deployment it is."""


def _places(record: Any) -> list[dict[str, Any]]:
    """Where a deployment was applied, or may have been."""
    places: list[dict[str, Any]] = [] if record is None else record["places"]
    return places


def _stages(name: str) -> str:
    """Of which form the names of directories are in which a deployment's files are written."""
    return f".spark-models.{name}.*"

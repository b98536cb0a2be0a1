"""The target local, for real: servers that outlive who started them, updates under load, and what is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import spark_models
from spark_models.cli import cli
from spark_models.deploy import state
from spark_models.deploy.laws import TargetLaws
from spark_models.deployments import BaseDeploymentClient, get_deploy_client
from spark_models.errors import DeploymentFailedError, DeploymentNotFoundError, InvalidArgumentError, InvalidConfigError

ROWS = pd.DataFrame({"a": [1.5, 2.0]})


class Broken(spark_models.pyfunc.PythonModel):
    def load_context(self, context: Any) -> None:
        raise RuntimeError("it can't be loaded")

    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input


@pytest.fixture(scope="module")
def packages(packages: list[str], tmp_path_factory: pytest.TempPathFactory, pickled_by_value: None) -> list[str]:
    """Those of every target's tests, and one that can't be loaded."""
    path = tmp_path_factory.mktemp("models") / "broken"
    spark_models.pyfunc.save_model(path, python_model=Broken())
    return [*packages, str(path)]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseDeploymentClient]:
    monkeypatch.setenv("SPARK_MODELS_DEPLOYMENTS", str(tmp_path / "state"))
    made = get_deploy_client("local")
    yield made
    for deployment in made.list_deployments():
        made.delete_deployment(deployment["name"])


def folders(tmp_path: Path) -> list[str]:
    return sorted(os.listdir(tmp_path / "state"))


def test_it_keeps_the_laws_of_every_target(client: BaseDeploymentClient, packages: list[str], tmp_path: Path) -> None:
    expected = [[[3.0], [4.0]], [[4.5], [6.0]]]
    TargetLaws("local", packages[0], packages[1], rows=ROWS, expected=expected, other={"queue": 8}).hold()
    assert folders(tmp_path) == []


def test_an_update_under_load_loses_no_request(client: BaseDeploymentClient, packages: list[str]) -> None:
    url = client.create_deployment("churn", packages[0])["url"]
    answers: list[bytes] = []
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            request = urllib.request.Request(f"{url}/invocations", b'[{"a": 1}]', {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    answers.append(answer.read())
            except OSError as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    client.update_deployment("churn", packages[1])
    client.update_deployment("churn", config={"workers": 2})
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(answers) == {b'[{"a":2}]', b'[{"a":3}]'}
    assert answers[-1] == b'[{"a":3}]'
    found = client.get_deployment("churn")
    assert (found["url"], found["config"]["workers"]) == (url, 2)


def test_a_model_that_cannot_be_loaded_changes_nothing(client: BaseDeploymentClient, packages: list[str]) -> None:
    client.create_deployment("churn", packages[0])
    with pytest.raises(DeploymentFailedError, match=r"(?s)local deployment churn.*it can't be loaded"):
        client.update_deployment("churn", packages[2])
    found = client.get_deployment("churn")
    assert (found["status"], found["model_uri"]) == ("running", packages[0])
    assert client.predict("churn", ROWS).to_numpy().tolist() == [[3.0], [4.0]]
    # What failed is forgotten: a server that ends is followed by one of the old model.
    os.kill(json.loads((Path(found["log"]).parent / "status.json").read_text())["server_pid"], signal.SIGKILL)
    until = time.monotonic() + 30
    while True:
        try:
            assert client.predict("churn", ROWS).to_numpy().tolist() == [[3.0], [4.0]]
            break
        except DeploymentFailedError:
            assert time.monotonic() < until, "the server never came back"
            time.sleep(0.1)


def test_a_create_that_fails_can_be_repeated_or_deleted(
    client: BaseDeploymentClient, packages: list[str], tmp_path: Path
) -> None:
    with pytest.raises(DeploymentFailedError, match="it can't be loaded"):
        client.create_deployment("churn", packages[2])
    assert client.get_deployment("churn")["status"] == "failed"
    assert client.create_deployment("churn", packages[0])["status"] == "running"
    client.delete_deployment("churn")
    with pytest.raises(DeploymentFailedError):
        client.create_deployment("churn", packages[2])
    client.delete_deployment("churn")
    assert folders(tmp_path) == []


def test_a_create_that_was_killed_at_any_file_can_be_repeated(
    client: BaseDeploymentClient, packages: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "churn"
    stage = folder / "packages" / f".{spark_models.package.reader.open_package(packages[0]).content_hash()}"
    stage.mkdir(parents=True)
    (stage / "MLmodel").write_text("half")
    assert client.create_deployment("churn", packages[0])["status"] == "running"
    assert [path.name for path in (folder / "packages").iterdir()] == [stage.name[1:]]


def test_it_outlives_the_process_that_created_it(client: BaseDeploymentClient, packages: list[str]) -> None:
    command = [sys.executable, "-m", "spark_models", "deployments"]
    make = [*command, "create", "-t", "local", "--name", "churn", "-m", packages[0], "--json"]
    made = json.loads(subprocess.run(make, capture_output=True, text=True, check=True).stdout)
    assert made["status"] == "running"
    assert client.get_deployment("churn")["status"] == "running"
    subprocess.run([*command, "delete", "-t", "local", "--name", "churn"], check=True, capture_output=True)
    with pytest.raises(DeploymentNotFoundError):
        client.get_deployment("churn")
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"{made['url']}/ping")


def test_what_lost_its_keeper_is_found_and_replaced(client: BaseDeploymentClient, packages: list[str]) -> None:
    made = client.create_deployment("churn", packages[0])
    os.kill(made["pid"], signal.SIGKILL)
    again = client.update_deployment("churn", packages[1])
    assert again["pid"] != made["pid"]
    assert client.predict("churn", ROWS).to_numpy().tolist() == [[4.5], [6.0]]


def test_one_that_was_stopped_starts_again_on_its_port(client: BaseDeploymentClient, packages: list[str]) -> None:
    made = client.create_deployment("churn", packages[0])
    os.kill(made["pid"], signal.SIGTERM)
    until = time.monotonic() + 30
    while client.get_deployment("churn")["status"] != "stopped":
        assert time.monotonic() < until
        time.sleep(0.05)
    with pytest.raises(DeploymentFailedError, match="it is stopped"):
        client.predict("churn", ROWS)
    assert client.create_deployment("churn", packages[0])["url"] == made["url"]


def test_the_token_is_needed_and_never_shown(client: BaseDeploymentClient, packages: list[str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-token\n")
    made = client.create_deployment("churn", packages[0], config={"token_file": str(tmp_path / "token")})
    assert client.predict("churn", ROWS).to_numpy().tolist() == [[3.0], [4.0]]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(urllib.request.Request(f"{made['url']}/invocations", b"[]"))
    shown = CliRunner().invoke(cli, ["deployments", "get", "-t", "local", "--name", "churn", "--json"])
    assert "s3cret" not in shown.output + repr(made) + Path(made["log"]).read_text()


def test_files_are_the_owners_alone(client: BaseDeploymentClient, packages: list[str], tmp_path: Path) -> None:
    client.create_deployment("churn", packages[0])
    folder = tmp_path / "state" / "churn"
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir() if path.is_file() and path.stat().st_mode & 0o077] == []


def test_a_state_that_others_may_write_is_refused(
    client: BaseDeploymentClient, packages: list[str], tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    with pytest.raises(InvalidArgumentError, match="others may write to it"):
        client.create_deployment("churn", packages[0])
    (tmp_path / "state").chmod(0o700)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a" * 64])
def test_names_that_lead_elsewhere_are_refused(client: BaseDeploymentClient, packages: list[str], name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="can't be the name"):
        client.create_deployment(name, packages[0])


def test_wrong_configuration_is_told_at_once(client: BaseDeploymentClient, packages: list[str], tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        client.create_deployment("churn", packages[0], config={"ports": "1", "workers": "two"})
    assert "unknown ['ports'] (rename 'ports' to 'port'); workers must be int, not 'two'" in str(caught.value)
    assert not (tmp_path / "state").exists()


def test_a_dry_run_starts_nothing(client: BaseDeploymentClient, packages: list[str], tmp_path: Path) -> None:
    words = ["deployments", "create", "-t", "local", "--name", "churn", "-m", packages[0], "--dry-run"]
    shown = CliRunner().invoke(cli, words)
    assert shown.exit_code == 0, shown.output
    assert [line.split()[1] for line in shown.stderr.splitlines()] == ["copy", "start"]
    assert not (tmp_path / "state").exists()


def test_a_directory_that_is_no_deployments_is_left_alone(
    client: BaseDeploymentClient, packages: list[str], tmp_path: Path
) -> None:
    own = tmp_path / "state" / "thesis"
    (own / "packages").mkdir(parents=True)
    (tmp_path / "state").chmod(0o700)
    (own / "chapter.txt").write_text("mine")
    for act in (lambda: client.delete_deployment("thesis"), lambda: client.create_deployment("thesis", packages[0])):
        with pytest.raises(InvalidArgumentError, match=r"(?s)thesis is no deployment's: it holds .*'chapter.txt'"):
            act()
    assert client.list_deployments() == []
    (own / "chapter.txt").unlink()
    with pytest.raises(InvalidArgumentError, match=r"it holds \['packages'\]"):
        client.delete_deployment("thesis")
    assert (own / "packages").is_dir()


def test_a_delete_that_was_cut_off_can_be_repeated(
    client: BaseDeploymentClient, packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_deployment("churn", packages[0])
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            client.delete_deployment("churn")
    (tmp_path / "state" / "churn" / "wanted.json").unlink(missing_ok=True)
    client.delete_deployment("churn")
    assert folders(tmp_path) == []


def test_an_update_that_is_interrupted_leaves_the_old_server_its_package(
    client: BaseDeploymentClient, packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_deployment("churn", packages[0])
    (old,) = (tmp_path / "state" / "churn" / "packages").iterdir()

    def interrupted(*_: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("spark_models.deploy.local.target.LocalClient._wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.update_deployment("churn", packages[1])
    assert (old / "MLmodel").is_file()
    assert client.get_deployment("churn")["model_uri"] == packages[0]
    until = time.monotonic() + 30
    while client.get_deployment("churn")["status"] != "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert client.predict("churn", ROWS).to_numpy().tolist() == [[3.0], [4.0]]


def test_an_update_that_waits_for_a_delete_finds_nothing(
    client: BaseDeploymentClient, packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_deployment("churn", packages[0])
    real = state.locked
    first = True

    @contextlib.contextmanager
    def after_a_delete(path: Path) -> Iterator[None]:
        nonlocal first
        if first:
            first = False
            get_deploy_client("local").delete_deployment("churn")
        with real(path):
            yield

    monkeypatch.setattr("spark_models.deploy.local.target.locked", after_a_delete)
    with pytest.raises(DeploymentNotFoundError):
        client.update_deployment("churn", packages[1])
    assert folders(tmp_path) == []


def test_who_waits_for_a_lock_whose_file_is_removed_takes_the_next(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    taken, release = threading.Event(), threading.Event()

    def wait() -> None:
        with state.locked(path):
            taken.set()
            release.wait(30)

    with state.locked(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        path.unlink()
    assert taken.wait(30)
    # Whoever comes now must find it held, by the file that is there.
    assert state.is_held(path)
    release.set()
    waiting.join()

"""The target docker against an engine that is a script: what is asked of it, and what is undone when it fails."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from spark_models.deploy.laws import TargetLaws
from spark_models.deployments import get_deploy_client
from spark_models.errors import (
    DeploymentExistsError,
    DeploymentFailedError,
    DeploymentNotFoundError,
    ImageNotBuiltError,
    InvalidArgumentError,
)

ENGINE = '''\
#!{python} -S
"""An engine whose containers are lines in a file."""
import json, os, sys
home = os.path.dirname(__file__)
path = os.path.join(home, "state.json")
state = json.load(open(path)) if os.path.exists(path) else {{"containers": {{}}, "images": {{}}}}
words = sys.argv[1:]
open(os.path.join(home, "log"), "a").write(json.dumps(words) + "\\n")
if os.path.exists(os.path.join(home, "fails")) and words[0] == open(os.path.join(home, "fails")).read():
    print("the engine is out of order", file=sys.stderr)
    sys.exit(1)
containers, images = state["containers"], state["images"]
def option(name):
    return [words[i + 1] for i, word in enumerate(words) if word == name]
def labels():
    return dict(text.split("=", 1) for text in option("--label"))
def matching(found):
    mark = option("--filter")[0].removeprefix("label=")
    key, _, value = mark.partition("=")
    return [name for name, item in found.items() if key in item["labels"] and value in ("", item["labels"][key])]
if words[:2] == ["image", "ls"]:
    print("id" if words[3] in images else "")
elif words[0] == "build":
    images[option("-t")[0]] = {{"labels": labels()}}
elif words[:2] == ["container", "inspect"]:
    item = containers.get(words[2])
    if item is None:
        sys.exit(1)
    status = {{"Running": item["running"], "Status": "running" if item["running"] else "exited"}}
    print(json.dumps([{{"State": status, "Config": {{"Labels": item["labels"]}}}}]))
elif words[0] == "run":
    containers[option("--name")[0]] = {{"labels": labels(), "running": True}}
elif words[0] in ("stop", "start"):
    for name in words[1:]:
        containers[name]["running"] = words[0] == "start"
elif words[0] == "rename":
    containers[words[2]] = containers.pop(words[1])
elif words[0] == "rm":
    for name in words[2:]:
        containers.pop(name, None)
elif words[0] == "rmi":
    for name in words[2:]:
        images.pop(name, None)
elif words[0] == "ps" and option("--format") == ["{{{{.Names}}}}"]:
    print("\\n".join(matching(containers)))
elif words[0] == "ps":
    print("\\n".join(containers[name]["labels"]["spark-models.deployment"] for name in matching(containers)))
elif words[0] == "images":
    print("\\n".join(matching(images)))
json.dump(state, open(path, "w"))
'''


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine's directory; a server answers /ping for its containers."""
    home = tmp_path / "bin"
    home.mkdir()
    (home / "docker").write_text(ENGINE.format(python=sys.executable))
    (home / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr("spark_models.deploy.docker.ready", lambda url: not (home / "mute").exists())
    return home


def state(engine: Path) -> Any:
    return json.loads((engine / "state.json").read_text())


def calls(engine: Path) -> list[list[str]]:
    return [json.loads(line) for line in (engine / "log").read_text().splitlines()]


def test_it_keeps_the_laws_of_every_target(engine: Path, packages: list[str]) -> None:
    TargetLaws("docker", *packages, predicts=False, other={"memory": "1g", "base_image": "own"}).hold()
    assert state(engine) == {"containers": {}, "images": {}}


def test_a_container_is_bound_to_this_host_and_has_few_rights(engine: Path, packages: list[str]) -> None:
    get_deploy_client("docker").create_deployment("churn", packages[0], config={"port": "8081", "memory": "1g"})
    (run,) = [words for words in calls(engine) if words[0] == "run"]
    assert run[run.index("-p") + 1] == "127.0.0.1:8081:8080"
    for words in (["--read-only"], ["--cap-drop", "ALL"], ["--memory", "1g"]):
        assert " ".join(words) in " ".join(run)


def test_a_container_that_does_not_answer_gives_way_to_the_old_one(engine: Path, packages: list[str]) -> None:
    client = get_deploy_client("docker")
    client.create_deployment("churn", packages[0])
    (engine / "mute").touch()
    with pytest.raises(DeploymentFailedError, match="container spark-models-churn"):
        client.update_deployment("churn", packages[1], config={"start_timeout": "0.1"})
    found = client.get_deployment("churn")
    assert (found["status"], found["model_uri"]) == ("running", packages[0])
    assert list(state(engine)["containers"]) == ["spark-models-churn"]


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_an_update_that_is_interrupted_gives_way_to_the_old_one(
    engine: Path, packages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = get_deploy_client("docker")
    client.create_deployment("churn", packages[0])
    with monkeypatch.context() as patch:
        patch.setattr("spark_models.deploy.docker.DockerClient._wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.update_deployment("churn", packages[1])
    found = client.get_deployment("churn")
    assert (found["status"], found["model_uri"]) == ("running", packages[0])
    assert list(state(engine)["containers"]) == ["spark-models-churn"]


@pytest.mark.parametrize("started", [False, True], ids=["before the new one", "before it answers"])
def test_what_a_killed_update_leaves_is_put_in_order(engine: Path, packages: list[str], started: bool) -> None:
    client = get_deploy_client("docker")
    client.create_deployment("churn", packages[0])
    found = state(engine)
    old = found["containers"].pop("spark-models-churn")
    found["containers"]["spark-models-churn-old"] = {**old, "running": False}
    if started:
        about = {**json.loads(old["labels"]["spark-models.about"]), "model_uri": packages[1]}
        labels = {**old["labels"], "spark-models.about": json.dumps(about)}
        found["containers"]["spark-models-churn"] = {"labels": labels, "running": True}
    (engine / "state.json").write_text(json.dumps(found))
    assert client.get_deployment("churn")["model_uri"] == packages[1 if started else 0]
    # The only one that is known to be good outlives a further update that fails.
    (engine / "mute").touch()
    with pytest.raises(DeploymentFailedError):
        client.update_deployment("churn", packages[1], config={"start_timeout": "0.1"})
    found = client.get_deployment("churn")
    assert (found["status"], found["model_uri"]) == ("running", packages[0])
    (engine / "mute").unlink()
    assert client.update_deployment("churn", packages[1])["model_uri"] == packages[1]
    assert list(state(engine)["containers"]) == ["spark-models-churn"]


def test_a_create_that_is_repeated_waits_until_it_answers(engine: Path, packages: list[str]) -> None:
    client = get_deploy_client("docker")
    (engine / "mute").touch()
    for _ in range(2):
        with pytest.raises(DeploymentFailedError, match="it does not answer"):
            client.create_deployment("churn", packages[0], config={"start_timeout": "0.1"})
    (engine / "mute").unlink()
    assert client.create_deployment("churn", packages[0], config={"start_timeout": "0.1"})["status"] == "running"
    assert [words[0] for words in calls(engine)].count("run") == 1


@pytest.fixture
def podman(engine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a second engine, beside docker."""
    home = engine.parent / "podman"
    home.mkdir()
    shutil.copy(engine / "docker", home / "podman")
    monkeypatch.setenv("PATH", f"{engine}:{home}")
    return home


def test_a_deployment_is_looked_after_by_the_engine_that_made_it(
    engine: Path, podman: Path, packages: list[str]
) -> None:
    client = get_deploy_client("docker")
    client.create_deployment("churn", packages[0], config={"engine": "podman"})
    assert client.get_deployment("churn")["status"] == "running"
    assert [found["name"] for found in client.list_deployments()] == ["churn"]
    with pytest.raises(DeploymentExistsError):
        client.create_deployment("churn", packages[0])
    with pytest.raises(InvalidArgumentError, match="is podman's, and the engine can't change"):
        client.update_deployment("churn", config={"engine": "docker"})
    client.update_deployment("churn", packages[1])
    assert "run" not in {words[0] for words in calls(engine)}
    client.delete_deployment("churn")
    assert state(podman) == {"containers": {}, "images": {}}


def test_an_engine_that_does_not_answer_is_not_taken_for_an_empty_one(engine: Path, packages: list[str]) -> None:
    client = get_deploy_client("docker")
    client.create_deployment("churn", packages[0])
    (engine / "fails").write_text("ps")
    for act in (client.get_deployment, client.update_deployment, client.delete_deployment):
        with pytest.raises(DeploymentFailedError, match="out of order"):
            act("churn")
    (engine / "fails").unlink()
    with pytest.raises(DeploymentNotFoundError):
        client.get_deployment("spam")


def test_another_base_image_makes_another_image(engine: Path, packages: list[str]) -> None:
    client = get_deploy_client("docker")
    client.create_deployment("churn", packages[0])
    client.update_deployment("churn", config={"base_image": "python:3.11"})
    assert len(state(engine)["images"]) == 2


@pytest.mark.parametrize("step", ["build", "run"])
def test_what_a_failed_create_leaves_is_deleted(engine: Path, packages: list[str], step: str) -> None:
    client = get_deploy_client("docker")
    (engine / "fails").write_text(step)
    with pytest.raises(DeploymentFailedError, match=r"(?s)(image|container) spark-models.churn.*out of order"):
        client.create_deployment("churn", packages[0])
    (engine / "fails").unlink()
    client.delete_deployment("churn")
    assert state(engine) == {"containers": {}, "images": {}}


def test_without_an_engine_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: list[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageNotBuiltError, match="none of docker, podman is on this host"):
        get_deploy_client("docker").create_deployment("churn", packages[0])


def test_a_dry_run_shows_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: list[str]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    shown: list[str] = []
    client = get_deploy_client("docker")
    client.dry_run(shown.append)
    client.create_deployment("churn", packages[0])
    assert [line.split()[1] for line in shown if line.split()[1] in ("build", "run")] == ["build", "run"]
    for act, wanted in (
        (lambda: client.update_deployment("churn", packages[1]), ["build", "stop", "rename", "run", "rm"]),
        (lambda: client.update_deployment("churn", config={"memory": "1g"}), ["stop", "rename", "run", "rm"]),
        (lambda: client.delete_deployment("churn"), ["stop", "rm", "rmi"]),
    ):
        shown.clear()
        act()
        writes = [line.split()[1] for line in shown]
        assert [word for word in writes if word in ("build", "stop", "rename", "run", "rm", "rmi")] == wanted

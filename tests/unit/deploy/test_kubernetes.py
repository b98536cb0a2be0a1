"""Manifests for Kubernetes: what they say, that kustomize takes them, and what is written and removed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from spark_models.cli import cli
from spark_models.deploy.laws import TargetLaws
from spark_models.deployments import get_deploy_client
from spark_models.errors import DeploymentFailedError, InvalidArgumentError, InvalidConfigError

IMAGE = {"image": "registry.example/churn:1"}


def manifests(folder: Path) -> dict[str, Any]:
    return {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}


def test_it_keeps_the_laws_of_every_target(packages: list[str], tmp_path: Path) -> None:
    TargetLaws(
        f"kubernetes:{tmp_path}", *packages, config=IMAGE, predicts=False, other={"replicas": 1, "env": {"A": "1"}}
    ).hold()
    assert list(tmp_path.iterdir()) == []


def test_the_manifests_have_probes_limits_and_an_autoscaler(packages: list[str], tmp_path: Path) -> None:
    made = get_deploy_client(f"kubernetes:{tmp_path}").create_deployment("churn", packages[0], config=IMAGE)
    found = manifests(Path(made["directory"]))
    assert found["kustomization"]["resources"] == [
        "deployment.yaml", "service.yaml", "autoscaler.yaml", "disruption-budget.yaml"
    ]  # fmt: skip
    (container,) = found["deployment"]["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/ping", "port": "http"}
    assert container["resources"] == {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    assert container["ports"][0]["containerPort"] == 8080
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    # The number of servers is the autoscaler's: applying again must not reset it.
    assert "replicas" not in found["deployment"]["spec"]
    assert (found["autoscaler"]["spec"]["minReplicas"], found["autoscaler"]["spec"]["maxReplicas"]) == (2, 6)
    labels = found["deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["service"]["spec"]["selector"].items() <= labels.items()


def test_no_secret_is_in_a_manifest(packages: list[str], tmp_path: Path) -> None:
    config = {**IMAGE, "token_secret": "churn-token", "namespace": "scoring"}
    get_deploy_client(f"kubernetes:{tmp_path}").create_deployment("churn", packages[0], config=config)
    (container,) = manifests(tmp_path / "churn")["deployment"]["spec"]["template"]["spec"]["containers"]
    (variable,) = container["env"]
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "churn-token", "key": "token"}}
    assert manifests(tmp_path / "churn")["kustomization"]["namespace"] == "scoring"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this host")
def test_kustomize_takes_them_as_a_base(packages: list[str], tmp_path: Path) -> None:
    get_deploy_client(f"kubernetes:{tmp_path}").create_deployment("churn", packages[0], config=IMAGE)
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    overlaid = {
        "resources": ["../churn"],
        "namePrefix": "test-",
        "images": [{"name": "registry.example/churn", "newTag": "2"}],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(overlaid))
    done = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {item["kind"]: item for item in yaml.safe_load_all(done.stdout)}
    assert set(found) == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/churn:2"
    # The references follow the new name.
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "test-churn"


def test_an_update_keeps_the_users_patches_and_drops_what_is_no_more(packages: list[str], tmp_path: Path) -> None:
    client = get_deploy_client(f"kubernetes:{tmp_path}")
    client.create_deployment("churn", packages[0], config=IMAGE)
    (tmp_path / "churn" / "patch.yaml").write_text("mine: true\n")
    client.update_deployment("churn", packages[1], config={"replicas": "1", "max_replicas": "1"})
    found = manifests(tmp_path / "churn")
    assert set(found) == {"deployment", "service", "kustomization", "patch"}
    assert found["deployment"]["spec"]["replicas"] == 1
    assert found["deployment"]["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE["image"]


def test_what_is_wrong_is_told_at_once(packages: list[str], tmp_path: Path) -> None:
    client = get_deploy_client(f"kubernetes:{tmp_path}")
    with pytest.raises(InvalidConfigError, match=r"image is missing; replicas must be int, not 'x'"):
        client.create_deployment("churn", packages[0], config={"replicas": "x"})
    with pytest.raises(InvalidArgumentError, match="lower-case"):
        client.create_deployment("Churn", packages[0], config=IMAGE)


def test_applying_names_the_deployment_where_kubectl_fails(
    packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ -e {tmp_path}/works ] || {{ echo no route >&2; exit 1; }}\n'
    )
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:/usr/bin:/bin")
    client = get_deploy_client(f"kubernetes:{tmp_path}/k8s")
    config = {**IMAGE, "apply": "true", "context": "lab"}
    with pytest.raises(DeploymentFailedError, match=r"(?s)kubernetes deployment churn.*no route"):
        client.create_deployment("churn", packages[0], config=config)
    (tmp_path / "works").touch()
    assert client.create_deployment("churn", packages[0], config=config)["applied"] is True
    client.delete_deployment("churn")
    lines = (tmp_path / "calls").read_text().splitlines()
    assert [line.split()[2] for line in lines] == ["apply", "apply", "rollout", "delete"]
    assert all(line.startswith("--context lab ") for line in lines)
    assert list((tmp_path / "k8s").iterdir()) == []


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of a kubectl that does nothing; it fails at the verb that the file `fails` beside them holds."""
    calls = tmp_path / "kubectl"
    calls.mkdir()
    program = calls / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}/log\n[ -e {calls}/fails ] || exit 0\n'
        f'case " $* " in *" $(cat {calls}/fails) "*) echo refused >&2; exit 1;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return calls


def deletes(kubectl: Path) -> list[str]:
    lines = (kubectl / "log").read_text().splitlines()
    (kubectl / "log").write_text("")
    return [line for line in lines if " delete " in line]


ALL = "deployments.apps,services,horizontalpodautoscalers.autoscaling,poddisruptionbudgets.policy"
OURS = "-l app.kubernetes.io/name=churn,app.kubernetes.io/managed-by=spark-models --ignore-not-found --wait"


def test_what_an_update_drops_or_moves_is_removed_from_the_cluster(
    packages: list[str], tmp_path: Path, kubectl: Path
) -> None:
    client = get_deploy_client(f"kubernetes:{tmp_path}/k8s")
    lab = {**IMAGE, "apply": "true", "context": "lab", "namespace": "a"}
    client.create_deployment("churn", packages[0], config=lab)
    assert deletes(kubectl) == []
    client.update_deployment("churn", config={"replicas": "1", "max_replicas": "1"})
    dropped = "horizontalpodautoscalers.autoscaling,poddisruptionbudgets.policy"
    assert deletes(kubectl) == [f"--context lab --namespace a delete {dropped} {OURS}"]
    client.update_deployment("churn", config={"namespace": "b", "replicas": "2", "max_replicas": "3"})
    assert deletes(kubectl) == [f"--context lab --namespace a delete {ALL} {OURS}"]
    client.update_deployment("churn", config={"context": "live"})
    assert deletes(kubectl) == [f"--context lab --namespace b delete {ALL} {OURS}"]
    client.update_deployment("churn", config={"apply": "false"})
    assert deletes(kubectl) == []
    client.delete_deployment("churn")
    assert deletes(kubectl) == [f"--context live --namespace b delete {ALL} {OURS}"]


def test_what_a_move_that_failed_has_left_is_deleted_in_both_places(
    packages: list[str], tmp_path: Path, kubectl: Path
) -> None:
    client = get_deploy_client(f"kubernetes:{tmp_path}/k8s")
    lab = {**IMAGE, "apply": "true", "context": "lab", "namespace": "a"}
    client.create_deployment("churn", packages[0], config=lab)
    (kubectl / "fails").write_text("rollout")
    with pytest.raises(DeploymentFailedError, match="refused"):
        client.update_deployment("churn", config={"namespace": "b"})
    (kubectl / "fails").unlink()
    deletes(kubectl)
    client.delete_deployment("churn")
    assert deletes(kubectl) == [f"--context lab --namespace {place} delete {ALL} {OURS}" for place in ("a", "b")]


def test_a_context_that_was_not_named_is_remembered(packages: list[str], tmp_path: Path, kubectl: Path) -> None:
    program = kubectl / "bin" / "kubectl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {kubectl}/log\n[ "$1" = config ] && cat {kubectl}/current\nexit 0\n')
    (kubectl / "current").write_text("lab\n")
    client = get_deploy_client(f"kubernetes:{tmp_path}/k8s")
    client.create_deployment("churn", packages[0], config={**IMAGE, "apply": "true"})
    (kubectl / "current").write_text("live\n")
    client.delete_deployment("churn")
    assert deletes(kubectl) == [f"--context lab delete {ALL} {OURS}"]


def test_files_that_it_did_not_write_are_left_alone(packages: list[str], tmp_path: Path) -> None:
    client = get_deploy_client(f"kubernetes:{tmp_path}")
    own = tmp_path / "churn"
    own.mkdir()
    (own / "deployment.yaml").write_text("mine: true\n")
    for act in (
        lambda: client.delete_deployment("churn"),
        lambda: client.create_deployment("churn", packages[0], config=IMAGE),
    ):
        with pytest.raises(InvalidArgumentError, match=r"(?s)churn has \['deployment.yaml'\].*did not write"):
            act()
    assert (own / "deployment.yaml").read_text() == "mine: true\n"
    (own / "deployment.yaml").rename(own / "patch.yaml")
    client.create_deployment("churn", packages[0], config=IMAGE)
    client.delete_deployment("churn")
    client.delete_deployment("churn")
    assert [path.name for path in own.iterdir()] == ["patch.yaml"]


def test_what_a_killed_create_has_left_is_removed(packages: list[str], tmp_path: Path) -> None:
    client = get_deploy_client(f"kubernetes:{tmp_path}")
    client.create_deployment("churn", packages[0], config=IMAGE)
    (tmp_path / "churn" / "service.yaml").unlink()
    (tmp_path / "churn" / "..spark-models.json.123").write_text("{")
    (tmp_path / ".spark-models.churn.abc").mkdir()
    client.delete_deployment("churn")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_writes_nothing(packages: list[str], tmp_path: Path) -> None:
    words = ["deployments", "create", "-t", f"kubernetes:{tmp_path}", "--name", "churn", "-m", packages[0]]
    shown = CliRunner().invoke(cli, [*words, "-C", "image=r/c:1", "-C", "apply=true", "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "HorizontalPodAutoscaler" in shown.stderr
    assert "kubectl apply -k" in shown.stderr
    assert list(tmp_path.iterdir()) == []

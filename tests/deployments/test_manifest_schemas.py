"""The manifests against the schemas that Kubernetes publishes, strictly: an unknown field is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from spark_models.deployments import get_deploy_client

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="it is not installed: make matrix has it")

CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "one": {"replicas": 1, "max_replicas": 1},
    "full": {
        "namespace": "scoring",
        "cpu_limit": "2",
        "token_secret": "churn-token",
        "env": {"A": "1"},
        "service_type": "LoadBalancer",
        "workers": 4,
    },
}
VERSIONS = ("1.28", "1.31", "1.33")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_they_are_valid(packages: list[str], folder: Path, config: dict[str, Any], version: str) -> None:
    client = get_deploy_client(f"kubernetes:{folder}")
    client.create_deployment("churn", packages[0], config={"image": "r/churn:1", **config})
    kinds = []
    for path in sorted((folder / "churn").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            manifest = yaml.safe_load(path.read_text())
            kubernetes_validate.validate(manifest, version, strict=True)
            kinds.append(manifest["kind"])
    assert {"Deployment", "Service"} <= set(kinds)


def test_the_validator_sees_a_wrong_field(packages: list[str], folder: Path) -> None:
    client = get_deploy_client(f"kubernetes:{folder}")
    client.create_deployment("churn", packages[0], config={"image": "r/churn:1"})
    manifest = yaml.safe_load((folder / "churn" / "deployment.yaml").read_text())
    manifest["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)

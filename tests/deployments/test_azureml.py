"""Azure ML through its SDK: every request that it makes goes to a server of this host."""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("azure.ai.ml", reason="azure-ai-ml is not installed: make matrix has it")

import requests.adapters
from azure.ai.ml import MLClient
from azure.core.credentials import AccessToken

import spark_models.azureml
from spark_models.cli import cli
from spark_models.deploy.laws import TargetLaws
from spark_models.deployments import get_deploy_client
from spark_models.errors import DeploymentExistsError, DeploymentFailedError

_spec = importlib.util.spec_from_file_location("azure_server", Path(__file__).with_name("azure_server.py"))
assert _spec is not None
assert _spec.loader is not None
azure_server = importlib.util.module_from_spec(_spec)
sys.modules["azure_server"] = azure_server
_spec.loader.exec_module(azure_server)

TARGET = "azureml:/s/g/w"
QUICK = {"instance_type": "Standard_DS2_v2"}


class Credential:
    """A credential whose token is a secret of the test."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("t-s3cret", int(time.time()) + 3600)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    state = azure_server.Azure()
    server = azure_server.serve(state)
    port = server.server_address[1]
    send = requests.adapters.HTTPAdapter.send

    def redirected(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        _, _, rest = request.url.partition("://")
        host, _, path = rest.partition("/")
        if not host.startswith("127.0.0.1"):
            request.headers["X-Host"] = host
            request.url = f"http://127.0.0.1:{port}/{path}"
        return send(self, request, *arguments, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirected)
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Credential)
    monkeypatch.setenv("AZURE_ML_CLI_PRIVATE_FEATURES_ENABLED", "false")
    yield state
    server.shutdown()
    server.server_close()


def test_it_keeps_the_laws(azure: Any, packages: list[str]) -> None:
    other = {
        "instance_count": 3,
        "environment_variables": {"MODE": "x"},
        "request_timeout_ms": 5000,
        "base_image": "own",
        "tags": {"team": "a"},
        "description": "Churn",
        "image_name": "own-image",
        "model_name": "own-model",
    }
    TargetLaws(TARGET, *packages, config=QUICK, predicts=False, other=other).hold()
    assert "onlineEndpoints" not in azure.kinds()
    assert "onlineEndpoints/deployments" not in azure.kinds()


def test_blue_and_green_follow_each_other(azure: Any, packages: list[str]) -> None:
    client = get_deploy_client(TARGET)
    client.create_deployment("churn", packages[0], config=QUICK)
    assert azure.kinds()["onlineEndpoints/deployments"] == ["churn/blue"]
    azure.calls.clear()
    client.update_deployment("churn", packages[1], config=QUICK)
    assert azure.kinds()["onlineEndpoints/deployments"] == ["churn/green"]
    assert client.get_deployment("churn")["traffic"] == {"green": 100}
    writes = [call for call in azure.calls if call.startswith(("PUT /online", "DELETE"))]
    # The new one has the traffic before the old one goes.
    assert [call.split()[0] for call in writes] == ["PUT", "PUT", "DELETE"]
    environments = [
        value for path, value in azure.resources.items() if "/environments/" in path and "/versions/" in path
    ]
    routes = environments[0]["properties"]["inferenceConfig"]
    assert routes["scoringRoute"] == {"path": "/invocations", "port": 8080}
    assert routes["livenessRoute"] == {"path": "/ping", "port": 8080}
    assert any(name.endswith("/Dockerfile") for name in azure.blobs)
    assert any(name.endswith("/MLmodel") for name in azure.blobs)


def test_the_documents_call(azure: Any, packages: list[str]) -> None:
    workspace = SimpleNamespace(name="w", subscription_id="s", resource_group="g")
    config = SimpleNamespace(cpu_cores=1, memory_gb=1, tags=None)
    webservice, model = spark_models.azureml.deploy(
        model_uri=packages[0],
        workspace=workspace,
        model_name="mymodelname",
        service_name="myservice",
        deployment_config=config,
    )
    assert webservice.scoring_uri == "https://myservice.azure.test/invocations"
    assert model.name == "mymodelname"
    deployment = next(value for path, value in azure.resources.items() if path.endswith("/deployments/blue"))
    assert deployment["properties"]["instanceType"] == "Standard_DS1_v2"
    assert webservice.get_keys() == ("k-s3cret", "k2-s3cret")
    assert "s3cret" not in repr(webservice)
    client = MLClient(Credential(), "s", "g", "w")
    again, _ = spark_models.azureml.deploy(packages[1], client, service_name="myservice", deployment_config=QUICK)
    assert again.scoring_uri == webservice.scoring_uri


def test_build_image(azure: Any, packages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["azureml", "build-image", "-w", "w", "-m", packages[0], "-d", "Wine regression model 1"]
    refused = CliRunner().invoke(cli, words)
    assert (refused.exit_code, "AZURE_SUBSCRIPTION_ID" in refused.stderr) == (1, True)
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "s")
    monkeypatch.setenv("AZURE_RESOURCE_GROUP", "g")
    shown = CliRunner().invoke(cli, [*words, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert azure.calls == []
    made = CliRunner().invoke(cli, [*words, "-i", "wine", "-n", "wine-model"])
    assert made.exit_code == 0, made.output
    assert "The image is wine:" in made.output
    assert azure.kinds()["environments/versions"][0].startswith("wine/")
    model = next(value for path, value in azure.resources.items() if "/models/wine-model/versions/" in path)
    assert model["properties"]["description"] == "Wine regression model 1"


def test_a_create_that_is_refused_at_any_write_can_be_repeated_or_deleted(azure: Any, packages: list[str]) -> None:
    client = get_deploy_client(TARGET)
    client.create_deployment("churn", packages[0], config=QUICK)
    writes = [call for call in azure.calls if call.startswith("PUT /") and "/models/" not in call.split("churn")[0]]
    azure.reset()
    for place in range(len(writes)):
        for heal in ("delete", "repeat"):
            azure.reset()
            seen: list[str] = []

            def refuse(call: str, seen: list[str] = seen, place: int = place) -> Any:
                seen += [call] if call in writes else []
                return (400, {"error": {"code": "BadRequest", "message": "not today"}}) if len(seen) > place else None

            azure.fault = refuse
            with pytest.raises(DeploymentFailedError, match=r"(?s)Where: .*churn.*workspace w") as caught:
                client.create_deployment("churn", packages[0], config=QUICK)
            assert "s3cret" not in str(caught.value)
            azure.fault = lambda call: None
            if heal == "repeat":
                client.create_deployment("churn", packages[0], config=QUICK)
                assert client.get_deployment("churn")["traffic"] == {"blue": 100}
            client.delete_deployment("churn")
            assert "onlineEndpoints" not in azure.kinds(), f"after a refusal of {writes[place]}"


@pytest.mark.parametrize("fault", ["cut", "lost"])
def test_a_line_that_is_cut_at_any_write_leaves_nothing(
    azure: Any, packages: list[str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_: None)
    client = get_deploy_client(TARGET)
    client.create_deployment("churn", packages[0], config=QUICK)
    writes = [call for call in azure.calls if call.startswith("PUT /") and "/models/" not in call.split("churn")[0]]
    for lasting in (False, True):
        for place in range(len(writes)):
            azure.reset()
            seen: list[str] = []

            def cut(call: str, seen: list[str] = seen, place: int = place, lasting: bool = lasting) -> Any:
                seen += [call] if call in writes else []
                hit = len(seen) > place and (lasting or (len(seen) == place + 1 and call in writes))
                return fault if hit else None

            azure.fault = cut
            try:
                client.create_deployment("churn", packages[0], config=QUICK)
                assert not lasting
            except DeploymentFailedError as failed:
                assert re.search(r"(?s)Where: .*churn.*workspace w", str(failed)), failed
                azure.fault = lambda call: None
                client.create_deployment("churn", packages[0], config=QUICK)
            azure.fault = lambda call: None
            assert len(seen) > place
            assert client.get_deployment("churn")["traffic"] == {"blue": 100}
            client.delete_deployment("churn")
            assert "onlineEndpoints" not in azure.kinds(), f"after {writes[place]} was {fault}"


def versions(azure: Any, kind: str, archived: bool) -> list[str]:
    """The names of registered models or environments by whether they are archived."""
    there = {path: value for path, value in azure.resources.items() if f"/{kind}/" in path and "/versions/" in path}
    found = [path for path, value in there.items() if bool(value["properties"].get("isArchived")) == archived]
    return sorted({path.split(f"/{kind}/")[1].partition("/")[0] for path in found})


def test_only_what_was_made_for_a_deployment_is_archived(azure: Any, packages: list[str]) -> None:
    workspace = SimpleNamespace(name="w", subscription_id="s", resource_group="g")
    # Registered for their own sake, under the name of a deployment to be.
    spark_models.azureml.build_image(packages[1], workspace, image_name="churn", model_name="churn")
    client = get_deploy_client(TARGET)
    client.create_deployment("churn", packages[0], config={**QUICK, "image_name": "wine", "model_name": "grapes"})
    client.update_deployment("churn", packages[1], config={"image_name": "churn", "model_name": "churn"})
    client.delete_deployment("churn")
    assert versions(azure, "models", archived=False) == ["churn"]
    assert versions(azure, "environments", archived=False) == ["churn"]
    client.create_deployment("churn", packages[0], config={**QUICK, "image_name": "wine2", "model_name": "grapes2"})
    client.delete_deployment("churn")
    assert "grapes2" in versions(azure, "models", archived=True)
    assert "wine2" in versions(azure, "environments", archived=True)
    assert versions(azure, "models", archived=False) == ["churn"]


def test_an_endpoint_of_somebody_else_is_left_alone(azure: Any, packages: list[str]) -> None:
    client = get_deploy_client(TARGET)
    client.create_deployment("churn", packages[0], config=QUICK)
    (endpoint,) = [value for path, value in azure.resources.items() if path.endswith("/onlineEndpoints/churn")]
    endpoint["tags"] = {}
    with pytest.raises(DeploymentFailedError, match="it was not made here"):
        client.delete_deployment("churn")
    with pytest.raises(DeploymentExistsError):
        client.create_deployment("churn", packages[0], config=QUICK)
    assert azure.kinds()["onlineEndpoints"] == ["churn"]


def test_a_delete_that_is_refused_at_any_write_goes_on(azure: Any, packages: list[str]) -> None:
    client = get_deploy_client(TARGET)
    names = {"image_name": "wine", "model_name": "grapes"}
    place = 0
    while True:
        azure.reset()
        client.create_deployment("churn", packages[0], config={**QUICK, **names})
        seen: list[str] = []

        def refuse(call: str, seen: list[str] = seen, place: int = place) -> Any:
            seen += [call] if call.startswith(("PUT", "DELETE")) else []
            return (400, {"error": {"code": "BadRequest", "message": "not today"}}) if len(seen) > place else None

        azure.fault = refuse
        try:
            client.delete_deployment("churn")
            break
        except DeploymentFailedError:
            azure.fault = lambda call: None
        client.delete_deployment("churn")
        assert "onlineEndpoints" not in azure.kinds()
        assert versions(azure, "models", archived=False) == []
        assert versions(azure, "environments", archived=False) == []
        place += 1
    assert place == 3


def test_a_dry_run_shows_every_write_of_an_update_and_a_delete(azure: Any, packages: list[str]) -> None:
    shown: list[str] = []
    client = get_deploy_client(TARGET)
    client.dry_run(shown.append)
    client.update_deployment("churn", packages[1], config=QUICK)
    client.delete_deployment("churn")
    calls = [line.split()[0] for line in shown]
    writes = [call.removeprefix("azureml.") for call in calls if call.rpartition(".")[2] not in ("get", "list")]
    assert writes == [
        "models.create_or_update",
        "environments.create_or_update",
        "online_endpoints.begin_create_or_update",
        "online_deployments.begin_create_or_update",
        "online_endpoints.begin_create_or_update",
        "online_deployments.begin_delete",
        "models.archive",
        "environments.archive",
        "online_endpoints.begin_delete",
    ]
    assert azure.calls == []

"""The target `azureml`: managed online endpoints of Azure Machine Learning, through its current SDK.

The image is an environment that Azure ML builds of the package's context, so no container engine is needed here. Two
deployments, blue and green, follow each other under an endpoint: traffic moves when the new one answers.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from spark_models import __version__
from spark_models.deploy import docker
from spark_models.deploy.calls import Calls
from spark_models.deploy.client import BaseDeploymentClient, Config, target_rest
from spark_models.deploy.config import config_help, mapping, option, read_config
from spark_models.deploy.image import PORT, write_context
from spark_models.deploy.marks import digest_of, not_made_here
from spark_models.deploy.rows import post
from spark_models.deploy.state import checked_name
from spark_models.errors import (
    DeploymentExistsError,
    DeploymentFailedError,
    DeploymentNotFoundError,
    InvalidArgumentError,
    InvalidConfigError,
    MissingExtraError,
)
from spark_models.package.reader import open_package
from spark_models.scoring.isolation.environments import masked

T = TypeVar("T")

NAME = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9-]{1,30}[a-zA-Z0-9])")
NAME_RULE = "use letters, digits and '-', 3 to 32, a letter first"
TAG = "spark-models-app"
HASH_TAG = "spark-models-hash"
CONFIG_TAG = "spark-models-config"
"""The tag of a deployment whose value follows from its configuration: so a repeated create is told from another."""

MODEL_TAG, BASE_TAG = "spark-models-model", "spark-models-base-image"
"""The tags of a deployment for what Azure does not tell of it: the registered model's name, and the base image."""

COLOURS = ("blue", "green")

SIZES = (
    (1, 3.5, "Standard_DS1_v2"),
    (2, 7, "Standard_DS2_v2"),
    (4, 14, "Standard_DS3_v2"),
    (8, 28, "Standard_DS4_v2"),
    (16, 56, "Standard_DS5_v2"),
)
"""Cores, gigabytes and name of the instances that stand for a configuration of the old SDK, smallest first."""

ROUTES = {
    "liveness_route": {"path": "/ping", "port": PORT},
    "readiness_route": {"path": "/ping", "port": PORT},
    "scoring_route": {"path": "/invocations", "port": PORT},
}


@dataclass(frozen=True, slots=True)
class AzureConfig:
    """How an endpoint is made."""

    instance_type: str = option("Standard_DS3_v2", "the size of the instances")
    instance_count: int = option(1, "how many instances")
    model_name: str | None = option(None, "the name of the registered model; else the deployment's")
    image_name: str | None = option(None, "the name of the environment that holds the image; else the deployment's")
    base_image: str | None = option(None, "the image to build on; else python:VERSION-slim")
    auth_mode: str = option("key", "key, aml_token or aad_token")
    description: str | None = option(None, "what the endpoint is")
    request_timeout_ms: int = option(60_000, "milliseconds that a request may take")
    max_concurrent: int = option(32, "requests that one instance takes at a time")
    tags: dict[str, str] = mapping("tags, as a JSON object")
    environment_variables: dict[str, str] = mapping("variables of the container, as a JSON object")
    synchronous: bool = option(True, "wait until it answers")


HELP = """\
azureml: a managed online endpoint of Azure Machine Learning. pip install 'spark-models[azureml]'

URI: azureml:/SUBSCRIPTION/RESOURCE-GROUP/WORKSPACE, or azureml with AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and
AZUREML_WORKSPACE set. Credentials are those of DefaultAzureCredential: az login, a managed identity, or variables.
Azure ML keeps registered models and environments for ever: delete archives them, and removes all else.

config:
"""


def target_help() -> str:
    """The URI and configuration of the target."""
    return HELP + config_help(AzureConfig)


def run_local(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> None:
    """Builds the image here and runs it in the foreground."""
    docker.run_image(name, model_uri, flavor, config, show=show)


class Azure:
    """Calls to one workspace; each names its resource. `client` is the SDK's MLClient, made when it is first used."""

    def __init__(self, calls: Calls, connect: Callable[[], Any], label: str) -> None:
        self.calls = calls
        self.label = label
        self._connect = connect
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The SDK's client."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def call(self, call: str, resource: str, arguments: dict[str, Any], act: Callable[[Any], T], instead: T) -> T:
        """What `act` gives for the client.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] Azure refuses, or can't be reached; the text names the resource.
        """
        return self.calls.do(f"azureml.{call}", arguments, lambda: self._act(call, resource, act), instead)

    def find(self, call: str, resource: str, arguments: dict[str, Any], act: Callable[[Any], Any]) -> Any:
        """As `call`, but None where the resource is not there."""
        return self.calls.do(f"azureml.{call}", arguments, lambda: self._found(call, resource, act), None)

    def _found(self, call: str, resource: str, act: Callable[[Any], Any]) -> Any:
        try:
            return self._act(call, resource, act)
        except DeploymentFailedError as error:
            if getattr(error.__cause__, "status_code", None) == 404:
                return None
            raise

    def _act(self, call: str, resource: str, act: Callable[[Any], T]) -> T:
        client = self.client
        from azure.ai.ml.exceptions import MlException
        from azure.core.exceptions import AzureError

        try:
            return act(client)
        except (AzureError, MlException) as error:
            said = str(getattr(error, "message", None) or error).splitlines()
            problem = masked(next(iter(said), type(error).__name__).rstrip("."))
            advice = "the call may be made again: what is done already is found and kept"
            raise DeploymentFailedError(
                f"azureml.{call}", f"{resource} of {self.label}", problem, advice=advice
            ) from error


def connected(subscription: str, group: str, workspace: str, calls: Calls) -> Azure:
    """The calls to a workspace with the credentials of this host."""

    def connect() -> Any:
        try:
            from azure.ai.ml import MLClient
            from azure.identity import DefaultAzureCredential
        except ImportError as error:
            raise MissingExtraError("azure-ai-ml", "azureml", "Deploying to Azure ML") from error
        return MLClient(DefaultAzureCredential(), subscription, group, workspace)

    return Azure(calls, connect, f"workspace {workspace}")


@dataclass(frozen=True, slots=True)
class Asset:
    """A model or environment that is registered: its name, version and tags."""

    name: str
    version: str
    tags: Mapping[str, str] = field(default_factory=dict)


def put_model(azure: Azure, model_uri: str, name: str, config: AzureConfig, owner: str | None = None) -> Any:
    """The registered model of a package; its version follows from the package's content.

    With an `owner`, a deployment, it carries its tag: then it goes when the deployment does.
    """
    package = open_package(model_uri)
    version = package.content_hash()[:20]
    resource = f"model {name}:{version}"
    which = {"name": name, "version": version}
    found = azure.find("models.get", resource, which, lambda client: client.models.get(**which))
    if found is not None:
        return found

    def make(client: Any) -> Any:
        from azure.ai.ml.entities import Model

        tags = {**config.tags, HASH_TAG: package.content_hash(), **_owned(owner)}
        made = Model(path=str(package.root), type="mlflow_model", description=config.description, tags=tags, **which)
        return client.models.create_or_update(made)

    return azure.call(
        "models.create_or_update", resource, {**which, "path": str(package.root)}, make, Asset(name, version)
    )


def put_image(azure: Azure, model_uri: str, name: str, config: AzureConfig, owner: str | None = None) -> Any:
    """The environment whose image serves a package; Azure ML builds it. Its version follows from what goes into it.

    With an `owner`, a deployment, it carries its tag: then it goes when the deployment does.
    """
    version = digest_of([open_package(model_uri).content_hash(), config.base_image, __version__], 20)
    resource = f"environment {name}:{version}"
    which = {"name": name, "version": version}
    found = azure.find("environments.get", resource, which, lambda client: client.environments.get(**which))
    if found is not None:
        return found

    def make(client: Any) -> Any:
        from azure.ai.ml.entities import BuildContext, Environment

        with tempfile.TemporaryDirectory(prefix="spark-models-image-") as folder:
            context = write_context(model_uri, Path(folder, "context"), base_image=config.base_image)
            with open(context / "Dockerfile", "a", encoding="utf-8") as dockerfile:
                # The endpoint's own proxy calls the container, by names that are the cluster's.
                dockerfile.write('CMD ["--allow-host", "*"]\n')
            made = Environment(
                build=BuildContext(path=str(context), dockerfile_path="Dockerfile"),
                inference_config=ROUTES,
                description=config.description,
                tags={**config.tags, **_owned(owner)},
                **which,
            )
            return client.environments.create_or_update(made)

    return azure.call(
        "environments.create_or_update", resource, {**which, "dockerfile": "Dockerfile"}, make, Asset(name, version)
    )


def _owned(owner: str | None) -> dict[str, str]:
    return {} if owner is None else {TAG: owner}


def fingerprint(config: AzureConfig) -> str:
    """What tells one configuration of a deployment from another; how it is waited for is none of it."""
    return digest_of({**asdict(config), "synchronous": None}, 20)


def put_endpoint(azure: Azure, name: str, config: AzureConfig) -> Any:
    """The endpoint of a name, made where it is not there; it has no deployment yet."""
    resource = f"online endpoint {name}"
    which = {"name": name}
    found = azure.find("online_endpoints.get", resource, which, lambda client: client.online_endpoints.get(name))
    if found is not None and str(found.provisioning_state) != "Failed":
        return found

    def make(client: Any) -> Any:
        from azure.ai.ml.entities import ManagedOnlineEndpoint

        tags = {**config.tags, TAG: name}
        made = ManagedOnlineEndpoint(name=name, auth_mode=config.auth_mode, description=config.description, tags=tags)
        return client.online_endpoints.begin_create_or_update(made).result()

    shown = {**which, "auth_mode": config.auth_mode, "tags": {**config.tags, TAG: name}}
    return azure.call("online_endpoints.begin_create_or_update", resource, shown, make, None)


def put_deployment(azure: Azure, name: str, colour: str, image: Any, content_hash: str, config: AzureConfig) -> None:
    """Makes the deployment of a colour; one that an interrupted call has left is made again."""
    resource = f"online deployment {name}/{colour}"
    marks = {TAG: name, HASH_TAG: content_hash, CONFIG_TAG: fingerprint(config), MODEL_TAG: config.model_name or name}
    marks |= {} if config.base_image is None else {BASE_TAG: config.base_image}

    def make(client: Any) -> None:
        from azure.ai.ml.entities import ManagedOnlineDeployment, OnlineRequestSettings

        limits = OnlineRequestSettings(
            request_timeout_ms=config.request_timeout_ms, max_concurrent_requests_per_instance=config.max_concurrent
        )
        made = ManagedOnlineDeployment(
            name=colour,
            endpoint_name=name,
            environment=f"azureml:{image.name}:{image.version}",
            instance_type=config.instance_type,
            instance_count=config.instance_count,
            environment_variables=dict(config.environment_variables),
            request_settings=limits,
            tags=marks,
        )
        poller = client.online_deployments.begin_create_or_update(made)
        if config.synchronous:
            poller.result()

    shown = {"name": colour, "endpoint_name": name, "environment": f"{image.name}:{image.version}", **asdict(config)}
    azure.call("online_deployments.begin_create_or_update", resource, shown, make, None)


def route(azure: Azure, name: str, colour: str, config: AzureConfig) -> None:
    """Sends all of an endpoint's traffic to the deployment of a colour; it gets what is said of it, too."""

    def make(client: Any) -> None:
        endpoint = client.online_endpoints.get(name)
        endpoint.traffic = {colour: 100}
        endpoint.tags = {**(endpoint.tags or {}), **config.tags}
        endpoint.description = endpoint.description if config.description is None else config.description
        client.online_endpoints.begin_create_or_update(endpoint).result()

    shown = {"name": name, "traffic": {colour: 100}}
    azure.call("online_endpoints.begin_create_or_update", f"online endpoint {name}", shown, make, None)


def remove_deployment(azure: Azure, name: str, colour: str) -> None:
    """Removes the deployment of a colour."""
    which = {"name": colour, "endpoint_name": name}
    resource = f"online deployment {name}/{colour}"
    azure.find(
        "online_deployments.begin_delete",
        resource,
        which,
        lambda client: client.online_deployments.begin_delete(**which).result(),
    )


class AzureClient(BaseDeploymentClient):
    """Managed online endpoints of one workspace."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        parts = [part for part in target_rest(target_uri).split("/") if part != ""]
        if len(parts) not in (0, 3):
            raise InvalidArgumentError(
                f"{target_uri!r} names no workspace", "write azureml:/SUBSCRIPTION/RESOURCE-GROUP/WORKSPACE"
            )
        names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZUREML_WORKSPACE")
        self._place = tuple(parts) if parts != [] else tuple(os.environ.get(name, "") for name in names)
        self._azure = self._connected(Calls())

    def _connected(self, calls: Calls) -> Azure:
        subscription, group, workspace = self._place
        azure = connected(subscription, group, workspace, calls)
        if "" in self._place:
            raise InvalidArgumentError(
                "No Azure ML workspace is named", "write azureml:/SUBSCRIPTION/RESOURCE-GROUP/WORKSPACE"
            )
        return azure

    def dry_run(self, show: Callable[[str], None]) -> None:
        """From now on calls are shown, and not made; what exists is taken to be absent."""
        self._azure = self._connected(Calls(show))

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The new endpoint.

        Raises:
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there is an endpoint of the name that serves another package.
            DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
        """
        chosen = self._checked(name, flavor, config)
        digest = open_package(model_uri).content_hash()
        found = endpoint_of(self._azure, name)
        serving = None if found is None else _serving(found)
        if found is not None and not _is_own(found):
            raise DeploymentExistsError(name, self.target_uri)
        if serving is not None and not _is_same(deployment_of(self._azure, name, serving), digest, chosen):
            raise DeploymentExistsError(name, self.target_uri)
        if serving is None:
            deploy(self._azure, name, model_uri, chosen, "blue")
        return described(self._azure, name)

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The endpoint with another package: the other colour is made, gets the traffic, and the old one is removed.

        What is not given is as the deployment has it that serves.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            InvalidConfigError: [INVALID_CONFIG] no model: a package can't be had back from an endpoint.
            DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the old deployment goes on.
        """
        chosen = self._checked(name, flavor, config)
        if model_uri is None:
            raise InvalidConfigError("azureml", ("model_uri is missing: an update is made of a package",))
        if self._azure.calls.real:
            before = config_of(self._azure, name, self._found(name))
            chosen = self._checked(name, flavor, {**before, **({} if config is None else config)})
        replace(self._azure, name, model_uri, chosen, assumed="blue")
        return described(self._azure, name)

    def delete_deployment(self, name: str) -> None:
        """Removes the endpoint with its deployments, and archives the models and environments that were made for it.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed, or the endpoint was not made here.
        """
        checked_name(name, NAME, NAME_RULE)
        azure, resource = self._azure, f"online endpoint {name}"
        found = endpoint_of(azure, name)
        if found is not None and not _is_own(found):
            raise not_made_here(resource, TAG, "delete it by Azure's own tools")
        # The endpoint goes last: it says under which names its models and environments are.
        colours = () if found is None else COLOURS
        archive(
            azure, name, {("models", name), ("environments", name)}.union(*(assets_of(azure, name, c) for c in colours))
        )
        azure.find(
            "online_endpoints.begin_delete",
            resource,
            {"name": name},
            lambda client: client.online_endpoints.begin_delete(name).result(),
        )

    def list_deployments(self) -> list[dict[str, Any]]:
        """The endpoints that were made here, by name."""
        nothing: list[Any] = []
        found = self._azure.call(
            "online_endpoints.list",
            "online endpoints",
            {},
            lambda client: list(client.online_endpoints.list()),
            nothing,
        )
        ours = [endpoint for endpoint in found if (endpoint.tags or {}).get(TAG) == endpoint.name]
        return sorted((_plain(endpoint) for endpoint in ours), key=lambda item: str(item["name"]))

    def get_deployment(self, name: str) -> dict[str, Any]:
        """An endpoint.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """
        found = self._found(name)
        return {**_plain(found), "config": config_of(self._azure, name, found)}

    def _found(self, name: str) -> Any:
        found = endpoint_of(self._azure, name)
        if found is None:
            raise DeploymentNotFoundError(name, self.target_uri)
        return found

    def predict(self, deployment_name: str, df: Any) -> Any:
        """An endpoint's predictions.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            DeploymentFailedError: [DEPLOYMENT_FAILED] it does not answer, or with an error.
        """
        found = _plain(self._found(deployment_name))
        resource = f"online endpoint {deployment_name}"
        keys = self._azure.call(
            "online_endpoints.get_keys",
            resource,
            {"name": deployment_name},
            lambda client: client.online_endpoints.get_keys(deployment_name),
            None,
        )
        secret = getattr(keys, "primary_key", None) or getattr(keys, "access_token", "")
        return post(found["url"], df, resource, {"Authorization": f"Bearer {secret}"})

    def _checked(self, name: str, flavor: str | None, config: Config | None) -> AzureConfig:
        checked_name(name, NAME, NAME_RULE)
        if flavor not in (None, "python_function"):
            raise InvalidArgumentError(f"The server serves no flavor {flavor!r}", "it serves python_function")
        return read_config(AzureConfig, config, "azureml")


def _listed(kind: str, name: str, client: Any) -> list[Any]:
    return list(getattr(client, kind).list(name=name))


def _archive(kind: str, which: dict[str, Any], client: Any) -> None:
    getattr(client, kind).archive(**which)


def endpoint_of(azure: Azure, name: str) -> Any:
    """The endpoint of a name; None where there is none."""
    resource = f"online endpoint {name}"
    return azure.find(
        "online_endpoints.get", resource, {"name": name}, lambda client: client.online_endpoints.get(name)
    )


def deployment_of(azure: Azure, name: str, colour: str) -> Any:
    """The deployment of a colour; None where there is none."""
    which = {"name": colour, "endpoint_name": name}
    return azure.find(
        "online_deployments.get",
        f"online deployment {name}/{colour}",
        which,
        lambda client: client.online_deployments.get(**which),
    )


def assets_of(azure: Azure, name: str, colour: str) -> set[tuple[str, str]]:
    """The names of the model and the environment of a deployment, each with its kind; none of one that is not there."""
    found = deployment_of(azure, name, colour)
    if found is None:
        return set()
    return {
        ("models", (found.tags or {}).get(MODEL_TAG, name)),
        ("environments", _environment_name(found) or name),
    }


def archive(azure: Azure, name: str, assets: Iterable[tuple[str, str]]) -> None:
    """Archives the versions of models and environments that were made for the deployment `name`, and no others."""
    for kind, asset in sorted(assets, reverse=True):
        there = azure.find(f"{kind}.list", f"{kind} {asset}", {"name": asset}, partial(_listed, kind, asset))
        if not azure.calls.real:
            there = [Asset(asset, "HASH", _owned(name))]
        for item in there or ():
            if (item.tags or {}).get(TAG) == name:
                version = {"name": item.name, "version": item.version}
                resource = f"{kind} {item.name}:{item.version}"
                azure.find(f"{kind}.archive", resource, version, partial(_archive, kind, version))


def config_of(azure: Azure, name: str, endpoint: Any) -> dict[str, Any]:
    """The configuration of an endpoint and of its deployment that serves, as keys of `AzureConfig`."""
    known: dict[str, Any] = {
        "auth_mode": endpoint.auth_mode,
        "description": endpoint.description,
        "tags": {key: text for key, text in (endpoint.tags or {}).items() if key != TAG},
    }
    colour = _serving(endpoint)
    found = None if colour is None else deployment_of(azure, name, colour)
    if found is not None:
        limits, tags = found.request_settings, found.tags or {}
        known |= {
            "instance_type": found.instance_type,
            "instance_count": found.instance_count,
            "environment_variables": dict(found.environment_variables or {}),
            "request_timeout_ms": None if limits is None else limits.request_timeout_ms,
            "max_concurrent": None if limits is None else limits.max_concurrent_requests_per_instance,
            "base_image": tags.get(BASE_TAG),
            "model_name": _other_than(name, tags.get(MODEL_TAG)),
            "image_name": _other_than(name, _environment_name(found)),
        }
    return {key: value for key, value in known.items() if value is not None}


def _other_than(name: str, found: str | None) -> str | None:
    return None if found == name else found


def _environment_name(deployment: Any) -> str | None:
    """The name of a deployment's environment, which Azure tells as an ARM id, or as it was put."""
    found = re.search(r"(?:/environments/|^azureml:)([^/:]+)", str(deployment.environment or ""))
    return None if found is None else found[1]


def _is_own(endpoint: Any) -> bool:
    return bool((endpoint.tags or {}).get(TAG) == endpoint.name)


def _is_same(deployment: Any, digest: str, config: AzureConfig) -> bool:
    tags = {} if deployment is None else deployment.tags or {}
    return tags.get(HASH_TAG) == digest and tags.get(CONFIG_TAG) == fingerprint(config)


def described(azure: Azure, name: str) -> dict[str, Any]:
    """An endpoint as plain values."""
    found = endpoint_of(azure, name)
    return {"name": name, "flavor": "python_function", **({"status": "not made"} if found is None else _plain(found))}


def replace(azure: Azure, name: str, model_uri: str, config: AzureConfig, *, assumed: str | None = None) -> Any:
    """The registered model of a package, after the endpoint serves it in place of what it had, if anything.

    `assumed` is the colour that a dry run takes to serve.
    """
    found = endpoint_of(azure, name)
    old = (None if azure.calls.real else assumed) if found is None else _serving(found)
    model = deploy(azure, name, model_uri, config, "green" if old == "blue" else "blue")
    if old is not None and config.synchronous:
        # What has another name than before would be found by nobody once the old deployment is gone.
        archive(azure, name, assets_of(azure, name, old) - assets_of(azure, name, "green" if old == "blue" else "blue"))
        remove_deployment(azure, name, old)
    return model


def deploy(azure: Azure, name: str, model_uri: str, config: AzureConfig, colour: str) -> Any:
    """The registered model of a package, after a deployment of it got an endpoint's traffic."""
    model = put_model(azure, model_uri, config.model_name or name, config, name)
    image = put_image(azure, model_uri, config.image_name or name, config, name)
    put_endpoint(azure, name, config)
    put_deployment(azure, name, colour, image, open_package(model_uri).content_hash(), config)
    if config.synchronous:
        route(azure, name, colour, config)
    return model


def _serving(endpoint: Any) -> str | None:
    """The colour that has traffic."""
    traffic: dict[str, int] = endpoint.traffic or {}
    return next((colour for colour, share in traffic.items() if share > 0), None)


def _plain(endpoint: Any) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "status": str(endpoint.provisioning_state),
        "url": endpoint.scoring_uri,
        "traffic": dict(endpoint.traffic or {}),
    }


def instance_type(cores: float, gigabytes: float) -> str:
    """The smallest instance that has so much; what the old SDK's configurations say.

    >>> instance_type(1, 1), instance_type(2, 14)
    ('Standard_DS1_v2', 'Standard_DS3_v2')
    """
    fitting = (name for has, holds, name in SIZES if has >= cores and holds >= gigabytes)
    return next(fitting, SIZES[-1][2])

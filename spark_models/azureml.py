"""Models on Azure Machine Learning, under the names of the document: `build_image` and `deploy`.

They speak to Azure through the current SDK, `pip install 'spark-models[azureml]'`. A workspace is the SDK's `MLClient`,
or whatever has a name, a subscription_id and a resource_group, as the old SDK's `Workspace`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spark_models.deploy.azureml import (
    NAME,
    NAME_RULE,
    Azure,
    AzureClient,
    AzureConfig,
    connected,
    described,
    instance_type,
    put_image,
    put_model,
    replace,
    target_help,
)
from spark_models.deploy.calls import Calls
from spark_models.deploy.config import read_config
from spark_models.deploy.state import checked_name
from spark_models.errors import InvalidArgumentError
from spark_models.package.reader import open_package

__all__ = ["AzureClient", "Webservice", "build_image", "deploy", "target_help", "workspace"]


@dataclass(frozen=True, slots=True)
class Webservice:
    """A service that answers at its `scoring_uri`. Requests bring one of its keys: `Authorization: Bearer KEY`."""

    name: str
    scoring_uri: str | None
    state: str
    _azure: Azure = field(repr=False, compare=False)

    def get_keys(self) -> tuple[str, str]:
        """The two keys of the service: secrets, to be kept as such."""
        keys = self._azure.call(
            "online_endpoints.get_keys",
            f"online endpoint {self.name}",
            {"name": self.name},
            lambda client: client.online_endpoints.get_keys(self.name),
            None,
        )
        return keys.primary_key, keys.secondary_key


def workspace(
    name: str, subscription_id: str | None, resource_group: str | None, *, calls: Calls | None = None
) -> Azure:
    """A workspace by its name, subscription and resource group, with the credentials of this host.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] the subscription or the resource group is not said.
    """
    missing = [
        variable
        for variable, value in (("AZURE_SUBSCRIPTION_ID", subscription_id), ("AZURE_RESOURCE_GROUP", resource_group))
        if not value
    ]
    if missing != []:
        raise InvalidArgumentError(
            f"The workspace {name!r} can't be found by its name alone",
            f"give the options, or set {' and '.join(missing)}",
        )
    return connected(str(subscription_id), str(resource_group), name, Calls() if calls is None else calls)


def _azure(given: Any, calls: Calls | None) -> Azure:
    if isinstance(given, Azure):
        return given
    chosen = Calls() if calls is None else calls
    if hasattr(given, "online_endpoints"):
        return Azure(chosen, lambda: given, f"workspace {getattr(given, 'workspace_name', '')}")
    facts = [getattr(given, name, None) for name in ("name", "subscription_id", "resource_group")]
    if None in facts:
        raise InvalidArgumentError(
            f"A {type(given).__name__} is no workspace",
            "give an MLClient, or what has name, subscription_id and resource_group",
        )
    name, subscription, group = map(str, facts)
    return workspace(name, subscription, group, calls=chosen)


def build_image(
    model_uri: str,
    workspace: Any,
    image_name: str | None = None,
    model_name: str | None = None,
    mlflow_home: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    synchronous: bool = True,
    *,
    calls: Calls | None = None,
) -> tuple[Any, Any]:
    """The environment whose image serves a model, and the registered model; Azure ML builds the image.

    `mlflow_home` and `synchronous` are kept for calls of old: our own wheel goes into the image, and Azure ML builds
    when the image is first used.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
    """
    azure = _azure(workspace, calls)
    config = AzureConfig(description=description, tags={} if tags is None else dict(tags))
    name = _default_name(model_uri)
    model = put_model(azure, model_uri, model_name or name, config)
    return put_image(azure, model_uri, image_name or name, config), model


def deploy(
    model_uri: str,
    workspace: Any,
    deployment_config: Any = None,
    service_name: str | None = None,
    model_name: str | None = None,
    tags: Mapping[str, str] | None = None,
    mlflow_home: str | None = None,
    synchronous: bool = True,
    *,
    calls: Calls | None = None,
) -> tuple[Webservice, Any]:
    """The service of a model, and the registered model. A service of the name gets the model in place of its own.

    `deployment_config` is a mapping of the target's keys, or a configuration of the old SDK: its cpu_cores and
    memory_gb choose the instance.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
    """
    azure = _azure(workspace, calls)
    name = checked_name(service_name or _default_name(model_uri), NAME, NAME_RULE)
    given = dict(deployment_config) if isinstance(deployment_config, Mapping) else _old(deployment_config)
    all_tags = {**(getattr(deployment_config, "tags", None) or {}), **({} if tags is None else tags)}
    config = read_config(
        AzureConfig, {"model_name": model_name, "tags": all_tags, "synchronous": synchronous, **given}, "azureml"
    )
    model = replace(azure, name, model_uri, config)
    found = described(azure, name)
    return Webservice(name, found.get("url"), found["status"], azure), model


def _old(config: Any) -> dict[str, Any]:
    """What a configuration of the old SDK says, as far as it has a meaning now."""
    cores, memory = getattr(config, "cpu_cores", None), getattr(config, "memory_gb", None)
    return {} if config is None else {"instance_type": instance_type(cores or 0, memory or 0)}


def _default_name(model_uri: str) -> str:
    return f"spark-models-{open_package(model_uri).content_hash()[:12]}"

"""The client of the target `sagemaker`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from spark_models.deploy.calls import Calls
from spark_models.deploy.client import BaseDeploymentClient, Config, target_rest
from spark_models.deploy.config import config_help, read_config
from spark_models.deploy.container import MODEL, chosen_flavor
from spark_models.deploy.engines import engine_of
from spark_models.deploy.image import PORT
from spark_models.deploy.rows import CONTENT_TYPE, predictions, split_json
from spark_models.deploy.sagemaker.aws import Aws
from spark_models.deploy.sagemaker.endpoint import (
    ADD,
    CREATE,
    MODES,
    REPLACE,
    Application,
    deploy,
    owned,
    remove,
    settings_of,
)
from spark_models.deploy.sagemaker.settings import DEFAULT_IMAGE, DEFAULT_REGION, TAG, Settings
from spark_models.deploy.state import checked_name
from spark_models.errors import DeploymentNotFoundError, InvalidConfigError
from spark_models.package.reader import open_package

NAME = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")

HELP = f"""\
sagemaker: an endpoint of Amazon SageMaker. pip install 'spark-models[sagemaker]'

URI: sagemaker, sagemaker:/REGION (else {DEFAULT_REGION}), or sagemaker:/REGION/ROLE-ARN for the execution role.
Credentials are those of AWS's own tools. The image must be in ECR: spark-models sagemaker build-and-push-container
All that is made carries the tag {TAG}; delete removes it.

config:
"""


def target_help() -> str:
    """The URI and configuration of the target."""
    return HELP + config_help(Settings)


def run_local(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> None:
    """Runs a package on this host in the container that SageMaker runs, in the foreground; `port` and `image`."""
    given = {} if config is None else config
    image = str(given.get("image", DEFAULT_IMAGE))
    run_container(model_uri, int(given.get("port", 5000)), image, flavor, Calls(show))


def run_container(model_uri: str, port: int, image: str, flavor: str | None, calls: Calls) -> None:
    """Runs a package in the container that SageMaker runs, until it ends.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is no engine on this host.
        DeploymentFailedError: [DEPLOYMENT_FAILED] the engine failed.
    """
    package = open_package(model_uri)
    chosen = chosen_flavor(package, flavor)
    start = [engine_of(calls), "run", "--rm", "-p", f"127.0.0.1:{port}:{PORT}"]
    mount = ["-v", f"{package.root}:{MODEL}:ro", "-e", f"SPARK_MODELS_FLAVOR={chosen}"]
    calls.run([*start, *mount, image, "serve"], resource=f"image {image}", stream=True)


class SageMakerClient(BaseDeploymentClient):
    """Endpoints of Amazon SageMaker in one region."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        region, _, role = target_rest(target_uri).partition("/")
        self.region = region or DEFAULT_REGION
        self.role = role or None
        self._aws = Aws(self.region, Calls())

    def dry_run(self, show: Callable[[str], None]) -> None:
        """From now on calls are shown, and not made; what exists is taken to be absent, or for delete present."""
        self._aws = Aws(self.region, Calls(show))

    def _app(self, name: str) -> Application:
        return Application(self._aws, checked_name(name, NAME, "use letters, digits and '-', at most 63"))

    def _settings(self, config: Config | None) -> Settings:
        chosen = read_config(Settings, config, "sagemaker")
        if chosen.mode not in MODES:
            raise InvalidConfigError("sagemaker", (f"mode must be one of {', '.join(MODES)}",))
        return replace(chosen, execution_role_arn=chosen.execution_role_arn or self.role)

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The new endpoint.

        Raises:
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there is an endpoint of the name, of another model.
            DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
        """
        settings = self._settings(config)
        return deploy(self._app(name), model_uri, flavor, settings, settings.mode)

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The endpoint with another model; SageMaker moves the traffic when the new one is in service.

        What is not given is as the endpoint's first variant has it: instances, role, image, bucket, network, variables
        and tags.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is no endpoint of the name.
            InvalidConfigError: [INVALID_CONFIG] no model: a package can't be had back from an endpoint.
            DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
        """
        settings = self._settings(config)
        app = self._app(name)
        if model_uri is None:
            raise InvalidConfigError("sagemaker", ("model_uri is missing: an update is made of a package",))
        mode = REPLACE if settings.mode == CREATE else settings.mode
        if self._aws.calls.real:
            found = app.described()
            if found is None:
                raise DeploymentNotFoundError(name, self.target_uri)
            before = settings_of(app, found)
            old = before.pop("flavor", None)
            if mode == ADD:
                before.pop("variant_name", None)  # each variant has a name of its own
            settings = self._settings({**before, **({} if config is None else config)})
            if flavor is None and old in open_package(model_uri).model.flavors:
                flavor = old
        return deploy(app, model_uri, flavor, settings, mode)

    def delete_deployment(self, name: str, config: Config | None = None) -> None:
        """Removes the endpoint, its configurations, models and archives; `bucket` is one to look into as well."""
        settings = self._settings(config)
        remove(
            self._app(name),
            archive=settings.archive,
            synchronous=settings.synchronous,
            timeout_seconds=settings.timeout_seconds,
            bucket=settings.bucket,
        )

    def list_deployments(self) -> list[dict[str, Any]]:
        """The endpoints that were made here, by name."""
        found = self._aws.pages("sagemaker", "list_endpoints", "Endpoints", f"endpoints in {self.region}")
        ours = [
            {"name": item["EndpointName"], "status": item["EndpointStatus"], "arn": item["EndpointArn"]}
            for item in found
            if owned(Application(self._aws, item["EndpointName"]), item["EndpointArn"])
        ]
        return sorted(ours, key=lambda item: str(item["name"]))

    def get_deployment(self, name: str) -> dict[str, Any]:
        """An endpoint.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """
        app = self._app(name)
        found = app.described()
        if found is None:
            raise DeploymentNotFoundError(name, self.target_uri)
        return {
            "name": name,
            "status": found["EndpointStatus"],
            "endpoint_config": found["EndpointConfigName"],
            "arn": found["EndpointArn"],
            "region": self.region,
            "variants": [variant["VariantName"] for variant in found.get("ProductionVariants", [])],
            "failure": found.get("FailureReason"),
            "config": settings_of(app, found),
        }

    def predict(self, deployment_name: str, df: Any) -> Any:
        """An endpoint's predictions; rows are sent as split JSON, which both flavors take.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] it does not answer, or with an error.
        """
        app = self._app(deployment_name)
        arguments = {"EndpointName": app.name, "ContentType": CONTENT_TYPE, "Accept": CONTENT_TYPE}
        answer = self._aws.call("sagemaker-runtime", "invoke_endpoint", app.resource, Body=split_json(df), **arguments)
        return predictions(answer["Body"].read(), app.resource)


__all__ = ["ADD", "CREATE", "MODES", "REPLACE", "SageMakerClient", "run_container", "run_local", "target_help"]

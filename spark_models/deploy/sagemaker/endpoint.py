"""An application: a SageMaker endpoint, its configuration, and its models. Names follow from what they hold.

So a deployment that was interrupted finds what it has made, and goes on. All of it carries the application's tag, by
which `remove` finds whatever a half-made one has left.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from spark_models.deploy.container import chosen_flavor
from spark_models.deploy.sagemaker.artifacts import (
    bucket_of,
    default_bucket,
    ensured_bucket,
    remove_archives,
    upload,
)
from spark_models.deploy.sagemaker.aws import Aws
from spark_models.deploy.sagemaker.settings import TAG, Settings
from spark_models.errors import DeploymentExistsError, DeploymentFailedError, InvalidArgumentError
from spark_models.package.reader import open_package

CREATE, ADD, REPLACE = "create", "add", "replace"
MODES = (CREATE, ADD, REPLACE)

PAUSE = 5.0
"""Seconds between two looks at an endpoint that is being made."""

_CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


@dataclass(frozen=True, slots=True)
class Application:
    """An application of one region."""

    aws: Aws
    name: str

    @property
    def resource(self) -> str:
        """The endpoint, as errors name it."""
        return f"SageMaker endpoint {self.name} in {self.aws.region}"

    def described(self) -> Any:
        """What SageMaker says of the endpoint; None where there is none."""
        return self.aws.find("sagemaker", "describe_endpoint", self.resource, EndpointName=self.name)

    def tags(self, settings: Settings) -> list[dict[str, str]]:
        """The tags of all that is made for the application."""
        return [{"Key": TAG, "Value": self.name}, *({"Key": key, "Value": text} for key, text in settings.tags.items())]


def put_model(app: Application, model_uri: str, flavor: str | None, settings: Settings) -> tuple[str, str]:
    """The name of the SageMaker model of a package, made where it is not there, and the flavor that it serves.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed.
        InvalidArgumentError: [INVALID_ARGUMENT] the package's flavor can't be deployed.
    """
    aws = app.aws
    package = open_package(model_uri)
    chosen = chosen_flavor(package, flavor)
    role = settings.execution_role_arn or aws.assumed_role()
    image = settings.image_url or default_image(aws)
    bucket = settings.bucket or ensured_bucket(aws)
    facts = [app.name, package.content_hash(), chosen, role, image, bucket, settings.vpc_config, settings.env]
    name = f"{app.name[:40].rstrip('-')}-model-{_short(facts)}"
    resource = f"SageMaker model {name} in {aws.region}"
    if aws.find("sagemaker", "describe_model", resource, ModelName=name) is None:
        variables = {**settings.env, "SPARK_MODELS_FLAVOR": chosen, "MLFLOW_DEPLOYMENT_FLAVOR_NAME": chosen}
        container = {"Image": image, "ModelDataUrl": upload(aws, package, app.name, bucket), "Environment": variables}
        network = {} if settings.vpc_config is None else {"VpcConfig": settings.vpc_config}
        aws.call(
            "sagemaker",
            "create_model",
            resource,
            ModelName=name,
            PrimaryContainer=container,
            ExecutionRoleArn=role,
            Tags=[*app.tags(settings), {"Key": f"{TAG}-hash", "Value": package.content_hash()}],
            **network,
        )
    return name, chosen


def default_image(aws: Aws) -> str:
    """The address of the image that `build-and-push-container` pushes where no other name is given."""
    from spark_models.deploy.sagemaker.settings import DEFAULT_IMAGE, image_address

    return image_address(aws.account(), aws.region, DEFAULT_IMAGE)


def deploy(app: Application, model_uri: str, flavor: str | None, settings: Settings, mode: str) -> dict[str, Any]:
    """The endpoint, after a model was put on it; the modes are those of `MODES`.

    | mode | an endpoint of the name |
    | --- | --- |
    | create | must not be there, but for what an interrupted create has made |
    | add | gets the model as a further variant, which has no traffic yet |
    | replace | has the model alone then; what it had is removed unless it is archived |

    Raises:
        DeploymentExistsError: [DEPLOYMENT_EXISTS] mode create, and there is an endpoint of another model.
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed, or the endpoint does not come into service.
        InvalidArgumentError: [INVALID_ARGUMENT] the mode is unknown, or the options contradict each other.
    """
    if mode not in MODES:
        raise InvalidArgumentError(f"The mode {mode!r} is unknown", f"choose one of {list(MODES)}")
    if not settings.archive and not settings.synchronous and mode == REPLACE:
        raise InvalidArgumentError("What is replaced can be removed only at the end", "give archive, or wait for it")
    until = time.monotonic() + settings.timeout_seconds
    aws, found = app.aws, app.described()
    if found is not None and found["EndpointStatus"] == "Deleting":
        _gone(app, until)
        found = None
    if found is not None and found["EndpointStatus"] == "Failed":
        # One that was never in service takes no other configuration.
        aws.find("sagemaker", "delete_endpoint", app.resource, EndpointName=app.name)
        _gone(app, until)
        found = None
    if found is not None and mode == CREATE and not _may_be_ours(app, model_uri, flavor, found):
        raise DeploymentExistsError(app.name, f"sagemaker:/{aws.region}", "use the mode replace or add, or delete it")
    model, chosen = put_model(app, model_uri, flavor, settings)
    variants = _variants(app, model, settings, found if mode == ADD else None)
    config = _put_config(app, variants, settings)
    if found is None:
        arguments = {"EndpointName": app.name, "EndpointConfigName": config, "Tags": app.tags(settings)}
        aws.call("sagemaker", "create_endpoint", app.resource, **arguments)
    elif found["EndpointConfigName"] != config:
        if mode == CREATE:
            raise DeploymentExistsError(
                app.name, f"sagemaker:/{aws.region}", "use the mode replace or add, or delete it"
            )
        if found["EndpointStatus"] in _CHANGING:
            in_service(app, until)
        aws.call("sagemaker", "update_endpoint", app.resource, EndpointName=app.name, EndpointConfigName=config)
    if settings.synchronous:
        in_service(app, until, config)
        if mode == REPLACE and not settings.archive:
            _sweep(app, keep_config=config, keep_models={variant["ModelName"] for variant in variants})
    return {"name": app.name, "flavor": chosen, "model_name": model, "endpoint_config": config, "region": aws.region}


def _may_be_ours(app: Application, model_uri: str, flavor: str | None, found: dict[str, Any]) -> bool:
    """Whether an endpoint may be what an interrupted create of the same model has made; nothing is made to know it."""
    config = app.aws.find(
        "sagemaker",
        "describe_endpoint_config",
        f"SageMaker endpoint configuration {found['EndpointConfigName']}",
        EndpointConfigName=found["EndpointConfigName"],
    )
    variants = [] if config is None else config["ProductionVariants"]
    if len(variants) != 1:
        return False
    name = variants[0]["ModelName"]
    model = app.aws.find("sagemaker", "describe_model", f"SageMaker model {name}", ModelName=name)
    package = open_package(model_uri)
    container = {} if model is None else model["PrimaryContainer"]
    same_flavor = container.get("Environment", {}).get("SPARK_MODELS_FLAVOR") == chosen_flavor(package, flavor)
    return same_flavor and f"/{package.content_hash()}/" in container.get("ModelDataUrl", "")


def _variants(app: Application, model: str, settings: Settings, found: Any) -> list[dict[str, Any]]:
    """The variants of the next configuration: the model's, beside those of the endpoint that it is added to."""
    variants: list[dict[str, Any]] = []
    if found is not None:
        name = found["EndpointConfigName"]
        resource = f"SageMaker endpoint configuration {name}"
        old = app.aws.call("sagemaker", "describe_endpoint_config", resource, EndpointConfigName=name)
        variants = [variant for variant in old["ProductionVariants"] if variant["ModelName"] != model]
        same = [variant for variant in old["ProductionVariants"] if variant["ModelName"] == model]
        if same != []:
            return [*variants, *same]
    return [
        *variants,
        {
            "VariantName": settings.variant_name or model,
            "ModelName": model,
            "InitialInstanceCount": settings.instance_count,
            "InstanceType": settings.instance_type,
            "InitialVariantWeight": 0.0 if variants != [] else 1.0,
        },
    ]


def _put_config(app: Application, variants: list[dict[str, Any]], settings: Settings) -> str:
    name = f"{app.name[:40].rstrip('-')}-config-{_short([app.name, variants])}"
    resource = f"SageMaker endpoint configuration {name}"
    aws = app.aws
    if aws.find("sagemaker", "describe_endpoint_config", resource, EndpointConfigName=name) is None:
        arguments = {"EndpointConfigName": name, "ProductionVariants": variants, "Tags": app.tags(settings)}
        aws.call("sagemaker", "create_endpoint_config", resource, **arguments)
    return name


def in_service(app: Application, until: float, config: str | None = None) -> None:
    """Waits until the endpoint is in service, with the configuration where one is given.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] it failed, went back to what it had, or takes too long.
    """
    while app.aws.calls.real:
        found = app.described()
        if found is None:
            raise DeploymentFailedError("wait for the endpoint", app.resource, "it is gone")
        status = found["EndpointStatus"]
        if status == "InService":
            if config is not None and found["EndpointConfigName"] != config:
                problem = f"it went back to its old configuration: {found.get('FailureReason', 'no reason is given')}"
                raise DeploymentFailedError("update the endpoint", app.resource, problem)
            return
        if status not in _CHANGING:
            problem = f"it is {status}: {found.get('FailureReason', 'no reason is given')}"
            raise DeploymentFailedError("wait for the endpoint", app.resource, problem, advice=_LOGS)
        _pause(app, until, status)


_LOGS = "the container's log is in CloudWatch, /aws/sagemaker/Endpoints/NAME; create may be repeated, or delete run"


def _gone(app: Application, until: float) -> None:
    while app.aws.calls.real and (found := app.described()) is not None:
        _pause(app, until, found["EndpointStatus"])


def _pause(app: Application, until: float, status: str) -> None:
    if time.monotonic() + PAUSE > until:
        advice = "it goes on without us; repeat the command to wait again"
        raise DeploymentFailedError("wait for the endpoint", app.resource, f"it is still {status}", advice=advice)
    time.sleep(PAUSE)


def remove(app: Application, *, archive: bool, synchronous: bool, timeout_seconds: float, bucket: str | None) -> None:
    """Removes the endpoint and, unless they are archived, its configurations, models and archives.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; repeat it, and it goes on.
        InvalidArgumentError: [INVALID_ARGUMENT] neither archive nor synchronous.
    """
    if not archive and not synchronous:
        raise InvalidArgumentError("What belongs to it can be removed only at the end", "give archive, or wait for it")
    until = time.monotonic() + timeout_seconds
    found = app.described()
    if found is not None and found["EndpointStatus"] in ("Creating", "Updating", "SystemUpdating", "RollingBack"):
        # SageMaker refuses to delete one that is being made.
        while app.aws.calls.real and (found := app.described()) is not None and found["EndpointStatus"] in _CHANGING:
            _pause(app, until, found["EndpointStatus"])
    if found is not None or not app.aws.calls.real:
        app.aws.find("sagemaker", "delete_endpoint", app.resource, EndpointName=app.name)
    if synchronous:
        _gone(app, until)
    if not archive:
        _sweep(app, bucket=bucket)


def _sweep(
    app: Application,
    *,
    keep_config: str | None = None,
    keep_models: set[str] | frozenset[str] = frozenset(),
    bucket: str | None = None,
) -> None:
    """Removes what carries the application's tag, but for what is kept; archives only where nothing is."""
    aws = app.aws
    start = app.name[:40].rstrip("-")
    resource = f"SageMaker resources of {app.name}"
    configs = aws.pages("sagemaker", "list_endpoint_configs", "EndpointConfigs", resource, NameContains=start)
    for config in list(configs) or _assumed(app, "EndpointConfig", "config"):
        name = config["EndpointConfigName"]
        if name != keep_config and _is_ours(app, config["EndpointConfigArn"]):
            what = f"SageMaker endpoint configuration {name}"
            aws.find("sagemaker", "delete_endpoint_config", what, EndpointConfigName=name)
    buckets = set() if bucket is None else {bucket}
    for model in list(aws.pages("sagemaker", "list_models", "Models", resource, NameContains=start)) or _assumed(
        app, "Model", "model"
    ):
        name = model["ModelName"]
        if name in keep_models or not _is_ours(app, model["ModelArn"]):
            continue
        what = f"SageMaker model {name}"
        held = aws.find("sagemaker", "describe_model", what, ModelName=name)
        if held is not None:
            buckets.add(bucket_of(held["PrimaryContainer"]["ModelDataUrl"]))
        aws.find("sagemaker", "delete_model", what, ModelName=name)
    if keep_models == frozenset():
        remove_archives(aws, app.name, {*buckets, default_bucket(aws)})


def _assumed(app: Application, kind: str, word: str) -> list[dict[str, str]]:
    """What a dry run takes to be there."""
    name = f"{app.name[:40].rstrip('-')}-{word}-HASH"
    return [] if app.aws.calls.real else [{f"{kind}Name": name, f"{kind}Arn": f"arn:aws:sagemaker:::{name}"}]


def _is_ours(app: Application, arn: str) -> bool:
    instead = {"Tags": [{"Key": TAG, "Value": app.name}]}
    found = app.aws.find("sagemaker", "list_tags", arn, instead=instead, ResourceArn=arn)
    tags = {} if found is None else {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    return tags.get(TAG) == app.name


def owned(app: Application, arn: str) -> bool:
    """Whether a resource carries the application's tag."""
    return _is_ours(app, arn)


def _short(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:12]

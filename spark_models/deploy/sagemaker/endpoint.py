"""An application: a SageMaker endpoint, its configuration, and its models. Names follow from what they hold.

So a deployment that was interrupted finds what it has made, and goes on. All of it carries the application's tag, by
which `remove` finds whatever a half-made one has left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from spark_models.deploy.container import chosen_flavor
from spark_models.deploy.marks import digest_of, not_made_here
from spark_models.deploy.sagemaker.artifacts import (
    bucket_of,
    default_bucket,
    ensured_bucket,
    folder_of,
    remove_archive,
    remove_archives,
    upload,
)
from spark_models.deploy.sagemaker.aws import Aws
from spark_models.deploy.sagemaker.settings import JOB_TAG, TAG, Settings
from spark_models.errors import DeploymentExistsError, DeploymentFailedError, InvalidArgumentError
from spark_models.package.reader import Package, open_package

CREATE, ADD, REPLACE = "create", "add", "replace"
MODES = (CREATE, ADD, REPLACE)

PAUSE = 5.0
"""Seconds between two looks at an endpoint that is being made."""

ENDPOINT, JOB = "endpoint", "job"

_TAGS = {ENDPOINT: TAG, JOB: JOB_TAG}
_MODELS = {ENDPOINT: "model", JOB: "job"}

_CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


@dataclass(frozen=True, slots=True)
class Application:
    """An application of one region: an endpoint, or a transform job, whose names are apart."""

    aws: Aws
    name: str
    kind: str = ENDPOINT

    @property
    def tag(self) -> str:
        """The tag of all that is made for the application; its value is the name."""
        return _TAGS[self.kind]

    @property
    def folder(self) -> str:
        """Where its archives are in a bucket."""
        return folder_of(self.kind, self.name)

    @property
    def resource(self) -> str:
        """The endpoint, as errors name it."""
        return f"SageMaker endpoint {self.name} in {self.aws.region}"

    def described(self) -> Any:
        """What SageMaker says of the endpoint; None where there is none."""
        return self.aws.find("sagemaker", "describe_endpoint", self.resource, EndpointName=self.name)

    def tags(self, settings: Settings) -> list[dict[str, str]]:
        """The tags of all that is made for the application."""
        return [
            {"Key": self.tag, "Value": self.name},
            *({"Key": key, "Value": text} for key, text in settings.tags.items()),
        ]


@dataclass(frozen=True, slots=True)
class Model:
    """A SageMaker model as it is wanted: its name follows from the rest."""

    name: str
    package: Package
    flavor: str
    role: str
    image: str
    bucket: str


def wanted_model(app: Application, model_uri: str, flavor: str | None, settings: Settings) -> Model:
    """The SageMaker model of a package; it need not be there yet, but the default bucket is.

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
    name = f"{app.name[:40].rstrip('-')}-{_MODELS[app.kind]}-{digest_of(facts, 12)}"
    return Model(name, package, chosen, role, image, bucket)


def put_model(app: Application, model_uri: str, flavor: str | None, settings: Settings) -> tuple[str, str]:
    """The name of the SageMaker model of a package, made where it is not there, and the flavor that it serves.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed.
        InvalidArgumentError: [INVALID_ARGUMENT] the package's flavor can't be deployed.
    """
    aws, model = app.aws, wanted_model(app, model_uri, flavor, settings)
    resource = f"SageMaker model {model.name} in {aws.region}"
    if aws.find("sagemaker", "describe_model", resource, ModelName=model.name) is None:
        network = {} if settings.vpc_config is None else {"VpcConfig": settings.vpc_config}
        container = {
            "Image": model.image,
            "ModelDataUrl": upload(aws, model.package, app.folder, model.bucket),
            "Environment": {**settings.env, **dict.fromkeys(_FLAVOR_VARIABLES, model.flavor)},
        }
        aws.call(
            "sagemaker",
            "create_model",
            resource,
            ModelName=model.name,
            PrimaryContainer=container,
            ExecutionRoleArn=model.role,
            Tags=[*app.tags(settings), {"Key": f"{TAG}-hash", "Value": model.package.content_hash()}],
            **network,
        )
    return model.name, model.flavor


_FLAVOR_VARIABLES = ("SPARK_MODELS_FLAVOR", "MLFLOW_DEPLOYMENT_FLAVOR_NAME")


def settings_of(app: Application, found: Any) -> dict[str, Any]:
    """What an endpoint was made with, as keys of `Settings` and "flavor"; those of its first variant."""
    aws, named = app.aws, found["EndpointConfigName"]
    config = aws.find(
        "sagemaker", "describe_endpoint_config", f"SageMaker endpoint configuration {named}", EndpointConfigName=named
    )
    if config is None:
        return {}
    variant = config["ProductionVariants"][0]
    name = variant["ModelName"]
    given: dict[str, Any] = {
        "instance_type": variant.get("InstanceType"),
        "instance_count": variant.get("InitialInstanceCount"),
        "variant_name": None if variant["VariantName"] == name else variant["VariantName"],
    }
    model = aws.find("sagemaker", "describe_model", f"SageMaker model {name}", ModelName=name)
    if model is not None:
        container = model["PrimaryContainer"]
        variables = container.get("Environment", {})
        bucket = bucket_of(container["ModelDataUrl"])
        given |= {
            "execution_role_arn": model["ExecutionRoleArn"],
            "image_url": container["Image"],
            "bucket": None if bucket == default_bucket(aws) else bucket,
            "vpc_config": None if model.get("VpcConfig") == {} else model.get("VpcConfig"),
            "env": {key: text for key, text in variables.items() if key not in _FLAVOR_VARIABLES},
            "tags": {key: text for key, text in _tags(app, model["ModelArn"]).items() if not key.startswith(_OWN_TAGS)},
            "flavor": variables.get(_FLAVOR_VARIABLES[0]),
        }
    return {key: value for key, value in given.items() if value is not None}


_OWN_TAGS = (TAG, JOB_TAG, "aws:")


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
    if not aws.calls.real and mode != CREATE:
        found = {"EndpointStatus": "InService", "EndpointConfigName": f"{app.name}-config-HASH"}
    if found is not None and found["EndpointStatus"] == "Deleting":
        _gone(app, until)
        found = None
    if found is not None and found["EndpointStatus"] == "Failed":
        # One that was never in service takes no other configuration.
        aws.find("sagemaker", "delete_endpoint", app.resource, EndpointName=app.name)
        _gone(app, until)
        found = None
    if found is not None and mode == CREATE and not _may_be_ours(app, model_uri, flavor, found):
        raise DeploymentExistsError(app.name, f"sagemaker:/{aws.region}", _OTHERWISE)
    if found is not None and mode == CREATE:
        # Nothing is made for what is refused.
        name = wanted_model(app, model_uri, flavor, settings).name
        if found["EndpointConfigName"] != _config_name(app, _variants(app, name, settings, None)):
            raise DeploymentExistsError(app.name, f"sagemaker:/{aws.region}", _OTHERWISE)
    model, chosen = put_model(app, model_uri, flavor, settings)
    variants = _variants(app, model, settings, found if mode == ADD else None)
    config = _put_config(app, variants, settings)
    if found is None:
        arguments = {"EndpointName": app.name, "EndpointConfigName": config, "Tags": app.tags(settings)}
        aws.call("sagemaker", "create_endpoint", app.resource, **arguments)
    elif found["EndpointConfigName"] != config:
        if found["EndpointStatus"] in _CHANGING:
            in_service(app, until)
        aws.call("sagemaker", "update_endpoint", app.resource, EndpointName=app.name, EndpointConfigName=config)
    if settings.synchronous:
        in_service(app, until, config)
        if mode == REPLACE and not settings.archive:
            sweep(app, keep_config=config, keep_models={variant["ModelName"] for variant in variants})
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
        nothing: dict[str, Any] = {"ProductionVariants": []}
        old = app.aws.call("sagemaker", "describe_endpoint_config", resource, instead=nothing, EndpointConfigName=name)
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
    name = _config_name(app, variants)
    resource = f"SageMaker endpoint configuration {name}"
    aws = app.aws
    if aws.find("sagemaker", "describe_endpoint_config", resource, EndpointConfigName=name) is None:
        arguments = {"EndpointConfigName": name, "ProductionVariants": variants, "Tags": app.tags(settings)}
        aws.call("sagemaker", "create_endpoint_config", resource, **arguments)
    return name


def _config_name(app: Application, variants: list[dict[str, Any]]) -> str:
    return f"{app.name[:40].rstrip('-')}-config-{digest_of([app.name, variants], 12)}"


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


_OTHERWISE = "use the mode replace or add, or delete it"
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
    if found is not None:
        check_own(app, found["EndpointArn"], app.resource)
    if found is not None and found["EndpointStatus"] in ("Creating", "Updating", "SystemUpdating", "RollingBack"):
        # SageMaker refuses to delete one that is being made.
        while app.aws.calls.real and (found := app.described()) is not None and found["EndpointStatus"] in _CHANGING:
            _pause(app, until, found["EndpointStatus"])
    if found is not None or not app.aws.calls.real:
        app.aws.find("sagemaker", "delete_endpoint", app.resource, EndpointName=app.name)
    if synchronous:
        _gone(app, until)
    if not archive:
        sweep(app, bucket=bucket)


def check_own(app: Application, arn: str, resource: str) -> None:
    """Raises DeploymentFailedError where what is to be removed lacks the application's tag: it is somebody else's."""
    if app.aws.calls.real and not owned(app, arn):
        raise not_made_here(resource, app.tag, "delete it by AWS's own tools")


def sweep(
    app: Application,
    *,
    keep_config: str | None = None,
    keep_models: set[str] | frozenset[str] = frozenset(),
    bucket: str | None = None,
) -> None:
    """Removes what carries the application's tag, but for what is kept, and the archives that no kept model has.

    A model says where its archive is: so it goes after it, and a sweep that is cut off can be repeated.
    """
    aws = app.aws
    start = app.name[:40].rstrip("-")
    resource = f"SageMaker resources of {app.name}"
    if app.kind == ENDPOINT:
        configs = aws.pages("sagemaker", "list_endpoint_configs", "EndpointConfigs", resource, NameContains=start)
        for config in list(configs) or _assumed(app, "EndpointConfig", "config"):
            name = config["EndpointConfigName"]
            if name != keep_config and owned(app, config["EndpointConfigArn"]):
                what = f"SageMaker endpoint configuration {name}"
                aws.find("sagemaker", "delete_endpoint_config", what, EndpointConfigName=name)
    models = aws.pages("sagemaker", "list_models", "Models", resource, NameContains=start)
    ours = [item for item in list(models) or _assumed(app, "Model", _MODELS[app.kind]) if owned(app, item["ModelArn"])]
    archives = {item["ModelName"]: _archive_of(app, item["ModelName"]) for item in ours}
    gone = {name: uri for name, uri in archives.items() if name not in keep_models}
    if keep_models == frozenset():
        buckets = {bucket_of(uri) for uri in gone.values() if uri is not None}
        further = set() if bucket is None else {bucket}
        remove_archives(aws, app.folder, {*buckets, *further, default_bucket(aws)})
    else:
        kept = {uri for name, uri in archives.items() if name in keep_models}
        for uri in sorted({uri for uri in gone.values() if uri is not None} - kept):
            remove_archive(aws, app.folder, uri)
    for name in gone:
        aws.find("sagemaker", "delete_model", f"SageMaker model {name}", ModelName=name)


def _archive_of(app: Application, model: str) -> str | None:
    """The s3:// URI of a SageMaker model's archive; None where the model is gone."""
    held = app.aws.find("sagemaker", "describe_model", f"SageMaker model {model}", ModelName=model)
    return None if held is None else str(held["PrimaryContainer"]["ModelDataUrl"])


def _assumed(app: Application, kind: str, word: str) -> list[dict[str, str]]:
    """What a dry run takes to be there."""
    name = f"{app.name[:40].rstrip('-')}-{word}-HASH"
    return [] if app.aws.calls.real else [{f"{kind}Name": name, f"{kind}Arn": f"arn:aws:sagemaker:::{name}"}]


def owned(app: Application, arn: str) -> bool:
    """Whether a resource carries the application's tag."""
    return _tags(app, arn).get(app.tag) == app.name


def _tags(app: Application, arn: str) -> dict[str, str]:
    instead = {"Tags": [{"Key": app.tag, "Value": app.name}]}
    found = app.aws.find("sagemaker", "list_tags", arn, instead=instead, ResourceArn=arn)
    return {} if found is None else {tag["Key"]: tag["Value"] for tag in found["Tags"]}

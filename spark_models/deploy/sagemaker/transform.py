"""Batch transform jobs: a package scores files in S3."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from spark_models.deploy.sagemaker import endpoint
from spark_models.deploy.sagemaker.artifacts import bucket_of, remove_archives
from spark_models.deploy.sagemaker.endpoint import Application, put_model
from spark_models.deploy.sagemaker.settings import Settings
from spark_models.errors import DeploymentFailedError, InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Files:
    """What a job reads, how, and where its answers go; the names are SageMaker's."""

    input_data_type: str
    input_uri: str
    content_type: str
    output_path: str
    compression_type: str = "None"
    split_type: str = "Line"
    accept: str = "text/csv"
    assemble_with: str = "Line"
    input_filter: str = "$"
    output_filter: str = "$"
    join_resource: str = "None"


def start(app: Application, model_uri: str, flavor: str | None, settings: Settings, files: Files) -> dict[str, Any]:
    """A job, after it has ended where it is waited for; then its model and archive are removed unless archived.

    A job of the name that is there already is waited for, and not made again.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call or the job failed.
        InvalidArgumentError: [INVALID_ARGUMENT] neither archive nor synchronous.
    """
    _check(settings.archive, settings.synchronous)
    found = _described(app)
    if found is None:
        model, _ = put_model(app, model_uri, flavor, settings)
        source = {"S3DataType": files.input_data_type, "S3Uri": files.input_uri}
        app.aws.call(
            "sagemaker",
            "create_transform_job",
            _resource(app),
            TransformJobName=app.name,
            ModelName=model,
            TransformInput={
                "DataSource": {"S3DataSource": source},
                "ContentType": files.content_type,
                "CompressionType": files.compression_type,
                "SplitType": files.split_type,
            },
            TransformOutput={
                "S3OutputPath": files.output_path,
                "Accept": files.accept,
                "AssembleWith": files.assemble_with,
            },
            TransformResources={"InstanceType": settings.instance_type, "InstanceCount": settings.instance_count},
            DataProcessing={
                "InputFilter": files.input_filter,
                "OutputFilter": files.output_filter,
                "JoinSource": files.join_resource,
            },
            Tags=app.tags(settings),
        )
    if settings.synchronous:
        _wait(app, settings.timeout_seconds, ("Completed",))
    if not settings.archive:
        _clean(app)
    return {"name": app.name, "output": files.output_path, "region": app.aws.region}


def stop(app: Application, *, archive: bool, synchronous: bool, timeout_seconds: float) -> None:
    """Stops a job, and removes its model and archive unless they are archived; without a job nothing is stopped.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed.
        InvalidArgumentError: [INVALID_ARGUMENT] neither archive nor synchronous.
    """
    _check(archive, synchronous)
    found = _described(app)
    if not app.aws.calls.real or (found is not None and found["TransformJobStatus"] in ("InProgress", "Stopping")):
        app.aws.find("sagemaker", "stop_transform_job", _resource(app), TransformJobName=app.name)
        if synchronous:
            _wait(app, timeout_seconds, ("Stopped", "Completed", "Failed"))
    if not archive:
        _clean(app)


def _check(archive: bool, synchronous: bool) -> None:
    if not archive and not synchronous:
        raise InvalidArgumentError("What belongs to it can be removed only at the end", "give archive, or wait for it")


def _described(app: Application) -> Any:
    return app.aws.find("sagemaker", "describe_transform_job", _resource(app), TransformJobName=app.name)


def _resource(app: Application) -> str:
    return f"SageMaker transform job {app.name} in {app.aws.region}"


def _wait(app: Application, seconds: float, wanted: tuple[str, ...]) -> None:
    until = time.monotonic() + seconds
    while app.aws.calls.real:
        found = _described(app)
        status = "gone" if found is None else found["TransformJobStatus"]
        if status in wanted:
            return
        if status not in ("InProgress", "Stopping"):
            reason = "" if found is None else f": {found.get('FailureReason', 'no reason is given')}"
            raise DeploymentFailedError("wait for the transform job", _resource(app), f"it is {status}{reason}")
        if time.monotonic() > until:
            raise DeploymentFailedError("wait for the transform job", _resource(app), f"it is still {status}")
        time.sleep(endpoint.PAUSE)


def _clean(app: Application) -> None:
    found = _described(app)
    name = "MODEL" if found is None and not app.aws.calls.real else None if found is None else found["ModelName"]
    if name is None:
        return
    resource = f"SageMaker model {name}"
    model = app.aws.find("sagemaker", "describe_model", resource, ModelName=name)
    app.aws.find("sagemaker", "delete_model", resource, ModelName=name)
    if model is not None:
        remove_archives(app.aws, app.name, {bucket_of(model["PrimaryContainer"]["ModelDataUrl"])})

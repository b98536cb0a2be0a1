"""Batch transform jobs: a package scores files in S3."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from spark_models.deploy.sagemaker import endpoint
from spark_models.deploy.sagemaker.endpoint import (
    JOB,
    Application,
    check_own,
    put_model,
    sweep,
    wanted_model,
)
from spark_models.deploy.sagemaker.settings import Settings
from spark_models.errors import DeploymentExistsError, DeploymentFailedError, InvalidArgumentError


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

    The same job that is there already is waited for, and not made again.

    Raises:
        DeploymentExistsError: [DEPLOYMENT_EXISTS] there was a job of the name, of another package or other files.
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call or the job failed.
        InvalidArgumentError: [INVALID_ARGUMENT] neither archive nor synchronous.
    """
    _check(settings.archive, settings.synchronous)
    job = replace(app, kind=JOB)
    found = _described(job)
    if found is None:
        model, _ = put_model(job, model_uri, flavor, settings)
        arguments = {"TransformJobName": job.name, **_request(model, settings, files), "Tags": job.tags(settings)}
        job.aws.call("sagemaker", "create_transform_job", _resource(job), **arguments)
    elif not _within(_request(wanted_model(job, model_uri, flavor, settings).name, settings, files), found):
        # SageMaker keeps jobs, and so their names, for ever.
        raise DeploymentExistsError(job.name, _resource(job), "give the job another name: those of jobs are used once")
    if settings.synchronous:
        _wait(job, settings.timeout_seconds, ("Completed",))
    if not settings.archive:
        sweep(job, bucket=settings.bucket)
    return {"name": job.name, "output": files.output_path, "region": job.aws.region}


def _request(model: str, settings: Settings, files: Files) -> dict[str, Any]:
    """What says which job it is."""
    return {
        "ModelName": model,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": files.input_data_type, "S3Uri": files.input_uri}},
            "ContentType": files.content_type,
            "CompressionType": files.compression_type,
            "SplitType": files.split_type,
        },
        "TransformOutput": {
            "S3OutputPath": files.output_path,
            "Accept": files.accept,
            "AssembleWith": files.assemble_with,
        },
        "TransformResources": {"InstanceType": settings.instance_type, "InstanceCount": settings.instance_count},
        "DataProcessing": {
            "InputFilter": files.input_filter,
            "OutputFilter": files.output_filter,
            "JoinSource": files.join_resource,
        },
    }


def _within(wanted: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether what is there is as it is wanted, as far as SageMaker tells: it leaves out defaults, and adds some."""
    return all(
        _within(value, found[key]) if isinstance(value, dict) else found[key] == value
        for key, value in wanted.items()
        if key in found
    )


def stop(
    app: Application, *, archive: bool, synchronous: bool, timeout_seconds: float, bucket: str | None = None
) -> None:
    """Stops a job, and removes its model and archive unless they are archived; without a job nothing is stopped.

    What a job that was cut off has left is found by its tag. `bucket` is where its archive is, if no model says so.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed, or the job was not made here.
        InvalidArgumentError: [INVALID_ARGUMENT] neither archive nor synchronous.
    """
    _check(archive, synchronous)
    job = replace(app, kind=JOB)
    found = _described(job)
    if found is not None:
        check_own(job, found["TransformJobArn"], _resource(job))
    if not job.aws.calls.real or (found is not None and found["TransformJobStatus"] in ("InProgress", "Stopping")):
        job.aws.find("sagemaker", "stop_transform_job", _resource(job), TransformJobName=job.name)
        if synchronous:
            _wait(job, timeout_seconds, ("Stopped", "Completed", "Failed"))
    if not archive:
        sweep(job, bucket=bucket)


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

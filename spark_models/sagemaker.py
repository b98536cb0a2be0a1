"""Models on Amazon SageMaker: endpoints, batch transform jobs, and the image that runs them.

`pip install 'spark-models[sagemaker]'`
"""

from __future__ import annotations

from typing import Any

from spark_models.deploy.calls import Calls
from spark_models.deploy.container import FLAVORS
from spark_models.deploy.sagemaker.aws import Aws
from spark_models.deploy.sagemaker.endpoint import ADD, CREATE, REPLACE, Application
from spark_models.deploy.sagemaker.endpoint import deploy as _deploy
from spark_models.deploy.sagemaker.endpoint import remove as _remove
from spark_models.deploy.sagemaker.push import build_container, push_container
from spark_models.deploy.sagemaker.settings import DEFAULT_IMAGE, DEFAULT_INSTANCE, DEFAULT_REGION, Settings
from spark_models.deploy.sagemaker.target import NAME, SageMakerClient, run_container, target_help
from spark_models.deploy.sagemaker.transform import Files, start, stop
from spark_models.deploy.state import checked_name

DEFAULT_IMAGE_NAME = DEFAULT_IMAGE
DEPLOYMENT_MODE_ADD = ADD
DEPLOYMENT_MODE_CREATE = CREATE
DEPLOYMENT_MODE_REPLACE = REPLACE
DEPLOYMENT_MODES = [CREATE, ADD, REPLACE]
SUPPORTED_DEPLOYMENT_FLAVORS = list(FLAVORS)

__all__ = [
    "DEFAULT_IMAGE_NAME",
    "DEPLOYMENT_MODES",
    "DEPLOYMENT_MODE_ADD",
    "DEPLOYMENT_MODE_CREATE",
    "DEPLOYMENT_MODE_REPLACE",
    "SUPPORTED_DEPLOYMENT_FLAVORS",
    "SageMakerClient",
    "build_and_push_container",
    "delete",
    "deploy",
    "deploy_transform_job",
    "push_image_to_ecr",
    "run_local",
    "target_help",
    "terminate_transform_job",
]


def _app(name: str, region: str, calls: Calls | None) -> Application:
    checked = checked_name(name, NAME, "use letters, digits and '-', at most 63")
    return Application(Aws(region, Calls() if calls is None else calls), checked)


def deploy(
    app_name: str,
    model_uri: str,
    execution_role_arn: str | None = None,
    bucket: str | None = None,
    image_url: str | None = None,
    region_name: str = DEFAULT_REGION,
    mode: str = CREATE,
    archive: bool = False,
    instance_type: str = DEFAULT_INSTANCE,
    instance_count: int = 1,
    vpc_config: dict[str, Any] | None = None,
    flavor: str | None = None,
    synchronous: bool = True,
    timeout_seconds: float = 1200,
    *,
    calls: Calls | None = None,
) -> dict[str, Any]:
    """The endpoint `app_name`, after the model was put on it: mode create, add or replace.

    Raises:
        DeploymentExistsError: [DEPLOYMENT_EXISTS] mode create, and there is an endpoint of another model.
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
        InvalidArgumentError: [INVALID_ARGUMENT] the mode or the flavor is unknown.
    """
    settings = Settings(
        execution_role_arn=execution_role_arn,
        bucket=bucket,
        image_url=image_url,
        archive=archive,
        instance_type=instance_type,
        instance_count=instance_count,
        vpc_config=vpc_config,
        synchronous=synchronous,
        timeout_seconds=timeout_seconds,
    )
    return _deploy(_app(app_name, region_name, calls), model_uri, flavor, settings, mode)


def delete(
    app_name: str,
    region_name: str = DEFAULT_REGION,
    archive: bool = False,
    synchronous: bool = True,
    timeout_seconds: float = 300,
    *,
    bucket: str | None = None,
    calls: Calls | None = None,
) -> None:
    """Removes an endpoint and, unless they are archived, its configurations, models and archives.

    `bucket` is the one of a deployment that was cut off before its model was made; else it is known.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; repeat it, and it goes on.
    """
    app = _app(app_name, region_name, calls)
    _remove(app, archive=archive, synchronous=synchronous, timeout_seconds=timeout_seconds, bucket=bucket)


def deploy_transform_job(
    job_name: str,
    model_uri: str,
    s3_input_data_type: str,
    s3_input_uri: str,
    content_type: str,
    s3_output_path: str,
    compression_type: str = "None",
    split_type: str = "Line",
    accept: str = "text/csv",
    assemble_with: str = "Line",
    input_filter: str = "$",
    output_filter: str = "$",
    join_resource: str = "None",
    execution_role_arn: str | None = None,
    bucket: str | None = None,
    image_url: str | None = None,
    region_name: str = DEFAULT_REGION,
    instance_type: str = DEFAULT_INSTANCE,
    instance_count: int = 1,
    vpc_config: dict[str, Any] | None = None,
    flavor: str | None = None,
    archive: bool = False,
    synchronous: bool = True,
    timeout_seconds: float = 1200,
    *,
    calls: Calls | None = None,
) -> dict[str, Any]:
    """A batch transform job, after it has ended; its model and archive are removed unless they are archived.

    Raises:
        DeploymentExistsError: [DEPLOYMENT_EXISTS] there was a job of the name, of another package or other files.
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call or the job failed; the text names the resource.
    """
    settings = Settings(
        execution_role_arn=execution_role_arn,
        bucket=bucket,
        image_url=image_url,
        archive=archive,
        instance_type=instance_type,
        instance_count=instance_count,
        vpc_config=vpc_config,
        synchronous=synchronous,
        timeout_seconds=timeout_seconds,
    )
    files = Files(
        input_data_type=s3_input_data_type,
        input_uri=s3_input_uri,
        content_type=content_type,
        output_path=s3_output_path,
        compression_type=compression_type,
        split_type=split_type,
        accept=accept,
        assemble_with=assemble_with,
        input_filter=input_filter,
        output_filter=output_filter,
        join_resource=join_resource,
    )
    return start(_app(job_name, region_name, calls), model_uri, flavor, settings, files)


def terminate_transform_job(
    job_name: str,
    region_name: str = DEFAULT_REGION,
    archive: bool = False,
    synchronous: bool = True,
    timeout_seconds: float = 300,
    *,
    bucket: str | None = None,
    calls: Calls | None = None,
) -> None:
    """Stops a batch transform job, and removes its model and archive unless they are archived.

    `bucket` is the one of a job that was cut off before its model was made; else it is known.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
    """
    app = _app(job_name, region_name, calls)
    stop(app, archive=archive, synchronous=synchronous, timeout_seconds=timeout_seconds, bucket=bucket)


def run_local(
    model_uri: str,
    port: int | str = 5000,
    image: Any = DEFAULT_IMAGE_NAME,
    flavor: Any = None,
    *,
    calls: Calls | None = None,
) -> None:
    """Serves a model on this host in the container that SageMaker runs, until it ends.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is no container engine on this host.
    """
    run_container(model_uri, int(port), image, flavor, Calls() if calls is None else calls)


def push_image_to_ecr(
    image: str = DEFAULT_IMAGE_NAME, region_name: str = DEFAULT_REGION, *, calls: Calls | None = None
) -> str:
    """The address of an image of this host after it was pushed to ECR; its repository is made where it is not there.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
    """
    return push_container(Aws(region_name, Calls() if calls is None else calls), image)


def build_and_push_container(
    image: str = DEFAULT_IMAGE_NAME,
    region_name: str = DEFAULT_REGION,
    *,
    build: bool = True,
    push: bool = True,
    model_uri: str | None = None,
    base_image: str | None = None,
    jar: str | None = None,
    calls: Calls | None = None,
) -> str | None:
    """The address of the image that serves packages on SageMaker, after it was built here and pushed to ECR.

    With `model_uri` that package's requirements are in the image; with `jar`, the Java companion's fat jar, it serves
    the mleap flavor too.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is no container engine on this host.
        DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
    """
    aws = Aws(region_name, Calls() if calls is None else calls)
    if build:
        build_container(aws, image, model_uri=model_uri, base_image=base_image, jar=jar)
    return push_container(aws, image) if push else None

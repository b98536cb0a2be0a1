"""What a deployment to SageMaker is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spark_models import __version__
from spark_models.deploy.config import mapping, option

TAG = "spark-models-app"
"""The tag of whatever is made for an endpoint; its value is the endpoint's name."""

JOB_TAG = "spark-models-job"
"""The tag of whatever is made for a transform job, which may have the name of an endpoint."""

DEFAULT_IMAGE = "spark-models-container"
DEFAULT_REGION = "us-west-2"
DEFAULT_INSTANCE = "ml.m5.large"


def image_address(account: str, region: str, image: str) -> str:
    """The address in ECR of an image of this version.

    >>> image_address("123456789012", "us-west-2", "spark-models-container").partition(":")[0]
    '123456789012.dkr.ecr.us-west-2.amazonaws.com/spark-models-container'
    """
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{image}:{__version__}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How an application's endpoint is made."""

    execution_role_arn: str | None = option(None, "the role of the endpoint; else the one that the caller has assumed")
    bucket: str | None = option(None, "the S3 bucket of the packages; else spark-models-REGION-ACCOUNT, which is made")
    image_url: str | None = option(None, "the image in ECR; else what build-and-push-container pushes")
    instance_type: str = option(DEFAULT_INSTANCE, "the type of the instances")
    instance_count: int = option(1, "how many instances")
    variant_name: str | None = option(None, "the name of the model's variant; else that of the SageMaker model")
    vpc_config: dict[str, Any] | None = option(None, "SecurityGroupIds and Subnets, as a JSON object")
    archive: bool = option(False, "keep what an update replaces")
    synchronous: bool = option(True, "wait until the endpoint is in service")
    timeout_seconds: float = option(1200.0, "how long to wait")
    env: dict[str, str] = mapping("variables of the container, as a JSON object")
    tags: dict[str, str] = mapping("further tags, as a JSON object")
    mode: str = option("create", "create, add or replace; update always replaces unless it is add")

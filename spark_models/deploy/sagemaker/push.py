"""The image that SageMaker runs: built here, and pushed to ECR."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

from spark_models.deploy.container_image import write_container_context
from spark_models.deploy.engines import build, engine_of
from spark_models.deploy.sagemaker.aws import Aws
from spark_models.deploy.sagemaker.settings import image_address


def build_container(aws: Aws, image: str, **options: Any) -> None:
    """Builds the image; `options` are those of `write_container_context`.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is no engine on this host.
        DeploymentFailedError: [DEPLOYMENT_FAILED] the engine failed.
    """
    engine = engine_of(aws.calls)
    with tempfile.TemporaryDirectory(prefix="spark-models-container-") as folder:
        context = Path(folder, "context")
        if aws.calls.real:
            write_container_context(context, **options)
        build(aws.calls, engine, context, image, {})


def push_container(aws: Aws, image: str) -> str:
    """The address in ECR of an image that was pushed there; its repository is made where it is not there.

    Raises:
        ImageNotBuiltError: [IMAGE_NOT_BUILT] there is no engine on this host.
        DeploymentFailedError: [DEPLOYMENT_FAILED] the engine or AWS failed.
    """
    engine = engine_of(aws.calls)
    address = image_address(aws.account(), aws.region, image)
    resource = f"ECR repository {image} in {aws.region}"
    found = aws.find("ecr", "describe_repositories", resource, repositoryNames=[image])
    if found is None:
        aws.call("ecr", "create_repository", resource, repositoryName=image)
    instead = {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:").decode()}]}
    login = aws.call("ecr", "get_authorization_token", resource, instead=instead)
    user, _, password = base64.b64decode(login["authorizationData"][0]["authorizationToken"]).decode().partition(":")
    registry = address.partition("/")[0]
    # On standard input: an argument can be read by every user of the host.
    aws.calls.run([engine, "login", "-u", user, "--password-stdin", registry], resource=registry, secret=password)
    aws.calls.run([engine, "tag", image, address], resource=f"image {address}")
    aws.calls.run([engine, "push", address], resource=f"image {address}")
    return address

"""The commands of `spark-models sagemaker`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from spark_models.cli.deployments import HELP_NAMES, as_json, done, dry_run, would
from spark_models.cli.lazy import ModelCommand
from spark_models.cli.models import model_uri

Function = TypeVar("Function", bound=Callable[..., Any])

REGION, INSTANCE, IMAGE = "us-west-2", "ml.m5.large", "spark-models-container"


def _stack(*options: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        made: Any = function
        for option in reversed(options):
            made = option(made)
        decorated: Function = made
        return decorated

    return decorate


region = click.option(
    "-r", "--region-name", default=REGION, show_default=True, metavar="REGION", help="The AWS region."
)

waiting = _stack(
    click.option("--archive", "-ar", is_flag=True, help="Keep models, configurations and packages that become idle."),
    click.option("--async", "asynchronous", is_flag=True, help="Don't wait for the end; needs --archive to replace."),
    click.option("--timeout", default=1200.0, show_default=True, metavar="SECONDS", help="How long to wait."),
)

instances = _stack(
    click.option("-e", "--execution-role-arn", metavar="ARN", help="The role; else the one that is assumed."),
    click.option("-b", "--bucket", metavar="NAME", help="The S3 bucket; else spark-models-REGION-ACCOUNT."),
    click.option(
        "-i", "--image-url", metavar="URL", help="The image in ECR; else what build-and-push-container pushes."
    ),
    click.option("-t", "--instance-type", default=INSTANCE, show_default=True, help="The type of the instances."),
    click.option("-c", "--instance-count", type=click.IntRange(min=1), default=1, show_default=True, help="How many."),
    click.option(
        "-v",
        "--vpc-config",
        type=click.Path(exists=True, dir_okay=False),
        help="A JSON file with SecurityGroupIds and Subnets.",
    ),
    click.option(
        "-f", "--flavor", metavar="FLAVOR", help="python_function or mleap; else the package's first of them."
    ),
)

job_name = click.option("-n", "--job-name", required=True, metavar="NAME", help="The name of the job.")
app_name = click.option("-a", "--app-name", required=True, metavar="NAME", help="The name of the endpoint.")


def _calls(dry: bool) -> Any:
    from spark_models.deploy.calls import Calls

    return Calls(would if dry else None)


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the Python function that a command's options say."""
    given = dict(options)
    given["synchronous"] = not given.pop("asynchronous")
    given["timeout_seconds"] = given.pop("timeout")
    given["calls"] = _calls(given.pop("dry_run"))
    if given.get("vpc_config") is not None:
        given["vpc_config"] = json.loads(Path(given["vpc_config"]).read_text(encoding="utf-8"))
    return given


@click.group(context_settings=HELP_NAMES)
def sagemaker() -> None:
    """Serve models on Amazon SageMaker.

    \b
    Examples:
      spark-models sagemaker build-and-push-container
      spark-models sagemaker run-local -m models/churn
      spark-models sagemaker deploy -a churn -m models/churn -e arn:aws:iam::123456789012:role/sagemaker
      spark-models sagemaker delete -a churn
    """


@sagemaker.command(cls=ModelCommand)
@app_name
@model_uri
@click.option(
    "--mode",
    type=click.Choice(["create", "add", "replace"]),
    default="create",
    show_default=True,
    help="What happens to an endpoint of the name: it is an error, gets the model beside its own, or in their place.",
)
@instances
@region
@waiting
@as_json
@dry_run
def deploy(as_json: bool, **options: Any) -> None:
    """Put a model on an endpoint.

    The package goes to S3, and an endpoint is made that serves it; the command waits until it is in service. One that
    was interrupted may be repeated.

    \b
    Example:
      spark-models sagemaker deploy -a churn -m models/churn --mode replace
    """
    import spark_models.sagemaker as module

    made = module.deploy(**_arguments(options))
    said = f"{made['flavor']} endpoint {made['name']} serves {made['model_name']} in {made['region']}"
    click.echo(json.dumps(made, indent=2) if as_json else done(said, options["dry_run"]))


@sagemaker.command(cls=ModelCommand)
@app_name
@click.option("-b", "--bucket", metavar="NAME", help="The bucket of a deployment that was cut off; else it is known.")
@region
@waiting
@dry_run
def delete(**options: Any) -> None:
    """Remove an endpoint, and all that was made for it.

    \b
    Example:
      spark-models sagemaker delete -a churn
    """
    import spark_models.sagemaker as module

    module.delete(**_arguments(options))
    click.echo(done(f"Endpoint {options['app_name']} is deleted", options["dry_run"]))


@sagemaker.command(cls=ModelCommand)
@job_name
@model_uri
@click.option("--input-data-type", "s3_input_data_type", required=True, help="S3Prefix or ManifestFile.")
@click.option("-u", "--input-uri", "s3_input_uri", required=True, metavar="S3-URI", help="The files that are scored.")
@click.option("--content-type", required=True, help="Their media type, such as text/csv.")
@click.option("-o", "--output-path", "s3_output_path", required=True, metavar="S3-URI", help="Where the answers go.")
@click.option("--compression-type", default="None", show_default=True, help="None or Gzip.")
@click.option("-s", "--split-type", default="Line", show_default=True, help="How files are cut: Line, None, …")
@click.option("-a", "--accept", default="text/csv", show_default=True, help="The media type of the answers.")
@click.option("--assemble-with", default="Line", show_default=True, help="How answers are joined: Line or None.")
@click.option("--input-filter", default="$", show_default=True, help="A JSONPath of what the model gets.")
@click.option("--output-filter", default="$", show_default=True, help="A JSONPath of what is written.")
@click.option("-j", "--join-resource", default="None", show_default=True, help="Input to join the answers with.")
@instances
@region
@waiting
@as_json
@dry_run
def deploy_transform_job(as_json: bool, **options: Any) -> None:
    """Score files in S3 with a batch transform job.

    \b
    Example:
      spark-models sagemaker deploy-transform-job -n churn-may -m models/churn --input-data-type S3Prefix \\
        -u s3://mine/may/ --content-type text/csv -o s3://mine/scored/
    """
    import spark_models.sagemaker as module

    made = module.deploy_transform_job(**_arguments(options))
    said = f"The job {made['name']} writes to {made['output']}"
    click.echo(json.dumps(made, indent=2) if as_json else done(said, options["dry_run"]))


@sagemaker.command(cls=ModelCommand)
@job_name
@click.option("-b", "--bucket", metavar="NAME", help="The bucket of a job that was cut off; else it is known.")
@region
@waiting
@dry_run
def terminate_transform_job(**options: Any) -> None:
    """Stop a batch transform job, and remove what was made for it.

    \b
    Example:
      spark-models sagemaker terminate-transform-job -n churn-may
    """
    import spark_models.sagemaker as module

    module.terminate_transform_job(**_arguments(options))
    click.echo(done(f"The job {options['job_name']} is stopped", options["dry_run"]))


@sagemaker.command(cls=ModelCommand)
@model_uri
@click.option("-p", "--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="The port.")
@click.option(
    "-i", "--image", default=IMAGE, show_default=True, help="The image, as build-and-push-container makes it."
)
@click.option("-f", "--flavor", metavar="FLAVOR", help="python_function or mleap; else the package's first of them.")
@dry_run
def run_local(dry_run: bool, **options: Any) -> None:
    """Serve a model on this host in the container that SageMaker runs.

    \b
    Example:
      spark-models sagemaker run-local -m models/churn -p 5000
    """
    import spark_models.sagemaker as module

    module.run_local(**options, calls=_calls(dry_run))


@sagemaker.command(cls=ModelCommand)
@click.option("--build/--no-build", default=True, help="Whether to build the image here.")
@click.option("--push/--no-push", default=True, help="Whether to push it to ECR.")
@click.option("-c", "--container", "image", default=IMAGE, show_default=True, help="The name of the image.")
@click.option("-m", "--model-uri", metavar="URI", help="A package whose requirements the image shall have already.")
@click.option("--base-image", metavar="IMAGE", help="The image to build on; else python:VERSION-slim.")
@click.option("--jar", metavar="FILE", help="The Java companion's fat jar, for the mleap flavor.")
@region
@dry_run
def build_and_push_container(dry_run: bool, **options: Any) -> None:
    """Build the image that serves models on SageMaker, and push it to ECR.

    It is needed once: it serves whatever package an endpoint has.

    \b
    Example:
      spark-models sagemaker build-and-push-container -r eu-central-1
    """
    import spark_models.sagemaker as module

    address = module.build_and_push_container(**options, calls=_calls(dry_run))
    click.echo(done(f"The image is {options['image'] if address is None else address}", dry_run))

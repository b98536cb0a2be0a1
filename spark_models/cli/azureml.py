"""The command of `spark-models azureml`."""

from __future__ import annotations

import json
from typing import Any

import click

from spark_models.cli.deployments import HELP_NAMES, as_json, done, dry_run, would
from spark_models.cli.lazy import ModelCommand
from spark_models.cli.models import model_uri


@click.group(context_settings=HELP_NAMES)
def azureml() -> None:
    """Build images of models in Azure ML.

    \b
    Example:
      spark-models azureml build-image -w my-workspace -m models/churn -d "Churn, May"
    """


@azureml.command(cls=ModelCommand)
@model_uri
@click.option("-w", "--workspace-name", required=True, metavar="NAME", help="The Azure ML workspace.")
@click.option(
    "-s", "--subscription-id", envvar="AZURE_SUBSCRIPTION_ID", help="Its subscription; also AZURE_SUBSCRIPTION_ID."
)
@click.option(
    "-g", "--resource-group", envvar="AZURE_RESOURCE_GROUP", help="Its resource group; also AZURE_RESOURCE_GROUP."
)
@click.option("-i", "--image-name", metavar="NAME", help="The name of the environment that holds the image.")
@click.option("-n", "--model-name", metavar="NAME", help="The name of the registered model.")
@click.option("-d", "--description", metavar="TEXT", help="What both are.")
@click.option("-t", "--tags", metavar="JSON", help="Tags of both, as a JSON object.")
@as_json
@dry_run
def build_image(as_json: bool, dry_run: bool, tags: str | None, **options: Any) -> None:
    """Register a model with Azure ML, and let it build an image that serves it.

    \b
    Example:
      spark-models azureml build-image -w my-workspace -m models/churn -d "Churn, May"
    """
    import spark_models.azureml as module
    from spark_models.deploy.calls import Calls

    try:
        given = None if tags is None else {str(key): str(value) for key, value in dict(json.loads(tags)).items()}
    except (ValueError, TypeError) as error:
        raise click.BadParameter("write a JSON object", param_hint="'-t' / '--tags'") from error
    calls = Calls(would if dry_run else None)
    place = {name: options.pop(name) for name in ("workspace_name", "subscription_id", "resource_group")}
    workspace = module.workspace(*place.values(), calls=calls)
    image, model = module.build_image(workspace=workspace, tags=given, calls=calls, **options)
    made = {"image": f"{image.name}:{image.version}", "model": f"{model.name}:{model.version}"}
    said = done(f"The image is {made['image']}, the model {made['model']}", dry_run)
    click.echo(json.dumps(made, indent=2) if as_json else said)

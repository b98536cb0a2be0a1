"""The command `spark-models`. A command's modules are imported when it is called, and what it does when it runs."""

from __future__ import annotations

import warnings
from typing import Any

import click

import spark_models
from spark_models.cli.lazy import LazyGroup

MODELS = "spark_models.cli.models"


@click.group(
    cls=LazyGroup,
    lazy={
        "models": (f"{MODELS}:models", "Score files with a model, serve it, look into it, check it."),
        "serve": (f"{MODELS}:serve", "Serve a model over HTTP."),
        "score": ("spark_models.cli.score:score", "Run a batch job on Spark: read, score, write, once."),
        "init": ("spark_models.cli.init:init", "Write a job file or a Databricks bundle for a package."),
        "predict": (f"{MODELS}:predict", "Score the rows of a CSV, JSON or Parquet file."),
        "inspect": (f"{MODELS}:inspect", "Show what a package holds, without loading it."),
        "verify": (f"{MODELS}:verify", "Replay the stored example, here, in Spark and in the JVM."),
        "deployments": ("spark_models.cli.deployments:deployments", "Put a model somewhere and look after it there."),
        "sagemaker": ("spark_models.cli.sagemaker:sagemaker", "Serve models on Amazon SageMaker."),
        "azureml": ("spark_models.cli.azureml:azureml", "Build images of models in Azure ML."),
        "update-manifest": (f"{MODELS}:update_manifest", "Write the manifest of a package anew."),
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--debug",
    is_flag=True,
    envvar="SPARK_MODELS_DEBUG",
    help="Show the traceback of an error; also SPARK_MODELS_DEBUG=1.",
)
@click.version_option(spark_models.__version__, message="spark-models %(version)s")
def cli(debug: bool) -> None:
    """Package a model once, score it the same anywhere.

    \b
    Examples:
      spark-models predict -m models/churn -i customers.csv
      spark-models serve -m models/churn
      spark-models inspect -m models/churn
      spark-models verify -m models/churn
    """


def main() -> None:
    """Runs the command line of this process and ends it with the command's status."""
    warnings.showwarning = _show_warning
    cli(prog_name="spark-models")


def _show_warning(message: Warning | str, *place: Any, **more: Any) -> None:
    click.echo(f"Warning: {message}", err=True)

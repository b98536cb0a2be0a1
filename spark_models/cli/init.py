"""The commands of `spark-models init`: files to begin a batch job with."""

from __future__ import annotations

from pathlib import Path

import click

from spark_models.cli.lazy import ModelCommand
from spark_models.cli.models import model_uri


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def init() -> None:
    """Write files to begin a batch job with."""


@init.command(cls=ModelCommand)
@model_uri
@click.option("-o", "--output", default="conf/job.yaml", show_default=True, metavar="FILE", help="The file to write.")
@click.option("--name", help="The job's name; by default the package's.")
def job(model_uri: str, output: str, name: str | None) -> None:
    """Write a job file for a package, with its columns and comments.

    \b
    Examples:
      spark-models init job -m models/churn
      spark-models init job -m models/churn -o conf/churn.yaml --name churn-nightly
    """
    from spark_models.jobs.templates import job_file, write_files

    path = Path(output)
    write_files(path.parent, {path.name: job_file(model_uri, name=name, file=output)})
    click.echo(f"Wrote {output}; look at its names, then: spark-models score {output} --dry-run")


@init.command(cls=ModelCommand)
@model_uri
@click.option("-o", "--output", default=".", show_default=True, metavar="DIR", help="The folder of the bundle.")
@click.option("--name", help="The job's name; by default the package's.")
def databricks(model_uri: str, output: str, name: str | None) -> None:
    """Write a bundle for Databricks that runs a job file as a wheel task.

    \b
    Examples:
      spark-models init databricks -m /Volumes/main/ml/models/churn -o bundle
    """
    from spark_models.jobs.templates import bundle_files, write_files

    paths = write_files(Path(output), bundle_files(model_uri, name=name))
    click.echo("\n".join(f"Wrote {path}" for path in paths))
    click.echo("Put the wheel of spark-models into dist/, then: databricks bundle validate")

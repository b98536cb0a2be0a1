"""The command `score`: a job file planned, run and told of. The exit status says how it ended."""

from __future__ import annotations

from typing import Any

import click

from spark_models.cli.lazy import ModelCommand


class JobCommand(ModelCommand):
    """A command whose status says which kind of error ended it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        from spark_models.errors import SparkModelsError
        from spark_models.jobs.outcome import status_of

        kept: list[SparkModelsError] = []
        ctx.obj = kept
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit as exit_:
            if exit_.exit_code == 1 and kept != []:
                raise click.exceptions.Exit(status_of(kept[0].code)) from None
            raise


@click.command(cls=JobCommand)
@click.argument("job_file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the job file, or a value of it by its path, as sink.mode=overwrite; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan. No row is read and nothing is written.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.pass_context
def score(ctx: click.Context, /, job_file: str, settings: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Run a batch job: read a table, score it, write it, once.

    The job file is checked before Spark starts. The same job, package and source range are written once, however
    often the job runs and wherever it was stopped.

    \b
    Status: 0 written, or already written, or nothing new   1 Spark failed
            2 the job file is wrong                          3 an expectation does not hold, nothing was written
            4 it does not fit: columns, model or target      5 other writers were faster: try again

    \b
    Examples:
      spark-models score conf/churn.yaml --dry-run
      spark-models score conf/churn.yaml --set day=2026-01-31
      spark-submit --packages io.delta:delta-spark_2.13:4.0.1 score_job.py conf/churn.yaml
    """
    from spark_models.errors import SparkModelsError
    from spark_models.jobs.application import run_file

    try:
        text = run_file(job_file, list(settings), dry_run=dry_run, as_json=as_json)
    except SparkModelsError as error:
        ctx.obj.append(error)
        raise
    click.echo(text)

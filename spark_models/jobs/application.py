"""A job file run as an application: by `spark-models score`, by spark-submit, as a wheel task."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from spark_models.errors import SparkModelsError
from spark_models.jobs.job import Job
from spark_models.jobs.outcome import status_of
from spark_models.jobs.reading import read_job


def run_file(path: str, settings: list[str], *, dry_run: bool = False, as_json: bool = False) -> str:
    """What was done, as text or JSON, after the job of a file has run; with `dry_run` its plan.

    Raises:
        SparkModelsError: as `read_job`, `plan_job` and `run_job`.
    """
    job = read_job(path, settings)
    if dry_run:
        return _planned(job, as_json)
    from spark_models.jobs.runner import run_job
    from spark_models.jobs.session import job_session

    with job_session(job) as spark:
        result = run_job(spark, job)
    if as_json:
        return json.dumps({**asdict(result), "outcome": result.outcome.value}, default=str)
    return str(result)


def _planned(job: Job, as_json: bool) -> str:
    from spark_models.jobs.plan import plan_job
    from spark_models.jobs.runner import failure
    from spark_models.jobs.session import job_session

    with job_session(job) as spark:
        try:
            plan = plan_job(spark, job)
        except SparkModelsError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever Spark raises is told without secrets
            raise failure(job, "planned the run", error) from None
        return json.dumps(dict(plan.facts())) if as_json else str(plan)


def main(arguments: list[str] | None = None) -> None:
    """The entry point of spark-submit and of a wheel task: JOB_FILE [--set NAME=VALUE …] [--dry-run]."""
    parser = argparse.ArgumentParser(prog="score_job", description="Run a batch job of spark-models.")
    parser.add_argument("job_file")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--json", dest="as_json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        text = run_file(options.job_file, options.settings, dry_run=options.dry_run, as_json=options.as_json)
    except SparkModelsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(status_of(error.code))
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()

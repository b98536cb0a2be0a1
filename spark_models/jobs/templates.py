"""Files to begin with: a job file from a package's signature, and a bundle for Databricks that runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from spark_models.errors import InvalidArgumentError
from spark_models.jobs.run_log import slug
from spark_models.package.reader import Package, open_package

JOB = """\
# A batch job of spark-models; https://json-schema.org tools of editors know its keys by conf/job.schema.json.
#   spark-models score {file} --dry-run
#   spark-models score {file} --set day=2026-01-31
version: 1
name: {name}

parameters:
  day: 2026-01-31

# What is read: a table, a path with a format, or a query.
# The model takes these columns:
{inputs}
source:
  table: {catalog}.source
  where: day = '${{day}}'

model:
  uri: {uri}
  # The package that was tried and no other:
  expected_hash: {hash}

# What names a row; a row that the model can't score is found again by it.
keys: [id]

# What is written beside the prediction; without keep, all columns of the source.
keep: [id, day]

# Columns that say which model and which run wrote a row.
lineage: true

# The day's rows are replaced, so that a run that is repeated writes them once.
sink:
  table: {catalog}.scores
  mode: replaceWhere
  where: day = '${{day}}'
  partition_by: [day]

# Rows that can't be scored; without it the first of them ends the run.
quarantine:
  table: {catalog}.scores_quarantine

# What must hold before anything is written.
expect:
  rows: {{min: 1}}
  max_quarantined_share: 0.01

# One row a run.
run_log:
  table: {catalog}.runs
"""

BUNDLE = """\
# A Declarative Automation Bundle (Databricks Asset Bundle): databricks bundle validate, deploy, run {key}
bundle:
  name: {key}

variables:
  catalog_schema:
    description: Where the tables are, as catalog.schema of Unity Catalog.
    default: main.default

include:
  - resources/*.yml

targets:
  dev:
    mode: development
    default: true
  prod:
    mode: production
"""

RESOURCE = """\
resources:
  jobs:
    {key}:
      name: {name}
      parameters:
        - name: day
          default: "{{{{job.trigger.time.iso_date}}}}"
      schedule:
        quartz_cron_expression: 0 0 3 * * ?
        timezone_id: UTC
        pause_status: PAUSED
      max_concurrent_runs: 1
      tasks:
        - task_key: score
          environment_key: spark_models
          # Statuses 1 and 5 are worth another try; the run is written once all the same.
          max_retries: 2
          min_retry_interval_millis: 60000
          python_wheel_task:
            package_name: spark_models
            entry_point: spark-models-job
            parameters:
              - ${{workspace.file_path}}/conf/job.yaml
              - --set
              - day={{{{job.parameters.day}}}}
      environments:
        # Serverless compute: a Connect session without storage of rows; see docs/jobs.md.
        - environment_key: spark_models
          spec:
            environment_version: "4"
            dependencies:
              - ../dist/*.whl
"""


def job_file(model_uri: str, *, name: str | None = None, catalog: str = "main.default", file: str = "job.yaml") -> str:
    """A job file for a package, with comments. The columns that the model takes stand in it.

    Raises:
        ModelNotFoundError, NotAModelError: there is no such package.
    """
    package = open_package(model_uri)
    called = _name(package) if name is None else name
    return JOB.format(
        file=file,
        name=json.dumps(called),
        uri=json.dumps(os.fspath(model_uri)),
        hash=package.content_hash(),
        catalog=catalog,
        inputs=_inputs(package),
    )


def _name(package: Package) -> str:
    return slug(package.root.name) if package.root.name not in ("model", "") else slug(package.root.parent.name)


def _inputs(package: Package) -> str:
    schema = package.model.get_input_schema()
    if schema is None or len(schema) == 0:
        return "#   (the package has no signature: name them with model.inputs)"
    kinds = [str(getattr(spec.type, "name", spec.type)) for spec in schema]
    lines = [
        f"#   {_comment(str(name))}: {_comment(kind)}" for name, kind in zip(schema.input_names(), kinds, strict=True)
    ]
    return "\n".join(lines)


def _comment(text: str) -> str:
    """Text of a package in a comment: it stays on its line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def bundle_files(model_uri: str, *, name: str | None = None) -> dict[str, str]:
    """The files of a bundle for Databricks by their paths: the bundle, its job, and the job file that it runs."""
    package = open_package(model_uri)
    called = _name(package) if name is None else name
    key = slug(called).replace("-", "_")
    return {
        "databricks.yml": BUNDLE.format(key=key),
        "resources/score.job.yml": RESOURCE.format(key=key, name=json.dumps(called)),
        "conf/job.yaml": job_file(model_uri, name=called, file="conf/job.yaml"),
    }


def write_files(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """The paths of the files, written; none is, where one of them is there already.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] a file is there.
    """
    paths = {folder / name: text for name, text in files.items()}
    there = [str(path) for path in paths if path.exists()]
    if there != []:
        raise InvalidArgumentError(f"{there[0]} is there already", "name another folder or file with -o, or remove it")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(paths)

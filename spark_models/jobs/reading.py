"""A job file read: parsed, checked, its references replaced. All that is wrong with it is told at once, with lines."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from spark_models.errors import InvalidJobError, JobProblem
from spark_models.jobs.document import (
    Node,
    Problems,
    References,
    assigned,
    databricks_secrets,
    overridden,
    read_document,
)
from spark_models.jobs.grammar import JOB
from spark_models.jobs.job import Expect, Jdbc, Job, Lineage, ModelPart, Report, SinkPart, Source
from spark_models.jobs.kinds import Secret
from spark_models.package.yaml_file import read_text

CREDENTIALS = re.compile(r"(?i)(password|passwd|pwd|secret|token)=|//[^/@]*:[^/@]*@")
"""What a JDBC URL must not hold: it is written into plans and logs."""


def read_job(
    path: str | os.PathLike[str],
    settings: Mapping[str, str] | list[str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    secrets: Callable[[str, str], str] = databricks_secrets,
) -> Job:
    """The job of the file at `path`. `settings` are parameters, or values by dotted path, as `--set` gives them.

    Raises:
        InvalidJobError: [INVALID_JOB] the file does not say what a job is; every problem is told with its line.
        InvalidYamlError: [INVALID_YAML], UnsafeYamlError: [UNSAFE_YAML] it is no YAML that is taken.
    """
    return parse_job(read_text(path), settings, source=os.fspath(path), environment=environment, secrets=secrets)


def parse_job(
    text: str | bytes,
    settings: Mapping[str, str] | list[str] | None = None,
    *,
    source: str = "job",
    environment: Mapping[str, str] | None = None,
    secrets: Callable[[str, str], str] = databricks_secrets,
    today: datetime.date | None = None,
) -> Job:
    """The job of a text; as `read_job`.

    >>> job = parse_job('''
    ... version: 1
    ... name: churn
    ... parameters: {day: 2026-01-31}
    ... source: {table: main.crm.customers, where: "day = '${day}'"}
    ... model: {uri: models/churn}
    ... sink: {table: main.crm.scores, mode: replaceWhere, where: "day = '${day}'"}
    ... ''')
    >>> job.sink.where, job.source.format
    ("day = '2026-01-31'", 'delta')
    """
    problems = Problems()
    root = read_document(text, problems, source=source)
    given = _settings(settings, root, problems)
    root = overridden(root, given, problems) if isinstance(root.value, dict) else root
    literal = root
    references = References(
        os.environ if environment is None else environment,
        secrets,
        datetime.datetime.now(datetime.timezone.utc).date() if today is None else today,
    )
    root = references.resolved(root, problems)
    checked = JOB.check(root, "", problems)
    if isinstance(root.value, dict):
        _passwords_are_referred_to(literal, problems, "")
    if problems.found == []:
        _go_together(root, checked, problems)
    if problems.found != []:
        first: dict[tuple[int, int, str], JobProblem] = {}
        for problem in problems.found:
            # What follows from a problem of the same value says nothing more.
            first.setdefault((problem.line, problem.column, problem.path), problem)
        raise InvalidJobError(source, tuple(sorted(first.values(), key=lambda item: (item.line, item.column))))
    return _job(checked, _secrets(root, checked))


def _settings(settings: Mapping[str, str] | list[str] | None, root: Node, problems: Problems) -> Mapping[str, str]:
    if settings is None or isinstance(settings, Mapping):
        return settings or {}
    try:
        return assigned(settings)
    except ValueError as error:
        problems.add(root, "--set", str(error))
        return {}


def _passwords_are_referred_to(node: Node, problems: Problems, path: str) -> None:
    """A password in the file is a password in git."""
    if isinstance(node.value, list):
        for at, item in enumerate(node.value):
            _passwords_are_referred_to(item, problems, f"{path}[{at}]")
    if not isinstance(node.value, dict):
        return
    for name, entry in node.value.items():
        here = name if path == "" else f"{path}.{name}"
        if name == "password" and not isinstance(entry.value, (dict, list)) and "${" not in entry.text:
            problems.add(entry, here, "a password must not stand in the file: use ${env:NAME} or ${secret:SCOPE/KEY}")
        _passwords_are_referred_to(entry, problems, here)


def _secrets(root: Node, checked: Any) -> tuple[Secret, ...]:
    found: list[Secret] = []

    def of_nodes(node: Node) -> None:
        if node.secret:
            found.append(Secret(node.text))
        children = node.value.values() if isinstance(node.value, dict) else node.value
        for child in children if isinstance(node.value, (dict, list)) else ():
            of_nodes(child)

    def of_values(value: Any) -> None:
        if isinstance(value, Secret):
            found.append(value)
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            of_values(child)

    of_nodes(root)
    of_values(checked)
    return tuple(dict.fromkeys(found))


# --- keys that go together


def _go_together(root: Node, job: dict[str, Any], problems: Problems) -> None:
    def at(path: str) -> Node:
        node = root
        for name in path.split("."):
            node = node.value[name] if isinstance(node.value, dict) and name in node.value else node
        return node

    def wrong(path: str, problem: str) -> None:
        problems.add(at(path), path, problem)

    _source_fits(job["source"], wrong)
    _sink_fits(job, wrong)
    model = job["model"]
    if model.get("env_manager", "local") != "local" and model.get("allow_code") is False:
        wrong("model.env_manager", "another environment runs the package's code, and allow_code is false")
    if "expect" in job:
        _expectations_fit(job, wrong)
    for part in ("quarantine", "run_log"):
        if part in job and (job[part].get("table"), job[part].get("path")) == (
            job["sink"].get("table"),
            job["sink"].get("path"),
        ):
            wrong(part, "it is the table of the sink")


def _source_fits(source: dict[str, Any], wrong: Callable[[str, str], None]) -> None:
    kind = source.get("format", "sql" if "query" in source and "jdbc" not in source else "delta")
    if "query" in source and kind not in ("sql", "jdbc"):
        wrong("source.query", "a query needs format sql or jdbc")
    if kind == "sql" and "query" not in source:
        wrong("source.format", "format sql needs a query")
    if (kind == "jdbc") != ("jdbc" in source):
        wrong("source", "format jdbc and the section jdbc go together")
    if kind == "jdbc" and "path" in source:
        wrong("source.path", "a database has tables, not paths")
    for name in ("version", "changes"):
        if name in source and kind != "delta":
            wrong(f"source.{name}", "only a Delta table has versions")
    if "version" in source and "changes" in source:
        wrong("source.changes", "version and changes exclude each other")
    changes = source.get("changes")
    if changes is not None and changes.get("to") is not None and changes["to"] < changes["from"]:
        wrong("source.changes.to", "the range ends before it begins")
    incremental = source.get("incremental", "none")
    if incremental == "changes" and (kind != "delta" or "version" in source or "changes" in source):
        wrong("source.incremental", "incremental: changes reads a Delta table, and chooses its versions itself")
    if (incremental == "stream") != ("checkpoint" in source):
        wrong("source", "incremental: stream and a checkpoint go together")
    if incremental == "stream" and (kind in ("sql", "jdbc") or "version" in source or "changes" in source):
        wrong("source.incremental", "a stream reads a table or files, from where its checkpoint says")
    if kind == "json" and "schema" not in source:
        wrong("source.schema", "give the columns and types of JSON files: Spark would read all of them to guess")
    if str(source.get("options", {}).get("inferSchema", False)).lower() == "true":
        wrong("source.options.inferSchema", "types would depend on the rows of the day: give schema")
    if "schema" in source and kind not in ("csv", "json"):
        wrong("source.schema", f"{kind} knows its schema")
    jdbc = source.get("jdbc", {})
    parallel = [name for name in ("partition_column", "lower", "upper", "partitions") if name in jdbc]
    if len(parallel) not in (0, 4):
        wrong("source.jdbc", "partition_column, lower, upper and partitions go together")
    if CREDENTIALS.search(jdbc.get("url", "")):
        wrong("source.jdbc.url", "user and password have keys of their own: a URL is shown")


def _sink_fits(job: dict[str, Any], wrong: Callable[[str, str], None]) -> None:
    sink = job["sink"]
    kind, mode = sink.get("format", "delta"), sink.get("mode", "append")
    if (kind == "jdbc") != ("jdbc" in sink):
        wrong("sink", "format jdbc and the section jdbc go together")
    if kind == "jdbc" and "path" in sink:
        wrong("sink.path", "a database has tables, not paths")
    if kind == "csv" and "table" in sink:
        wrong("sink.table", "CSV files have a path")
    modes = {
        "delta": ("append", "overwrite", "replaceWhere", "merge"),
        "parquet": ("append", "overwrite", "partitions"),
        "csv": ("append", "overwrite"),
        "jdbc": ("append",),
    }[kind]
    if mode not in modes:
        wrong("sink.mode", f"{kind} has the modes {', '.join(modes)}")
    if mode == "merge" and "keys" not in job:
        wrong("sink.mode", "merge needs the job's keys")
    if (mode == "replaceWhere") != ("where" in sink):
        wrong("sink", "mode replaceWhere and a condition, where, go together")
    if mode == "partitions" and "partition_by" not in sink:
        wrong("sink.mode", "mode partitions needs partition_by")
    if sink.get("merge_schema") and kind != "delta":
        wrong("sink.merge_schema", "only Delta adds columns to a table")
    if CREDENTIALS.search(sink.get("jdbc", {}).get("url", "")):
        wrong("sink.jdbc.url", "user and password have keys of their own: a URL is shown")
    same = [name for name in ("table", "path") if name in sink and sink[name] == job["source"].get(name)]
    if same != [] and kind != "jdbc":
        wrong(f"sink.{same[0]}", "the job would write what it reads")
    if job["source"].get("incremental") == "stream" and mode in ("overwrite", "replaceWhere"):
        wrong("sink.mode", f"a stream writes in several steps, and {mode} would keep the last one alone")


def _expectations_fit(job: dict[str, Any], wrong: Callable[[str, str], None]) -> None:
    expect = job["expect"]
    rows = expect.get("rows", {})
    if "min" in rows and "max" in rows and rows["min"] > rows["max"]:
        wrong("expect.rows", "min is more than max")
    for name, bounds in expect.get("scores", {}).items():
        if "min" in bounds and "max" in bounds and bounds["min"] > bounds["max"]:
            wrong(f"expect.scores.{name}", "min is more than max")
    if "max_quarantined_share" in expect and "quarantine" not in job:
        wrong("expect.max_quarantined_share", "without quarantine the first bad row ends the run")
    if "max_psi" in expect and "report" not in job and "run_log" not in job:
        wrong("expect.max_psi", "drift needs a report or a run_log: they hold what scores are compared with")


# --- as values


def _job(found: dict[str, Any], secrets: tuple[Secret, ...]) -> Job:
    sink = _sink(found["sink"])
    return Job(
        name=found["name"],
        source=_source(found["source"]),
        model=_model(found["model"]),
        sink=sink,
        keys=tuple(found.get("keys", ())),
        keep=tuple(found["keep"]) if "keep" in found else None,
        run_key=found.get("run_key"),
        quarantine=_side(found.get("quarantine"), "delta" if sink.format == "delta" else "parquet"),
        lineage=_lineage(found.get("lineage", False)),
        expect=_expect(found.get("expect", {})),
        run_log=_side(found.get("run_log"), "delta"),
        report=Report(**found["report"]) if "report" in found else None,
        spark=found.get("spark", {}),
        tags=found.get("tags", {}),
        parameters=found.get("parameters", {}),
        secrets=secrets,
    )


def _source(found: dict[str, Any]) -> Source:
    values = dict(found)
    if "query" in values and "jdbc" not in values:
        values["format"] = "sql"
    if "changes" in values:
        values["changes"] = (values["changes"]["from"], values["changes"].get("to"))
    if "jdbc" in values:
        values["jdbc"] = Jdbc(**values["jdbc"])
    return Source(**values)


def _model(found: dict[str, Any]) -> ModelPart:
    values = dict(found)
    if "inputs" in values:
        values["inputs"] = tuple(values["inputs"])
    return ModelPart(**values)


def _sink(found: dict[str, Any]) -> SinkPart:
    values = dict(found)
    values["partition_by"] = tuple(values.get("partition_by", ()))
    if "jdbc" in values:
        values["jdbc"] = Jdbc(**values["jdbc"])
    return SinkPart(**values)


def _side(found: dict[str, Any] | None, kind: str) -> SinkPart | None:
    return None if found is None else SinkPart(**{"format": kind, **found})


def _lineage(found: Any) -> Lineage | None:
    if isinstance(found, bool):
        return Lineage() if found else None
    return Lineage(**found)


def _expect(found: dict[str, Any]) -> Expect:
    rows = found.get("rows", {})
    scores = {name: (bounds.get("min"), bounds.get("max")) for name, bounds in found.get("scores", {}).items()}
    return Expect(
        min_rows=rows.get("min"),
        max_rows=rows.get("max"),
        max_null_share=found.get("max_null_share"),
        max_quarantined_share=found.get("max_quarantined_share"),
        scores=scores,
        max_psi=found.get("max_psi"),
    )

"""`Plan`: what a run will do, known before a row is read."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from spark_models.errors import InvalidArgumentError, JobPlanError, listed, renames
from spark_models.jobs import measures, run_log
from spark_models.jobs.job import Job, SinkPart, revealed
from spark_models.jobs.sources import Read, open_source, stream_of
from spark_models.package.reader import Package, open_package
from spark_models.scoring.envelope import ERROR_CODE, ERROR_COLUMN
from spark_models.scoring.meter import ScoreMeter
from spark_models.scoring.observe import StatsObservation
from spark_models.scoring.score import QUARANTINE, score
from spark_models.sink import delta
from spark_models.sink.target import APPEND, MERGE, PARTITIONS, Target
from spark_models.sink.writers import Existing, existing

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A job, its source opened, its model bound, its target looked at.

    `identity` names the run's writes: it is the same for the same job, package and source range. `stream` names the job
    whatever package and range. `held` says that all rows are scored before the first is written. `earlier` is the run
    that has written the rows already, if one has.
    """

    job: Job
    package: Package
    package_hash: str
    read: Read
    identity: str
    stream: str
    bound: Sequence[tuple[str, str, str]]
    scored_schema: Any
    predictions: Pairs
    columns: Pairs
    target: Target
    existing: Existing | None
    held: bool
    error_column: str | None
    baseline: Mapping[str, measures.Scores]
    baseline_of: str
    earlier: run_log.Earlier | None
    notes: tuple[str, ...] = ()

    def scored(self, frame: Any, stats: StatsObservation | None = None, meter: ScoreMeter | None = None) -> Any:
        """`frame` with predictions, every column kept."""
        return scored(self.job, frame, self.package_hash, stats, meter)

    @property
    def score_names(self) -> list[str]:
        """The prediction columns that are measured."""
        return measures.score_columns(self.predictions)

    def facts(self) -> list[tuple[str, str]]:
        """What a person reads, by name."""
        rows = "unknown: only reading would tell" if self.read.rows is None else f"{self.read.rows:,}"
        state = "new" if self.existing is None and self.target.format == "delta" else ""
        if self.existing is not None:
            state = f"version {self.existing.version}"
        found = [
            ("job", self.job.name),
            ("source", f"{self.job.source.name}, {self.read.about}"),
            ("rows", rows),
            ("model", f"{self.job.model.uri} ({self.package_hash[:12]})"),
            ("target", ", ".join(filter(None, [self.target.name, state]))),
            ("mode", self.target.mode + ("" if self.target.where is None else f" {self.target.where}")),
            ("promise", self.target.promise if self.read.range is not None else _without_range(self.target)),
            ("passes", "score all, check, then write" if self.held else "score and write in one pass"),
        ]
        if self.job.quarantine is not None:
            found.append(("quarantine", self.job.quarantine.name))
        action = "write"
        if self.read.empty:
            action = "nothing: no rows are new"
        elif self.earlier is not None:
            action = f"nothing: run {self.earlier.run_id or '(unknown)'} has written these rows"
        return [*found, ("action", action), *(("note", note) for note in self.notes)]

    def __str__(self) -> str:
        facts = self.facts()
        width = max(len(name) for name, _ in facts)
        lines = [f"{name.ljust(width)}  {value}" for name, value in facts]
        lines += ["", *_table(("input", "declared as", "column"), self.bound)]
        lines += ["", *_table(("written column", "type"), self.columns)]
        return self.job.redacted("\n".join(lines))

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.facts())
        bound = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.bound)
        written = "".join(f"<tr><td>{escape(name)}</td><td>{escape(kind)}</td></tr>" for name, kind in self.columns)
        return self.job.redacted(
            f"<table>{rows}</table><table><tr><th>input</th><th>declared as</th><th>column</th></tr>{bound}</table>"
            f"<table><tr><th>written column</th><th>type</th></tr>{written}</table>"
        )


def _without_range(target: Target) -> str:
    if target.mode == APPEND:
        return "at least once: the source has no versions, so give the job a run_key to write once"
    return "once: a run replaces what it has written before"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]


def plan_job(spark: Any, job: Job, *, batch: Read | None = None) -> Plan:
    """The plan of a job. No row is read: counts come from the metadata of Delta and Parquet, or are unknown.

    `batch` is what is to be scored instead of the source, as a micro-batch of a stream.

    Raises:
        JobPlanError: [JOB_PLAN] source, columns or target don't fit.
        InputError: the source's columns don't fit the model's signature.
        SparkModelsError: the package can't be opened, or is another than the pinned one.
    """
    package = open_package(job.model.uri)
    package_hash = package.verify(job.model.expected_hash)
    target = target_of(job.sink, job.keys)
    stream = _hash([job.name, _described(job)])
    read = batch if batch is not None else _open(spark, job, target, stream)
    frame = read.frame
    _require(frame, [*job.keys, *(job.keep or ())])
    scored_frame = scored(job, frame, package_hash)
    types = {field.name: field.dataType.simpleString() for field in scored_frame.schema.fields}
    errors = [f"{job.model.output}_{name}" for name in (ERROR_CODE, ERROR_COLUMN)]
    error_column = errors[0] if errors[0] in types and errors[0] not in frame.columns else None
    predictions = [(name, kind) for name, kind in types.items() if name not in frame.columns and name not in errors]
    columns = _written(job, frame, predictions)
    there = existing(spark, target)
    _fits(job, target, columns, there)
    notes: list[str] = []
    if job.quarantine is not None and error_column is None:
        notes.append("a Spark ML pipeline has no bad rows of its own: an error of its stages ends the run")
    nowhere = read.range is None
    identity = _hash(
        [stream, _model_options(job), package_hash, uuid.uuid4().hex if nowhere else dict(read.range or {})]
    )
    baseline, baseline_of = _baseline(spark, job, package, [name for name, _ in predictions])
    held = target.mode == MERGE or job.expect.of_scores or (job.quarantine is not None and not read.repeatable)
    plan = Plan(
        job=job,
        package=package,
        package_hash=package_hash,
        read=read,
        identity=identity,
        stream=stream,
        bound=_bound(package, frame, job),
        scored_schema=scored_frame.schema,
        predictions=predictions,
        columns=columns,
        target=target,
        existing=there,
        held=held,
        error_column=error_column,
        baseline=baseline,
        baseline_of=baseline_of,
        earlier=None if nowhere else earlier(spark, job, target, identity),
        notes=tuple(notes),
    )
    unknown = [name for name in job.expect.scores if name not in plan.score_names]
    if unknown != []:
        raise JobPlanError(f"the scores {listed(unknown)} are no numeric prediction columns", "expect.scores",
                           f"there are {listed(plan.score_names)}")  # fmt: skip
    return plan


def scored(
    job: Job,
    frame: Any,
    package_hash: str,
    stats: StatsObservation | None = None,
    meter: ScoreMeter | None = None,
) -> Any:
    """`frame` with the predictions of the job's model, which must be the package of that hash still."""
    model = job.model
    return score(
        frame,
        model.uri,
        result_type=model.result_type,
        output=model.output,
        columns=None if model.inputs is None else list(model.inputs),
        method=model.method,
        params=model.params,
        on_error="fail" if job.quarantine is None else QUARANTINE,
        stats=stats,
        meter=meter,
        batch_rows=model.batch_rows,
        batch_bytes=model.batch_bytes,
        allow_code=model.allow_code,
        expected_hash=package_hash,
        transport=model.transport,
        env_manager=model.env_manager,
    )


def earlier(spark: Any, job: Job, target: Target, identity: str) -> run_log.Earlier | None:
    """The run that has written these rows, as the target's own log says, or, where it has none, the run log."""
    if target.format == "delta":
        commit = delta.found(spark, target, identity)
        return None if commit is None else run_log.Earlier(commit.stamp.get("run_id"), commit.version, commit.rows)
    return None if job.run_log is None else run_log.finished(spark, job.run_log, target, identity)


def target_of(sink: SinkPart, keys: tuple[str, ...] = ()) -> Target:
    """The target of a section of the job file."""
    return Target(
        format=sink.format,
        table=sink.table,
        path=sink.path,
        mode=sink.mode,
        where=sink.where,
        keys=keys,
        partition_by=sink.partition_by,
        partitions=sink.partitions,
        merge_schema=sink.merge_schema,
        options=revealed(sink.options),
        connection={} if sink.jdbc is None else sink.jdbc.options(),
    )


def _open(spark: Any, job: Job, target: Target, stream: str) -> Read:
    if job.source.incremental == "stream":
        # Its batches are known when it runs; the plan is that of any of them.
        frame = stream_of(spark, job.source)
        return Read(frame, {}, None, about="what is new to its checkpoint")
    last = None
    if job.source.incremental == "changes":
        last = run_log.last_end(spark, job, target, stream)
    return open_source(spark, job, last)


def _require(frame: Any, names: Sequence[str]) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in frame.columns]
    if missing != []:
        raise JobPlanError(
            f"the source has no columns {listed(missing)}", "keys and keep", renames(missing, list(frame.columns))
        )


def _written(job: Job, frame: Any, predictions: Pairs) -> list[tuple[str, str]]:
    types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    kept = list(frame.columns) if job.keep is None else list(job.keep)
    columns = [(name, types[name]) for name in kept] + list(predictions)
    if job.lineage is not None:
        kinds = ("string", "string", "string", "timestamp")
        columns += zip(job.lineage.names(), kinds, strict=True)
    names = [name.lower() for name, _ in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice != []:
        raise JobPlanError(
            f"columns {listed(twice)} would be written twice", "keep, model.output and lineage", "name them otherwise"
        )
    absent = [name for name in [*job.keys, *job.sink.partition_by] if name.lower() not in names]
    if absent != [] and (job.sink.mode == MERGE or job.sink.partition_by):
        raise JobPlanError(f"columns {listed(absent)} are not among those that are written", "keep", "keep them")
    return columns


def _fits(job: Job, target: Target, columns: Pairs, there: Existing | None) -> None:
    if target.mode == PARTITIONS and target.table is not None:
        raise JobPlanError("mode partitions writes files at a path", "sink")
    if there is None:
        return
    known = {name.lower(): kind for name, kind in there.columns.items()}
    absent = [name for name, _ in columns if name.lower() not in known]
    if absent != [] and not target.merge_schema:
        raise JobPlanError(
            f"the target has no columns {listed(absent)}",
            "sink",
            "merge_schema: true adds them, keep: […] leaves them out",
        )
    other = [
        f"{name}: {kind}, not {known[name.lower()]}" for name, kind in columns if known.get(name.lower(), kind) != kind
    ]
    if other != []:
        raise JobPlanError(f"the target has columns of other types: {'; '.join(other[:10])}", "sink")
    if target.partition_by and tuple(there.partition_by) != tuple(target.partition_by):
        raise JobPlanError(f"the target is partitioned by {list(there.partition_by)}", "sink.partition_by")


def _bound(package: Package, frame: Any, job: Job) -> list[tuple[str, str, str]]:
    types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    schema = package.model.get_input_schema()
    given = list(frame.columns) if job.model.inputs is None else list(job.model.inputs)
    if schema is None or len(schema) == 0:
        return [(name, "as it is", types[name]) for name in given]
    found = []
    for at, (name, spec) in enumerate(zip(schema.input_names(), schema, strict=True)):
        column = str(name) if schema.has_input_names() else given[at] if at < len(given) else None
        kind = "absent" if column not in types else types[str(column)]
        found.append((str(name), spec.type.name if hasattr(spec.type, "name") else str(spec.type), kind))
    return found


def _baseline(spark: Any, job: Job, package: Package, names: Sequence[str]) -> tuple[dict[str, measures.Scores], str]:
    if job.report is not None and job.report.baseline == "example":
        return _of_example(package, job, names), "the stored example"
    if job.run_log is not None:
        found = run_log.last_scores(spark, job.run_log, job.name)
        if found is not None:
            return found
    return run_log.reported_scores(job)


def _of_example(package: Package, job: Job, names: Sequence[str]) -> dict[str, measures.Scores]:
    from spark_models.coerce.output import output_columns

    predictions = package.model.load_example_predictions(package.root)
    if predictions is None or job.model.method is not None:
        raise JobPlanError("the package has no predictions on its example to compare with", "report.baseline")
    count = len(next(iter(predictions.values()))) if isinstance(predictions, dict) else len(predictions)
    columns = output_columns(predictions, count).columns
    found = {}
    for column in columns:
        name = job.model.output if len(columns) == 1 else f"{job.model.output}_{column.name}"
        if name in names and getattr(column.dtype, "kind", "O") in "iuf":
            found[name] = measures.scores_of_values(column.values)
    return found


# --- what names a run


def _described(job: Job) -> dict[str, Any]:
    """What makes a job another job: what it reads and where it writes; not how fast, nor what it reports."""
    source, sink = job.source, job.sink
    return {
        "source": [source.format, source.table, source.path, source.query, source.where, source.schema],
        "database": None if source.jdbc is None else source.jdbc.url,
        "sink": [sink.format, sink.table, sink.path, sink.mode, sink.where],
        "sink database": None if sink.jdbc is None else sink.jdbc.url,
        "keys": job.keys,
        "keep": job.keep,
    }


def _model_options(job: Job) -> dict[str, Any]:
    model = job.model
    return {
        "method": model.method,
        "params": repr(sorted((model.params or {}).items())),
        "result_type": model.result_type,
        "output": model.output,
        "inputs": model.inputs,
    }


def _hash(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]


def quarantine_target(job: Job) -> Target:
    """The target of quarantined rows: a run's rows are replaced where they can't be written once."""
    if job.quarantine is None:
        raise InvalidArgumentError("The job has no quarantine")
    part = job.quarantine
    if part.format == "delta":
        return target_of(part)
    return Target(format=part.format, table=part.table, path=part.path, mode=PARTITIONS, partition_by=("run_identity",))

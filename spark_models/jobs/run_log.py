"""The run log: a table with one row a run, and what earlier runs have said in it."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

import spark_models
from spark_models.jobs import measures
from spark_models.jobs.job import Job, SinkPart
from spark_models.jobs.outcome import Outcome, RunResult
from spark_models.sink import delta_log, writers
from spark_models.sink.target import APPEND, Stamp, Target, reference

FINISHED = (Outcome.WRITTEN.value, Outcome.ALREADY_WRITTEN.value)

SCHEMA = T.StructType(
    [
        T.StructField("job", T.StringType()),
        T.StructField("run_id", T.StringType()),
        T.StructField("identity", T.StringType()),
        T.StructField("status", T.StringType()),
        T.StructField("error_code", T.StringType()),
        T.StructField("started_at", T.TimestampType()),
        T.StructField("seconds", T.DoubleType()),
        T.StructField("source", T.StringType()),
        T.StructField("target", T.StringType()),
        T.StructField("target_version", T.LongType()),
        T.StructField("rows", T.LongType()),
        T.StructField("written", T.LongType()),
        T.StructField("quarantined", T.LongType()),
        T.StructField("nulls", T.LongType()),
        T.StructField("model_uri", T.StringType()),
        T.StructField("model_hash", T.StringType()),
        T.StructField("spark_models_version", T.StringType()),
        T.StructField("spark_version", T.StringType()),
        T.StructField("scores", T.StringType()),
        T.StructField("drift", T.StringType()),
        T.StructField("steps", T.MapType(T.StringType(), T.DoubleType())),
        T.StructField("tags", T.MapType(T.StringType(), T.StringType())),
    ]
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """The run that has written the same rows before."""

    run_id: str | None = None
    version: int | None = None
    rows: int | None = None


def append(spark: Any, job: Job, result: RunResult, error_code: str | None = None) -> None:
    """Adds the run's row; nothing where the job has no run log."""
    part = job.run_log
    if part is None:
        return
    started = datetime.datetime.fromisoformat(result.started_at)
    row = (
        result.job,
        result.run_id,
        result.identity,
        result.outcome.value,
        error_code,
        started,
        float(sum(result.seconds.values())),
        json.dumps(dict(result.source or {})),
        result.target,
        result.version,
        result.rows,
        result.written,
        result.quarantined,
        result.nulls,
        result.model_uri,
        result.model_hash,
        spark_models.__version__,
        spark.version,
        json.dumps(dict(result.scores)),
        json.dumps(dict(result.drift)),
        {name: float(value) for name, value in result.seconds.items()},
        dict(job.tags),
    )
    target = Target(format=part.format, table=part.table, path=part.path, mode=APPEND)
    stamp = Stamp(f"log-{result.run_id}", result.run_id, {"job": job.name}, fresh=True)
    writers.write(spark, target, stamp, lambda: spark.createDataFrame([row], SCHEMA).coalesce(1))


def _rows(spark: Any, part: SinkPart) -> Any:
    """The log; None where there is none yet."""
    try:
        if part.path is not None:
            frame = spark.read.format(part.format).load(part.path)
        else:
            frame = spark.read.table(reference(part.format, part.table, None))
        known = "identity" in frame.columns
    except Exception as error:
        if delta_log.is_missing(error) or "UNABLE_TO_INFER_SCHEMA" in str(error):
            return None
        raise
    return frame if known else None


def finished(spark: Any, part: SinkPart, target: Target, identity: str) -> Earlier | None:
    """The run of that identity that has written the target, if what it wrote still stands."""
    log = _rows(spark, part)
    if log is None:
        return None
    rows = log.where(F.col("status").isin(*FINISHED) & (F.col("target") == target.name))
    if target.mode == APPEND:
        rows = rows.where(F.col("identity") == identity)
    last = rows.orderBy(F.desc("started_at")).limit(1).collect()
    if last == [] or last[0]["identity"] != identity:
        return None
    return Earlier(last[0]["run_id"], last[0]["target_version"], last[0]["written"])


def last_end(spark: Any, job: Job, target: Target, stream: str) -> Mapping[str, Any] | None:
    """Where the job's last success ended in its source, as its commit says, or, where that has gone, the run log."""
    if target.format == "delta":
        known = delta_log.history(spark, target.reference)
        commit = None if known is None else known.newest_of(stream)
        if commit is not None and isinstance(commit.stamp.get("end"), dict):
            return dict(commit.stamp["end"])
        if known is None or known.whole:
            return None
    log = None if job.run_log is None else _rows(spark, job.run_log)
    if log is None:
        return None
    done = (*FINISHED, Outcome.NOTHING_NEW.value)
    rows = log.where((F.col("job") == job.name) & F.col("status").isin(*done) & (F.col("target") == target.name))
    last = rows.orderBy(F.desc("started_at")).limit(1).collect()
    found = json.loads(last[0]["source"]) if last != [] else {}
    return found if "version" in found else None


def last_scores(spark: Any, part: SinkPart, job: str) -> tuple[dict[str, measures.Scores], str] | None:
    """The scores of the job's last run that wrote rows, and which run it was."""
    log = _rows(spark, part)
    if log is None:
        return None
    rows = log.where((F.col("job") == job) & (F.col("status") == Outcome.WRITTEN.value) & (F.col("rows") > 0))
    last = rows.orderBy(F.desc("started_at")).limit(1).select("scores", "run_id").collect()
    return None if last == [] else (measures.of_text(last[0]["scores"]), f"run {last[0]['run_id']}")


# --- the scores that a report leaves for the next one


def slug(name: str) -> str:
    """A job's name as the name of a file.

    >>> slug("Churn, nightly/eu")
    'churn-nightly-eu'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "job"


def scores_file(job: Job) -> Path | None:
    """Where reports keep the scores of the last run."""
    return None if job.report is None else Path(job.report.path) / f"{slug(job.name)}.scores.json"


def reported_scores(job: Job) -> tuple[dict[str, measures.Scores], str]:
    """The scores that the last report has left, and which run it was."""
    file = scores_file(job)
    try:
        found = {} if file is None else json.loads(file.read_text())
        return measures.of_text(json.dumps(found.get("scores"))), f"run {found.get('run_id', '')}"
    except (OSError, ValueError, AttributeError):
        return {}, ""

"""What a job reads: a DataFrame of a fixed range of its source, and what is known of it before a row is read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from pyspark.sql import Window
from pyspark.sql import functions as F

from spark_models.bridge.sql import quoted
from spark_models.errors import JobPlanError
from spark_models.jobs.job import Job, Source, revealed
from spark_models.sink import delta_log
from spark_models.sink.target import reference

CHANGE_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")
MAX_FOOTERS = 2000
"""Files of a Parquet table whose footers are read to count its rows."""


@dataclass(frozen=True, slots=True)
class Read:
    """A source, opened. `range` says which part of it: the same part is never written twice by one job and package.

    `rows` is None where only reading would tell. `repeatable` says that reading again gives the same rows. `end` is
    where an incremental job goes on next time; `empty` that nothing is new.
    """

    frame: Any
    range: Mapping[str, Any] | None
    rows: int | None = None
    repeatable: bool = True
    end: Mapping[str, Any] = field(default_factory=dict)
    empty: bool = False
    about: str = ""


def open_source(spark: Any, job: Job, last: Mapping[str, Any] | None = None) -> Read:
    """The job's source; `last` is the `end` of the last success of an incremental job.

    Raises:
        JobPlanError: [JOB_PLAN] it can't be read as the job file says.
    """
    source = job.source
    try:
        read = _opened(spark, job, last)
        if source.where is not None:
            counted = _metadata_rows(read.frame.where(source.where)) if source.format == "delta" else None
            read = Read(
                read.frame.where(source.where), read.range, counted, read.repeatable, read.end, read.empty, read.about
            )
    except JobPlanError:
        raise
    except Exception as error:
        if not _is_analysis(error):
            raise
        raise JobPlanError(f"{source.name} can't be read: {job.redacted(_first_line(error))}", "source") from None
    return read


def _opened(spark: Any, job: Job, last: Mapping[str, Any] | None) -> Read:
    source = job.source
    if source.format == "delta":
        return _delta(spark, job, last)
    if source.format == "jdbc":
        frame = _jdbc(spark, source)
        return Read(frame, _keyed(job), repeatable=False, about="as it is when it is read")
    if source.format == "sql":
        return Read(spark.sql(source.query), _keyed(job), repeatable=False, about="as it is when it is read")
    frame = _files(spark.read, source)
    if source.table is not None:
        return Read(frame, _keyed(job), repeatable=False, about="as it is when it is read")
    files = sorted(frame.inputFiles())
    rows = _footer_rows(files) if source.format == "parquet" else None
    found = {"files": _fingerprint(files)} if job.run_key is None else {"run_key": job.run_key}
    return Read(frame, found, rows, about=f"{len(files):,} files")


def _keyed(job: Job) -> Mapping[str, Any] | None:
    return None if job.run_key is None else {"run_key": job.run_key}


def _files(reader: Any, source: Source) -> Any:
    options = {"header": "true", **source.options} if source.format == "csv" else source.options
    reader = reader.format(source.format).options(**revealed(options))
    if source.schema is not None:
        reader = reader.schema(source.schema)
    return reader.load(source.path) if source.path is not None else reader.table(source.table)


def _jdbc(spark: Any, source: Source) -> Any:
    assert source.jdbc is not None  # noqa: S101 - the job file is checked
    reader = spark.read.format("jdbc").options(**revealed(source.options)).options(**source.jdbc.options())
    reader = (
        reader.option("dbtable", source.table) if source.table is not None else reader.option("query", source.query)
    )
    return reader.load()


def stream_of(spark: Any, source: Source) -> Any:
    """The source as a stream.

    Raises:
        JobPlanError: [JOB_PLAN] it can't be read as a stream.
    """
    try:
        frame = _files(spark.readStream, source)
        return frame if source.where is None else frame.where(source.where)
    except Exception as error:
        if not _is_analysis(error):
            raise
        raise JobPlanError(f"{source.name} can't be read as a stream: {_first_line(error)}", "source") from None


# --- Delta


def _delta(spark: Any, job: Job, last: Mapping[str, Any] | None) -> Read:
    source = job.source
    name = reference("delta", source.table, source.path)
    row = delta_log.detail(spark, name)
    if row is None:
        raise JobPlanError(f"{source.name} is no Delta table", "source", "name its format, or look for a typing slip")
    known = delta_log.history(spark, name, 1)
    newest = -1 if known is None else known.version
    identity = {"table": row["id"]}
    if source.changes is not None:
        begin, end = source.changes[0], newest if source.changes[1] is None else source.changes[1]
        if end > newest or begin > newest:
            raise JobPlanError(
                f"{source.name} has no version {max(begin, end)}; its newest is {newest}", "source.changes"
            )
        return _changes(spark, job, row, begin, end)
    if source.incremental == "changes" and last is not None:
        if last.get("table") != row["id"]:
            raise JobPlanError(
                f"{source.name} is another table than the one that the job has read before",
                "source",
                "give the job another name to begin anew",
            )
        if int(last["version"]) >= newest:
            done = {**identity, "version": newest}
            return Read(
                _at(spark, source, newest), done, 0, end=done, empty=True, about=f"nothing after version {newest}"
            )
        return _changes(spark, job, row, int(last["version"]) + 1, newest)
    version = newest if source.version is None else source.version
    if version > newest:
        raise JobPlanError(f"{source.name} has no version {version}; its newest is {newest}", "source.version")
    frame = _at(spark, source, version)
    found = {**identity, "version": version}
    return Read(frame, found, _metadata_rows(frame), end=found, about=f"version {version}")


def _at(spark: Any, source: Source, version: int) -> Any:
    name = reference("delta", source.table, source.path)
    if source.path is not None:
        return (
            spark.read.format("delta")
            .options(**revealed(source.options))
            .option("versionAsOf", version)
            .load(source.path)
        )
    return spark.sql(f"SELECT * FROM {name} VERSION AS OF {version:d}")  # noqa: S608 - the name is quoted


def _changes(spark: Any, job: Job, row: Any, begin: int, end: int) -> Read:
    """The rows that versions `begin` to `end` added or changed; of a key, where the job has keys, the last one."""
    source = job.source
    if str((row["properties"] or {}).get("delta.enableChangeDataFeed", "false")).lower() != "true":
        raise JobPlanError(
            f"{source.name} has no change feed",
            "source",
            "ALTER TABLE … SET TBLPROPERTIES (delta.enableChangeDataFeed = true), or incremental: stream",
        )
    reader = spark.read.format("delta").options(**revealed(source.options)).option("readChangeFeed", "true")
    reader = reader.option("startingVersion", begin).option("endingVersion", end)
    changes = reader.load(source.path) if source.path is not None else reader.table(source.table)
    kinds = ["insert", "update_postimage"]
    if job.keys:
        newest = Window.partitionBy(*map(quoted, job.keys)).orderBy(
            F.desc("_commit_version"), F.when(F.col("_change_type") == "delete", 0).otherwise(1).desc()
        )
        changes = changes.where(F.col("_change_type") != "update_preimage")
        changes = changes.withColumn("__nth", F.row_number().over(newest)).where("__nth = 1").drop("__nth")
    frame = changes.where(F.col("_change_type").isin(kinds)).drop(*CHANGE_COLUMNS)
    found = {"table": row["id"], "from": begin, "version": end}
    return Read(
        frame, found, None, end={"table": row["id"], "version": end}, about=f"changes of versions {begin} to {end}"
    )


def _metadata_rows(frame: Any) -> int | None:
    """The count where Delta answers it from its log alone; None where rows would be read."""
    counted = frame.groupBy().count()
    plan = io.StringIO()
    with contextlib.redirect_stdout(plan):
        counted.explain()
    text = plan.getvalue()
    if "LocalTableScan" not in text or "FileScan" in text or "Exchange" in text:
        return None
    return int(counted.collect()[0][0])


# --- files


def _local(file: str) -> str | None:
    parts = urlsplit(file)
    return unquote(parts.path) if parts.scheme in ("", "file") and parts.netloc == "" else None


def _fingerprint(files: list[str]) -> str:
    """A hash of the files' names and, where this host sees them, sizes and times."""
    facts: list[Any] = []
    for file in files:
        path = _local(file)
        try:
            status = None if path is None else os.stat(path)
        except OSError:
            status = None
        facts.append([file] if status is None else [file, status.st_size, status.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _footer_rows(files: list[str]) -> int | None:
    """The rows that the footers of local Parquet files tell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [_local(file) for file in files]
    if len(paths) > MAX_FOOTERS or any(path is None for path in paths):
        return None
    try:
        return int(sum(pq.read_metadata(path).num_rows for path in paths))
    except (OSError, pa.ArrowException):
        return None


def _is_analysis(error: Exception) -> bool:
    """Whether Spark or the JVM's reader refused, before anything ran."""
    return type(error).__module__.startswith(("pyspark.", "py4j."))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300].rstrip(".")

"""Delta: each write is one commit that carries the run's identity, so that the table takes it once.

`txnAppId` is a hash of job, package and source range, `txnVersion` the constant 1. A rolling version would lose rows:
after a rollback or a change of model Delta skips, in silence, any version at or below the last one. Delta skips a
second write of the same identity in silence too: the history is read before and after, and a skip is told.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyspark.sql import functions as F

from spark_models.bridge.sql import quoted
from spark_models.errors import WriteConflictError
from spark_models.sink.delta_log import Commit, History, detail, history
from spark_models.sink.target import APPEND, MERGE, REPLACE_WHERE, Stamp, Target, Written

ATTEMPTS = 4
CONFLICTS = (
    "DELTA_CONCURRENT",
    "DELTA_METADATA_CHANGED",
    "DELTA_PROTOCOL_CHANGED",
    "ConcurrentTransaction",
    "ConcurrentAppend",
    "ConcurrentWrite",
    "ConcurrentDelete",
    "MetadataChangedException",
    "ProtocolChangedException",
)

_settings = threading.Lock()
"""MERGE takes its identity from the session's settings: two merges of one session must not meet."""


def found(spark: Any, target: Target, identity: str) -> Commit | None:
    """The commit by which a run of that identity has written the target already, if its rows still stand."""
    known = history(spark, target.reference)
    if known is None:
        return None
    return _standing(known, target, identity)


def _standing(known: History, target: Target, identity: str) -> Commit | None:
    commit = known.of(identity)
    if commit is None or (target.mode != APPEND and not known.untouched_since(commit)):
        return None
    return commit


def write(spark: Any, target: Target, stamp: Stamp, frame: Callable[[], Any]) -> Written:
    """Commits the rows of `frame()` once. It is called again where another writer came first.

    Raises:
        WriteConflictError: [WRITE_CONFLICT] others were faster each time.
    """
    for _ in range(ATTEMPTS):
        known = None if stamp.fresh else history(spark, target.reference)
        commit = None if known is None else _standing(known, target, stamp.identity)
        if commit is not None:
            return _earlier(commit)
        epoch = 0 if known is None else known.epoch(stamp.identity, target.mode != APPEND)
        application = f"spark-models/{stamp.identity}" + (f"/{epoch}" if epoch > 0 else "")
        try:
            _commit(spark, target, application, json.dumps(stamp.metadata()), frame())
        except Exception as error:
            if not is_conflict(error):
                raise
            continue
        if stamp.fresh:
            return Written(run_id=stamp.run_id)
        after = history(spark, target.reference)
        made = None if after is None else after.by(stamp.run_id)
        if made is not None:
            return Written(version=made.version, rows=made.rows, run_id=stamp.run_id)
        # Delta has the identity in its state and has skipped the write.
        commit = None if after is None else after.of(stamp.identity)
        return Written(already=True) if commit is None else _earlier(commit)
    raise WriteConflictError(target.name, ATTEMPTS)


def _earlier(commit: Commit) -> Written:
    return Written(True, commit.version, commit.rows, commit.stamp.get("run_id"))


def is_conflict(error: Exception) -> bool:
    """Whether an error of Spark says that another writer came first."""
    text = str(error)
    return any(word in text for word in CONFLICTS)


def _commit(spark: Any, target: Target, application: str, metadata: str, frame: Any) -> None:
    if target.mode == MERGE:
        _merge(spark, target, application, metadata, frame)
        return
    writer = frame.write.format("delta").mode(APPEND if target.mode == APPEND else "overwrite")
    writer = writer.options(**target.options).option("userMetadata", metadata)
    writer = writer.option("txnAppId", application).option("txnVersion", "1")
    if target.mode == REPLACE_WHERE and detail(spark, target.reference) is not None:
        writer = writer.option("replaceWhere", target.where)
    if target.merge_schema:
        writer = writer.option("mergeSchema", "true")
    if target.partition_by:
        writer = writer.partitionBy(*target.partition_by)
    writer.saveAsTable(target.reference) if target.path is None else writer.save(target.path)


def _merge(spark: Any, target: Target, application: str, metadata: str, frame: Any) -> None:
    if detail(spark, target.reference) is None:
        _create(target, frame)
    columns: dict[str, Any] = {quoted(name): F.col(f"source.{quoted(name)}") for name in frame.columns}
    settings = {
        "spark.databricks.delta.write.txnAppId": application,
        "spark.databricks.delta.write.txnVersion": "1",
        "spark.databricks.delta.commitInfo.userMetadata": metadata,
        "spark.databricks.delta.schema.autoMerge.enabled": str(target.merge_schema).lower(),
    }
    condition = " AND ".join(f"target.{quoted(key)} <=> source.{quoted(key)}" for key in target.keys)
    with _settings, configured(spark, settings):
        from delta.tables import DeltaTable

        table = (
            DeltaTable.forName(spark, target.reference)
            if target.path is None
            else DeltaTable.forPath(spark, target.path)
        )
        merge = table.alias("target").merge(frame.alias("source"), condition)
        if target.merge_schema:
            merge = merge.whenMatchedUpdateAll().whenNotMatchedInsertAll()
        else:
            merge = merge.whenMatchedUpdate(set=columns).whenNotMatchedInsert(values=columns)
        merge.execute()


def _create(target: Target, frame: Any) -> None:
    """The table without rows: it takes the first merge as it takes any other."""
    writer = frame.limit(0).write.format("delta").mode("ignore").options(**target.options)
    if target.partition_by:
        writer = writer.partitionBy(*target.partition_by)
    writer.saveAsTable(target.reference) if target.path is None else writer.save(target.path)


@contextlib.contextmanager
def configured(spark: Any, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of the session that end with the block."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.unset(name) if value is None else spark.conf.set(name, value)

"""The writer of each format, and what the plan may know of a target before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spark_models.sink import delta, delta_log, files, jdbc
from spark_models.sink.target import Stamp, Target, Written

Writer = Callable[[Any, Target, Stamp, Callable[[], Any]], Written]

WRITERS: dict[str, Writer] = {"delta": delta.write, "parquet": files.write, "csv": files.write, "jdbc": jdbc.write}


@dataclass(frozen=True, slots=True)
class Existing:
    """A target that is there: its columns by name, with Spark's type names, and what it is partitioned by."""

    columns: dict[str, str]
    partition_by: tuple[str, ...] = ()
    version: int | None = None


def write(spark: Any, target: Target, stamp: Stamp, frame: Callable[[], Any]) -> Written:
    """Writes the rows of `frame()`, which is called once for each attempt."""
    return WRITERS[target.format](spark, target, stamp, _spread(frame, target.partitions))


def _spread(frame: Callable[[], Any], partitions: int | None) -> Callable[[], Any]:
    return frame if partitions is None else lambda: frame().repartition(partitions)


def existing(spark: Any, target: Target) -> Existing | None:
    """What is there; None where nothing is, or the format tells nothing without reading rows."""
    if target.format != "delta":
        return None
    row = delta_log.detail(spark, target.reference)
    if row is None:
        return None
    known = delta_log.history(spark, target.reference, 1)
    fields = spark.table(target.reference).schema.fields
    version = None if known is None else known.version
    return Existing(
        {field.name: field.dataType.simpleString() for field in fields}, tuple(row["partitionColumns"]), version
    )

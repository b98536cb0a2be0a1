"""Parquet and CSV: folders of files without commits. What a run writes twice it replaces, except where it appends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spark_models.sink.target import APPEND, PARTITIONS, Stamp, Target, Written


def write(spark: Any, target: Target, stamp: Stamp, frame: Callable[[], Any]) -> Written:
    """Writes the rows of `frame()`."""
    options = {"header": "true", **target.options} if target.format == "csv" else dict(target.options)
    writer = (
        frame().write.format(target.format).mode(APPEND if target.mode == APPEND else "overwrite").options(**options)
    )
    if target.mode == PARTITIONS:
        writer = writer.option("partitionOverwriteMode", "dynamic")
    if target.partition_by:
        writer = writer.partitionBy(*target.partition_by)
    writer.saveAsTable(target.reference) if target.path is None else writer.save(target.path)
    return Written(run_id=stamp.run_id)

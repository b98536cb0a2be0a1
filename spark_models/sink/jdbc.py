"""JDBC: rows are appended to a table of a database, one transaction a partition: at least once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spark_models.sink.target import Stamp, Target, Written


def write(spark: Any, target: Target, stamp: Stamp, frame: Callable[[], Any]) -> Written:
    """Appends the rows of `frame()`."""
    writer = frame().write.format("jdbc").mode("append").options(**target.options).options(**target.connection)
    writer.option("dbtable", target.table).save()
    return Written(run_id=stamp.run_id)

"""What can be told of Spark, and to it, without importing it: quoted names, and which kind a session is of."""

from __future__ import annotations

from typing import Any


def quoted(name: object) -> str:
    """A column name as Spark's parser takes it whole, dots and all.

    >>> quoted("a.b")
    '`a.b`'
    """
    return "`" + str(name).replace("`", "``") + "`"


def is_connect(spark: Any) -> bool:
    """Whether the session is a client of a Spark Connect server: it has no SparkContext and no JVM then."""
    return not hasattr(spark, "_sc")

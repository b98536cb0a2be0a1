"""A Spark accumulator of `ScoreStats`, where the session has a SparkContext."""

from __future__ import annotations

from typing import Any

from pyspark.accumulators import AccumulatorParam

from spark_models.bridge.sql import is_connect
from spark_models.scoring.stats import ScoreStats


class StatsParam(AccumulatorParam[ScoreStats]):
    """How Spark adds up stats."""

    def zero(self, value: ScoreStats) -> ScoreStats:
        """No rows."""
        return ScoreStats()

    def addInPlace(self, value1: ScoreStats, value2: ScoreStats) -> ScoreStats:  # noqa: N802 - pyspark's name
        """The sum; stats are immutable, so it is a new value."""
        return value1 + value2


def stats_accumulator(spark: Any) -> Any:
    """A new accumulator of the session's SparkContext; None with Spark Connect, which has none."""
    if is_connect(spark):
        return None
    return spark.sparkContext.accumulator(ScoreStats(), StatsParam())

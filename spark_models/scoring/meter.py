"""`ScoreMeter`: the `Tally` of one pass, gathered in the Python workers, where the predictions are arrays already.

An aggregate of Spark looks at each row again in the JVM, and has its place in the query for it. A worker sorts a batch
of scores in the time in which the JVM reads a few of its rows. Tasks send their tally when they end, as an accumulator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.accumulators import AccumulatorParam

from spark_models.bridge.sql import is_connect
from spark_models.scoring.stats import ScoreStats
from spark_models.scoring.tally import ScoreTally, Tally


@dataclass(slots=True)
class Counted:
    """A tally, and for each partition in it the one attempt of its task that has counted it."""

    tally: Tally = field(default_factory=Tally)
    attempts: dict[int, int] = field(default_factory=dict)


class CountedParam(AccumulatorParam[Counted]):
    """How Spark adds up what tasks have counted: a partition once, whichever of its attempts comes first.

    A task whose output went to a shuffle runs again where an executor is lost afterwards. Spark then adds its values
    again, for it takes only those of a job's last stage once.
    """

    def zero(self, value: Counted) -> Counted:
        """No rows."""
        return Counted()

    def addInPlace(self, value1: Counted, value2: Counted) -> Counted:  # noqa: N802 - pyspark's name
        """The sum, in the first one; a worker adds its batches so, the driver the tasks that have ended."""
        if all(value1.attempts.get(part, attempt) == attempt for part, attempt in value2.attempts.items()):
            value1.tally = value1.tally + value2.tally
            value1.attempts.update(value2.attempts)
        return value1


@dataclass(frozen=True, slots=True)
class BatchMeter:
    """What a worker adds of each batch: of the scores at `fields`, with edges; None is the prediction itself."""

    accumulator: Any = field(compare=False)
    fields: tuple[tuple[int | None, tuple[float, ...]], ...]

    def add(self, values: pa.Array, stats: ScoreStats) -> None:
        """Adds a batch's predictions."""
        scores = (
            # Of a struct that is null as a whole, no field has a value.
            ScoreTally.of(values if at is None else values.flatten()[at], edges)
            for at, edges in self.fields
        )
        task = TaskContext.get()
        attempts = {} if task is None else {task.partitionId(): task.taskAttemptId()}
        self.accumulator.add(Counted(Tally(stats, tuple(scores)), attempts))


class ScoreMeter:
    """Given to `score` as `meter`, it has the `Tally` of the actions on the result: one action, one pass.

    `edges` names the columns to measure, and the values at which each is counted.
    """

    def __init__(self, spark: Any, edges: Mapping[str, Sequence[float]]) -> None:
        self.edges = edges
        self.accumulator = spark.sparkContext.accumulator(Counted(), CountedParam())

    def of(self, columns: Sequence[str], is_struct: bool) -> BatchMeter:
        """The worker's part, where the prediction's fields become these columns."""
        fields = tuple((columns.index(name) if is_struct else None, tuple(edges)) for name, edges in self.edges.items())
        return BatchMeter(self.accumulator, fields)

    @property
    def tally(self) -> Tally:
        """What was gathered so far."""
        counted: Counted = self.accumulator.value
        return counted.tally


def can_meter(spark: Any) -> bool:
    """Whether the session has accumulators: Spark Connect has none."""
    return not is_connect(spark)

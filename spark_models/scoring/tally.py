"""`Tally`: what a run learns of its predictions where they are made: counts, bounds, sums, and a sketch of each score.

A worker adds up its batches, the driver its tasks. What is kept does not grow with the rows: a `Sketch` is a few sorted
arrays of at most `SIZE` values, each of which stands for as many rows as its weight says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from spark_models.scoring.stats import ScoreStats

SIZE = 1024
"""Values of one level. Joining two full levels moves the rank of a value by at most one in 2 · SIZE of their rows."""


@dataclass(frozen=True, slots=True)
class Level:
    """Sorted values and how many rows each stands for; `height` says how often they were thinned out."""

    height: int
    values: Any
    weights: Any


@dataclass(frozen=True, slots=True)
class Sketch:
    """Where the values of any number of rows lie: levels of different heights, as the digits of a binary counter.

    The levels of n batches are at most log2(n) high, and so a rank is at most log2(n) in 2 · SIZE off; it is exact up
    to SIZE rows.
    """

    levels: tuple[Level, ...] = ()

    @staticmethod
    def of_sorted(values: Any) -> Sketch:
        """The sketch of a sorted array."""
        rows = len(values)
        if rows == 0:
            return Sketch()
        if rows <= SIZE:
            return Sketch((Level(0, values.copy(), np.ones(rows)),))
        middles = ((np.arange(SIZE) + 0.5) * (rows / SIZE)).astype("int64")
        return Sketch((Level(0, values[middles], np.full(SIZE, rows / SIZE)),))

    def __add__(self, other: Sketch) -> Sketch:
        found = {level.height: level for level in self.levels}
        for level in other.levels:
            carried = level
            while carried.height in found:
                carried = _joined(found.pop(carried.height), carried)
            found[carried.height] = carried
        return Sketch(tuple(found[height] for height in sorted(found)))

    def quantiles(self, shares: Any) -> Any:
        """The least value at or below which a share of the rows lies, for each share; nothing without rows.

        >>> Sketch.of_sorted(np.array([1.0, 2.0, 4.0])).quantiles([0, 0.5, 1]).tolist()
        [1.0, 2.0, 4.0]
        """
        if self.levels == ():
            return np.empty(0)
        values, weights = _in_order(self.levels)
        reached = np.cumsum(weights)
        at = np.searchsorted(reached, np.asarray(shares) * reached[-1] - 1e-9)
        return values[np.minimum(at, len(values) - 1)]


def _in_order(levels: Sequence[Level]) -> tuple[Any, Any]:
    values = np.concatenate([level.values for level in levels])
    order = np.argsort(values, kind="stable")
    return values[order], np.concatenate([level.weights for level in levels])[order]


def _joined(left: Level, right: Level) -> Level:
    """Two levels as one: as it is where it fits, else one of about as many rows in SIZE values, a level higher."""
    values, weights = _in_order((left, right))
    if len(values) <= SIZE:
        return Level(left.height, values, weights)
    reached = np.cumsum(weights)
    step = reached[-1] / SIZE
    at = np.searchsorted(reached, (np.arange(SIZE) + 0.5) * step)
    return Level(left.height + 1, values[np.minimum(at, len(values) - 1)], np.full(SIZE, step))


@dataclass(frozen=True, slots=True)
class ScoreTally:
    """One score: its rows with a value, their bounds, sum, counts at or below each edge, and sketch. NaN is largest."""

    valued: int = 0
    least: float | None = None
    most: float | None = None
    total: float = 0.0
    below: tuple[int, ...] = ()
    sketch: Sketch = field(default_factory=Sketch)

    @staticmethod
    def of(values: pa.Array, edges: Sequence[float]) -> ScoreTally:
        """The tally of an array of numbers."""
        numbers = values.drop_null() if values.null_count > 0 else values
        if not pa.types.is_float64(numbers.type):
            numbers = numbers.cast(pa.float64(), safe=False)
        ordered = np.sort(numbers.to_numpy(zero_copy_only=False))
        if len(ordered) == 0:
            return ScoreTally(below=(0,) * len(edges))
        below = tuple(int(count) for count in np.searchsorted(ordered, np.asarray(edges), side="right"))
        bounds = float(ordered[0]), float(ordered[-1])
        return ScoreTally(len(ordered), *bounds, float(ordered.sum()), below, Sketch.of_sorted(ordered))

    def __add__(self, other: ScoreTally) -> ScoreTally:
        if self.valued == 0 or other.valued == 0:
            return other if self.valued == 0 else self
        # Not min() and max(), which forget a NaN or not by its place.
        ends = np.sort([self.least, self.most, other.least, other.most])
        return ScoreTally(
            self.valued + other.valued,
            float(ends[0]),
            float(ends[-1]),
            self.total + other.total,
            tuple(map(sum, zip(self.below, other.below, strict=True))),
            self.sketch + other.sketch,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What scoring cost and gave: the stats, and each measured score."""

    stats: ScoreStats = field(default_factory=ScoreStats)
    scores: tuple[ScoreTally, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        if self.scores == () or other.scores == ():
            return Tally(self.stats + other.stats, other.scores if self.scores == () else self.scores)
        scores = tuple(left + right for left, right in zip(self.scores, other.scores, strict=True))
        return Tally(self.stats + other.stats, scores)

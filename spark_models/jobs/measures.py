"""What a run learns of its scores in the pass that writes them: counts, bounds, quantiles, and counts below edges.

Drift is measured against a `Baseline`: quantiles of an earlier run or of the package's example. Its edges are the
baseline's quantiles, so that each bin held about the same share of the baseline.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spark_models.scoring.tally import ScoreTally, Tally

POINTS = 101
"""Quantiles that are kept of each score: the shares of a baseline are known to about one in two hundred."""
BINS = 10
SHOWN_BINS = 20
MOST_SCORES = 8
"""Score columns that are measured; of a wide output the first ones."""
NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
FLOOR = 1e-4
"""The share that an empty bin counts as, so that the index stays finite."""


@dataclass(frozen=True, slots=True)
class Scores:
    """A score column of one run. `quantiles` are POINTS values from least to most; `below` counts by edge."""

    rows: int = 0
    nulls: int = 0
    least: float | None = None
    most: float | None = None
    mean: float | None = None
    quantiles: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    below: tuple[int, ...] = ()

    @property
    def valued(self) -> int:
        """The rows that have a score."""
        return self.rows - self.nulls

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for the run log."""
        return {
            "rows": self.rows,
            "nulls": self.nulls,
            "min": self.least,
            "max": self.most,
            "mean": self.mean,
            "quantiles": list(self.quantiles),
            "edges": list(self.edges),
            "below": list(self.below),
        }

    @staticmethod
    def of_dict(found: Mapping[str, Any]) -> Scores:
        """What `to_dict` gave.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        return Scores(
            int(found["rows"]),
            int(found["nulls"]),
            found["min"],
            found["max"],
            found["mean"],
            tuple(map(float, found["quantiles"])),
            tuple(map(float, found["edges"])),
            tuple(map(int, found["below"])),
        )

    def share_below(self, value: float) -> float:
        """The share of scores at or below a value, by the quantiles."""
        points = np.asarray(self.quantiles)
        at = int(np.searchsorted(points, value, side="right"))
        if at == 0 or len(points) < 2:
            return 0.0 if at == 0 else 1.0
        if at == len(points):
            return 1.0
        low, high = points[at - 1], points[at]
        within = (value - low) / (high - low) if math.isfinite(high - low) and high > low else 0.0
        return float((at - 1 + within) / (len(points) - 1))


@dataclass(frozen=True, slots=True)
class Drift:
    """How far scores have moved: the population stability index, and the largest gap between the two distributions."""

    psi: float
    ks: float
    bins: int
    against: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one pass has found: rows, those that the model could not score, and each score column."""

    rows: int = 0
    failed: int = 0
    scores: Mapping[str, Scores] = field(default_factory=dict)


def score_columns(types: Iterable[tuple[str, str]]) -> list[str]:
    """The prediction columns that are numbers, the first `MOST_SCORES` of them.

    >>> score_columns([("prediction", "double"), ("why", "string")])
    ['prediction']
    """
    return [name for name, kind in types if kind.partition("(")[0] in NUMBERS][:MOST_SCORES]


def edges_of(baseline: Scores | None) -> tuple[float, ...]:
    """The edges of about `BINS` bins that share a baseline evenly; fewer where many scores are the same.

    >>> edges_of(Scores(10, 0, 0.0, 1.0, 0.5, (0.0, 0.0, 1.0, 1.0)))
    (0.0, 1.0)
    """
    if baseline is None or len(baseline.quantiles) < 2:
        return ()
    at = np.linspace(0, len(baseline.quantiles) - 1, BINS + 1)[:-1]
    values = [baseline.quantiles[round(point)] for point in at[1:]]
    # A score that the baseline had most often is an edge of its own: what is below it and at it are told apart.
    return tuple(sorted({value for value in [*values, baseline.quantiles[-1]] if math.isfinite(value)}))


def expressions(columns: Sequence[str], error_column: str | None, baseline: Mapping[str, Scores]) -> list[Any]:
    """Aggregates over scored rows, each under a name of its own; `measured` reads what they give."""
    from pyspark.sql import functions as F

    from spark_models.bridge.sql import quoted

    def number_of(condition: Any) -> Any:
        return F.count(F.when(condition, F.lit(1)))

    found = [F.count(F.lit(1)).alias("rows")]
    failed = F.lit(0) if error_column is None else number_of(F.col(quoted(error_column)).isNotNull())
    found.append(failed.alias("failed") if error_column is not None else F.sum(F.lit(0)).alias("failed"))
    shares = F.array(*[F.lit(at / (POINTS - 1)) for at in range(POINTS)])
    for at, name in enumerate(columns):
        score = F.col(quoted(name)).cast("double")
        found.append(F.count(score).alias(f"valued_{at}"))
        found.append(F.min(score).alias(f"min_{at}"))
        found.append(F.max(score).alias(f"max_{at}"))
        found.append(F.avg(score).alias(f"mean_{at}"))
        # As text: an array that is observed comes to Python as an object of the JVM.
        quantiles = F.percentile_approx(score, shares, 1000)
        found.append(F.concat_ws(" ", quantiles.cast("array<string>")).alias(f"quantiles_{at}"))
        for edge_at, edge in enumerate(edges_of(baseline.get(name))):
            found.append(number_of(score <= F.lit(edge)).alias(f"below_{at}_{edge_at}"))
    return found


def measured(found: Mapping[str, Any], columns: Sequence[str], baseline: Mapping[str, Scores]) -> Measured:
    """What the aggregates of `expressions` gave, by their names."""
    rows = int(found.get("rows") or 0)
    scores = {}
    for at, name in enumerate(columns):
        edges = edges_of(baseline.get(name))
        texts = str(found.get(f"quantiles_{at}") or "").split()
        scores[name] = Scores(
            rows,
            rows - int(found.get(f"valued_{at}") or 0),
            found.get(f"min_{at}"),
            found.get(f"max_{at}"),
            found.get(f"mean_{at}"),
            tuple(map(float, texts)),
            edges,
            tuple(int(found.get(f"below_{at}_{edge_at}") or 0) for edge_at in range(len(edges))),
        )
    return Measured(rows, int(found.get("failed") or 0), scores)


def of_tally(tally: Tally, edges: Mapping[str, tuple[float, ...]]) -> Measured:
    """What the workers have gathered, by the names and edges that they were given."""
    rows = tally.stats.rows
    scores = {}
    parts = tally.scores or (ScoreTally(),) * len(edges)
    for (name, counted_at), part in zip(edges.items(), parts, strict=True):
        quantiles = part.sketch.quantiles(np.linspace(0, 1, POINTS))
        if len(quantiles) > 0:
            quantiles[0], quantiles[-1] = part.least, part.most
        scores[name] = Scores(
            rows,
            rows - part.valued,
            part.least,
            part.most,
            part.total / part.valued if part.valued > 0 else None,
            tuple(quantiles.tolist()),
            counted_at,
            part.below or (0,) * len(counted_at),
        )
    return Measured(rows, tally.stats.failed, scores)


def added(left: Measured, right: Measured) -> Measured:
    """Two passes over different rows as one."""
    names = dict.fromkeys([*left.scores, *right.scores])
    scores = {name: _added(left.scores.get(name, Scores()), right.scores.get(name, Scores())) for name in names}
    return Measured(left.rows + right.rows, left.failed + right.failed, scores)


def _added(left: Scores, right: Scores) -> Scores:
    if left.rows == 0 or right.rows == 0:
        return right if left.rows == 0 else left
    valued = left.valued + right.valued
    means = [(part.mean, part.valued) for part in (left, right) if part.mean is not None]
    same = left.edges == right.edges
    return Scores(
        left.rows + right.rows,
        left.nulls + right.nulls,
        min((part.least for part in (left, right) if part.least is not None), default=None),
        max((part.most for part in (left, right) if part.most is not None), default=None),
        sum(mean * rows for mean, rows in means) / valued if valued > 0 else None,
        _quantiles([left, right]),
        left.edges if same else (),
        tuple(map(sum, zip(left.below, right.below, strict=True))) if same else (),
    )


def _quantiles(parts: Sequence[Scores]) -> tuple[float, ...]:
    """The quantiles of several parts together: each point of a part stands for the same share of its rows."""
    filled = [part for part in parts if part.quantiles != ()]
    if filled == []:
        return ()
    values = np.concatenate([np.asarray(part.quantiles) for part in filled])
    weights = np.concatenate([np.full(len(part.quantiles), part.valued / len(part.quantiles)) for part in filled])
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weights[order]) / weights.sum()
    at = np.searchsorted(shares, np.linspace(0, 1, POINTS) - 1e-12)
    return tuple(values[order][np.minimum(at, len(values) - 1)].tolist())


def scores_of_values(values: Any) -> Scores:
    """The scores of an array of numbers, missing ones as NaN."""
    numbers = np.asarray(values, dtype="float64")
    valued = numbers[~np.isnan(numbers)]
    if len(valued) == 0:
        return Scores(len(numbers), len(numbers))
    quantiles = np.quantile(valued, np.linspace(0, 1, POINTS), method="inverted_cdf")
    return Scores(
        len(numbers),
        len(numbers) - len(valued),
        float(valued.min()),
        float(valued.max()),
        float(valued.mean()),
        tuple(quantiles.tolist()),
    )


def drift(baseline: Scores, current: Scores, against: str = "") -> Drift | None:
    """PSI and KS of scores against a baseline whose edges they were counted at; None where one has no scores."""
    if current.edges == () or current.valued == 0 or baseline.valued == 0:
        return None
    expected = np.array([baseline.share_below(edge) for edge in current.edges])
    actual = np.asarray(current.below) / current.valued
    ks = float(np.abs(expected - actual).max())
    left, right = (np.maximum(np.diff(np.concatenate([[0.0], shares, [1.0]])), FLOOR) for shares in (expected, actual))
    # What lies beyond the baseline's largest score is a bin too; where neither has any, it says nothing.
    psi = float(((right - left) * np.log(right / left)).sum())
    return Drift(psi, ks, len(left), against)


def histogram(scores: Scores, bins: int = SHOWN_BINS) -> tuple[list[float], list[float]]:
    """Edges and about the shares of bins of one width, by the quantiles; empty without scores."""
    if scores.quantiles == ():
        return [], []
    low, high = scores.quantiles[0], scores.quantiles[-1]
    if not (math.isfinite(low) and math.isfinite(high)):
        return [], []
    if high == low:
        return [low - 0.5, low + 0.5], [1.0]
    edges = np.linspace(low, high, bins + 1)
    below = np.array([scores.share_below(edge) for edge in edges])
    below[0] = 0.0
    return edges.tolist(), np.diff(below).tolist()


def as_text(scores: Mapping[str, Scores]) -> str:
    """Scores as one JSON text."""
    return json.dumps({name: part.to_dict() for name, part in scores.items()})


def of_text(text: str | None) -> dict[str, Scores]:
    """The scores of such a text; {} for anything else: a log may have been written by others."""
    try:
        found = json.loads(text or "{}")
        return {str(name): Scores.of_dict(part) for name, part in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}

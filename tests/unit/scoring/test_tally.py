"""What workers gather of scores: numpy's answers on all values, however they were cut into batches and tasks."""

from __future__ import annotations

import math
import pickle
from functools import reduce
from operator import add

import numpy as np
import pyarrow as pa
import pytest

from spark_models.jobs import measures
from spark_models.scoring.meter import Counted, CountedParam
from spark_models.scoring.stats import ScoreStats
from spark_models.scoring.tally import SIZE, ScoreTally, Sketch, Tally

RNG = np.random.default_rng(11)
EDGES = (0.25, 0.5, 2.0)
SHAPES = {
    "even": RNG.random(400_000),
    "sorted": np.sort(RNG.normal(size=400_000)),
    "falling": -np.sort(RNG.normal(size=400_000)),
    "far from zero": 1e9 + RNG.normal(size=400_000),
    "labels": (RNG.random(400_000) < 0.3).astype("float64"),
    "tails": RNG.standard_cauchy(400_000),
}


def tallied(values: np.ndarray, batch: int) -> ScoreTally:
    """The tally of values that came in batches, in tasks of ten batches."""
    parts = [ScoreTally.of(pa.array(values[at : at + batch]), EDGES) for at in range(0, len(values), batch)]
    tasks = [reduce(add, parts[at : at + 10]) for at in range(0, len(parts), 10)]
    return reduce(add, (pickle.loads(pickle.dumps(task)) for task in tasks))


@pytest.mark.parametrize("batch", [777, 10_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_tally_is_that_of_all_rows(shape: str, batch: int) -> None:
    values = SHAPES[shape]
    found = tallied(values, batch)
    assert (found.valued, found.least, found.most) == (len(values), values.min(), values.max())
    assert found.total == pytest.approx(values.sum(), rel=1e-9, abs=1e-6)
    assert found.below == tuple(int((values <= edge).sum()) for edge in EDGES)
    shares = np.linspace(0.01, 0.99, 99)
    quantiles = found.sketch.quantiles(shares)
    ordered = np.sort(values)
    low = np.searchsorted(ordered, quantiles, side="left") / len(values)
    high = np.searchsorted(ordered, quantiles, side="right") / len(values)
    assert np.maximum(low - shares, shares - high).max() < 0.004


def test_a_sketch_does_not_grow_with_the_rows() -> None:
    found = tallied(SHAPES["even"], 500).sketch
    assert sum(len(level.values) for level in found.levels) <= SIZE * (math.log2(400_000 / 500) + 1)
    assert found.levels[-1].height <= math.log2(400_000 / 500)


def test_few_rows_are_kept_as_they_are() -> None:
    values = RNG.normal(size=SIZE)
    found = tallied(values, 50).sketch
    assert np.array_equal(
        found.quantiles(np.linspace(0, 1, 101)), np.quantile(values, np.linspace(0, 1, 101), method="inverted_cdf")
    )


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None, 3], pa.int32()),
        pa.array([1.0, None, 3.0], pa.float32()),
        pa.array([1, None, 3], pa.decimal128(9, 2)),
        pa.chunked_array([[1], [None, 3]]).combine_chunks(),
    ],
)
def test_numbers_of_every_type_are_tallied_without_nulls(values: pa.Array) -> None:
    found = ScoreTally.of(values, (1.0, 2.0))
    assert (found.valued, found.least, found.most, found.total, found.below) == (2, 1.0, 3.0, 4.0, (1, 1))


def test_a_score_that_is_no_number_is_the_largest_one() -> None:
    parts = [ScoreTally.of(pa.array(values), (1.0,)) for values in ([1.0, float("nan")], [2.0])]
    for found in (parts[0] + parts[1], parts[1] + parts[0]):
        assert (found.valued, found.least, found.below) == (3, 1.0, (1,))
        assert found.most is not None
        assert math.isnan(found.most)


def test_nothing_adds_nothing() -> None:
    nothing, some = ScoreTally.of(pa.array([None], pa.float64()), EDGES), ScoreTally.of(pa.array([1.0]), EDGES)
    assert (nothing.valued, nothing.below, len(nothing.sketch.quantiles([0.5]))) == (0, (0, 0, 0), 0)
    assert nothing + some is some
    assert some + nothing is some
    assert Sketch() + some.sketch == some.sketch
    empty, tally = Tally(), Tally(ScoreStats(rows=1), (some,))
    assert [(empty + tally).stats.rows, (tally + empty).scores] == [1, (some,)]


def test_a_pass_reads_as_one_by_aggregates() -> None:
    values = RNG.random(503)
    score = ScoreTally.of(pa.array([*values, None]), EDGES)
    found = measures.of_tally(Tally(ScoreStats(rows=504, failed=1), (score,)), {"p": EDGES})
    exact = measures.scores_of_values(np.append(values, np.nan))
    assert (found.rows, found.failed) == (504, 1)
    scores = found.scores["p"]
    assert (scores.rows, scores.nulls, scores.least, scores.most) == (504, 1, exact.least, exact.most)
    assert scores.quantiles == exact.quantiles
    assert scores.mean == pytest.approx(exact.mean)
    assert (scores.edges, scores.below) == (EDGES, tuple(int((values <= edge).sum()) for edge in EDGES))
    none = measures.of_tally(Tally(), {"p": EDGES}).scores["p"]
    assert (none.rows, none.mean, none.quantiles, none.below) == (0, None, (), (0, 0, 0))


def test_a_partition_that_is_counted_again_counts_once() -> None:
    """As the driver adds up tasks, one of which runs again because its output was lost."""
    score = ScoreTally.of(pa.array([1.0, 2.0]), EDGES)

    def batch(rows: int, partition: int, attempt: int) -> Counted:
        return Counted(Tally(ScoreStats(rows=rows), (score,)), {partition: attempt})

    param = CountedParam()
    total = Counted()
    for batches in ([(3, 0, 7), (4, 0, 7)], [(5, 1, 8)], [(3, 0, 9), (4, 0, 9)], [(6, 2, 10)]):
        task = param.zero(total)
        for each in batches:
            task = param.addInPlace(task, batch(*each))
        total = param.addInPlace(total, task)
    assert total.tally.stats.rows == 3 + 4 + 5 + 6
    assert total.tally.scores[0].valued == 2 * 4
    assert total.attempts == {0: 7, 1: 8, 2: 10}

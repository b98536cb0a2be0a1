"""Scores measured in one pass, and how far they have moved: against numpy's answers on the values themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from spark_models.jobs import measures
from spark_models.jobs.measures import Measured, Scores, edges_of, histogram, scores_of_values

RNG = np.random.default_rng(7)


def counted(values: np.ndarray, baseline: Scores) -> Scores:
    """The scores as a pass counts them."""
    edges = edges_of(baseline)
    plain = scores_of_values(values)
    below = tuple(int((values <= edge).sum()) for edge in edges)
    return Scores(plain.rows, plain.nulls, plain.least, plain.most, plain.mean, plain.quantiles, edges, below)


def exact(before: np.ndarray, after: np.ndarray, edges: tuple[float, ...]) -> tuple[float, float]:
    """PSI and KS over the same bins, from the values."""
    bins = [-np.inf, *edges, np.inf]

    def shares(values: np.ndarray) -> np.ndarray:
        counts = [((values > low) & (values <= high)).mean() for low, high in itertools.pairwise(bins)]
        return np.maximum(counts, measures.FLOOR)

    left, right = shares(before), shares(after)
    psi = float(((right - left) * np.log(right / left)).sum())
    ks = max(abs((before <= edge).mean() - (after <= edge).mean()) for edge in edges)
    return psi, float(ks)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 2.0])
def test_drift_is_that_of_the_values(shift: float) -> None:
    before, after = RNG.normal(size=20_000), RNG.normal(shift, 1, size=20_000)
    baseline = scores_of_values(before)
    found = measures.drift(baseline, counted(after, baseline), "run x")
    assert found is not None
    psi, ks = exact(before, after, edges_of(baseline))
    assert found.psi == pytest.approx(psi, rel=0.1, abs=0.005)
    assert found.ks == pytest.approx(ks, abs=0.011)
    assert found.against == "run x"


def test_labels_drift_too() -> None:
    before, after = RNG.integers(0, 2, 10_000).astype(float), (RNG.random(10_000) < 0.9).astype(float)
    baseline = scores_of_values(before)
    assert edges_of(baseline) == (0.0, 1.0)
    found = measures.drift(baseline, counted(after, baseline))
    assert found is not None
    assert found.ks == pytest.approx(0.4, abs=0.02)
    assert found.psi > 0.5
    same = measures.drift(baseline, counted(before, baseline))
    assert same is not None
    assert same.psi < 0.001


def test_a_constant_score_that_stays_has_no_drift() -> None:
    baseline = scores_of_values(np.full(100, 3.0))
    same = measures.drift(baseline, counted(np.full(50, 3.0), baseline))
    other = measures.drift(baseline, counted(np.full(50, 4.0), baseline))
    assert same is not None
    assert other is not None
    assert (same.psi, same.ks) == (0.0, 0.0)
    assert other.ks == 1.0


def test_without_scores_there_is_no_drift() -> None:
    assert measures.drift(Scores(), Scores()) is None
    nothing = scores_of_values(np.array([np.nan]))
    assert (nothing.rows, nothing.nulls) == (1, 1)
    assert (
        measures.drift(scores_of_values(np.arange(5.0)), counted(np.array([np.nan]), scores_of_values(np.arange(5.0))))
        is None
    )
    assert histogram(nothing) == ([], [])


def test_parts_add_up_to_the_whole() -> None:
    values = RNG.gamma(2, size=9_000)
    baseline = scores_of_values(RNG.gamma(2, size=5_000))
    parts = [counted(part, baseline) for part in np.array_split(values, 4)]
    together = Measured()
    for part in parts:
        together = measures.added(together, Measured(part.rows, 1, {"p": part}))
    whole, found = counted(values, baseline), together.scores["p"]
    assert (together.rows, together.failed) == (9_000, 4)
    assert (found.least, found.most, found.below) == (whole.least, whole.most, whole.below)
    assert found.mean == pytest.approx(whole.mean)
    # A quantile of the sums is right to the share between two points.
    assert found.quantiles[50] == pytest.approx(whole.quantiles[50], rel=0.05)
    assert (found.quantiles[0], found.quantiles[-1]) == (whole.least, whole.most)


def test_a_histogram_has_the_shares_of_the_values() -> None:
    values = RNG.random(50_000)
    edges, shares = histogram(scores_of_values(values), bins=10)
    assert sum(shares) == pytest.approx(1)
    assert np.allclose(shares, np.histogram(values, edges)[0] / 50_000, atol=0.01)
    assert histogram(scores_of_values(np.full(3, 2.0))) == ([1.5, 2.5], [1.0])


def test_scores_survive_the_run_log_and_other_text_is_none() -> None:
    scores = {"p": counted(RNG.random(100), scores_of_values(RNG.random(100)))}
    assert measures.of_text(measures.as_text(scores)) == scores
    for text in [None, "", "[]", "{", '{"p": 1}', '{"p": {"rows": "x"}}', "[" * 100_000]:
        assert measures.of_text(text) == {}

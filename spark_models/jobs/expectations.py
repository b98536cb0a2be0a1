"""What a job expects of its rows and scores, and what of it does not hold."""

from __future__ import annotations

from collections.abc import Mapping

from spark_models.jobs.job import Expect
from spark_models.jobs.measures import Drift, Measured


def unmet_rows(expect: Expect, rows: int) -> list[str]:
    """What the number of rows breaks.

    >>> unmet_rows(Expect(min_rows=10), 3)
    ['3 rows, at least 10 are expected']
    """
    if expect.min_rows is not None and rows < expect.min_rows:
        return [f"{rows:,} rows, at least {expect.min_rows:,} are expected"]
    if expect.max_rows is not None and rows > expect.max_rows:
        return [f"{rows:,} rows, at most {expect.max_rows:,} are expected"]
    return []


def unmet(expect: Expect, found: Measured, drift: Mapping[str, Drift]) -> list[str]:
    """What rows and scores break, each with what was found."""
    problems = unmet_rows(expect, found.rows)
    share = found.failed / found.rows if found.rows > 0 else 0.0
    if expect.max_quarantined_share is not None and share > expect.max_quarantined_share:
        problems.append(f"{share:.2%} of the rows can't be scored, at most {expect.max_quarantined_share:.2%} may")
    for name, scores in found.scores.items():
        # Rows that can't be scored have a bound of their own.
        nulls = (scores.nulls - found.failed) / found.rows if found.rows > 0 else 0.0
        if expect.max_null_share is not None and nulls > expect.max_null_share:
            problems.append(f"{nulls:.2%} of {name} is null, at most {expect.max_null_share:.2%} may be")
        low, high = expect.scores.get(name, (None, None))
        if low is not None and scores.least is not None and scores.least < low:
            problems.append(f"the least {name} is below {low:g}")
        if high is not None and scores.most is not None and scores.most > high:
            problems.append(f"the largest {name} is above {high:g}")
        moved = drift.get(name)
        if expect.max_psi is not None and moved is not None and moved.psi > expect.max_psi:
            problems.append(f"the stability index of {name} is {moved.psi:.3f}, at most {expect.max_psi:g} may be")
    return problems

"""Halving a failing batch: exactly the bad rows fail, the others keep their values, and it costs few calls."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_models.errors import (
    ColumnTypeError,
    InvalidArgumentError,
    InvalidInputError,
    InvalidParamsError,
    NullColumnError,
    OutputValueError,
    RowCountError,
    ShipError,
    TensorTypeError,
    UnsupportedOutputError,
)
from spark_models.scoring.failures import MODEL_ERROR, Failure, blame, is_fatal, score_around


class Rows:
    """Scores row n as n; raises where a bad row is asked for; counts its calls."""

    def __init__(self, bad: frozenset[int] = frozenset(), error: Exception | None = None) -> None:
        self.bad = bad
        self.error = ValueError("no") if error is None else error
        self.calls = 0

    def __call__(self, start: int, stop: int) -> pa.Array:
        self.calls += 1
        if not self.bad.isdisjoint(range(start, stop)):
            raise self.error
        return pa.array(range(start, stop), pa.int64())


def around(rows: Rows, start: int, stop: int, splittable: bool = True) -> tuple[list[Any], list[Failure]]:
    arrays, failures = score_around(rows, start, stop, pa.int64(), splittable)
    return pa.concat_arrays(arrays).to_pylist(), failures


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(0, 5), st.data())
def test_the_bad_rows_fail_and_no_others(count: int, start: int, data: st.DataObject) -> None:
    stop = start + count
    bad = data.draw(st.frozensets(st.integers(start, stop - 1)))
    rows = Rows(bad)
    values, failures = around(rows, start, stop)
    assert values == [None if row in bad else row for row in range(start, stop)]
    assert failures == [Failure(row, row + 1, MODEL_ERROR, None) for row in sorted(bad)]
    assert rows.calls <= 1 + 2 * len(bad) * math.ceil(math.log2(count)) if count > 1 else rows.calls == 1


@settings(deadline=None)
@given(st.integers(1, 70), st.frozensets(st.integers(0, 69)))
def test_a_batch_that_can_not_be_halved_fails_whole_after_one_call(count: int, bad: frozenset[int]) -> None:
    rows = Rows(bad)
    values, failures = around(rows, 0, count, splittable=False)
    if bad.isdisjoint(range(count)):
        assert (values, failures) == (list(range(count)), [])
    else:
        assert (values, failures) == ([None] * count, [Failure(0, count, MODEL_ERROR, None)])
    assert rows.calls == 1


@pytest.mark.parametrize("splittable", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        RowCountError(3, 2),
        UnsupportedOutputError("a set"),
        ShipError("package", "the archive is damaged"),
        MemoryError(),
        TensorTypeError("x", "float64", "int32"),
        InvalidArgumentError("The model takes no params"),
        InvalidParamsError(("unknown: 'a'",), ()),
        InvalidInputError((NullColumnError("n", "long"), ColumnTypeError("m", "text", "long"))),
    ],
)
def test_what_no_row_is_to_blame_for_is_raised(error: Exception, splittable: bool) -> None:
    assert is_fatal(error)
    rows = Rows(frozenset({3}), error)
    with pytest.raises(type(error)) as caught:
        around(rows, 0, 8, splittable)
    assert caught.value is error
    assert rows.calls == 1


def test_an_interrupt_is_not_caught() -> None:
    def interrupted(start: int, stop: int) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_around(interrupted, 0, 4, pa.int64(), splittable=True)


@pytest.mark.parametrize(
    ("error", "code", "column"),
    [
        (ValueError("the secret value is 7"), MODEL_ERROR, None),
        (NullColumnError("n", "integer"), "NULLS_IN_COLUMN", "n"),
        (NullColumnError(0, "integer"), "NULLS_IN_COLUMN", "0"),
        (InvalidInputError((NullColumnError("n", "long"), NullColumnError("m", "long"))), "INVALID_INPUT", None),
        (OutputValueError("score", "int"), "OUTPUT_VALUE", "score"),
    ],
)
def test_the_blame_is_a_code_and_a_column(error: Exception, code: str, column: str | None) -> None:
    assert blame(error) == (code, column)

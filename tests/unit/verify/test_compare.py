"""When two outputs are the same, and how a difference is told."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_models.verify.compare import OUTPUTS, ROWS, Conflict, compare_outputs, same

NAN = float("nan")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.array([1.0, NAN, np.inf]), [1.0, None, np.inf]),
        (np.array([[1, 2], [3, 4]]), pd.DataFrame({"p": [1.0, 3.0], "q": [2.0, 4.0]})),
        (np.array([0.1], dtype="float32"), [float(np.float32(0.1))]),
        (pd.DataFrame({"a": [1], "b": ["x"]}), {"b": ["x"], "a": [1]}),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (np.array([True, False]), [True, False]),
        (pd.Series(pd.to_datetime(["2020-01-01", None])), [datetime.datetime(2020, 1, 1), None]),
        (
            pd.Series(pd.to_datetime(["2020-01-01T12:00:00Z"])),
            [datetime.datetime(2020, 1, 1, 14, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))],
        ),
        ([b"ab", None], [bytearray(b"ab"), NAN]),
        ([Decimal("1.0")], [Decimal("1.00")]),
        ([[1, 2], [3]], [np.array([1.0, 2.0]), (3.0,)]),
        ([], []),
        ({"m": np.ones((2, 2))}, {"m": [[1, 1], [1, 1]]}),
    ],
)
def test_the_same_in_another_form_is_the_same(expected: Any, actual: Any) -> None:
    assert compare_outputs(expected, actual) == ()
    assert compare_outputs(actual, expected) == ()


@pytest.mark.parametrize(
    ("expected", "actual", "conflicts"),
    [
        (np.array([1.0, 2.0]), [1.0, 2.5], [Conflict(1, "0", 2.0, 2.5)]),
        (np.array([[1.0, 2.0]]), [[1.0, None]], [Conflict(0, "1", 2.0, None)]),
        (np.array([np.inf]), [-np.inf], [Conflict(0, "0", np.inf, -np.inf)]),
        (np.array([2**53 + 1]), np.array([2**53]), [Conflict(0, "0", 2**53 + 1, 2**53)]),
        (["a"], ["A"], [Conflict(0, "0", "a", "A")]),
        (["1"], [1], [Conflict(0, "0", "1", 1)]),
        ([True], [1], [Conflict(0, "0", True, 1)]),
        ([b"a"], ["a"], [Conflict(0, "0", b"a", "a")]),
        ([[1.0], [2.0, 3.0]], [[1.0], [2.0, 4.0]], [Conflict(1, "0", [2.0, 3.0], [2.0, 4.0])]),
        (
            [datetime.date(2020, 1, 1)],
            [datetime.datetime(2020, 1, 1)],
            [Conflict(0, "0", datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1))],
        ),
        (pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [2], "a": [3]}), [Conflict(0, "a", 1, 3)]),
        ([1, 2], [1], [Conflict(None, ROWS, 2, 1)]),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), [Conflict(None, OUTPUTS, ["a"], ["b"])]),
        (np.array([[1, 2]]), np.array([1]), [Conflict(None, OUTPUTS, ["0", "1"], ["0"])]),
    ],
)
def test_each_difference_is_a_conflict(expected: Any, actual: Any, conflicts: list[Conflict]) -> None:
    assert list(compare_outputs(expected, actual)) == conflicts


@pytest.mark.parametrize(("factor", "equal"), [(1 + 5e-13, True), (1 + 5e-12, False)])
@pytest.mark.parametrize("scale", [1e-300, 1.0, -1e300])
def test_the_tolerance_is_relative(factor: float, equal: bool, scale: float) -> None:
    assert (compare_outputs(np.array([scale]), np.array([scale * factor])) == ()) is equal
    assert same(scale, scale * factor) is equal


def test_a_wider_tolerance_and_none() -> None:
    assert compare_outputs(np.array([1.0]), np.array([1.0 + 1e-7]), tolerance=1e-6) == ()
    assert compare_outputs(np.array([1.0]), np.array([1.0 + 1e-15]), tolerance=0) != ()
    assert compare_outputs(np.array([NAN, 1.0]), np.array([NAN, 1.0]), tolerance=0) == ()


@given(st.lists(st.floats() | st.none() | st.integers(-(2**70), 2**70) | st.text() | st.booleans(), min_size=1))
def test_a_list_is_the_same_as_itself_and_as_nothing_else(values: list[Any]) -> None:
    assert all(same(value, value, 0.0) for value in values)
    assert not any(same(value, "other value that is in no list", 0.0) for value in values)


@given(st.lists(st.floats(), min_size=1), st.data())
def test_one_changed_value_is_one_conflict_in_its_row(values: list[float], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(values) - 1))
    changed = list(values)
    changed[row] = data.draw(st.floats(allow_nan=False).filter(lambda value: not same(value, values[row], 1e-6)))
    conflicts = compare_outputs(np.array(values), np.array(changed))
    assert [conflict.row for conflict in conflicts] == [row]

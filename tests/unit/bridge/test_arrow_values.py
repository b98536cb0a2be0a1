"""Arrow columns as arrays: lists that are a matrix, lists as lists, and texts that repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from spark_models.bridge.arrow import column_values, dense_values, list_values


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1.5, None]), [1.5, np.nan]),
        (pa.array([[1.5], [2.5]]), [[1.5], [2.5]]),
        (pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int32())), [[1, 2], [3, 4], [5, 6]]),
        (pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)), [[1, 2], [3, 4]]),
        (pa.array([[1, 2], [3, 4]], pa.large_list(pa.int64())), [[1, 2], [3, 4]]),
        (pa.array([[True, False]]), [[True, False]]),
        (pa.array([[1.5, None]], pa.list_(pa.float32())), [[1.5, np.nan]]),
        (pa.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]), [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
    ],
)
def test_numbers_in_lists_of_one_length_are_an_array(column: pa.Array, expected: list[Any]) -> None:
    values = dense_values(column)
    np.testing.assert_array_equal(values, np.array(expected))
    assert values.dtype == _leaf(column.type).to_pandas_dtype()


def _leaf(kind: pa.DataType) -> pa.DataType:
    return _leaf(kind.value_type) if pa.types.is_nested(kind) else kind


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1.5], [2.5, 3.5]]),
        pa.array([[1.5], [], [2.5, 3.5]]),  # as many values as rows times the mean length
        pa.array([[1.5], None]),
        pa.array([], pa.list_(pa.float64())),
        pa.array([[1, None]]),
        pa.array([["a"]]),
        pa.array([[[1.5], [2.5]], [[3.5, 4.5]]]),
        pa.array([1, None]),
        pa.array(["a"]),
        pa.array([{"a": 1.5}]),
    ],
    ids=str,
)
def test_other_columns_have_no_such_array(column: pa.Array) -> None:
    assert dense_values(column) is None


@pytest.mark.parametrize("convert", [dense_values, list_values])
def test_a_slice_of_a_column_is_its_own_rows(convert: Any) -> None:
    column = pa.array([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5]]).slice(1, 2)
    assert [list(row) for row in convert(column)] == [[3.5, 4.5], [5.5, 6.5]]


def test_a_dense_array_is_a_view_of_the_column() -> None:
    column = pa.array([[1.5, 2.5], [3.5, 4.5]])
    values = dense_values(column)
    assert values.__array_interface__["data"][0] == column.values.buffers()[1].address
    assert not values.flags.writeable


@pytest.mark.parametrize(
    "rows", [[[1, 2], [], [3]], [["a"], ["b", "c"]], [[True]], [[]], [], [[1.5, 2.5], [3.5, 4.5]]], ids=str
)
def test_lists_are_lists_of_python_values(rows: list[Any]) -> None:
    column = pa.array(rows, pa.list_(pa.float64()) if rows in ([], [[]]) else None)
    values = list_values(column)
    assert values.dtype == object
    assert values.tolist() == column.to_pylist()
    assert all(type(row) is list for row in values)


@pytest.mark.parametrize(
    "texts", [["a"], ["a", "b"] * 200, [str(number) for number in range(300)], ["a", None] * 9, []]
)
def test_texts_that_repeat_and_texts_that_do_not(texts: list[str | None]) -> None:
    values = column_values(pa.array(texts, pa.string()))
    assert values.dtype == object
    assert values.tolist() == texts


def test_equal_texts_are_one_object() -> None:
    values = column_values(pa.array(["carrier", "origin"] * 200))
    assert len({id(value) for value in values}) == 2

"""Arrow columns as arrays: lists that are a matrix, lists as lists, and texts that repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from spark_models.bridge.arrow import column_values, dense_values, filled_cells
from spark_models.schema.datatypes import Array, DataType, Map, Object, Property


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


def test_a_slice_of_a_column_is_its_own_rows() -> None:
    column = pa.array([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5]]).slice(1, 2)
    assert dense_values(column).tolist() == [[3.5, 4.5], [5.5, 6.5]]
    assert filled_cells(column, Array(DataType.double)) == [[3.5, 4.5], [5.5, 6.5]]
    records = pa.array([{"a": 1}, {"a": 2}, {"a": 3}]).slice(1, 2)
    assert filled_cells(records, Object((Property("a", DataType.long),))) == [{"a": 2}, {"a": 3}]


def test_a_dense_array_is_a_view_of_the_column() -> None:
    column = pa.array([[1.5, 2.5], [3.5, 4.5]])
    values = dense_values(column)
    assert values.__array_interface__["data"][0] == column.values.buffers()[1].address
    assert not values.flags.writeable


NAMED = Object((Property("a", DataType.double), Property("b", Array(DataType.string))))


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[1, 2], [], [3]], Array(DataType.long)),
        ([["a"], ["b", "c"]], Array(DataType.string)),
        ([[True]], Array(DataType.boolean)),
        ([[[1.5]], [[], [2.5, 3.5]]], Array(Array(DataType.double))),
        ([{"a": 1.5, "b": []}, {"a": 2.5, "b": ["x", "y"]}], NAMED),
        ([{"b": ["x"], "a": 1.5}], NAMED),
        ([[{"a": 1.5, "b": ["x"]}], []], Array(NAMED)),
    ],
    ids=str,
)
def test_nested_values_are_made_of_python_values(rows: list[Any], kind: Any) -> None:
    cells = filled_cells(pa.array(rows), kind)
    assert cells == rows
    assert repr(cells) == repr(pa.array(rows).to_pylist())


def test_no_rows_have_no_cells() -> None:
    assert filled_cells(pa.array([], pa.list_(pa.float64())), Array(DataType.double)) == []
    assert filled_cells(pa.array([[]], pa.list_(pa.float64())), Array(DataType.double)) == [[]]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[1], None], Array(DataType.long)),
        ([[1, None]], Array(DataType.long)),
        ([[1]], Array(DataType.double)),
        ([[1]], NAMED),
        ([{"a": 1.5}], NAMED),
        ([{"a": 1.5, "b": [], "c": 1}], NAMED),
        ([{"a": None, "b": []}, {"a": 1.5, "b": []}], NAMED),
        ([{"a": 1.5, "c": []}], NAMED),
        ([[b"x"]], Array(DataType.binary)),
        ([{"k": 1}], Map(DataType.long)),
    ],
    ids=str,
)
def test_what_is_not_exactly_declared_is_looked_at_one_by_one(rows: list[Any], kind: Any) -> None:
    assert filled_cells(pa.array(rows), kind) is None


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


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())), [{"a": 1}, {}, None]),
        (pa.array([[[("a", 1)], []]], pa.list_(pa.map_(pa.string(), pa.int64()))), [[{"a": 1}, {}]]),
        (pa.array([{"m": []}], pa.struct([("m", pa.map_(pa.string(), pa.int64()))])), [{"m": {}}]),
        (
            pa.array([[("a", [("b", 1)])]], pa.map_(pa.string(), pa.map_(pa.string(), pa.int64()))),
            [{"a": {"b": 1}}],
        ),
        (pa.array([[]], pa.list_(pa.int64())), [[]]),
    ],
    ids=str,
)
def test_maps_are_dicts_wherever_they_are(column: pa.Array, expected: list[Any]) -> None:
    assert column_values(column).tolist() == expected

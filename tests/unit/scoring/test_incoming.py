"""The columns of a batch, from Arrow and from pandas, as what a model gets."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_models.errors import NullColumnError, TensorTypeError, TensorValueError
from spark_models.scoring.incoming import ArrowBatch, PandasBatch, pandas_values
from spark_models.scoring.plan import plan_for
from spark_models.types.schema import ColSpec, Schema, TensorSpec

INSTANT = pa.timestamp("us", tz="UTC")
NOON = datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.timezone.utc)
EIGHT = datetime.datetime(2024, 7, 1, 8)
"""Noon of UTC as New York's clocks show it."""


def plain(value: Any) -> Any:
    """Arrays as lists, and every moment as a datetime."""
    if isinstance(value, np.ndarray):
        moments = value.dtype.kind == "M"
        return [plain(item) for item in (value.astype("datetime64[us]").astype(object) if moments else value)]
    return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        (pa.list_(INSTANT), [[NOON, None], None, [], [NOON]], [[EIGHT, None], None, [], [EIGHT]]),
        (pa.list_(pa.list_(INSTANT)), [[[NOON], None], [[]]], [[[EIGHT], None], [[]]]),
        (pa.struct([("at", INSTANT)]), [{"at": NOON}, None], [{"at": EIGHT}, None]),
        (pa.map_(pa.string(), INSTANT), [[("a", NOON)], None, []], [{"a": EIGHT}, None, {}]),
        (pa.list_(pa.struct([("at", INSTANT)])), [[{"at": NOON}], []], [[{"at": EIGHT}], []]),
        (pa.list_(INSTANT, 2), [[NOON, None], None], [[EIGHT, None], None]),
        (pa.list_(pa.timestamp("us")), [[EIGHT]], [[EIGHT]]),
    ],
    ids=str,
)
def test_nested_instants_are_the_sessions_wall_clock(kind: pa.DataType, cells: list[Any], expected: list[Any]) -> None:
    column = pa.array([cells[-1], *cells], kind)
    assert [plain(cell) for cell in pandas_values(column.slice(1), "America/New_York")] == expected
    assert [plain(cell) for cell in pandas_values(column.slice(2), "America/New_York")] == expected[1:]


def test_a_null_list_that_holds_values_shifts_no_others() -> None:
    moments = pa.array([NOON, NOON, None], INSTANT)
    column = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), moments, mask=pa.array([False, True, False]))
    assert [plain(cell) for cell in pandas_values(column, "America/New_York")] == [[EIGHT], None, [None]]


@pytest.mark.parametrize(
    ("cells", "least"),
    [
        ([np.zeros(1000), np.zeros(1000)], 16_000),
        ([np.array([np.zeros(500), np.zeros(501)], dtype=object)], 8_000),
        ([{"a": np.zeros(1000)}, None], 8_000),
        ([["x" * 5000]], 5_000),
        (["x" * 5000, None], 5_000),
    ],
)
def test_the_bytes_of_cells_are_counted(cells: list[Any], least: int) -> None:
    column = pd.Series(np.fromiter(cells, dtype=object, count=len(cells)))
    assert least <= PandasBatch([column]).nbytes < 2 * least
    assert least <= PandasBatch([pd.DataFrame({"field": column})]).nbytes < 2 * least


def test_an_optional_integer_of_a_struct_stays_one_in_a_slice_without_nulls() -> None:
    plan = plan_for(Schema([ColSpec("long", "n", required=False), ColSpec("double", "x")]), ["n", "x"], matrix=False)
    struct = pd.DataFrame({"n": [1.0, np.nan], "x": [0.5, 1.5]})
    bind = PandasBatch([struct]).bind(plan, "UTC")
    assert [str(bind(0, 1)["n"].dtype), str(bind(1, 2)["n"].dtype)] == ["int64", "Int64"]
    assert bind(0, 1)["n"].tolist() == [1]


@pytest.mark.parametrize("form", ["arrow", "pandas"])
def test_an_optional_field_may_be_missing_from_a_struct(form: str) -> None:
    schema = Schema([ColSpec("double", "a", required=False), ColSpec("double", "b")])
    plan = plan_for(schema, ["a", "b"], matrix=False)
    frame = pd.DataFrame({"b": [1.0, 2.0]})
    arrow = ArrowBatch([pa.array([{"b": 1.0}, {"b": 2.0}])])
    bound = (arrow if form == "arrow" else PandasBatch([frame])).bind(plan, "UTC")(0, 2)
    assert bound.columns.tolist() == ["b"]
    assert bound["b"].tolist() == [1.0, 2.0]


# --- tensors


def tensors(dtype: str, *shape: int) -> Any:
    return plan_for(Schema([TensorSpec(np.dtype(dtype), shape, "x")]), ["x"], matrix=False)


def columns(values: Any, kind: pa.DataType) -> list[Any]:
    """The values as both transports bring them."""
    arrow = pa.array(values, kind)
    return [ArrowBatch([arrow]), PandasBatch([pd.Series(arrow.to_pandas())])]


@pytest.mark.parametrize("at", [0, 1], ids=["arrow", "pandas"])
@pytest.mark.parametrize(
    ("dtype", "value", "kind"),
    [
        ("int32", 3_000_000_000, pa.int64()),
        ("uint8", 256, pa.int32()),
        ("uint8", -1, pa.int32()),
        ("float32", 2**24 + 1, pa.int32()),
        ("float64", 2**53 + 1, pa.int64()),
        ("float32", 1e300, pa.float64()),
    ],
)
def test_a_number_that_a_tensor_can_not_hold_is_refused(dtype: str, value: Any, kind: pa.DataType, at: int) -> None:
    scalars = columns([1, value], kind)[at].bind(tensors(dtype, -1), "UTC")
    lists = columns([[1, 1], [1, value]], pa.list_(kind))[at].bind(tensors(dtype, -1, 2), "UTC")
    for bind in (scalars, lists):
        with pytest.raises(TensorValueError, match="TENSOR_VALUE"):
            bind(0, 2)
        assert bind(0, 1)["x"].dtype == dtype


@pytest.mark.parametrize("at", [0, 1], ids=["arrow", "pandas"])
@pytest.mark.parametrize(
    ("dtype", "values", "kind"),
    [
        ("uint8", [0, 255], pa.int32()),
        ("int32", [-(2**31), 2**31 - 1], pa.int64()),
        ("float32", [2**24, -(2**24)], pa.int32()),
        ("float32", [0.1, float("nan")], pa.float64()),
        ("float64", [2**53, 0], pa.int64()),
    ],
)
def test_numbers_that_a_tensor_can_hold_are_cast(dtype: str, values: list[Any], kind: pa.DataType, at: int) -> None:
    found = columns(values, kind)[at].bind(tensors(dtype, -1), "UTC")(0, 2)["x"]
    np.testing.assert_array_equal(found, np.array(values, dtype))


@pytest.mark.parametrize("at", [0, 1], ids=["arrow", "pandas"])
def test_a_null_of_an_integer_tensor_is_its_rows_fault_alone(at: int) -> None:
    from dataclasses import replace

    for values, kind, shape in (([1, None, 3], pa.int32(), (-1,)), ([[1], [None], [3]], pa.list_(pa.int32()), (-1, 1))):
        bind = columns(values, kind)[at].bind(replace(tensors("int32", *shape), guarded=True), "UTC")
        with pytest.raises(NullColumnError):
            bind(0, 3)
        assert [bind(row, row + 1)["x"].ravel().tolist() for row in (0, 2)] == [[1], [3]]


def test_a_double_is_no_integer() -> None:
    for batch in columns([1.0, 2.0], pa.float64()):
        with pytest.raises(TensorTypeError):
            batch.bind(tensors("int32", -1), "UTC")(0, 2)


@pytest.mark.parametrize("at", [0, 1], ids=["arrow", "pandas"])
def test_texts_are_a_tensor(at: int) -> None:
    bind = columns(["a", "bcd", None], pa.string())[at].bind(tensors("str", -1), "UTC")
    assert bind(0, 2)["x"].tolist() == ["a", "bcd"]
    with pytest.raises(NullColumnError):
        bind(0, 3)

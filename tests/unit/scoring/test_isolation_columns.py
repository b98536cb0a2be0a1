"""A batch that was packed and unpacked has the same values, of the same types."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_models.scoring.incoming import ArrowBatch, PandasBatch
from spark_models.scoring.isolation.columns import ARRAYS, ARROW, PICKLED, pack_batch, unpack_batch


def sent(batch: Any) -> tuple[dict[str, Any], Any]:
    """The facts of a batch, and the batch as it arrives."""
    facts, buffers = pack_batch(batch)
    payload = bytearray(b"".join(memoryview(buffer) for buffer in buffers))
    return facts, unpack_batch(json.loads(json.dumps(facts)), payload)


def cells(values: list[Any]) -> pd.Series[Any]:
    column = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):
        column[at] = value
    return pd.Series(column)


def same(left: Any, right: Any) -> bool:
    """Whether two cells are equal and of one type, arrays by their dtype and values."""
    if isinstance(left, np.ndarray):
        if not isinstance(right, np.ndarray) or (left.dtype, left.shape) != (right.dtype, right.shape):
            return False
        if left.dtype != object:
            return np.array_equal(left, right, equal_nan=left.dtype.kind in "fM")
        return all(same(one, other) for one, other in zip(left, right, strict=True))
    return type(left) is type(right) and (left == right or repr(left) == repr(right) == "nan")


DATE = datetime.date(2026, 10, 25)
KEPT = {
    "float64": (ARROW, pd.Series([1.5, np.nan, -0.0, np.inf])),
    "float32": (ARROW, pd.Series([1.5, np.nan], dtype="float32")),
    "int8": (ARROW, pd.Series([-128, 127], dtype="int8")),
    "int64": (ARROW, pd.Series([2**62, -1])),
    "bool": (ARROW, pd.Series([True, False])),
    "times": (ARROW, pd.Series(pd.to_datetime(["2026-10-25 02:30:00.123456", None]))),
    "strided": (ARROW, pd.Series(np.arange(12.0).reshape(4, 3)[:, 1])),
    "text": (ARROW, cells(["a", "", None, "ä\x00"])),
    "bytes": (ARROW, cells([b"\x00\xff", None, b""])),
    "no cell": (PICKLED, cells([None, None])),
    "text and NaN": (PICKLED, cells(["a", float("nan")])),
    "half a pair": (PICKLED, cells(["\ud800"])),
    "dates": (PICKLED, cells([DATE, None])),
    "decimals": (PICKLED, cells([decimal.Decimal("1.50"), None])),
    "arrays": (ARRAYS, cells([np.array([1.0, np.nan]), None, np.array([])])),
    "arrays of one length": (ARRAYS, cells([np.array([1.0, 2.0]), np.array([3.0, 4.0])])),
    "arrays of times": (ARRAYS, cells([np.array(["2026-01-01", "NaT"], "datetime64[ns]")])),
    "arrays of arrays": (ARRAYS, cells([np.array([np.array([1], "int32"), np.array([2, 3], "int32")], dtype=object)])),
    "lists": (PICKLED, cells([[1, 2], [3, 4]])),
    "dicts": (PICKLED, cells([{"a": 1, "b": None}, None, {"c": [1.5, {"d": "x"}]}])),
    "nullable": ("Int64", pd.Series([2**62 + 1, None], dtype="Int64")),
    "nullable bool": ("boolean", pd.Series([True, None], dtype="boolean")),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_pandas_column(name: str) -> None:
    form, column = KEPT[name]
    facts, batch = sent(PandasBatch([column]))
    assert facts["forms"] == [form]
    (back,) = batch.columns
    assert back.dtype == column.dtype
    if column.dtype == object:
        assert all(same(one, other) for one, other in zip(column, back, strict=True))
    else:
        pd.testing.assert_series_equal(back, column, check_names=False)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ([np.array([1.0]), np.array([1], "int64")], [[1.0], [1]]),
        ([np.array(["a", None], dtype=object)], [["a", None]]),
        ([{"a": np.array([1.0])}], [{"a": [1.0]}]),
    ],
)
def test_arrays_that_arrow_would_change_become_lists(given: list[Any], plain: list[Any]) -> None:
    """As the plan makes them lists anyway."""
    facts, batch = sent(PandasBatch([cells(given)]))
    assert facts["forms"] == [PICKLED]
    assert list(batch.columns[0]) == plain


def test_all_columns_at_once() -> None:
    columns = [column.reset_index(drop=True).reindex(range(1)) for _, column in KEPT.values()]
    _, batch = sent(PandasBatch(columns))
    assert batch.rows == 1
    assert [column.dtype for column in batch.columns] == [column.dtype for column in columns]


def test_a_struct_that_pandas_has_as_a_frame() -> None:
    frame = pd.DataFrame({"b": [1, 2], "a.b": ["x", None], "": [{"k": 1}, None]})
    _, batch = sent(PandasBatch([frame]))
    pd.testing.assert_frame_equal(batch.columns[0], frame)


def test_a_frame_with_two_columns_of_one_name() -> None:
    frame = pd.DataFrame([[1, "x"]], columns=["a", "a"])
    _, batch = sent(PandasBatch([frame, pd.Series([True])]))
    assert list(batch.columns[0].columns) == ["a", "a"]
    assert batch.columns[0].iloc[0].tolist() == [1, "x"]
    assert batch.columns[1].tolist() == [True]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.5, None]),
        pa.array([[1.0, 2.0], None]),
        pa.array([{"a": 1, "b": "x"}, None]),
        pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        pa.array([datetime.datetime(2026, 1, 1), None], pa.timestamp("us", "Europe/Berlin")),
        pa.array([decimal.Decimal("1.50"), None]),
        pa.array(["a", "b", "c", "d"]).slice(1, 2),
    ],
    ids=lambda column: str(column.type),
)
def test_an_arrow_column(column: pa.Array) -> None:
    facts, batch = sent(ArrowBatch([column, column]))
    assert "forms" not in facts
    assert [back.type for back in batch.columns] == [column.type, column.type]
    assert all(back.equals(column) for back in batch.columns)


def test_a_slice_does_not_bring_the_rest_along() -> None:
    whole = pa.array(np.arange(1_000_000.0))
    _, buffers = pack_batch(ArrowBatch([whole.slice(500_000, 10)]))
    assert sum(memoryview(buffer).nbytes for buffer in buffers) < 10_000

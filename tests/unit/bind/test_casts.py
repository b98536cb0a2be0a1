"""Columns at the edges of a cast: what no property reaches by chance."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_models.bind.casts import cast_column
from spark_models.errors import ColumnTypeError, NullColumnError
from spark_models.schema.datatypes import Array, DataType, Map, Object, Property


def objects(*values: Any) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def arrow(values: list[Any], kind: pa.DataType) -> Any:
    return pd.array(values, dtype=pd.ArrowDtype(kind))


@pytest.mark.parametrize("rest", [0.5, None], ids=["beside a fraction", "beside a gap"])
@pytest.mark.parametrize("value", [2**53 + 1, -(2**60), 10**400, np.uint64(2**64 - 1)])
def test_an_integer_that_a_double_can_not_hold_is_refused(value: Any, rest: Any) -> None:
    with pytest.raises(ColumnTypeError, match=r"beyond 2\*\*53"):
        cast_column(objects(value, rest), DataType.double, "a")
    assert cast_column(objects(2**53, rest), DataType.double, "a")[0] == 2**53


@pytest.mark.parametrize(("dtype", "digits"), [("float64", 53), ("float32", 24), ("float16", 11)])
def test_integers_that_gaps_made_floats_are_taken_back_while_they_are_exact(dtype: str, digits: int) -> None:
    exact = np.array([2**digits - 1, np.nan], dtype)
    found = cast_column(exact, DataType.long, "a", required=False)
    assert (found.dtype, found[0], found[1] is pd.NA) == ("Int64", 2**digits - 1, True)
    with pytest.raises(ColumnTypeError):
        cast_column(
            np.array([2.0**15 if dtype == "float16" else 2.0**digits, np.nan], dtype), DataType.long, "a", False
        )
    with pytest.raises(NullColumnError, match="has missing values"):
        cast_column(exact, DataType.long, "a")


@pytest.mark.parametrize("gaps", [(None, None), (np.nan, None), (pd.NA, None)], ids=str)
@pytest.mark.parametrize("kind", list(DataType), ids=lambda kind: kind.value)
def test_a_column_without_a_value_is_of_any_type(kind: DataType, gaps: Any) -> None:
    """A table may be cut so that a batch has no value of a column."""
    found = cast_column(objects(*gaps), kind, "a", required=False)
    assert (len(found), bool(pd.isna(found).all())) == (2, True)
    if kind in (DataType.integer, DataType.long, DataType.boolean):
        with pytest.raises(NullColumnError):
            cast_column(objects(*gaps), kind, "a")
    else:
        assert cast_column(objects(*gaps), kind, "a").dtype == found.dtype


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (np.array([1.5, -2.0], ">f8"), DataType.double, np.array([1.5, -2.0])),
        (np.array([1, 2], ">i2"), DataType.long, np.array([1, 2])),
        (np.broadcast_to(np.array([1], "int32"), (2,)), DataType.double, np.array([1.0, 1.0])),
        (pd.arrays.SparseArray([0.0, 1.5]), DataType.double, np.array([0.0, 1.5])),
        (arrow([1, None], pa.int8()), DataType.double, np.array([1.0, np.nan])),
        (arrow([1, 2], pa.uint32()), DataType.long, np.array([1, 2])),
        (pd.array([1.5, None], dtype="Float32"), DataType.double, np.array([1.5, np.nan])),
        (objects(np.float32(1.5), 2), DataType.double, np.array([1.5, 2.0])),
        (np.array(["NaT", "NaT"], "datetime64"), DataType.datetime, np.array(["NaT", "NaT"], "datetime64[ns]")),
        (np.array(["2020", "1999"], "datetime64[Y]"), DataType.datetime, np.array(["2020", "1999"], "datetime64[ns]")),
        (np.array(["2020-01-31"], ">M8[ns]"), DataType.datetime, np.array(["2020-01-31"], "datetime64[ns]")),
        (arrow([datetime.date(2020, 1, 31)], pa.date32()), DataType.datetime, np.array(["2020-01-31"], "M8[ns]")),
        (
            arrow([pd.Timestamp("2020-01-31", tz="Europe/Berlin")], pa.timestamp("us", "Europe/Berlin")),
            DataType.datetime,
            np.array(["2020-01-30T23:00"], "datetime64[ns]"),
        ),
        (arrow(["a", None], pa.dictionary(pa.int32(), pa.string())), DataType.string, objects("a", None)),
        (pd.array(["a", None], dtype="string"), DataType.string, objects("a", None)),
        (objects(b"a", bytearray(b"b"), None), DataType.binary, objects(b"a", bytearray(b"b"), None)),
    ],
    ids=lambda value: getattr(value, "value", None) or str(getattr(value, "dtype", "")),
)
def test_what_holds_the_very_values_is_taken(values: Any, kind: DataType, expected: Any) -> None:
    found = cast_column(values, kind, "a")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (pd.Categorical(["a"]), DataType.string, "cast the categories with astype(str)"),
        (objects(decimal.Decimal("1.5")), DataType.double, "decimals lose digits"),
        (arrow([decimal.Decimal("1.5")], pa.decimal128(5, 2)), DataType.double, "decimals lose digits"),
        (np.array([1, 2]), DataType.string, "numbers are not turned into text"),
        (pd.array([1], dtype="Int64"), DataType.double, "integers beyond 2**53 lose digits"),
        (np.array([1]), DataType.integer, "declare the input as long"),
        (np.array(["9999-01-01"], "datetime64[s]"), DataType.datetime, "years outside 1678 to 2261"),
        (objects(datetime.date(1, 1, 1)), DataType.datetime, "out of range"),
        (objects("01/31/2020"), DataType.datetime, "write it like 2020-01-31T12:34:56Z"),
        (objects(True, 1), DataType.boolean, "boolean (bool)"),
        (objects(memoryview(b"a")), DataType.binary, "bytes, bytearray or missing values are expected"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_lose_something_is_refused_with_advice(values: Any, kind: DataType, said: str) -> None:
    with pytest.raises(ColumnTypeError) as caught:
        cast_column(values, kind, "a")
    assert said in str(caught.value)


def test_fields_that_only_a_row_names_stay_out_of_the_text() -> None:
    kind = Object((Property("x", DataType.long), Property("y", DataType.long)))
    with pytest.raises(ColumnTypeError, match=r"object at \$ without \['y'\]"):
        cast_column(objects({"x": 1}), kind, "a")
    with pytest.raises(ColumnTypeError, match=r"object at \$ with 2 unknown fields") as caught:
        cast_column(objects({"x": 1, "y": 2, "4111-1111": 3, "4222-2222": 4}), kind, "a")
    assert "4111" not in str(caught.value)


def test_nested_values_are_checked_and_never_cast() -> None:
    rows = objects([1.0, 2], None, np.array([3.0]))
    assert cast_column(rows, Array(DataType.double), "a", required=False) is rows
    with pytest.raises(NullColumnError):
        cast_column(rows, Array(DataType.double), "a")
    with pytest.raises(ColumnTypeError, match=r"str at \$\[1\]"):
        cast_column(objects([1.0, "x"]), Array(DataType.double), "a")
    with pytest.raises(ColumnTypeError, match=r"float at \$\.\*"):
        cast_column(objects({"k": 0.5}), Map(DataType.long), "a")

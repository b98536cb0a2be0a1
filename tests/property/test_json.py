"""JSON both ways: what a column of a type becomes reads back as the same column, and the JSON is strict."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_models.bind.casts import cast_column
from spark_models.bridge.json import column_from_json, frame_records, frame_split, json_list, json_value
from spark_models.errors import JsonValueError, SparkModelsError
from spark_models.schema.datatypes import DataType

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
moments = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))

VALUES: dict[DataType, st.SearchStrategy[Any]] = {
    DataType.boolean: st.booleans(),
    DataType.integer: st.integers(-(2**31), 2**31 - 1),
    DataType.long: st.integers(-(2**63), 2**63 - 1),
    DataType.float: st.floats(width=32, allow_nan=False, allow_infinity=False),
    DataType.double: st.floats(allow_nan=False, allow_infinity=False),
    DataType.string: text,
    DataType.binary: st.binary(max_size=6),
    DataType.datetime: moments,
}
NULLABLE = {DataType.boolean: "boolean", DataType.integer: "Int32", DataType.long: "Int64"}
kinds = st.sampled_from(list(DataType))


@st.composite
def typed_columns(draw: st.DrawFn) -> tuple[DataType, Any]:
    """A type, and a column that is of it already, with missing values."""
    kind = draw(kinds)
    values = draw(st.lists(st.none() | VALUES[kind], max_size=5))
    if kind in NULLABLE and None in values:
        return kind, pd.array(values, dtype=NULLABLE[kind])
    if kind in (DataType.string, DataType.binary):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return kind, column
    return kind, np.array(values, dtype="datetime64[ns]" if kind is DataType.datetime else kind.to_numpy())


@settings(max_examples=200, deadline=None)
@given(typed_columns())
def test_a_column_reads_back_as_it_was(case: tuple[DataType, Any]) -> None:
    kind, column = case
    sent = json.loads(json.dumps(json_value(column), allow_nan=False))
    found = cast_column(column_from_json(sent, kind, "$[*]"), kind, "x", required=False)
    assert found.dtype == column.dtype
    pd.testing.assert_series_equal(pd.Series(found), pd.Series(column))


json_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    json_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=2)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=4), kinds, st.booleans())
def test_any_json_is_a_column_or_an_error_that_tells_no_value(values: list[Any], kind: DataType, csv: bool) -> None:
    try:
        column = column_from_json(values, kind, "$.data[*][0]", text=csv)
        assert len(cast_column(column, kind, "x", required=False)) == len(values)
    except JsonValueError as error:
        assert error.place.startswith("$.data[")
    except SparkModelsError as error:
        assert str(error).startswith(("[COLUMN_TYPE]", "[NULLS_IN_COLUMN]"))


python_values = st.recursive(
    json_scalars
    | st.binary(max_size=4)
    | moments
    | st.dates()
    | st.decimals()
    | st.timedeltas()
    | st.sampled_from([pd.NA, pd.NaT, np.datetime64("NaT"), np.float32("inf"), np.longdouble(1), np.complex64(1j)])
    | st.sampled_from([np.int8(1), np.bool_(True), memoryview(b"ab"), pd.Timestamp("2020-01-31", tz="UTC"), object]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers() | text, inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(python_values)
def test_any_value_is_strict_json(value: Any) -> None:
    json.dumps(json_value(value), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(), text, st.none() | moments), max_size=4))
def test_a_frame_is_the_same_row_by_row_and_record_by_record(rows: list[Any]) -> None:
    frame = pd.DataFrame(rows, columns=["x", "t", "at"]).astype({"x": "float64", "at": "datetime64[ns]"})
    split = frame_split(frame)
    assert split["columns"] == ["x", "t", "at"]
    assert [list(record.values()) for record in frame_records(frame)] == split["data"]
    assert len(split["data"]) == len(rows)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([1.5, np.nan, np.inf], np.longdouble), [1.5, None, None]),
        (np.array(["2020-01-31", "NaT"], "datetime64[D]"), ["2020-01-31", None]),
        (np.array([[b"ab"]]), [["YWI="]]),
        (decimal.Decimal("NaN"), None),
        (decimal.Decimal("1.10"), "1.10"),
        (memoryview(b"ab"), "YWI="),
        (pd.array([1, None], dtype="Int64"), [1, None]),
    ],
    ids=str,
)
def test_what_json_has_no_form_for(value: Any, expected: Any) -> None:
    assert json_value(value) == expected
    if isinstance(value, np.ndarray):
        assert json_list(value) == expected

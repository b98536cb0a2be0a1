"""Input examples and predictions: what is stored is read back, of the same values and dtypes."""

from __future__ import annotations

import datetime
import decimal
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_models.errors import SparkModelsError
from spark_models.package.example import decode_output, encode_output, read_example, save_example

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
moments = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
dates = st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31))
decimals = st.decimals(-(10**9), 10**9, places=3)
labels = st.lists(text, min_size=1, max_size=5, unique=True)


def _whole(dtype: str) -> st.SearchStrategy[int]:
    limits = np.iinfo(dtype.lower())
    return st.integers(int(limits.min), int(limits.max))


COLUMNS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "int8": (_whole("int8"), "int8"),
    "int64": (_whole("int64"), "int64"),
    "uint64": (_whole("uint64"), "uint64"),
    "float32": (st.floats(width=32, allow_infinity=False), "float32"),
    "float64": (st.floats(allow_infinity=False), "float64"),
    "bool": (st.booleans(), "bool"),
    "text": (st.none() | text, object),
    "string": (st.none() | text, "string"),
    "bytes": (st.none() | st.binary(max_size=6), object),
    "ns": (st.none() | moments, "datetime64[ns]"),
    "us": (st.none() | moments, "datetime64[us]"),
    "zoned": (st.none() | moments, "datetime64[ns, Europe/Berlin]"),
    "duration": (st.none() | st.timedeltas(datetime.timedelta(-90), datetime.timedelta(90)), "timedelta64[ns]"),
    "dates": (st.none() | dates, object),
    "decimals": (st.none() | decimals, object),
    "Int64": (st.none() | _whole("Int64"), "Int64"),
    "UInt8": (st.none() | _whole("UInt8"), "UInt8"),
    "boolean": (st.none() | st.booleans(), "boolean"),
    "Float64": (st.none() | st.floats(allow_nan=False, allow_infinity=False), "Float64"),
}


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pd.Series[Any]:
    strategy, dtype = COLUMNS[draw(st.sampled_from(sorted(COLUMNS)))]
    values = draw(st.lists(strategy, min_size=rows, max_size=rows))
    if "," in str(dtype):
        return pd.Series(pd.DatetimeIndex(values, dtype="datetime64[ns]").tz_localize("UTC").astype(dtype))
    return pd.Series(values, dtype=dtype)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 4))
    names = draw(labels)
    frame = pd.DataFrame(dict(enumerate(draw(columns(rows)) for _ in names)))
    frame.columns = pd.Index(names) if draw(st.booleans()) else pd.RangeIndex(len(names))
    return frame


shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
ARRAYS: dict[str, st.SearchStrategy[Any]] = {
    "int32": _whole("int32"),
    "uint64": _whole("uint64"),
    "float32": st.floats(width=32, allow_infinity=False),
    "float64": st.floats(allow_infinity=False),
    "bool": st.booleans(),
    "<U4": st.text("abé€", max_size=4),
    "datetime64[us]": moments,
}


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    dtype = draw(st.sampled_from(sorted(ARRAYS)))
    shape = draw(shapes)
    size = int(np.prod(shape))
    return np.array(draw(st.lists(ARRAYS[dtype], min_size=size, max_size=size)), dtype=dtype).reshape(shape)


def _again(example: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        info = save_example(example, Path(folder))
        return read_example(json.loads(json.dumps(info)), Path(folder))


def _assert_same_frame(left: Any, right: Any) -> None:
    assert list(left.columns) == list(right.columns)
    assert [str(dtype) for dtype in left.dtypes] == [str(dtype) for dtype in right.dtypes]
    pd.testing.assert_frame_equal(left, right, check_exact=True, check_column_type=False, check_index_type=False)
    for position in range(left.shape[1]):
        pairs = zip(left.iloc[:, position], right.iloc[:, position], strict=True)
        assert all(type(one) is type(other) for one, other in pairs if one is not None and other is not None)


@settings(max_examples=100, deadline=None)
@given(frames())
def test_a_frame_is_read_back(frame: pd.DataFrame) -> None:
    before = frame.copy(deep=True)
    _assert_same_frame(_again(frame), frame)
    pd.testing.assert_frame_equal(frame, before)


@settings(max_examples=60, deadline=None)
@given(arrays())
def test_a_tensor_is_read_back(array: np.ndarray[Any, Any]) -> None:
    found = _again(array)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(text, arrays(), min_size=1, max_size=3))
def test_named_tensors_are_read_back(tensors: dict[str, Any]) -> None:
    found = _again(tensors)
    assert list(found) == list(tensors)
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


scalars = st.booleans() | _whole("int64") | st.floats(allow_infinity=False) | text | st.binary(max_size=4) | decimals


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(text, scalars, min_size=1, max_size=4))
def test_one_record_is_a_frame_of_one_row(record: dict[str, Any]) -> None:
    _assert_same_frame(_again(record), pd.DataFrame([record]))


@settings(max_examples=60, deadline=None)
@given(frames())
def test_predictions_in_a_frame_are_read_back(frame: pd.DataFrame) -> None:
    _assert_same_frame(decode_output(json.loads(json.dumps(encode_output(frame), allow_nan=False))), frame)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4).flatmap(columns), st.none() | text)
def test_predictions_in_a_series_are_read_back(column: pd.Series[Any], name: str | None) -> None:
    column.name = name
    found = decode_output(json.loads(json.dumps(encode_output(column), allow_nan=False)))
    assert found.name == name
    _assert_same_frame(found.to_frame("x"), column.to_frame("x"))


@settings(max_examples=60, deadline=None)
@given(arrays(), st.sampled_from([np.inf, -np.inf, np.nan, 1.0]))
def test_predictions_in_an_array_are_read_back(array: np.ndarray[Any, Any], special: float) -> None:
    given_array = (
        np.where(np.arange(array.size).reshape(array.shape) % 2 == 0, special, array)
        if (array.dtype.kind == "f")
        else array
    )
    found = decode_output(json.loads(json.dumps(encode_output(given_array), allow_nan=False)))
    assert (found.dtype, found.shape) == (given_array.dtype, given_array.shape)
    np.testing.assert_array_equal(found, given_array)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(text, frames() | arrays(), max_size=3))
def test_predictions_in_a_dict_are_read_back(outputs: dict[str, Any]) -> None:
    found = decode_output(json.loads(json.dumps(encode_output(outputs), allow_nan=False)))
    assert list(found) == list(outputs)
    for name, output in outputs.items():
        if isinstance(output, pd.DataFrame):
            _assert_same_frame(found[name], output)
        else:
            np.testing.assert_array_equal(found[name], output)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "columns", "inputs", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)
dtypes = st.none() | st.sampled_from(["int32", "float64", "datetime64[ns]", "object:date", "nonsense", "Int64"])


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=20) | json_values.map(json.dumps),
    st.sampled_from([None, "dataframe", "ndarray", "x"]),
    dtypes | st.dictionaries(st.sampled_from(["0", "x"]), dtypes, max_size=2),
)
def test_no_file_makes_reading_raise_anything_else(content: str, kind: Any, stated: Any) -> None:
    info = {name: value for name, value in {"type": kind, "dtypes": stated}.items() if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input_example.json").write_text(content, encoding="utf-8", errors="replace")
        try:
            read_example(info, Path(folder))
        except SparkModelsError as error:
            assert str(error).startswith("[INVALID_PACKAGE]")


def test_a_decimal_keeps_its_digits() -> None:
    frame = pd.DataFrame({"x": [decimal.Decimal("1.10"), decimal.Decimal("12345678901234567890.123")]})
    assert [str(value) for value in _again(frame)["x"]] == ["1.10", "12345678901234567890.123"]

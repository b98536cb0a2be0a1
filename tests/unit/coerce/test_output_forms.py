"""Every form in which a library may give its output becomes the same column."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_models.coerce.coerce import coerce_output
from spark_models.coerce.result_type import parse_result_type
from spark_models.errors import NoMatchingOutputError, OutputValueError, UnsupportedOutputError


def coerced(output: Any, name: str, rows: int, zone: str = "UTC") -> Any:
    result = parse_result_type(name).in_zone(zone)
    found = coerce_output(output, result, rows)
    assert isinstance(found, pa.Array)
    assert found.type == result.arrow
    return found.to_pylist()


def arrow_frame(values: list[Any], kind: pa.DataType) -> pd.DataFrame:
    return pd.DataFrame({"p": pd.array(values, dtype=pd.ArrowDtype(kind))})


def objects(*values: Any) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


NUMBERS = {
    "array": np.array([1.0, 2.0]),
    "read-only": np.broadcast_to(np.array([[1.0], [2.0]]), (2, 1)),
    "big-endian": np.array([1.0, 2.0], ">f8"),
    "matrix of big-endian": np.array([[1.0, 9.0], [2.0, 9.0]], ">f4"),
    "three axes": np.array([1.0, 9.0, 9.0, 9.0, 2.0, 9.0, 9.0, 9.0]).reshape(2, 2, 2),
    "masked": np.ma.array([1.0, 2.0], mask=[False, False]),
    "structured": np.array([("a", 1.0), ("b", 2.0)], dtype=[("t", "U1"), ("p", "f8")])[["p"]],
    "series with an index": pd.Series([1.0, 2.0], index=[7, 7]),
    "frame": pd.DataFrame({"p": [1.0, 2.0]}),
    "frame of several levels": pd.DataFrame([[1.0], [2.0]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
    "sparse frame": pd.DataFrame({"p": pd.arrays.SparseArray([1.0, 2.0])}),
    "nullable": pd.Series([1.0, 2.0], dtype="Float64"),
    "arrow-backed": arrow_frame([1.0, 2.0], pa.float64()),
    "arrow table": pa.table({"t": ["a", "b"], "p": [1.0, 2.0]}),
    "record batch": pa.RecordBatch.from_pydict({"p": [1.0, 2.0]}),
    "arrow array": pa.array([1.0, 2.0]),
    "chunked array": pa.chunked_array([[1.0], [2.0]]),
    "list": [1.0, 2.0],
    "list of numpy scalars": [np.float32(1.0), np.float32(2.0)],
    "list of arrays without axes": [np.array(1.0), np.array(2.0)],
    "list of rows": [[1.0], [2.0]],
    "list of arrays": [np.array([1.0, 9.0]), np.array([2.0, 9.0])],
    "list of matrices": [np.full((2, 2), 1.0), np.full((2, 2), 2.0)],
    "list of records": [{"p": 1.0}, {"p": 2.0}],
    "tuple": (1.0, 2.0),
    "dict of arrays": {"p": np.array([1.0, 2.0])},
    "dict of lists": {"p": [1.0, 2.0]},
    "dict of series": {"p": pd.Series([1.0, 2.0], index=[8, 9])},
}


@pytest.mark.parametrize("output", NUMBERS.values(), ids=list(NUMBERS))
def test_numbers_of_every_form(output: Any) -> None:
    assert coerced(output, "double", 2) == [1.0, 2.0]
    assert coerced(output, "string", 2) != [None, None]
    assert [row[0] for row in coerced(output, "array<float>", 2)] == [1.0, 2.0]
    assert coerced(output, "double", 2) == [pair[0][1] for pair in coerced(output, "map<string,double>", 2)]


def test_scipys_sparse_matrix_is_a_matrix() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    assert coerced(sparse.csr_matrix([[1.0, 0.0], [2.0, 0.0]]), "array<double>", 2) == [[1.0, 0.0], [2.0, 0.0]]


def test_a_mask_is_a_missing_value() -> None:
    matrix = np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [True, False]])
    assert coerced(matrix, "array<long>", 2) == [[1, None], [None, 4]]
    assert coerced(matrix[:, 1], "long", 2) == [None, 4]
    assert coerced(matrix[:, 1], "string", 2) == [None, "4"]


def test_fields_of_a_structured_array_are_found_by_name() -> None:
    records = np.array([(1, 2.5, b"x", [1.0, 2.0])], dtype=[("n", "i4"), ("p", ">f8"), ("b", "S1"), ("v", "f4", 2)])
    found = coerced(records, "struct<v:array<float>,p:double,n:int,b:binary>", 1)
    assert found == [{"v": [1.0, 2.0], "p": 2.5, "n": 1, "b": b"x"}]


def test_whole_numbers_of_another_byte_order_are_texts() -> None:
    assert coerced(np.array([1, -2], ">i4"), "string", 2) == ["1", "-2"]
    assert coerced(np.array([1, -2], ">i4"), "long", 2) == [1, -2]


@pytest.mark.parametrize(
    ("values", "kind", "name", "expected"),
    [
        ([1, None], pa.int64(), "long", [1, None]),
        ([True, None], pa.bool_(), "boolean", [True, None]),
        (["a", None], pa.string(), "string", ["a", None]),
        (["a", None], pa.dictionary(pa.int32(), pa.string()), "string", ["a", None]),
        ([b"a", None], pa.binary(), "binary", [b"a", None]),
        ([decimal.Decimal("1.50"), None], pa.decimal128(5, 2), "decimal(5,2)", [decimal.Decimal("1.50"), None]),
        ([datetime.date(2020, 1, 31), None], pa.date32(), "date", [datetime.date(2020, 1, 31), None]),
        ([[1.0, None], None], pa.list_(pa.float64()), "array<double>", [[1.0, None], None]),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else "",
)
def test_columns_of_arrow_are_of_their_type(values: list[Any], kind: pa.DataType, name: str, expected: Any) -> None:
    assert coerced(arrow_frame(values, kind), name, 2) == expected
    assert coerced(pa.table({"p": pa.array(values, kind)}), name, 2) == expected


NOON = datetime.datetime(2020, 7, 1, 12, tzinfo=datetime.timezone.utc)
BERLIN = pa.timestamp("us", "Europe/Berlin")


@pytest.mark.parametrize(
    "output",
    [
        pd.DataFrame({"p": pd.to_datetime(["2020-07-01T14:00", None]).tz_localize("Europe/Berlin")}),
        arrow_frame([NOON, None], BERLIN),
        pa.table({"p": pa.array([NOON, None], BERLIN)}),
        pd.Series([NOON, None], dtype=object),
        # Without a zone: in the session's, here Tokyo.
        np.array(["2020-07-01T21:00", "NaT"], "datetime64[s]"),
        arrow_frame([datetime.datetime(2020, 7, 1, 21), None], pa.timestamp("us")),
        pa.table({"p": pa.array([datetime.datetime(2020, 7, 1, 21), None])}),
        pd.Series([datetime.datetime(2020, 7, 1, 21), None], dtype=object),
    ],
)
def test_an_instant_is_one_whatever_form_and_zone(output: Any) -> None:
    assert coerced(output, "timestamp", 2, "Asia/Tokyo") == [NOON, None]


def test_zoned_and_bare_datetimes_beside_each_other() -> None:
    mixed = pd.Series([NOON, datetime.datetime(2020, 7, 1, 21), None], dtype=object)
    assert coerced(mixed, "timestamp", 3, "Asia/Tokyo") == [NOON, NOON, None]


@pytest.mark.parametrize("year", [1, 1677, 2263, 9999])
def test_every_year_of_a_datetime_has_its_place(year: int) -> None:
    bare = datetime.datetime(year, 6, 1, 12)
    zoned = bare.replace(tzinfo=datetime.timezone.utc)
    for output in ([bare, None], [zoned, None], np.array([bare, None], "datetime64[us]"), objects(bare, None)):
        assert coerced(output, "timestamp", 2) == [zoned, None]
        assert coerced(output, "date", 2) == [bare.date(), None]


def test_the_day_is_the_one_of_the_values_own_zone() -> None:
    late = pd.to_datetime(["2020-07-01T00:30"]).tz_localize("Europe/Berlin")
    assert coerced(pd.Series(late), "date", 1) == [datetime.date(2020, 7, 1)]
    assert coerced(arrow_frame([late[0]], BERLIN), "date", 1) == [datetime.date(2020, 7, 1)]


# --- lists


@pytest.mark.parametrize(
    "rows",
    [[[1.0, None], [2.0, None]], [[1.0, None], [None]], [[None, None], [None, None]], [[], []], [None, [1.0]]],
    ids=str,
)
def test_a_gap_in_a_list_has_its_place(rows: list[Any]) -> None:
    assert coerced(rows, "array<double>", 2) == rows
    assert coerced(pd.Series(rows), "array<double>", 2) == rows


def test_a_column_of_gaps_beside_others_of_a_frame_is_none_of_theirs() -> None:
    frame = pd.DataFrame({"p": [0.5], "note": pd.Series([None], dtype=object)})
    assert coerced(frame, "array<double>", 1) == [[0.5]]


@pytest.mark.parametrize("name", ["long", "double", "string", "array<long>", "map<string,long>", "struct<p:long>"])
def test_a_frame_of_nothing_but_gaps_is_nulls_of_any_type(name: str) -> None:
    found = coerced(pd.DataFrame({"p": pd.Series([None, None], dtype=object)}), name, 2)
    expected = {"map<string,long>": [("p", None)], "struct<p:long>": {"p": None}}.get(name)
    assert found == [expected, expected]


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("array<array<double>>", [[[1.0], [2.0, None]], [[]], None]),
        ("array<struct<a:double,b:string>>", [[{"a": 1.0, "b": None}], [], None]),
        ("struct<p:map<string,long>>", [[("k", 1)], [], None]),
    ],
)
def test_values_in_values(name: str, cells: list[Any]) -> None:
    given = [dict(cell) if name.startswith("struct<p:map") and cell is not None else cell for cell in cells]
    found = coerced(pd.DataFrame({"p": objects(*given)}), name, 3)
    assert found == ([{"p": cell} for cell in cells] if name.startswith("struct") else cells)


def test_dicts_in_cells_are_maps() -> None:
    cells = objects({"good": np.float32(0.5), "bad": 1}, {}, None, {"bad": None, 7: float("nan")})
    expected = [[("good", 0.5), ("bad", 1.0)], [], None, [("bad", None), ("7", None)]]
    assert coerced(pd.DataFrame({"p": cells}), "map<string,double>", 4) == expected
    assert coerced(pd.Series(cells), "map<string,float>", 4) == expected
    texts = pd.Series(objects({"a": "x"}, {"a": None}))
    assert coerced(texts, "map<string,string>", 2) == [[("a", "x")], [("a", None)]]
    assert coerced(pd.Series(objects({}, {})), "map<string,long>", 2) == [[], []]
    nested = pd.Series(objects({"a": [1.5, None]}, {"a": []}, None))
    assert coerced(nested, "map<string,array<double>>", 3) == [[("a", [1.5, None])], [("a", [])], None]


def test_dicts_of_another_type_fit_no_map() -> None:
    with pytest.raises(NoMatchingOutputError, match="p: dicts of float64"):
        coerced(pd.DataFrame({"p": objects({"a": 1.0}, {"b": 2.0})}), "map<string,long>", 2)


def test_arrays_of_more_axes_in_cells() -> None:
    cells = objects(np.array([[1.0, np.nan]]), np.zeros((0, 2)))
    assert coerced(pd.DataFrame({"p": cells}), "array<array<double>>", 2) == [[[1.0, None]], []]
    with pytest.raises(OutputValueError, match="list of plain values"):
        coerced(pd.DataFrame({"p": cells}), "array<double>", 2)
    with pytest.raises(OutputValueError):
        coerced([[[1.0], [1.0, 2.0]], [[]], [[]]], "array<double>", 3)


# --- nothing to take


@pytest.mark.parametrize("name", ["double", "array<double>", "map<string,double>", "struct<a:double,b:array<long>>"])
@pytest.mark.parametrize(
    "output",
    [[], np.zeros((0, 3)), pd.DataFrame(), pd.DataFrame({"a": []}), pa.table({"t": pa.array([], pa.string())})],
)
def test_no_rows_are_a_column_without_rows(output: Any, name: str) -> None:
    assert coerced(output, name, 0) == []


@pytest.mark.parametrize("output", [np.zeros((2, 0)), pd.DataFrame(index=[0, 1]), {}])
@pytest.mark.parametrize("name", ["double", "array<double>", "map<string,double>", "struct<a:double>"])
def test_no_columns_fit_nothing(output: Any, name: str) -> None:
    with pytest.raises(NoMatchingOutputError, match="has no columns"):
        coerced(output, name, 2)


@pytest.mark.parametrize("output", [{"a": [1, 2], "b": [1]}, {"a": "ab"}, {"a": {"b": 5}}, (x for x in [1.0]), b"ab"])
def test_what_is_no_table_is_refused(output: Any) -> None:
    with pytest.raises(UnsupportedOutputError):
        coerced(output, "double", 2)


def test_a_double_too_large_for_a_float_is_infinite() -> None:
    assert coerced(np.array([1e300, -1e300]), "float", 2) == [np.inf, -np.inf]

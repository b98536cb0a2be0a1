"""Outputs as columns: `coerce_output` against a slow oracle that goes row by row, and the grammar of result types."""

from __future__ import annotations

import datetime
import decimal
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_models.coerce.coerce import coerce_output
from spark_models.coerce.result_type import SCALARS, ResultType, parse_result_type
from spark_models.errors import NoMatchingOutputError, RowCountError, UnsupportedResultTypeError

INT = {"int8", "int16", "int32", "uint8", "uint16"}
LONG = INT | {"int64", "uint32"}
FLOAT = {"float16", "float32", "float64"}
NUMERIC = LONG | FLOAT | {"uint64"}
FITS: dict[str, set[str]] = {
    "int": INT,
    "bigint": LONG,
    "float": NUMERIC,
    "double": NUMERIC,
    "boolean": {"bool", "object:bool"},
    "date": {"datetime64[ns]", "object:date"},
    "timestamp": {"datetime64[ns]", "object:date"},
    "binary": {"object:bytes"},
    "decimal": {"object:decimal"},
}
DTYPES = sorted(NUMERIC | {"bool", "datetime64[ns]", "object:str", "object:bool", "object:bytes", "object:decimal"})
ROWS = st.integers(1, 5)
RESULTS = ["int", "long", "float", "double", "string", "boolean", "date", "timestamp", "binary", "decimal(12,2)"]

NULLABLE_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "object:str": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    "object:bool": st.none() | st.booleans(),
    "object:bytes": st.none() | st.binary(max_size=4),
    "object:decimal": st.none() | st.decimals(-1000, 1000, places=2),
}


def _values(dtype: str) -> st.SearchStrategy[Any]:
    if dtype in NULLABLE_VALUES:
        return NULLABLE_VALUES[dtype]
    if dtype == "bool":
        return st.booleans()
    if dtype == "datetime64[ns]":
        return st.none() | st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    return st.floats(width=kind.itemsize * 8)  # type: ignore[arg-type]


@st.composite
def columns(draw: st.DrawFn, rows: int) -> tuple[str, Any]:
    """A dtype and an array of it; an object array holds at least one value, so that its kind is known."""
    dtype = draw(st.sampled_from(DTYPES))
    values = draw(st.lists(_values(dtype), min_size=rows, max_size=rows))
    if not dtype.startswith("object"):
        return dtype, np.array(values, dtype=dtype)
    array = np.empty(rows, dtype=object)
    array[:] = values
    if all(value is None for value in values):
        array[0] = {"str": "x", "bool": True, "bytes": b"x", "decimal": decimal.Decimal("1.00")}[dtype[7:]]
    return dtype, array


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, dict[str, tuple[str, Any]]]:
    rows = draw(ROWS)
    labels = draw(st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=4, unique=True))
    return rows, {label: draw(columns(rows)) for label in labels}


def _forms(table: dict[str, tuple[str, Any]]) -> list[Any]:
    """The same outputs in each form that a model may give them in."""
    arrays = {name: array for name, (_, array) in table.items()}
    forms: list[Any] = [pd.DataFrame(arrays), arrays, {name: pd.Series(array) for name, array in arrays.items()}]
    dtypes = {dtype for dtype, _ in table.values()}
    if len(dtypes) == 1 and not next(iter(dtypes)).startswith("object"):
        forms.append(np.stack(list(arrays.values()), axis=1))
    return forms


def _cell(value: Any, kind: str) -> Any:
    """What one value is as a result of a scalar kind; None for a missing one."""
    if value is None or bool(pd.isna(value)):
        return None
    plain = value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value
    if kind in ("int", "bigint"):
        return int(plain)
    if kind == "double":
        return float(plain)
    if kind == "float":
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    if kind == "string":
        return str(pd.Timestamp(value)) if isinstance(value, np.datetime64) else str(plain)
    if kind == "date":
        return pd.Timestamp(value).date()
    if kind == "timestamp":
        return pd.Timestamp(value).to_pydatetime(warn=False).replace(tzinfo=datetime.timezone.utc)
    return plain


def _fits(dtype: str, kind: str) -> bool:
    return kind == "string" or dtype in FITS[kind]


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack("d", left) == struct.pack("d", right)
    return type(left) is type(right) and bool(left == right)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from(RESULTS))
def test_a_scalar_is_the_leftmost_that_fits(given_table: Any, name: str) -> None:
    rows, table = given_table
    result = parse_result_type(name)
    chosen = next((array for dtype, array in table.values() if _fits(dtype, result.kind)), None)
    for output in _forms(table):
        if chosen is None:
            with pytest.raises(NoMatchingOutputError):
                coerce_output(output, result, rows)
            continue
        found = coerce_output(output, result, rows)
        assert found.type == result.arrow
        assert _same(found.to_pylist(), [_cell(value, result.kind) for value in chosen])


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from(RESULTS))
def test_an_array_is_all_that_fit_in_order(given_table: Any, name: str) -> None:
    rows, table = given_table
    result = parse_result_type(f"array<{name}>")
    kind = result.element.kind
    chosen = {label: array for label, (dtype, array) in table.items() if _fits(dtype, kind)}
    expected = [[_cell(array[row], kind) for array in chosen.values()] for row in range(rows)]
    for output in _forms(table):
        if chosen == {}:
            with pytest.raises(NoMatchingOutputError):
                coerce_output(output, result, rows)
            continue
        found = coerce_output(output, result, rows)
        assert found.type == result.arrow
        assert _same(found.to_pylist(), expected)
        if not isinstance(output, np.ndarray):
            named = coerce_output(output, parse_result_type(f"map<string,{name}>"), rows)
            assert _same([[value for _, value in row] for row in named.to_pylist()], expected)
            assert all([key for key, _ in row] == list(chosen) for row in named.to_pylist())


@settings(max_examples=60, deadline=None)
@given(tables())
def test_a_struct_takes_each_by_its_name(given_table: Any) -> None:
    rows, table = given_table
    result = parse_result_type("struct<" + ",".join(f"`{name}`:string" for name in reversed(table)) + ">")
    for output in _forms(table)[:3]:
        found = coerce_output(output, result, rows)
        for name, (_, array) in table.items():
            assert _same(found.field(name).to_pylist(), [_cell(value, "string") for value in array])


ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    "boolean": st.booleans(),
}


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(sorted(ELEMENTS)))
def test_ragged_lists_are_arrays_at_every_cut(data: st.DataObject, name: str) -> None:
    cells = st.none() | st.lists(ELEMENTS[name], max_size=3)
    rows = data.draw(st.lists(cells, min_size=1, max_size=5))
    if all(row is None for row in rows):
        rows[0] = data.draw(st.lists(ELEMENTS[name], max_size=3))
    result = parse_result_type(f"array<{name}>")
    output = pd.Series([None] * len(rows), dtype=object)
    output[:] = rows
    assert _same(coerce_output(output, result, len(rows)).to_pylist(), rows)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.booleans(), min_size=1, max_size=6), st.integers(0, 6))
def test_objects_score_the_same_at_every_cut(values: list[Any], cut: int) -> None:
    result = parse_result_type("boolean")
    if all(value is None for value in values):
        return
    column = pd.Series(values, dtype=object)
    parts = [part for part in (column[:cut], column[cut:]) if len(part) > 0]
    assert [item for part in parts for item in coerce_output(part, result, len(part)).to_pylist()] == values


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 9), st.sampled_from(RESULTS))
def test_another_number_of_rows_is_refused(given_table: Any, wrong: int, name: str) -> None:
    rows, table = given_table
    if wrong == rows:
        return
    for output in _forms(table):
        with pytest.raises(RowCountError) as caught:
            coerce_output(output, parse_result_type(name), wrong)
        assert (caught.value.expected, caught.value.got) == (wrong, rows)


fragments = st.sampled_from(
    [
        "array",
        "map",
        "struct",
        "decimal",
        "string",
        "double",
        "<",
        ">",
        "(",
        ")",
        ",",
        ":",
        "`",
        "``",
        " ",
        "10",
        "2",
        "²",
        "a",
        "é",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=20) | st.lists(fragments, max_size=12).map("".join))
def test_no_text_makes_the_grammar_raise_anything_else(text: str) -> None:
    try:
        parsed = parse_result_type(text)
    except UnsupportedResultTypeError as error:
        assert str(error).startswith("[UNSUPPORTED_RESULT_TYPE]")
    else:
        assert parse_result_type(parsed.ddl) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "decimal(10",
        "decimal(10<",
        "decimal(²)",
        "decimal(" + "9" * 5000 + ")",
        "decimal(0)",
        "decimal(3,4)",
        "decimal(39)",
        "struct<>",
        "struct<>:int>",
        "struct<,:int>",
        "struct<a:int,a:long>",
        "array<int",
        "array<int>>",
        "map<int,int>",
        "short",
        "array<" * 5000 + "int" + ">" * 5000,
    ],
)
def test_what_the_grammar_refuses(text: str) -> None:
    with pytest.raises(UnsupportedResultTypeError):
        parse_result_type(text)


scalar_types = st.sampled_from(sorted(set(SCALARS.values()))).map(ResultType) | st.integers(1, 38).flatmap(
    lambda precision: st.integers(0, precision).map(
        lambda scale: ResultType("decimal", precision=precision, scale=scale)
    )
)


def _structs(inner: st.SearchStrategy[ResultType]) -> st.SearchStrategy[ResultType]:
    fields = st.lists(st.tuples(st.text(max_size=5), inner), min_size=1, max_size=3, unique_by=lambda item: item[0])
    return fields.map(lambda found: ResultType("struct", fields=tuple(found)))


result_types = st.recursive(
    scalar_types,
    lambda inner: (
        inner.map(lambda item: ResultType("array", item))
        | inner.map(lambda item: ResultType("map", item))
        | _structs(inner)
    ),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(result_types)
def test_ddl_reads_back_as_the_type(result: ResultType) -> None:
    try:
        again = parse_result_type(result.ddl)
    except UnsupportedResultTypeError:
        assert result.ddl.count("<") > 8
    else:
        assert again == result
        assert again.ddl == result.ddl


@pytest.mark.parametrize("name", sorted(SCALARS))
def test_names_are_read_in_any_case(name: str) -> None:
    assert parse_result_type(name.upper()) == parse_result_type(name)
    assert parse_result_type(f"MAP<STRING, {name}>") == parse_result_type(f"map<string,{name}>")

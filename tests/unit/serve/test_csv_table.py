"""CSV: typed by the signature, and never filled up, cut or renamed in silence."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES

from spark_models.errors import DuplicateColumnsError, InputError, InvalidInputError
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec
from spark_models.serve.csv_table import MISSING, csv_tables
from spark_models.serve.payload import PayloadBinder, parse_csv


def bind(text: str | bytes, schema: Schema | None = None) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return PayloadBinder(schema)(parse_csv(data, schema).data)


def refusal(text: str | bytes, schema: Schema | None = None) -> str:
    with pytest.raises(InputError) as caught:
        bind(text, schema)
    return str(caught.value)


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_doubles_come_back_to_the_last_digit(values: list[float]) -> None:
    text = pd.DataFrame({"x": values}).to_csv(index=False)
    assert bind(text, Schema([ColSpec("double", "x")]))["x"].to_list() == values


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1))
def test_text_stays_the_text_it_is(values: list[str]) -> None:
    text = pd.DataFrame({"x": values, "n": 1}).to_csv(index=False)
    assert bind(text, Schema([ColSpec("string", "x"), ColSpec("long", "n")]))["x"].to_list() == values


def test_only_an_empty_field_is_missing_text() -> None:
    schema = Schema([ColSpec("string", "country"), ColSpec("double", "x")])
    frame = bind("country,x\nNA,NA\nnull,null\n,\n", schema)
    assert frame["country"].to_list() == ["NA", "null", None]
    assert frame["x"].isna().all()


def test_what_stands_for_a_missing_number_is_what_pandas_takes_for_one() -> None:
    assert frozenset(STR_NA_VALUES) == MISSING
    text = "x,s\n" + "".join(f"{field},a\n" for field in sorted(MISSING))
    for schema in (Schema([ColSpec("double", "x")]), Schema([ColSpec("double", "x"), ColSpec("string", "s")])):
        assert bind(text, schema)["x"].isna().to_list() == [True] * len(MISSING)


def test_the_index_that_pandas_writes_is_extra() -> None:
    text = pd.DataFrame({"a": [1, 2]}).to_csv()
    assert list(bind(text).columns) == ["Unnamed: 0", "a"]
    assert list(bind(text, Schema([ColSpec("long", "a")])).columns) == ["a"]


@pytest.mark.parametrize(
    ("kind", "field", "problem"),
    [
        ("double", "x", "Text is no double."),
        ("long", "1.5", "A number with a fraction is no long."),
        ("integer", str(2**31), "An integer out of range is no integer."),
        ("long", str(2**63), "An integer out of range is no long."),
        ("long", str(10**30), "An integer out of range is no long."),
        ("float", "1e39", "A number out of range is no float."),
        ("boolean", "1", "A value that is text is no boolean."),
        ("boolean", "yes", "A value that is text is no boolean."),
        ("datetime", "1.2.2020", "Text that is no ISO 8601 date or time is no datetime."),
        ("binary", "YWJ", "Text that is not base64 is no binary."),
    ],
)
def test_each_wrong_field_has_its_place_and_no_value(kind: str, field: str, problem: str) -> None:
    good = {"boolean": "true", "datetime": "2020-01-01", "binary": "YQ=="}.get(kind, "1")
    said = refusal(f"a,x\n1,{good}\n2,{field}\n3,{good}\n", Schema([ColSpec(kind, "x")]))
    assert said == f"[JSON_VALUE] {problem}\nWhere: csv[1].x"


def test_wrong_fields_of_one_column_are_told_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        bind("x,y\n1,1\na,b\n2,3\nc,4\n", Schema([ColSpec("double", "x"), ColSpec("double", "y")]))
    assert [error.where for error in caught.value.errors] == ["csv[1].x", "csv[3].x", "csv[1].y"]


@pytest.mark.parametrize("kind", ["integer", "long"])
def test_integers_with_gaps(kind: str) -> None:
    text = "x,y\n1,1\n,2\n"
    optional = bind(text, Schema([ColSpec(kind, "x", required=False)]))
    assert optional["x"].dtype == {"integer": "Int32", "long": "Int64"}[kind]
    assert optional["x"].isna().to_list() == [False, True]
    assert refusal(text, Schema([ColSpec(kind, "x")])).startswith("[NULLS_IN_COLUMN] Column 'x'")


def test_integers_of_64_bits_keep_their_digits() -> None:
    values = [2**63 - 1, -(2**63), 2**53 + 1]
    text = "x\n" + "\n".join(map(str, values))
    assert bind(text, Schema([ColSpec("long", "x")]))["x"].to_list() == values


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("", "the CSV is empty: a header line is expected.", "csv"),
        ("\n\n", "the CSV is empty: a header line is expected.", "csv"),
        (
            "a,b\n1,2\n3\n4,5,6\n7,8\n",
            "rows [1, 2] of the CSV have not 2 fields, one a column.",
            "csv, its rows counted from 0 after the header",
        ),
        (
            "a,b\n1,2,3\n4,5,6\n",
            "rows [0, 1] of the CSV have not 2 fields, one a column.",
            "csv, its rows counted from 0 after the header",
        ),
        (
            "a,b\n1\n",
            "rows [0] of the CSV have not 2 fields, one a column.",
            "csv, its rows counted from 0 after the header",
        ),
        ('a,b\n1,"2\n', "it is no CSV: a quoted field has no end.", "csv"),
        (b"a,b\n1,\xff\n", "it is not UTF-8 (byte 6).", "csv"),
    ],
)
def test_the_text_of_each_refusal(text: str | bytes, problem: str, place: str) -> None:
    assert refusal(text) == f"[JSON_BODY] The input can't be read: {problem}\nWhere: {place}"


def test_a_name_twice_is_refused_and_not_numbered() -> None:
    with pytest.raises(DuplicateColumnsError) as caught:
        bind("a,b,a\n1,2,3\n")
    assert caught.value.names == ("a",)


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert list(bind(b"\xef\xbb\xbfa,b\n1,2\n").columns) == ["a", "b"]


@pytest.mark.parametrize("rows", [1, 2, 3, 100, None])
def test_batches_are_the_whole_cut(rows: int | None) -> None:
    schema = Schema([ColSpec("double", "x"), ColSpec("string", "s")])
    text = b'x,s\n1,a\n,\n2.5,"c\nd"\n4,e\n5,f\n'
    tables = list(csv_tables(lambda: io.BytesIO(text), schema, rows))
    bound = [PayloadBinder(schema)(table) for table in tables]
    whole = pd.concat(bound, ignore_index=True)
    np.testing.assert_array_equal(whole["x"], [1, np.nan, 2.5, 4, 5])
    assert whole["s"].to_list() == ["a", None, "c\nd", "e", "f"]
    assert {len(table) for table in tables[:-1]} <= {rows}


def test_the_place_of_a_field_counts_from_the_start_of_the_file() -> None:
    schema = Schema([ColSpec("double", "x")])
    tables = csv_tables(lambda: io.BytesIO(b"x\n1\n2\n3\nbad\n"), schema, 3)
    binder = PayloadBinder(schema)
    binder(next(tables))
    with pytest.raises(InputError) as caught:
        binder(next(tables))
    assert caught.value.where == "csv[3].x"


def test_a_header_alone_is_no_rows() -> None:
    schema = Schema([ColSpec(kind, kind) for kind in ("double", "long", "string", "datetime", "boolean")])
    frame = bind("double,long,string,datetime,boolean\n", schema)
    assert (len(frame), list(frame.columns)) == (0, schema.input_names())

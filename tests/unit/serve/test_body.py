"""Which form a JSON body has, and what of it is refused before a value is looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_models.errors import DuplicateColumnsError, InputError, JsonBodyError
from spark_models.serve.body import Table, Tensors, parse_json

SPLIT = '{"columns": ["a", "b"], "data": [[1, 2.5], [3, null]]}'


def table(text: str, orient: str | None = None) -> Table:
    data = parse_json(text, orient).data
    assert isinstance(data, Table)
    return data


def refusal(text: str, orient: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        parse_json(text, orient)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "form", "place"),
    [
        (SPLIT, "split", "$.data[*]"),
        ('[{"a": 1, "b": 2.5}, {"b": null, "a": 3}]', "records", "$[*]"),
        (f'{{"dataframe_split": {SPLIT}}}', "dataframe_split", "$.dataframe_split.data[*]"),
        (
            '{"dataframe_records": [{"a": 1, "b": 2.5}, {"a": 3, "b": null}]}',
            "dataframe_records",
            "$.dataframe_records[*]",
        ),
    ],
)
def test_each_form_of_a_table(text: str, form: str, place: str) -> None:
    body = parse_json(text)
    assert body.form == form
    assert isinstance(body.data, Table)
    assert body.data.labels == ("a", "b")
    assert [list(row) for row in body.data.rows] == [[1, 2.5], [3, None]]
    assert body.data.place == place


def test_columns_without_names_are_numbered() -> None:
    assert table('{"data": [[1, 2], [3, 4]]}').labels == (0, 1)


def test_no_rows_and_no_columns_say_nothing_of_columns() -> None:
    assert table("[]") == Table(None, [], "$[*]")
    assert table('{"data": []}').labels is None
    assert table('{"columns": ["a"], "data": []}').labels == ("a",)


def test_the_index_of_pandas_is_ignored() -> None:
    assert table('{"columns": ["a"], "index": [5, 6], "data": [[1], [2]]}').rows == [[1], [2]]


def test_a_record_without_a_key_has_null_there() -> None:
    found = table('[{"a": 1}, {"b": 2}, {"b": 3, "a": 4}]')
    assert (found.labels, [list(row) for row in found.rows]) == (("a", "b"), [[1, None], [None, 2], [4, 3]])


def test_records_of_one_column() -> None:
    assert [list(row) for row in table('[{"a": 1}, {"a": 2}]').rows] == [[1], [2]]


def test_records_without_columns_are_rows_all_the_same() -> None:
    assert len(table("[{}, {}]")) == 2


def test_params_stand_beside_a_wrapped_table() -> None:
    assert parse_json(f'{{"dataframe_split": {SPLIT}, "params": {{"n": 1}}}}').params == {"n": 1}


@pytest.mark.parametrize(
    ("text", "values", "place"),
    [
        ('{"instances": [[1, 2], [3, 4]]}', [[1, 2], [3, 4]], "$.instances"),
        ('{"instances": [{"a": 1, "b": [2]}, {"b": [3], "a": 4}]}', {"a": [1, 4], "b": [[2], [3]]}, "$.instances[*]"),
        ('{"inputs": [1, 2]}', [1, 2], "$.inputs"),
        ('{"inputs": {"a": [1], "b": [[2]]}}', {"a": [1], "b": [[2]]}, "$.inputs"),
    ],
)
def test_each_form_of_tensors(text: str, values: Any, place: str) -> None:
    assert parse_json(text).data == Tensors(values, place)


@pytest.mark.parametrize(
    ("text", "orient", "problem", "place"),
    [
        ("5", None, "a table or tensors are expected, not an integer.", "$"),
        ("null", None, "a table or tensors are expected, not null.", "$"),
        (
            '{"not": "a table"}',
            None,
            "the split orientation has the keys 'columns', 'index' and 'data'; this has ['not'].",
            "$",
        ),
        ("[1]", "split", "the split orientation is an object with 'columns' and 'data', not a list.", "$"),
        (SPLIT, "records", "the records orientation is a list of objects, not an object.", "$"),
        (
            '{"columns": ["a", "b"], "data": [[1, 2], [3], [4, 5, 6]]}',
            None,
            "rows [1, 2] have not 2 values, one a column.",
            "$.data",
        ),
        ('{"data": [{"a": 1}]}', None, "a row of the split orientation must be a list, not an object.", "$.data[0]"),
        (
            '{"columns": ["a", 1.5], "data": []}',
            None,
            "a column's name must be text or an integer, not a number.",
            "$.columns[1]",
        ),
        ("[[1, 2]]", None, "a record must be an object, not a list.", "$[0]"),
        (
            '{"instances": [1], "inputs": [1]}',
            None,
            "it has 'instances' and 'inputs'; exactly one of them is expected.",
            "$",
        ),
        (
            '{"instances": [1], "signature_name": "serving_default"}',
            None,
            "it has keys ['signature_name'] beside 'instances'.",
            "$",
        ),
        ('{"inputs": [1], "params": 5}', None, "'params' must be an object, not an integer.", "$.params"),
        (
            '{"inputs": {"a": [1, 2], "b": [3]}}',
            None,
            "the tensors have different lengths ('a': 2, 'b': 1).",
            "$.inputs",
        ),
        (
            '{"instances": [{"a": 1, "b": 2}, {"a": 3}]}',
            None,
            "the tensors have different lengths ('a': 2, 'b': 1).",
            "$.instances",
        ),
        (
            '{"instances": [{"a": 1}, 2]}',
            None,
            "where one instance is an object, each must be one, not an integer.",
            "$.instances[1]",
        ),
        ('{"inputs": {"a": 1}}', None, "a tensor must be a list, not an integer.", "$.inputs.a"),
        ('{"inputs": 1}', None, "'inputs' must be a list or an object of lists, not an integer.", "$.inputs"),
        ('{"instances": 1}', None, "'instances' must be a list, not an integer.", "$.instances"),
    ],
)
def test_the_text_of_each_refusal(text: str, orient: str | None, problem: str, place: str) -> None:
    assert refusal(text, orient) == f"[JSON_BODY] The input can't be read: {problem}\nWhere: {place}"


def test_a_column_twice_is_refused_whether_it_is_wanted_or_not() -> None:
    with pytest.raises(DuplicateColumnsError) as caught:
        parse_json('{"columns": ["a", "b", "a"], "data": [[1, 2, 3]]}')
    assert caught.value.names == ("a",)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["data", "columns", "inputs", "instances", "params", "a"]), inner, max_size=3
            )
        ),
        max_leaves=15,
    ),
    st.sampled_from([None, "split", "records"]),
)
def test_any_json_is_a_body_or_refused(value: Any, orient: str | None) -> None:
    try:
        body = parse_json(json.dumps(value), orient)
    except (JsonBodyError, DuplicateColumnsError):
        return
    assert len(body.data) >= 0

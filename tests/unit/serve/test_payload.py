"""Bodies as a model's input: what a signature makes of JSON and CSV, and what it refuses, with its place."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_models.bind.enforce import Enforcer
from spark_models.errors import InputError, InvalidInputError, JsonBodyError
from spark_models.schema.datatypes import AnyType, Array, DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, TensorSpec
from spark_models.serve.payload import PayloadBinder, parse_csv, parse_json

ALL_TYPES = Schema([ColSpec(kind.value, kind.value) for kind in DataType])
DOUBLES = Schema([ColSpec("double", "a"), ColSpec("double", "b")])


def bind(text: str, schema: Schema | None = None) -> Any:
    return PayloadBinder(schema, "model")(parse_json(text).data)


def bind_csv(text: str, schema: Schema | None = None) -> Any:
    return PayloadBinder(schema, "model")(parse_csv(text.encode(), schema).data)


def columns(*values: Any) -> str:
    """A body with one column for each value, named by its type."""
    return json.dumps([dict(zip([kind.value for kind in DataType], values, strict=True))])


def refusal(text: str, schema: Schema | None = None, csv: bool = False) -> list[tuple[str, str]]:
    """The code and place of each problem."""
    with pytest.raises(InputError) as caught:
        bind_csv(text, schema) if csv else bind(text, schema)
    found = caught.value.errors if isinstance(caught.value, InvalidInputError) else (caught.value,)
    return [(error.code, error.where) for error in found]


def test_json_of_every_type_becomes_that_type() -> None:
    frame = bind(columns(True, 1, 2**40, 1.1, 5, "x", "YWJj", "2020-01-01T00:00:00+02:00"), ALL_TYPES)
    assert [str(dtype) for dtype in frame.dtypes] == [
        "bool", "int32", "int64", "float32", "float64", "object", "object", "datetime64[ns]",
    ]  # fmt: skip
    assert frame.iloc[0].to_list() == [
        True, 1, 2**40, np.float32(1.1), 5.0, "x", b"abc", pd.Timestamp("2019-12-31T22:00:00"),
    ]  # fmt: skip


def test_csv_of_every_type_becomes_that_type() -> None:
    header = ",".join(kind.value for kind in DataType)
    frame = bind_csv(f"{header}\ntrue,1,{2**40},1.1,5,007,YWJj,2020-01-01T00:00:00Z\n", ALL_TYPES)
    same = bind(columns(True, 1, 2**40, 1.1, 5, "007", "YWJj", "2020-01-01T00:00:00Z"), ALL_TYPES)
    pd.testing.assert_frame_equal(frame, same)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", 1),
        ("boolean", "true"),
        ("integer", 1.5),
        ("integer", 1.0),
        ("integer", True),
        ("integer", 2**31),
        ("integer", "1"),
        ("long", 2**63),
        ("float", "1.5"),
        ("float", 1e39),
        ("float", True),
        ("double", "1.5"),
        ("double", False),
        ("double", [1]),
        ("double", 10**400),
        ("string", 1),
        ("string", True),
        ("binary", "YWJ"),
        ("binary", "ä"),
        ("binary", 1),
        ("datetime", 1577836800),
        ("datetime", "yesterday"),
        ("datetime", "2020-13-01"),
    ],
)
def test_what_loses_something_is_refused_at_its_place(kind: str, value: Any) -> None:
    body = json.dumps({"columns": ["x"], "data": [[None], [value]]})
    schema = Schema([ColSpec(kind, "x", required=False)])
    assert refusal(body, schema) == [("JSON_VALUE", "$.data[1].x")]


def test_every_problem_is_told_at_once() -> None:
    schema = Schema(
        [ColSpec("double", "a"), ColSpec("long", "b c"), ColSpec("string", "gone"), ColSpec("datetime", "t")]
    )
    body = '[{"a": "x", "b c": 1.5, "t": "no"}, {"a": true, "b c": null, "t": "2020-01-01"}]'
    assert refusal(body, schema) == [
        ("MISSING_COLUMNS", "inputs of the signature of model (4 inputs); the input has ['a', 'b c', 't']."),
        ("JSON_VALUE", "$[0].a"),
        ("JSON_VALUE", "$[1].a"),
        ("JSON_VALUE", "$[0]['b c']"),
        ("NULLS_IN_COLUMN", "inputs of the signature"),
        ("JSON_VALUE", "$[0].t"),
    ]


def test_a_column_of_wrong_values_names_ten_of_them() -> None:
    assert len(refusal(json.dumps({"columns": ["a", "b"], "data": [["x", 1]] * 50}), DOUBLES)) == 10


def test_the_text_of_a_wrong_value_holds_no_value() -> None:
    with pytest.raises(InputError) as caught:
        bind('{"columns": ["a", "b"], "data": [["secret", 1]]}', DOUBLES)
    assert str(caught.value) == "[JSON_VALUE] A value that is text is no double.\nWhere: $.data[0].a"


@pytest.mark.parametrize("body", ['{"columns": ["a", "b"], "data": [[1e999, 1]]}', '[{"a": 1e999, "b": 1}]'])
@pytest.mark.parametrize("schema", [DOUBLES, None, Schema([ColSpec("float", "a"), ColSpec("long", "b")])])
def test_a_number_beyond_a_double_never_becomes_infinity(body: str, schema: Schema | None) -> None:
    place = "$.data[0].a" if "columns" in body else "$[0].a"
    assert refusal(body, schema) == [("JSON_VALUE", place)]


@given(st.lists(st.tuples(st.none() | st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53))))
def test_a_matrix_of_doubles_is_what_enforcement_makes_of_the_values(rows: list[tuple[float | None, int]]) -> None:
    body = json.dumps({"columns": ["b", "a"], "data": rows})
    values = np.array([[math.nan if b is None else b, float(a)] for b, a in rows], dtype="float64").reshape(-1, 2)
    expected = Enforcer(DOUBLES)(pd.DataFrame(values, columns=["b", "a"]))
    pd.testing.assert_frame_equal(bind(body, DOUBLES), expected)


@given(st.permutations(["a", "b", "extra"]))
def test_the_order_of_columns_and_extra_ones_change_nothing(order: list[str]) -> None:
    values = {"a": 1, "b": 2.5, "extra": "text"}
    body = json.dumps({"columns": order, "data": [[values[name] for name in order]]})
    pd.testing.assert_frame_equal(bind(body, DOUBLES), pd.DataFrame({"a": [1.0], "b": [2.5]}))


def test_a_signature_without_names_takes_columns_by_position() -> None:
    schema = Schema([ColSpec("double"), ColSpec("long")])
    frame = bind('{"data": [[1, 2]]}', schema)
    assert (list(frame.columns), [str(dtype) for dtype in frame.dtypes]) == ([0, 1], ["float64", "int64"])
    assert refusal('{"data": [[1]]}', schema) == [("COLUMN_COUNT", "the input has [0].")]


@pytest.mark.parametrize("text", ["[]", '{"data": []}', '{"columns": ["a", "b"], "data": []}'])
@pytest.mark.parametrize("kind", ["double", "string", "datetime", "boolean", "integer"])
def test_no_rows_are_no_rows_of_the_right_types(text: str, kind: str) -> None:
    schema = Schema([ColSpec(kind, "a"), ColSpec(kind, "b")])
    frame = bind(text, schema)
    assert (list(frame.columns), len(frame)) == (["a", "b"], 0)


def test_optional_columns_may_be_absent_or_null() -> None:
    schema = Schema([ColSpec("long", "a", required=False), ColSpec("long", "b", required=False)])
    frame = bind('[{"a": 1}, {"a": null}]', schema)
    assert list(frame.columns) == ["a"]
    assert frame["a"].isna().to_list() == [False, True]


def test_nested_columns_are_checked_cell_by_cell() -> None:
    schema = Schema([ColSpec(Array(DataType.double), "v")])
    assert bind('[{"v": [1, 2.5]}]', schema)["v"].to_list() == [[1, 2.5]]
    assert refusal('[{"v": [1]}, {"v": ["x"]}]', schema) == [("JSON_VALUE", "$[1].v")]


def test_the_depth_of_nested_values_is_bounded() -> None:
    deep = json.dumps([{"v": 1}]).replace("1", "[" * 65 + "1" + "]" * 65)
    for schema in (None, Schema([ColSpec(AnyType(), "v")])):
        with pytest.raises(JsonBodyError, match="deeper than 64 levels"):
            bind(deep, schema)


def test_without_a_signature_the_values_decide() -> None:
    frame = bind('[{"i": 1, "f": 1.0, "g": 1, "b": true, "s": "2020-01-01", "m": 1, "n": null}, '
                 '{"i": 2, "f": 2.5, "g": null, "b": false, "s": null, "m": "x", "n": null}]')  # fmt: skip
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "i": "int64", "f": "float64", "g": "float64", "b": "bool", "s": "object", "m": "object", "n": "object",
    }  # fmt: skip
    assert frame["s"].to_list() == ["2020-01-01", None]


UINT8 = np.dtype("uint8")
FLOAT = np.dtype("float32")


@pytest.mark.parametrize(
    ("text", "spec", "dtype", "values"),
    [
        ('{"instances": [[1, 2]]}', TensorSpec(UINT8, (-1, 2)), "uint8", [[1, 2]]),
        ('{"inputs": [[1, null]]}', TensorSpec(FLOAT, (-1, 2)), "float32", [[1.0, None]]),
        ('{"instances": []}', TensorSpec(FLOAT, (-1, 2)), "float32", []),
        ('{"inputs": ["a"]}', TensorSpec(np.dtype("U"), (-1,)), "<U1", ["a"]),
        ('{"inputs": ["YWI="]}', TensorSpec(np.dtype("S"), (-1,)), "|S2", [b"ab"]),
        ('{"inputs": [true]}', TensorSpec(np.dtype("bool"), (-1,)), "bool", [True]),
        (
            '{"inputs": ["2020-01-01T00:00:00Z"]}',
            TensorSpec(np.dtype("datetime64[us]"), (-1,)),
            "datetime64[us]",
            [datetime.datetime(2020, 1, 1)],
        ),
        ('{"data": [[1, 2]]}', TensorSpec(np.dtype("int64"), (-1, 2)), "int64", [[1, 2]]),
    ],
)
def test_tensors_get_the_declared_dtype(text: str, spec: TensorSpec, dtype: str, values: list[Any]) -> None:
    bound = bind(text, Schema([spec]))
    assert str(bound.dtype) == dtype
    assert bound.ndim == len(spec.shape)
    expected = np.array(values, dtype=object).reshape(bound.shape)
    assert [None if item != item else item for item in bound.astype(object).ravel()] == expected.ravel().tolist()  # noqa: PLR0124


@pytest.mark.parametrize(
    ("text", "spec", "said"),
    [
        ('{"instances": ["x"]}', TensorSpec(FLOAT, (-1,)), "[JSON_VALUE] A tensor of text is no float32."),
        ('{"instances": [1.5]}', TensorSpec(UINT8, (-1,)), "[JSON_VALUE] A tensor of numbers is no uint8."),
        ('{"instances": [256]}', TensorSpec(UINT8, (-1,)), "[JSON_VALUE] An integer out of range is no uint8."),
        (
            '{"instances": [1, true]}',
            TensorSpec(UINT8, (-1,)),
            "[JSON_VALUE] A tensor of booleans and integers is no uint8.",
        ),
        ('{"instances": [1e300]}', TensorSpec(FLOAT, (-1,)), "[JSON_VALUE] A number out of range is no float32."),
        ('{"instances": [1, "x"]}', None, "[JSON_VALUE] A tensor of integers and text is no tensor of one type."),
        (
            '{"instances": [[1], [2, 3]]}',
            None,
            (
                "[JSON_BODY] The input can't be read: "
                "its lists have different lengths, or more axes than an array can have."
            ),
        ),
    ],
)
def test_the_text_of_each_refused_tensor(text: str, spec: TensorSpec | None, said: str) -> None:
    with pytest.raises(InputError) as caught:
        bind(text, None if spec is None else Schema([spec]))
    assert str(caught.value) == f"{said}\nWhere: $.instances"


def test_named_tensors_and_the_one_named_tensor() -> None:
    named = Schema([TensorSpec(FLOAT, (-1,), "a"), TensorSpec(np.dtype("int64"), (-1, 2), "b")])
    bound = bind('{"instances": [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}]}', named)
    assert {name: (str(array.dtype), array.shape) for name, array in bound.items()} == {
        "a": ("float32", (2,)),
        "b": ("int64", (2, 2)),
    }
    assert bind('{"inputs": [1]}', Schema([TensorSpec(FLOAT, (-1,), "a")]))["a"].tolist() == [1.0]


@pytest.mark.parametrize(
    "text", ['{"inputs": {"a": [1], "b": [2.5]}}', '{"instances": [{"b": 2.5, "a": 1}]}', '{"data": [[1, 2.5]]}']
)
def test_tensors_reach_a_model_of_columns_as_columns(text: str) -> None:
    schema = Schema([ColSpec("double"), ColSpec("double")]) if "data" in text else DOUBLES
    assert bind(text, schema).to_numpy().tolist() == [[1.0, 2.5]]

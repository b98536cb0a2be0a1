"""Schemas: what widens keeps its value, JSON forms round trip, and no text makes the parsers crash."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_models.bind.casts import cast_column
from spark_models.errors import ColumnTypeError, InputError, SparkModelsError
from spark_models.schema.datatypes import WIDENS, AnyType, Array, DataType, Map, Object, Property
from spark_models.schema.params import ParamSchema, ParamSpec
from spark_models.schema.schema import Schema
from spark_models.schema.signature import ModelSignature
from spark_models.schema.specs import ColSpec, TensorSpec

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
DTYPES = ["bool", *INTEGERS, "float16", "float32", "float64"]
NUMERIC = list(WIDENS)

names = st.text(max_size=12)
scalars = st.sampled_from(list(DataType))


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.builds(Property, names, inner, st.booleans())
    return st.lists(properties, max_size=3, unique_by=lambda item: item.name).map(tuple).map(Object)


types = st.recursive(
    scalars | st.just(AnyType()),
    lambda inner: inner.map(Array) | inner.map(Map) | _objects(inner),
    max_leaves=6,
)
named_columns = st.lists(
    st.builds(ColSpec, types, names, st.booleans()), max_size=5, unique_by=lambda spec: spec.name
).map(Schema)
unnamed_columns = st.lists(st.builds(ColSpec, types, st.none(), st.booleans()), max_size=5).map(Schema)
dtypes = st.sampled_from([*DTYPES, "complex128", "<U", "<U7", "S", "S3", "datetime64[ns]", "timedelta64[s]", "object"])
shapes = st.lists(st.integers(-1, 300), max_size=4).map(tuple)
tensors = st.lists(
    st.builds(TensorSpec, dtypes.map(np.dtype), shapes, names), max_size=4, unique_by=lambda spec: spec.name
).map(Schema)
schemas = named_columns | unnamed_columns | tensors
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names
params = st.lists(
    st.builds(ParamSpec, names, scalars, plain | st.lists(plain, max_size=3), st.none() | st.just((-1,))),
    max_size=3,
    unique_by=lambda spec: spec.name,
).map(ParamSchema)


def _extremes(dtype: str) -> np.ndarray[Any, Any]:
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.array([False, True])
    limits = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind)
    values = np.array([limits.min, limits.max, 0, 1], dtype=kind)
    return values if kind.kind in "iu" else np.concatenate([values, np.array([np.inf, -np.inf, limits.tiny], kind)])


@pytest.mark.parametrize("kind", NUMERIC)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_cast_keeps_every_value_or_is_refused(kind: DataType, dtype: str) -> None:
    """The table and the cast say the same of every pair, at the ends of the range as well."""
    values = _extremes(dtype)
    if dtype not in WIDENS[kind]:
        with pytest.raises(ColumnTypeError, match=r"\[COLUMN_TYPE\]"):
            cast_column(values, kind, "x")
        return
    cast = cast_column(values, kind, "x")
    assert cast.dtype == kind.to_numpy()
    assert [value.item() for value in cast] == [value.item() for value in values]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [DataType.string, DataType.binary, DataType.datetime])
def test_numbers_never_become_text_bytes_or_dates(kind: DataType, dtype: str) -> None:
    with pytest.raises(ColumnTypeError):
        cast_column(_extremes(dtype), kind, "x")


def test_widening_is_a_partial_order() -> None:
    wider = {(left, right) for left in NUMERIC for right in NUMERIC if left.to_numpy().name in WIDENS[right]}
    assert all((kind, kind) in wider for kind in NUMERIC)
    assert all(left == right for left, right in wider if (right, left) in wider)
    for left, middle in wider:
        for right in NUMERIC:
            assert (middle, right) not in wider or (left, right) in wider


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(NUMERIC),
    st.lists(st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(-3, 3) | st.floats(), max_size=5),
    st.booleans(),
)
def test_python_values_are_kept_exactly_or_refused(kind: DataType, values: list[Any], required: bool) -> None:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    try:
        cast = cast_column(column, kind, "x", required)
    except InputError:
        return
    for given_value, got in zip(values, cast, strict=True):
        if given_value is None or isinstance(given_value, float) and math.isnan(given_value):
            assert got is not False
            assert str(got) in ("nan", "<NA>")
        else:
            assert got == given_value
            assert isinstance(given_value, bool) == (kind is DataType.boolean)


@settings(max_examples=60, deadline=None)
@given(schemas)
def test_a_schema_is_the_same_after_json(schema: Schema) -> None:
    again = Schema.from_json(schema.to_json())
    assert again == schema
    assert hash(again) == hash(schema)
    assert again.to_json() == schema.to_json()
    assert [spec.required for spec in again] == [spec.required for spec in schema]


@settings(max_examples=60, deadline=None)
@given(schemas, st.none() | schemas, st.none() | params)
def test_a_signature_is_the_same_after_its_dict(inputs: Schema, outputs: Schema | None, given_params: Any) -> None:
    if len(inputs) == 0 and outputs is None and given_params is None:
        return
    signature = ModelSignature(inputs, outputs, given_params)
    again = ModelSignature.from_dict(json.loads(json.dumps(signature.to_dict())))
    assert again == signature
    assert hash(again) == hash(signature)


keys = st.sampled_from(
    [
        "type",
        "name",
        "dtype",
        "shape",
        "items",
        "values",
        "properties",
        "required",
        "optional",
        "tensor-spec",
        "default",
    ]
)
words = st.sampled_from(
    ["array", "map", "object", "any", "tensor", "double", "float32", "U", "O", "V8", "i4,i4", "(2,)f8"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.lists(json_values, max_size=3).map(json.dumps) | json_values.map(json.dumps))
def test_no_text_makes_a_parser_raise_anything_else(text: str) -> None:
    for parse in (Schema.from_json, ParamSchema.from_json):
        try:
            parse(text)
        except SparkModelsError as error:
            assert str(error).startswith("[INVALID_SCHEMA]")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["inputs", "outputs", "params", "x"]), json_values, max_size=3) | json_values)
def test_no_mapping_makes_a_signature_raise_anything_else(form: Any) -> None:
    try:
        ModelSignature.from_dict(form)
    except SparkModelsError as error:
        assert str(error).startswith("[INVALID_")


@pytest.mark.filterwarnings("ignore:Data type alias")  # numpy's own word on names of old
@settings(max_examples=200, deadline=None)
@given(st.text(max_size=10) | st.from_regex(r"[<>=|]?[a-zA-Z(\[{,:]{1,6}[0-9]{0,3}[)\]},]?", fullmatch=True))
def test_no_dtype_makes_a_tensor_raise_anything_else(dtype: str) -> None:
    text = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1]}}])
    try:
        schema = Schema.from_json(text)
    except SparkModelsError as error:
        assert str(error).startswith("[INVALID_SCHEMA]")
    else:
        assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_nesting_is_bounded(depth: int) -> None:
    text = '[{"type":"array","items":' * 1 + '{"type":"array","items":' * depth + "{}" + "}" * depth + "}]"
    with pytest.raises(SparkModelsError, match="INVALID_SCHEMA"):
        Schema.from_json(text)

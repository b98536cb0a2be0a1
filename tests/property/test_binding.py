"""Binding and enforcement: blind to the order of columns and to extra ones, and equal to a slow oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_models.bind.columns import bind_columns
from spark_models.bind.enforce import Enforcer
from spark_models.bridge.pandas import is_missing
from spark_models.errors import ColumnCountError, DuplicateColumnsError, InputError, MissingColumnsError
from spark_models.schema.datatypes import WIDENS, DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec

labels = st.text(max_size=4)
schemas = st.lists(
    st.builds(ColSpec, st.sampled_from(list(DataType)), labels, st.booleans()),
    min_size=1,
    max_size=5,
    unique_by=lambda spec: spec.name,
).map(Schema)

TEXT = st.none() | st.text(max_size=4)
MOMENTS = st.datetimes(pd.Timestamp("1700-01-01").to_pydatetime(), pd.Timestamp("2200-01-01").to_pydatetime())


def _sources(kind: DataType) -> list[str]:
    """The dtypes of pandas columns that an input of the type takes."""
    others = {DataType.string: ["object", "string"], DataType.binary: ["object"], DataType.datetime: ["datetime64[ns]"]}
    return sorted(WIDENS[kind]) if kind in WIDENS else others[kind]


def _column(draw: st.DrawFn, kind: DataType, dtype: str, rows: int) -> pd.Series[Any]:
    if kind is DataType.string:
        return pd.Series(draw(st.lists(TEXT, min_size=rows, max_size=rows)), dtype=dtype)
    if kind is DataType.binary:
        return pd.Series(draw(st.lists(st.none() | st.binary(max_size=4), min_size=rows, max_size=rows)), dtype=object)
    if kind is DataType.datetime:
        return pd.Series(draw(st.lists(st.none() | MOMENTS, min_size=rows, max_size=rows)), dtype=dtype)
    width = np.dtype(dtype)
    if width.kind == "b":
        values = st.booleans()
    elif width.kind in "iu":
        values = st.integers(int(np.iinfo(width).min), int(np.iinfo(width).max))
    else:
        values = st.floats(width=width.itemsize * 8)
    return pd.Series(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=dtype)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Schema, pd.DataFrame]:
    """A named schema and a frame that fits it, its columns in schema order."""
    schema = draw(schemas)
    rows = draw(st.integers(0, 4))
    found = {}
    for spec in schema.columns:
        found[spec.name] = _column(draw, spec.type, draw(st.sampled_from(_sources(spec.type))), rows)
    index = draw(st.lists(st.integers(-9, 9), min_size=rows, max_size=rows, unique=True))
    frame = pd.concat(list(found.values()), axis=1) if found else pd.DataFrame()
    frame.columns = pd.Index(list(found), dtype=object)
    frame.index = pd.Index(index, dtype="int64")
    return schema, frame


def _shuffled(draw: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its columns in another order and others in between."""
    extra = draw(st.lists(labels.filter(lambda name: name not in frame.columns), max_size=3, unique=True))
    wide = frame.assign(**dict.fromkeys(extra, "extra"))
    return wide[draw(st.permutations(list(wide.columns)))]


def _oracle(schema: Schema, frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Each input's values as plain Python ones, taken by name."""
    return {spec.name: [_plain(value) for value in frame[spec.name]] for spec in schema.columns}


def _plain(value: Any) -> Any:
    if is_missing(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _values(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return {name: [_plain(value) for value in frame[name]] for name in frame.columns}


@settings(max_examples=60, deadline=None)
@given(schemas, st.data())
def test_positions_are_those_of_the_names(schema: Schema, data: st.DataObject) -> None:
    names = schema.input_names()
    extra = data.draw(st.lists(labels.filter(lambda name: name not in names), max_size=4, unique=True))
    left_out = data.draw(st.sets(st.sampled_from(names)))
    columns = data.draw(st.permutations([name for name in [*names, *extra] if name not in left_out]))
    missing = tuple(spec.name for spec in schema.columns if spec.required and spec.name in left_out)
    if missing != ():
        with pytest.raises(MissingColumnsError) as caught:
            bind_columns(columns, schema)
        assert caught.value.missing == missing
        return
    found = bind_columns(columns, schema)
    assert [None if at is None else columns[at] for at in found] == [
        None if name in left_out else name for name in names
    ]


@settings(max_examples=60, deadline=None)
@given(schemas, st.data())
def test_a_wanted_name_is_never_taken_from_two(schema: Schema, data: st.DataObject) -> None:
    names = schema.input_names()
    twice = data.draw(st.sampled_from(names))
    with pytest.raises(DuplicateColumnsError) as caught:
        bind_columns([*names, twice], schema)
    assert caught.value.names == (twice,)
    extra = data.draw(labels.filter(lambda name: name not in names))
    assert bind_columns([*names, extra, extra], schema) == tuple(range(len(names)))


@given(st.integers(1, 5), st.integers(0, 8))
def test_unnamed_inputs_need_their_number(wanted: int, got: int) -> None:
    schema = Schema([ColSpec("double")] * wanted)
    if wanted == got:
        assert bind_columns(["same"] * got, schema) == tuple(range(got))
        return
    with pytest.raises(ColumnCountError):
        bind_columns(["same"] * got, schema)


@settings(max_examples=60, deadline=None)
@given(cases(), st.data())
def test_enforced_is_the_oracle_whatever_the_order(case: tuple[Schema, pd.DataFrame], data: st.DataObject) -> None:
    schema, frame = case
    enforce = Enforcer(schema)
    for given_frame in (frame, _shuffled(data.draw, frame)):
        before = given_frame.copy(deep=True)
        found = enforce(given_frame)
        assert list(found.columns) == schema.input_names()
        assert found.index.equals(frame.index)
        assert _values(found) == _oracle(schema, frame)
        for spec in schema.columns:
            if spec.type in WIDENS:
                assert found[spec.name].dtype == spec.type.to_numpy()
        pd.testing.assert_frame_equal(given_frame, before)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_enforcing_twice_changes_nothing(case: tuple[Schema, pd.DataFrame]) -> None:
    schema, frame = case
    enforce = Enforcer(schema)
    once = enforce(frame)
    twice = enforce(once)
    pd.testing.assert_frame_equal(once, twice)


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 4))
def test_enforcing_the_parts_is_enforcing_the_whole(case: tuple[Schema, pd.DataFrame], cut: int) -> None:
    schema, frame = case
    enforce = Enforcer(schema)
    parts = [_values(enforce(part)) for part in (frame.iloc[:cut], frame.iloc[cut:])]
    joined = {name: parts[0][name] + parts[1][name] for name in parts[0]}
    assert joined == _values(enforce(frame))


cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3) | MOMENTS
anything = st.recursive(cells, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(labels, inner, max_size=3))


@settings(max_examples=60, deadline=None)
@given(schemas, anything | st.lists(st.lists(anything, max_size=3), max_size=3), st.data())
def test_no_data_makes_it_raise_anything_else(schema: Schema, given_data: Any, data: st.DataObject) -> None:
    named = {name: data.draw(st.lists(anything, min_size=2, max_size=2)) for name in schema.input_names()}
    for candidate in (given_data, named):
        try:
            found = Enforcer(schema)(candidate)
        except InputError as error:
            assert str(error).startswith("[")
        else:
            assert set(found.columns) <= set(schema.input_names())

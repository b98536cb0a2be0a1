"""Outputs at the edges of `coerce_output`: empty lists, missing values of every kind, text that is no text."""

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


def _coerced(output: Any, name: str, rows: int) -> Any:
    return coerce_output(output, parse_result_type(name), rows).to_pylist()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("array<long>", [[1, 2], [], [3]]),
        ("array<long>", [[2**60], [], None]),
        ("array<boolean>", [[True], []]),
        ("array<string>", [["a"], [], ["b", None]]),
        ("array<double>", [[], []]),
        ("array<long>", [[], None]),
        ("array<double>", [None, None]),
    ],
)
def test_an_empty_list_has_any_element_type(name: str, cells: list[Any]) -> None:
    column = pd.Series([None] * len(cells), dtype=object)
    column[:] = cells
    assert _coerced(column, name, len(cells)) == cells
    assert _coerced(pd.DataFrame({"p": column}), f"struct<p:{name}>", len(cells)) == [{"p": cell} for cell in cells]


@pytest.mark.parametrize("name", ["boolean", "date", "timestamp", "binary", "decimal(5,2)"])
def test_a_batch_of_nothing_but_gaps_is_nulls(name: str) -> None:
    assert _coerced(pd.Series([None, np.nan], dtype=object), name, 2) == [None, None]
    assert _coerced(pd.DataFrame({"p": pd.Series([None], dtype=object)}), f"struct<p:{name}>", 1) == [{"p": None}]


def test_a_column_that_fits_goes_before_one_of_gaps() -> None:
    frame = pd.DataFrame({"gaps": pd.Series([None], dtype=object), "flag": [True]})
    assert _coerced(frame, "boolean", 1) == [True]


@pytest.mark.parametrize("name", ["int", "long", "double"])
def test_python_numbers_in_objects_are_not_numeric(name: str) -> None:
    with pytest.raises(NoMatchingOutputError):
        _coerced(pd.Series([1, None], dtype=object), name, 2)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.5, None], dtype="Float64"),
        pd.Series([1.5, np.nan], dtype="float32"),
        pd.Series([1.5, None], dtype=pd.ArrowDtype(pa.float64())),
        pd.Series([0.0, 1.5], dtype="Float64").pipe(lambda s: s.where(s > 0, 0.0) / s.where(s > 0, 0.0) * 1.5)[::-1],
    ],
    ids=["Float64", "float32", "arrow", "NaN in Float64"],
)
def test_missing_numbers_of_every_dtype_are_null(column: Any) -> None:
    assert _coerced(column, "double", 2) == [1.5, None]
    assert _coerced(column, "array<double>", 2) == [[1.5], [None]]


def test_a_value_that_the_type_can_not_hold() -> None:
    with pytest.raises(OutputValueError):
        _coerced([decimal.Decimal("1.234")], "decimal(5,2)", 1)
    with pytest.raises(OutputValueError):
        _coerced(["\ud800"], "string", 1)


def test_a_year_that_nanoseconds_do_not_reach_is_kept() -> None:
    far = datetime.datetime(9999, 1, 1)
    found = _coerced(pd.Series([far], dtype=object), "timestamp", 1)
    assert found[0].replace(tzinfo=None) == far


@pytest.mark.parametrize("output", [5, "text", None, np.array(1.0), {"x": 5}, {"x": "text"}, object(), {1, 2}])
def test_what_has_no_columns_is_refused(output: Any) -> None:
    with pytest.raises(UnsupportedOutputError):
        _coerced(output, "double", 1)

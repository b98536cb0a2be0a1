"""Two outputs of a model, compared value by value."""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spark_models.bridge.pandas import is_missing
from spark_models.coerce.output import Column, output_columns
from spark_models.errors import RowCountError

TOLERANCE = 1e-12
"""The relative difference that two numbers may have: what another order of summation costs, and no more."""

ROWS = "(rows)"
OUTPUTS = "(outputs)"


@dataclass(frozen=True, slots=True)
class Conflict:
    """One value that is not the expected one. `row` counts from 0; None where a whole column or table is meant."""

    row: int | None
    column: str
    expected: Any
    actual: Any


def compare_outputs(expected: Any, actual: Any, *, tolerance: float = TOLERANCE) -> tuple[Conflict, ...]:
    """The differences between two outputs, by column and row; empty where they are the same.

    Outputs of any form a model may give: DataFrame, Series, array, list, dict of columns. Columns with names on both
    sides are matched by name, else by position. Numbers are the same within the relative `tolerance`, whatever their
    width, and NaN, NaT and None are one missing value; everything else must be equal, and of the same kind.

    >>> compare_outputs(np.array([1.0, 2.0]), [1.0, 2.5])
    (Conflict(row=1, column='0', expected=2.0, actual=2.5),)
    """
    left, right = columns_of(expected), columns_of(actual)
    rows = len(left[0].values) if left != () else 0
    found = len(right[0].values) if right != () else 0
    if left != () and right != () and rows != found:
        return (Conflict(None, ROWS, rows, found),)
    pairs = _pairs(left, right, _is_named(expected) and _is_named(actual))
    if pairs is None:
        return (Conflict(None, OUTPUTS, [column.name for column in left], [column.name for column in right]),)
    return tuple(conflict for one, other in pairs for conflict in _in_column(one, other, tolerance))


def columns_of(output: Any) -> tuple[Column, ...]:
    """The columns of an output of any number of rows."""
    try:
        return output_columns(output, -1).columns
    except RowCountError as error:
        return output_columns(output, error.got).columns


def _is_named(output: Any) -> bool:
    return isinstance(output, dict) or hasattr(output, "columns")


def _pairs(left: tuple[Column, ...], right: tuple[Column, ...], by_name: bool) -> list[tuple[Column, Column]] | None:
    if not by_name:
        return list(zip(left, right, strict=True)) if len(left) == len(right) else None
    others = {column.name: column for column in right}
    if sorted(others) != sorted(column.name for column in left):
        return None
    return [(column, others[column.name]) for column in left]


def _in_column(expected: Column, actual: Column, tolerance: float) -> Iterable[Conflict]:
    rows: Iterable[int] = range(len(expected.values))
    if _is_plain(expected.values) and _is_plain(actual.values):
        rows = np.flatnonzero(~_close(expected.values, actual.values, tolerance))
    for row in rows:
        one, other = expected.values[row], actual.values[row]
        if not same(one, other, tolerance):
            yield Conflict(int(row), expected.name, _plain(one), _plain(other))


def _is_plain(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind in "fiu"


def _close(expected: Any, actual: Any, tolerance: float) -> Any:
    """Where numbers are surely the same; `same` has the last word on the others."""
    if expected.dtype.kind in "iu" and actual.dtype.kind in "iu":
        return np.array(expected == actual)
    return np.isclose(actual, expected, rtol=tolerance, atol=0.0, equal_nan=True)


def same(expected: Any, actual: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two values of an output are the same; lists and dicts by their items.

    >>> same([1, float("nan")], [1.0 + 1e-14, None]), same("1", 1), same(True, 1)
    (True, False, False)
    """
    one, other = _plain(expected), _plain(actual)
    if one is None or other is None:
        return one is None and other is None
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or _near(one, other, tolerance)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], tolerance) for key in one)
    return type(one) is type(other) and bool(one == other)


def json_plain(value: Any) -> Any:
    """A value as JSON has it: what is missing or not finite as None, datetimes and dates as text, bytes in base64."""
    plain = _plain(value)
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    if isinstance(plain, list):
        return [json_plain(item) for item in plain]
    if isinstance(plain, dict):
        return {name: json_plain(item) for name, item in plain.items()}
    if isinstance(plain, bytes):
        return base64.b64encode(plain).decode("ascii")
    return plain if plain is None or isinstance(plain, (bool, int, str)) else str(plain)


def _near(one: float, other: float, tolerance: float) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return False
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=0.0)


def _plain(value: Any) -> Any:
    """A value as Python's own: numbers, text, bytes, datetimes in UTC, lists and dicts; a missing one as None."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, (np.datetime64, np.timedelta64)):
        import pandas as pd

        value = pd.Timestamp(value) if isinstance(value, np.datetime64) else pd.Timedelta(value)
    if isinstance(value, np.generic):
        value = value.item()
    if is_missing(value):
        return None
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, datetime.datetime):
        # Timestamp is a datetime that remembers nanoseconds; models and Spark agree to the microsecond.
        whole = datetime.datetime(*value.timetuple()[:6], value.microsecond)
        return whole if value.tzinfo is None else whole - (value.utcoffset() or datetime.timedelta())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    if hasattr(value, "asDict"):
        return {name: _plain(item) for name, item in value.asDict().items()}
    return value

"""Values of Bundle.ML's JSON: scalars, lists, tensors and shapes, as mleap-runtime 0.20.0 reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

Value = dict[str, Any]


class RefusedError(Exception):
    """A stage that can't be written, and why; the preflight gathers these into one error."""


def number(value: Any, nan: bool = False) -> float | None:
    """The JSON number of a double; None stands for NaN, and JSON has no infinity."""
    plain = float(value)
    if math.isnan(plain) and nan:
        return None
    if not math.isfinite(plain):
        raise RefusedError("it holds a number that is not finite")
    return plain


def double(value: Any) -> Value:
    """A scalar double."""
    return {"double": number(value)}


def integer(value: Any) -> Value:
    """A scalar int."""
    return {"int": int(value)}


def long(value: Any) -> Value:
    """A scalar long."""
    return {"long": int(value)}


def boolean(value: Any) -> Value:
    """A scalar boolean."""
    return {"boolean": bool(value)}


def string(value: str) -> Value:
    """A scalar string."""
    return {"string": str(value)}


def doubles(values: Iterable[Any], nan: bool = False) -> Value:
    """A list of doubles; NaN as null where `nan`."""
    return {"type": "list", "double": [number(value, nan) for value in values]}


def integers(values: Iterable[Any]) -> Value:
    """A list of ints."""
    return {"type": "list", "int": [int(value) for value in values]}


def longs(values: Iterable[Any]) -> Value:
    """A list of longs."""
    return {"type": "list", "long": [int(value) for value in values]}


def strings(values: Iterable[str]) -> Value:
    """A list of strings."""
    return {"type": "list", "string": [str(value) for value in values]}


def _tensor(values: Iterable[Any], sizes: Sequence[int], base: str = "double") -> Value:
    dimensions = [{"size": int(size), "name": ""} for size in sizes]
    return {base: [number(value) for value in values], "shape": {"dimensions": dimensions}}


def vector(values: Iterable[Any]) -> Value:
    """A tensor of one dimension."""
    items = list(values)
    return {"type": "tensor", **_tensor(items, [len(items)])}


def matrix(values: Any) -> Value:
    """A tensor of two dimensions, column by column, of a Spark matrix or two-dimensional array."""
    array = values.toArray() if hasattr(values, "toArray") else values
    return {"type": "tensor", **_tensor(array.flatten("F"), array.shape)}


def vectors(rows: Iterable[Any], base: str = "double") -> Value:
    """A list of tensors of one dimension."""
    return {"type": "list", "tensor": [_tensor(row, [len(row)], base) for row in rows]}


def matrices(items: Iterable[Any]) -> Value:
    """A list of tensors of two dimensions, each column by column."""
    arrays = [item.toArray() for item in items]
    return {"type": "list", "tensor": [_tensor(array.flatten("F"), array.shape) for array in arrays]}


def shape(size: int | None, nullable: bool = False) -> dict[str, Any]:
    """The shape of a column: a scalar for None, else a vector of that size."""
    if size is None:
        return {"base": "scalar", "isNullable": nullable}
    dimensions = [{"size": size, "name": ""}]
    return {"base": "tensor", "isNullable": nullable, "tensorShape": {"dimensions": dimensions}}

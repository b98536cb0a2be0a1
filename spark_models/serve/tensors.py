"""Nested JSON lists as tensors: of the declared dtype, or of the one that the values have."""

from __future__ import annotations

import base64
import binascii
from itertools import chain
from typing import Any

import numpy as np

from spark_models.errors import JsonBodyError, JsonValueError
from spark_models.schema.specs import TensorSpec

_NUMBERS = frozenset({int, float})


def tensor(values: Any, spec: TensorSpec | None, place: str) -> Any:
    """The array of nested lists: of the spec's dtype, else int64, float64, bool or text as the values are.

    Integers become floats, text datetimes or, as base64, bytes where the spec says so; null is NaN in floats. A float
    never becomes an integer, a number never a boolean. Shapes are checked later, by `bind_tensors`.

    Raises:
        JsonBodyError: [JSON_BODY] lists of different lengths, or more axes than an array has.
        JsonValueError: [JSON_VALUE] values of another type, or out of its range.

    >>> tensor([[1, 2], [3, None]], TensorSpec(np.dtype("float32"), (-1, 2)), "$.inputs")
    array([[ 1.,  2.],
           [ 3., nan]], dtype=float32)
    """
    try:
        array = np.array(values)
    except (ValueError, OverflowError):
        raise JsonBodyError("its lists have different lengths, or more axes than an array can have", place) from None
    if array.size == 0:
        return _empty(array, spec)
    flat: Any = values
    for _ in range(array.ndim - 1):
        flat = chain.from_iterable(flat)
    kinds = set(map(type, flat))
    if spec is None:
        return _untyped(array, kinds, place)
    if spec.type == object:
        return array.astype(object)
    made = _typed(array, kinds, spec.type, place)
    if made is None:
        raise JsonValueError(place, f"A tensor of {_called(kinds)}", str(spec.type))
    return made


def _empty(array: Any, spec: TensorSpec | None) -> Any:
    if spec is None:
        return array
    # Without a value the other axes are unknown: the declared ones are right where no list says otherwise.
    shape = (0, *(max(axis, 0) for axis in spec.shape[1:])) if array.ndim == 1 else array.shape
    return np.zeros(shape, spec.type)


def _untyped(array: Any, kinds: set[type], place: str) -> Any:
    if kinds <= {bool} or kinds <= {str}:
        return array
    if kinds <= {str, type(None)}:
        return array.astype(object)
    made = _typed(array, kinds, np.dtype("int64" if kinds == {int} else "float64"), place)
    if made is None:
        raise JsonValueError(place, f"A tensor of {_called(kinds)}", "tensor of one type")
    return made


def _typed(array: Any, kinds: set[type], dtype: np.dtype[Any], place: str) -> Any:
    """The array as a dtype; None where values of these Python types are none of it."""
    if dtype.kind == "f" and kinds <= _NUMBERS | {type(None)}:
        return _floats(array, dtype, place)
    if dtype.kind in "iu" and kinds == {int}:
        limit = np.iinfo(dtype)
        if int(array.min()) < limit.min or int(array.max()) > limit.max:
            raise JsonValueError(place, "An integer out of range", str(dtype))
        return array.astype(dtype)
    if dtype.kind == "b" and kinds == {bool}:
        return array
    if dtype.kind == "U" and kinds == {str}:
        return array
    if dtype.kind == "S" and kinds == {str}:
        return _bytes(array, place)
    if dtype.kind == "M" and kinds <= {str, type(None)}:
        return _datetimes(array, dtype, place)
    return None


def _floats(array: Any, dtype: np.dtype[Any], place: str) -> Any:
    try:
        wide = array.astype("float64")
    except OverflowError:
        raise JsonValueError(place, "An integer out of range", str(dtype)) from None
    with np.errstate(over="ignore"):
        made = wide.astype(dtype)
    # JSON has no infinity: one is a number like 1e999, or one that the narrower type can't hold.
    if bool(np.isinf(made).any()):
        raise JsonValueError(place, "A number out of range", str(dtype))
    return made


def _bytes(array: Any, place: str) -> Any:
    try:
        decoded = [base64.b64decode("".join(text.split()), validate=True) for text in array.ravel().tolist()]
    except (binascii.Error, ValueError):
        raise JsonValueError(place, "Text that is not base64", "bytes") from None
    return np.array(decoded).reshape(array.shape)


def _datetimes(array: Any, dtype: np.dtype[Any], place: str) -> Any:
    from spark_models.bind.casts import cast_column
    from spark_models.errors import ColumnTypeError
    from spark_models.schema.datatypes import DataType

    try:
        flat = cast_column(array.astype(object).ravel(), DataType.datetime, "tensor")
    except ColumnTypeError:
        raise JsonValueError(place, "Text that is not ISO 8601", str(dtype)) from None
    return flat.reshape(array.shape).astype(dtype)


def _called(kinds: set[type]) -> str:
    names = {bool: "booleans", int: "integers", float: "numbers", str: "text", dict: "objects", list: "lists"}
    return " and ".join(sorted(names.get(kind, "nulls") for kind in kinds))

"""Plain JSON values as the columns and tensors of a schema, and back.

JSON has no integers of a width, no dates and no bytes. On the way in the declared type decides; on the way out dates
become ISO 8601, bytes base64, and missing or non-finite numbers null.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spark_models.errors import JsonValueError
from spark_models.schema.datatypes import ColumnType, DataType


def json_value(value: Any) -> Any:
    """One value as strict JSON: nested lists and dicts of text, numbers, booleans and null.

    >>> json_value({"at": datetime.date(2020, 1, 31), "p": np.float32(0.5), "gap": float("nan"), "raw": b"abc"})
    {'at': '2020-01-31', 'p': 0.5, 'gap': None, 'raw': 'YWJj'}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return json_list(value)
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(np.datetime_as_string(value))
    if isinstance(value, np.longdouble):  # its item() is itself
        return json_value(float(value))
    if isinstance(value, np.generic):
        return json_value(value.item())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [json_value(item) for item in value]
    return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return None if type(value).__name__ == "NaTType" else value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value) if value.is_finite() else None
    if type(value).__name__ == "NAType":
        return None
    if hasattr(value, "tolist"):
        return json_value(value.tolist())
    return str(value)


def json_list(values: np.ndarray[Any, Any]) -> Any:
    """An array as nested lists of strict JSON values, of the array's shape; one pass over numeric arrays.

    >>> json_list(np.array([[1.5, np.nan]]))
    [[1.5, None]]
    """
    if values.dtype == np.longdouble:
        return json_list(values.astype("float64"))
    kind = values.dtype.kind
    if kind in "iub" or (kind == "f" and bool(np.isfinite(values).all())):
        return values.tolist()
    if kind == "f":
        boxed = values.astype(object)
        boxed[~np.isfinite(values)] = None
        return boxed.tolist()
    if kind == "U":
        return values.tolist()
    if values.ndim == 0:
        return json_value(values.item() if kind != "M" else values[()])
    return [json_list(item) if isinstance(item, np.ndarray) else json_value(item) for item in values]


def frame_split(frame: Any) -> dict[str, Any]:
    """A DataFrame in pandas' split orientation without its index; `columns` only where they are not 0…n-1."""
    columns = [column_list(frame.iloc[:, position]) for position in range(frame.shape[1])]
    data = [list(row) for row in zip(*columns, strict=True)] if columns != [] else [[] for _ in range(len(frame))]
    labels = [label.item() if isinstance(label, np.generic) else label for label in frame.columns]
    if labels == list(range(len(labels))):
        return {"data": data}
    return {"columns": [label if isinstance(label, str) else json_value(label) for label in labels], "data": data}


def frame_records(frame: Any) -> list[dict[str, Any]]:
    """A DataFrame as a list of records, one object a row."""
    columns = [column_list(frame.iloc[:, position]) for position in range(frame.shape[1])]
    labels = [str(label) for label in frame.columns]
    return [dict(zip(labels, row, strict=True)) for row in zip(*columns, strict=True)]


def column_list(column: Any) -> list[Any]:
    """A pandas Series as a list of strict JSON values."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iubf":
        listed: list[Any] = json_list(column.to_numpy())
        return listed
    return [json_value(value) for value in column]


def column_from_json(values: Sequence[Any], kind: ColumnType, place: str, text: bool = False) -> Any:
    """JSON values as the array of a declared type, which `bind.casts` then checks for missing values.

    Integers become float or double, ISO 8601 text datetime, base64 text binary; null is a missing value. From CSV
    (`text=True`) digits become string as well. What has lost something already is refused: 1.5 for an integer, a number
    for a boolean, an integer too large for its type.

    Raises:
        JsonValueError: [JSON_VALUE] with the place of the first value that does not fit, as `$.data[3].age`.

    >>> column_from_json([1, None], DataType.double, "$.data[*][0]")
    array([ 1., nan])
    """
    if not isinstance(kind, DataType):
        return _objects(values)
    return _READERS[kind](values, kind, place, text)


def _objects(values: Sequence[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _wrong(value: Any, kind: DataType, place: str, row: int) -> JsonValueError:
    return JsonValueError(place.replace("[*]", f"[{row}]", 1), _called(value), kind.value)


def _called(value: Any) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "text", list: "a list", dict: "an object"}
    return f"A value that is {names.get(type(value), type(value).__name__)}"


def _floats(values: Sequence[Any], kind: DataType, place: str, text: bool) -> Any:
    for row, value in enumerate(values):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise _wrong(value, kind, place, row)
    try:
        wide = np.array([np.nan if value is None else value for value in values], dtype="float64")
    except OverflowError:
        row = next(at for at, value in enumerate(values) if isinstance(value, int) and abs(value) > sys.float_info.max)
        raise JsonValueError(place.replace("[*]", f"[{row}]", 1), "An integer out of range", kind.value) from None
    # JSON has no infinity: one is a number like 1e999.
    _refuse_first(np.isinf(wide), kind, place)
    if kind is DataType.double:
        return wide
    with np.errstate(over="ignore"):
        narrow = wide.astype("float32")
    _refuse_first(np.isinf(narrow), kind, place)
    return narrow


def _refuse_first(overflowed: np.ndarray[Any, Any], kind: DataType, place: str) -> None:
    if bool(overflowed.any()):
        row = int(np.argmax(overflowed))
        raise JsonValueError(place.replace("[*]", f"[{row}]", 1), "A number out of range", kind.value)


def _integers(values: Sequence[Any], kind: DataType, place: str, text: bool) -> Any:
    limit = np.iinfo(kind.to_numpy())
    for row, value in enumerate(values):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(value, kind, place, row)
        if not limit.min <= value <= limit.max:
            raise JsonValueError(place.replace("[*]", f"[{row}]", 1), "An integer out of range", kind.value)
    if any(value is None for value in values):
        return _objects(values)
    return np.array(values, dtype=kind.to_numpy())


def _booleans(values: Sequence[Any], kind: DataType, place: str, text: bool) -> Any:
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, bool):
            raise _wrong(value, kind, place, row)
    return _objects(values) if any(value is None for value in values) else np.array(values, dtype=bool)


def _strings(values: Sequence[Any], kind: DataType, place: str, text: bool) -> Any:
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        if value is None or isinstance(value, str):
            column[row] = value
        elif text and not isinstance(value, (list, dict)):
            column[row] = str(value)
        else:
            raise _wrong(value, kind, place, row)
    return column


def _binaries(values: Sequence[Any], kind: DataType, place: str, text: bool) -> Any:
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        if value is None:
            continue
        if not isinstance(value, str):
            raise _wrong(value, kind, place, row)
        try:
            # Encoders of the document's time break lines; nothing else outside the alphabet is let through.
            column[row] = base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            raise JsonValueError(place.replace("[*]", f"[{row}]", 1), "Text that is not base64", kind.value) from None
    return column


def _datetimes(values: Sequence[Any], kind: DataType, place: str, text: bool) -> Any:
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, str):
            raise _wrong(value, kind, place, row)
    return _objects(values)


_READERS = {
    DataType.boolean: _booleans,
    DataType.integer: _integers,
    DataType.long: _integers,
    DataType.float: _floats,
    DataType.double: _floats,
    DataType.string: _strings,
    DataType.binary: _binaries,
    DataType.datetime: _datetimes,
}

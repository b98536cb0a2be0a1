"""One column's values as the declared type, or an error that says why not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from spark_models.bridge.pandas import VALUE_KINDS, is_missing, value_kind
from spark_models.errors import ColumnTypeError, InputError, NullColumnError, listed
from spark_models.schema.datatypes import WIDENS, AnyType, Array, ColumnType, DataType, Map, Object

ISO_8601 = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?\s*(Z|[+-]\d{2}:?\d{2})?")
"""The texts that a datetime column takes: a date, or a date and a time, with or without an offset."""

# Until pandas 2.1 it was called PandasArray.
_OF_NUMPY = getattr(pd.arrays, "NumpyExtensionArray", None) or pd.arrays.PandasArray

_EXACT_IN_DOUBLE = 2**53
"""Up to here a double holds every integer."""


def cast_column(values: Any, kind: ColumnType, name: object, required: bool = True) -> Any:
    """The values as `kind`: a numpy array, or pandas' nullable array for an optional column with missing values.

    `values` is a 1-D numpy array or pandas extension array; length and order are kept, and values that fit
    already are returned as they are, without a copy. Missing values stay missing in double, float, string, binary
    and datetime; elsewhere only an optional column (`required=False`) may have any.

    Raises:
        ColumnTypeError: [COLUMN_TYPE] a value may be lost or changed by the cast.
        NullColumnError: [NULLS_IN_COLUMN] missing values in a required integer, long or boolean column.
    Source: the Models document, "Input Type Enforcement" and "Handling Integers With Missing Values".

    >>> cast_column(np.array([1, 2], "int32"), DataType.double, "a")
    array([1., 2.])
    """
    if not isinstance(kind, DataType):
        return _nested(values, kind, name, required)
    plain = _plain(values)
    exact = _EXACT.get(kind)
    # Not `== _EXACT.get(kind)`: numpy reads a dtype None as float64.
    if exact is not None and plain.dtype == exact:
        return plain
    return _CASTS[kind](plain, kind, name, required)


def _plain(values: Any) -> Any:
    """Extension arrays that hold ordinary values as numpy; nullable arrays stay, they alone know NA."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return values if isinstance(values, np.ndarray) else np.asarray(values)
    if isinstance(dtype, pd.ArrowDtype):
        from spark_models.bridge.arrow import column_values

        return column_values(values.__arrow_array__())
    ordinary = isinstance(values, (_OF_NUMPY, pd.arrays.SparseArray))
    return np.asarray(values) if ordinary and not isinstance(dtype, pd.StringDtype) else values


def _number(values: Any, kind: DataType, name: object, required: bool) -> Any:
    source = values.dtype
    if isinstance(source, np.dtype):
        if source.kind == "O":
            return _number_of_objects(values, kind, name, required)
        if source.name in WIDENS[kind]:
            return values.astype(_EXACT[kind])
        if source.kind == "f" and kind in (DataType.integer, DataType.long) and _integral_with_nan(values):
            return _integers_as_floats(values, kind, name, required)
        raise _type_error(values, kind, name)
    width = getattr(source, "numpy_dtype", None)
    if width is None or np.dtype(width).name not in WIDENS[kind]:
        raise _type_error(values, kind, name)
    missing = bool(values.isna().any())
    if kind in (DataType.float, DataType.double):
        return values.to_numpy(dtype=_EXACT[kind], na_value=np.nan)
    if missing and required:
        raise NullColumnError(name, kind.value, str(source))
    target = _EXACT[kind]
    return values.astype(_NULLABLE[kind]) if missing else values.to_numpy(dtype=target)


def _number_of_objects(values: Any, kind: DataType, name: object, required: bool) -> Any:
    """Python numbers: an integer is a long, an integer column with gaps is a double, a float is a double."""
    if len(values) == 0:
        return values.astype(_EXACT[kind])
    found = value_kind(values)
    content = VALUE_KINDS.get(found)
    missing = any(is_missing(value) for value in values)
    if found == "empty" and kind is not DataType.boolean:
        return _only_gaps(values, kind, name, required)
    if kind is DataType.boolean and (content is DataType.boolean or found == "empty"):
        if not missing:
            return values.astype(bool)
        if required:
            raise NullColumnError(name, kind.value)
        return pd.array([None if is_missing(value) else bool(value) for value in values], dtype="boolean")
    if content is DataType.long and missing:
        return _integers_with_gaps(values, kind, name, required)
    if content is DataType.long and kind is DataType.long:
        return _fits_long(values, name)
    if content is DataType.double and kind is DataType.double:
        return _doubles_of_objects(values, name)
    raise _type_error(values, kind, name)


def _only_gaps(values: Any, kind: DataType, name: object, required: bool) -> Any:
    """A batch whose column has no value at all: how a table is cut into batches must not matter."""
    if kind in (DataType.float, DataType.double):
        return np.full(len(values), np.nan, dtype=_EXACT[kind])
    if required:
        raise NullColumnError(name, kind.value)
    return pd.array([pd.NA] * len(values), dtype=_NULLABLE[kind])


def _doubles_of_objects(values: Any, name: object) -> Any:
    present = [value for value in values if not is_missing(value)]
    if any(isinstance(value, (int, np.integer)) and abs(int(value)) > _EXACT_IN_DOUBLE for value in present):
        raise ColumnTypeError(name, "object with integers beyond 2**53", "double (float64)")
    return np.array([np.nan if is_missing(value) else value for value in values], dtype="float64")


def _integers_with_gaps(values: Any, kind: DataType, name: object, required: bool) -> Any:
    if kind is DataType.double:
        return _doubles_of_objects(values, name)
    if kind not in (DataType.integer, DataType.long):
        raise _type_error(values, kind, name)
    if required:
        raise NullColumnError(name, kind.value)
    try:
        return pd.array([None if is_missing(value) else value for value in values], dtype=_NULLABLE[kind])
    except (OverflowError, TypeError, ValueError):
        raise _type_error(values, kind, name) from None


def _fits_long(values: Any, name: object) -> Any:
    try:
        return values.astype("int64")
    except OverflowError:
        raise ColumnTypeError(name, "integers of more than 64 bits", "long (int64)") from None


def _integral_with_nan(values: Any) -> bool:
    missing = np.isnan(values)
    return bool(missing.any())


def _integers_as_floats(values: Any, kind: DataType, name: object, required: bool) -> Any:
    """A float column with gaps where integers are declared: what pandas makes of integers with missing values."""
    present = values[~np.isnan(values)].astype("float64")
    whole = bool(np.isfinite(present).all()) and bool((present == np.floor(present)).all())
    if whole and required:
        raise NullColumnError(name, kind.value, str(values.dtype))
    limit = np.iinfo(_EXACT[kind])
    # From here on, 2**53 of a double, neighbouring integers are not told apart: the gaps have cost digits already.
    digits = 2.0 ** (np.finfo(values.dtype).nmant + 1)
    exact = whole and bool(((present >= limit.min) & (present <= limit.max) & (np.abs(present) < digits)).all())
    if not exact:
        raise _type_error(values, kind, name)
    return pd.array([pd.NA if np.isnan(value) else int(value) for value in values], dtype=_NULLABLE[kind])


def _boolean(values: Any, kind: DataType, name: object, required: bool) -> Any:
    if values.dtype == object:
        return _number_of_objects(values, kind, name, required)
    if not isinstance(values.dtype, pd.BooleanDtype):
        raise _type_error(values, kind, name)
    if not bool(values.isna().any()):
        return values.to_numpy(dtype=bool)
    if required:
        raise NullColumnError(name, kind.value, "boolean with NA")
    return values


def _string(values: Any, kind: DataType, name: object, required: bool) -> Any:
    """Text as an object array. Missing values of pandas' text dtype become None, as Spark and Arrow deliver them; an
    object array is passed on with the None or NaN that its owner, and maybe the model's training data, has."""
    if isinstance(values.dtype, pd.StringDtype):
        texts = values.to_numpy(dtype=object)
        missing = np.asarray(values.isna(), dtype=bool)
        if bool(missing.any()):
            texts = texts.copy()  # it may be the owner's own
            texts[missing] = None
        return texts
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype == object and value_kind(values) in ("string", "empty"):
        return values
    raise _type_error(values, kind, name, "numbers are not turned into text: cast the column with astype(str)")


def _binary(values: Any, kind: DataType, name: object, required: bool) -> Any:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "S":
        return values.astype(object)
    if values.dtype == object and (value_kind(values) in ("bytes", "empty")):
        return values
    raise _type_error(values, kind, name, "bytes, bytearray or missing values are expected")


def _datetime(values: Any, kind: DataType, name: object, required: bool) -> Any:
    """Instants in ns without a zone: zoned ones in UTC; dates, datetimes and ISO 8601 text of objects parsed."""
    dtype = values.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _nanoseconds(values.tz_convert("UTC").tz_localize(None).to_numpy(), name)
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return _nanoseconds(values, name)
    text = isinstance(dtype, pd.StringDtype) or (isinstance(dtype, np.dtype) and dtype.kind in "OU")
    if not text:
        raise _type_error(values, kind, name)
    objects = np.asarray(values, dtype=object)
    content = value_kind(objects)
    if content == "string" and not _all_iso(objects):
        raise ColumnTypeError(name, "text that is not all ISO 8601", "datetime", "write it like 2020-01-31T12:34:56Z")
    if content not in ("string", "datetime", "datetime64", "date", "empty"):
        raise _type_error(values, kind, name)
    return _parsed(objects, content, name)


def _nanoseconds(values: Any, name: object) -> Any:
    """Datetimes in the one unit that every transport can give: Arrow brings seconds and microseconds as well."""
    if values.dtype == "datetime64[ns]":
        return values
    if np.datetime_data(values.dtype)[0] == "generic":  # a datetime64 without a unit holds nothing but NaT
        return values.astype("datetime64[ns]")
    try:
        return pd.DatetimeIndex(values).as_unit("ns").to_numpy()
    except pd.errors.OutOfBoundsDatetime as error:
        got = f"{values.dtype} with years outside 1678 to 2261"
        raise ColumnTypeError(name, got, "datetime (datetime64[ns])") from error


def _all_iso(values: Any) -> bool:
    return all(is_missing(value) or ISO_8601.fullmatch(value) is not None for value in values)


def _parsed(values: Any, content: str, name: object) -> Any:
    try:
        form = "ISO8601" if content == "string" else None
        index = pd.DatetimeIndex(pd.to_datetime(pd.Series(values, dtype=object), utc=True, format=form))
    except (ValueError, OverflowError, pd.errors.OutOfBoundsDatetime) as error:
        raise ColumnTypeError(name, f"{content} out of range or not a date", "datetime") from error
    return index.tz_localize(None).to_numpy()


def _type_error(values: Any, kind: DataType, name: object, advice: str = "") -> InputError:
    dtype = values.dtype
    got = f"object ({value_kind(values)})" if dtype == object else str(dtype)
    exact = _EXACT.get(kind)
    expected = kind.value if exact is None else f"{kind.value} ({exact})"
    return ColumnTypeError(name, got, expected, _advice(got, kind) or advice)


def _advice(got: str, kind: DataType) -> str:
    if "decimal" in got and kind.is_numeric:
        return "decimals lose digits: cast the column to double yourself if that is what you mean"
    if got.startswith("category"):
        return "cast the categories with astype(str)"
    if kind is DataType.double and got in ("int64", "Int64", "uint64", "UInt64"):
        return "integers beyond 2**53 lose digits: cast with astype('float64') if yours are smaller"
    if kind is DataType.integer and got in ("int64", "Int64"):
        return "cast with astype('int32'), or declare the input as long"
    return ""


def _nested(values: Any, kind: Array | Map | Object | AnyType, name: object, required: bool) -> Any:
    """Lists and dicts, checked cell by cell; text and numbers inside are checked, never cast."""
    if isinstance(kind, AnyType):
        return values
    cells = _plain(values)
    for cell in cells:
        if is_missing(cell):
            if required:
                raise NullColumnError(name, repr(kind))
            continue
        problem = _misfit(cell, kind)
        if problem != "":
            raise ColumnTypeError(name, problem, repr(kind))
    return cells


def _misfit(value: Any, kind: ColumnType, path: str = "$") -> str:
    """What in a nested value does not fit, with its path; '' if all of it does."""
    if isinstance(kind, AnyType):
        return ""
    if isinstance(kind, Array):
        if not isinstance(value, (list, tuple, np.ndarray)):
            return f"{type(value).__name__} at {path}"
        if isinstance(value, np.ndarray) and value.dtype != object and isinstance(kind.dtype, DataType):
            fits = value.ndim == 1 and _scalar_fits(value.dtype, kind.dtype)
            return "" if fits else f"{value.dtype} array at {path}"
        if isinstance(kind.dtype, DataType) and _OF_TYPE.get(kind.dtype, frozenset()).issuperset(map(type, value)):
            return ""
        return _first(_misfit(item, kind.dtype, f"{path}[{at}]") for at, item in enumerate(value))
    if isinstance(kind, Map):
        if not isinstance(value, Mapping):
            return f"{type(value).__name__} at {path}"
        return _first(_misfit(item, kind.value_type, f"{path}.*") for item in value.values())
    if isinstance(kind, Object):
        return _object_misfit(value, kind, path)
    return "" if _is_scalar(value, kind) else f"{type(value).__name__} at {path}"


def _object_misfit(value: Any, kind: Object, path: str) -> str:
    if not isinstance(value, Mapping):
        return f"{type(value).__name__} at {path}"
    known = {prop.name: prop for prop in kind.properties}
    absent = [prop.name for prop in kind.properties if prop.required and value.get(prop.name) is None]
    if absent != []:
        return f"object at {path} without {listed(absent)}"
    unknown = sum(name not in known for name in value)
    if unknown > 0:
        # Their names stand in a row, so they may be a customer's data.
        return f"object at {path} with {unknown} unknown fields"
    present = [(name, item) for name, item in value.items() if item is not None]
    return _first(_misfit(item, known[name].dtype, f"{path}.{name}") for name, item in present)


def _first(problems: Any) -> str:
    return next((problem for problem in problems if problem != ""), "")


def _scalar_fits(dtype: np.dtype[Any], kind: DataType) -> bool:
    if kind in WIDENS:
        return dtype.name in WIDENS[kind]
    return dtype.kind == {DataType.string: "U", DataType.binary: "S", DataType.datetime: "M"}[kind]


def _is_scalar(value: Any, kind: DataType) -> bool:
    if isinstance(value, np.generic):
        return _scalar_fits(value.dtype, kind)
    if kind is DataType.boolean:
        return isinstance(value, bool)
    if kind in (DataType.integer, DataType.long):
        bits = 31 if kind is DataType.integer else 63
        return isinstance(value, int) and not isinstance(value, bool) and -(2**bits) <= value < 2**bits
    if kind in (DataType.float, DataType.double):
        return isinstance(value, float) or isinstance(value, int) and not isinstance(value, bool)
    if kind is DataType.string:
        return isinstance(value, str)
    if kind is DataType.binary:
        return isinstance(value, (bytes, bytearray))
    return hasattr(value, "year")


_OF_TYPE: dict[DataType, frozenset[type]] = {
    DataType.boolean: frozenset({bool}),
    DataType.float: frozenset({float, int}),
    DataType.double: frozenset({float, int}),
    DataType.string: frozenset({str}),
    DataType.binary: frozenset({bytes, bytearray}),
}
"""Python types of which every value is of the type: a list of them needs no look at each."""
_EXACT: dict[DataType, np.dtype[Any]] = {
    kind: kind.to_numpy()
    for kind in (DataType.boolean, DataType.integer, DataType.long, DataType.float, DataType.double)
}
_NULLABLE = {DataType.integer: "Int32", DataType.long: "Int64", DataType.boolean: "boolean"}
_CASTS: dict[DataType, Callable[[Any, DataType, object, bool], Any]] = {
    DataType.boolean: _boolean,
    DataType.integer: _number,
    DataType.long: _number,
    DataType.float: _number,
    DataType.double: _number,
    DataType.string: _string,
    DataType.binary: _binary,
    DataType.datetime: _datetime,
}

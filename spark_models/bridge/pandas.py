"""pandas columns as column types: the dtype decides, and for `object` columns the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spark_models.bridge import numpy as numpy_bridge
from spark_models.schema.datatypes import Array, ColumnType, DataType

VALUE_KINDS: dict[str, DataType] = {
    "boolean": DataType.boolean,
    "integer": DataType.long,
    "floating": DataType.double,
    "mixed-integer-float": DataType.double,
    "string": DataType.string,
    "bytes": DataType.binary,
    "datetime": DataType.datetime,
    "datetime64": DataType.datetime,
    "date": DataType.datetime,
}
"""What `pandas.api.types.infer_dtype` says of an object column's values, missing ones aside."""


def column_array(column: Any) -> Any:
    """A Series' values without a copy: a numpy array for numpy dtypes, else pandas' own array.

    >>> column_array(pd.Series([1.5]))
    array([1.5])
    """
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def value_kind(values: Any) -> str:
    """What the values of an object column are: a key of `VALUE_KINDS`, 'empty', 'mixed' or another kind.

    `bytearray` counts as bytes: pandas calls it mixed.

    >>> value_kind(np.array([1, None], dtype=object))
    'integer'
    """
    kind: str = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "mixed" and all(isinstance(value, (bytes, bytearray)) for value in values if not is_missing(value)):
        return "bytes"
    return kind


def is_missing(value: object) -> bool:
    """Whether a cell is None, NaN, NaT or NA; a list or array never is."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, (float, np.generic)) and bool(pd.isna(value))


def column_type(column: pd.Series[Any]) -> tuple[ColumnType, bool] | None:
    """The type of a column and whether it is required (has no missing values of a type without NaN).

    None where the format has no type: uint64, complex, categories, timedeltas, mixed or only missing values.

    >>> column_type(pd.Series([1, None], dtype=object))
    (double, True)
    """
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return DataType.datetime, True
    if isinstance(dtype, pd.StringDtype):
        return DataType.string, True
    if isinstance(dtype, pd.CategoricalDtype):
        return None
    if isinstance(dtype, pd.SparseDtype):
        return column_type(column.sparse.to_dense())
    if isinstance(dtype, pd.ArrowDtype):
        from spark_models.bridge import arrow

        found = arrow.column_type(dtype.pyarrow_dtype)
        return None if found is None else (found, not bool(column.isna().any()))
    if not isinstance(dtype, np.dtype):
        found = numpy_bridge.COLUMN_TYPE.get(str(getattr(dtype, "numpy_dtype", "")))
        # A floating column holds its missing values as NaN; integers and booleans have no such value.
        nulls = found not in (DataType.float, DataType.double) and bool(column.isna().any())
        return None if found is None else (found, not nulls)
    if dtype.kind == "O":
        return _by_values(column)
    found = numpy_bridge.column_type(dtype)
    return None if found is None else (found, True)


def _by_values(column: pd.Series[Any]) -> tuple[ColumnType, bool] | None:
    kind = value_kind(column.to_numpy())
    found = VALUE_KINDS.get(kind)
    if found is DataType.long and not _fit_64_bits(column):
        return None
    if found is DataType.long and bool(column.isna().any()):
        return DataType.double, True
    if found is DataType.boolean:
        return found, not bool(column.isna().any())
    if found is None and kind == "mixed":
        return _array(column)
    return None if found is None else (found, True)


def _fit_64_bits(column: pd.Series[Any]) -> bool:
    return all(is_missing(value) or -(2**63) <= value < 2**63 for value in column)


def _array(column: pd.Series[Any]) -> tuple[ColumnType, bool] | None:
    import pyarrow as pa

    from spark_models.bridge import arrow

    cells = [cell for cell in column if not is_missing(cell)]
    if not all(isinstance(cell, (list, tuple, np.ndarray)) for cell in cells):
        return None
    try:
        found = arrow.column_type(pa.array([list(cell) for cell in cells]).type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return None
    return (found, True) if isinstance(found, Array) else None

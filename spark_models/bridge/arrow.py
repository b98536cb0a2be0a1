"""Arrow types as column types, and Arrow columns as the numpy or pandas values that models take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_models.bridge import numpy as numpy_bridge
from spark_models.schema.datatypes import Array, ColumnType, DataType, Object


def column_type(kind: pa.DataType) -> ColumnType | None:
    """The column type of an Arrow type; None where the format has none (uint64, decimal, duration, struct, map).

    >>> column_type(pa.int16())
    integer
    >>> column_type(pa.list_(pa.float64()))
    array(double)
    """
    if pat.is_boolean(kind) or pat.is_integer(kind) or pat.is_floating(kind):
        return numpy_bridge.column_type(np.dtype(kind.to_pandas_dtype()))
    # By its name: Arrow before 16 has no string_view.
    if pat.is_string(kind) or pat.is_large_string(kind) or str(kind) == "string_view":
        return DataType.string
    if pat.is_binary(kind) or pat.is_large_binary(kind) or pat.is_fixed_size_binary(kind):
        return DataType.binary
    if pat.is_timestamp(kind) or pat.is_date(kind):
        return DataType.datetime
    if _is_list(kind):
        inner = column_type(kind.value_type)
        return None if inner is None else Array(inner)
    return None


def column_values(column: pa.Array | pa.ChunkedArray) -> Any:
    """A column's values as the 1-D numpy or pandas array that `bind.casts` takes; length kept, order kept.

    | Arrow | values | nulls become |
    | --- | --- | --- |
    | floating | float array, a view of the buffer where there is no null | NaN |
    | integer, boolean | numpy array without nulls, else pandas' nullable array | NA |
    | string, binary | object array | None |
    | timestamp | datetime64, in UTC where it has a zone | NaT |
    | date | datetime64[s] | NaT |
    | list, struct, map, decimal | object array of lists, dicts, Decimals | None |
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # combine_chunks of an empty column keeps it chunked before Arrow 17
        array = pa.array([], type=column.type)
    kind = array.type
    if pat.is_floating(kind):
        return array.to_numpy(zero_copy_only=False)
    if pat.is_integer(kind) or pat.is_boolean(kind):
        return array.to_numpy(zero_copy_only=False) if array.null_count == 0 else _nullable(array)
    if pat.is_timestamp(kind):
        return array.cast(pa.timestamp(kind.unit)).to_numpy(zero_copy_only=False)
    if pat.is_date(kind):
        return array.cast(pa.timestamp("s")).to_numpy(zero_copy_only=False)
    if pat.is_dictionary(kind):
        return column_values(array.dictionary_decode())
    if pat.is_nested(kind):
        values = np.empty(len(array), dtype=object)
        cells = array.to_pylist()
        values[:] = [_with_dicts(cell, kind) for cell in cells] if holds(kind, pat.is_map) else cells
        return values
    if pat.is_string(kind) and _repeats(array):
        # One object for equal texts: it is made once, and models that look texts up hash it once.
        return array.to_pandas(deduplicate_objects=True).to_numpy()
    return array.to_numpy(zero_copy_only=False)


def holds(kind: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type passes a test, or one that is nested in it.

    >>> holds(pa.list_(pa.map_(pa.string(), pa.int64())), pat.is_map)
    True
    """
    return bool(test(kind)) or any(holds(kind.field(at).type, test) for at in range(kind.num_fields))


def dense_values(column: pa.Array) -> Any:
    """Numbers, or lists of numbers that are all of one length, as an array with an axis for each level of lists.

    A view of Arrow's buffer where there is no null; null becomes NaN in floats. None where there is no such array:
    for lists of different lengths, null lists, integers with nulls, and other types.

    >>> dense_values(pa.array([[1.5, 2.5], [3.5, None]]))
    array([[1.5, 2.5],
           [3.5, nan]])
    """
    kind = column.type
    if _is_list(kind):
        if column.null_count > 0 or len(column) == 0:
            return None
        flat = column.flatten()
        width = len(flat) // len(column)
        if not bool((column.value_lengths().to_numpy() == width).all()):
            return None
        inner = dense_values(flat)
        return None if inner is None else inner.reshape(len(column), width, *inner.shape[1:])
    whole = pat.is_integer(kind) or pat.is_boolean(kind)
    if not pat.is_floating(kind) and not (whole and column.null_count == 0):
        return None
    return column.to_numpy(zero_copy_only=False)


def filled_cells(column: pa.Array, kind: ColumnType) -> list[Any] | None:
    """A column's values as Python's, lists and dicts as well, if it holds exactly `kind` and no null; else None.

    Arrow makes such values one by one; here those of a field, or of all lists of a column, are made at once.

    >>> filled_cells(pa.array([[1.5], [2.5, 3.5]]), Array(DataType.double))
    [[1.5], [2.5, 3.5]]
    """
    if column.null_count > 0:
        return None
    if isinstance(kind, DataType):
        fits = kind not in (DataType.datetime, DataType.binary) and column_type(column.type) == kind
        return column_values(column).tolist() if fits else None
    if isinstance(kind, Array) and _is_list(column.type):
        flat = filled_cells(column.flatten(), kind.dtype)
        if flat is None:
            return None
        stops = np.cumsum(column.value_lengths().to_numpy()).tolist()
        return [flat[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]
    if isinstance(kind, Object) and pat.is_struct(column.type):
        names = [field.name for field in column.type]
        kinds = {prop.name: prop.dtype for prop in kind.properties}
        if len(names) != len(kinds) or set(names) != set(kinds) or names == []:
            return None
        fields = [filled_cells(part, kinds[name]) for name, part in zip(names, column.flatten(), strict=True)]
        filled = [field for field in fields if field is not None]
        if len(filled) < len(fields):
            return None
        return [dict(zip(names, row, strict=True)) for row in zip(*filled, strict=True)]
    return None


def _is_list(kind: pa.DataType) -> bool:
    return bool(pat.is_list(kind) or pat.is_large_list(kind) or pat.is_fixed_size_list(kind))


def _repeats(texts: pa.Array) -> bool:
    """Whether the first texts say that each comes several times; where all are different, looking them up costs."""
    first = texts.slice(0, 256)
    return 2 * len(first.unique()) < len(first)


def _nullable(array: pa.Array) -> Any:
    import pandas as pd

    mask = array.is_null().to_numpy(zero_copy_only=False)
    filled = pc.fill_null(array, False if pat.is_boolean(array.type) else 0).to_numpy(zero_copy_only=False)
    if pat.is_boolean(array.type):
        return pd.arrays.BooleanArray(filled, mask)
    return pd.arrays.IntegerArray(np.array(filled), mask)


def _with_dicts(cell: Any, kind: pa.DataType) -> Any:
    """A cell with a dict for each map in it, of which Arrow makes a list of pairs."""
    if cell is None or not pat.is_nested(kind):
        return cell
    if pat.is_map(kind):
        return {key: _with_dicts(item, kind.item_type) for key, item in cell}
    if pat.is_struct(kind):
        return {field.name: _with_dicts(cell[field.name], field.type) for field in kind}
    return [_with_dicts(item, kind.value_type) for item in cell]

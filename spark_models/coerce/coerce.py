"""`coerce_output`: the fourth step of a score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spark_models.bridge.pandas import is_missing, value_kind
from spark_models.coerce.instants import dates, timestamps
from spark_models.coerce.output import Column, Output, output_columns
from spark_models.coerce.result_type import ResultType
from spark_models.errors import NoMatchingOutputError, OutputValueError

_FITS: dict[str, frozenset[str]] = {
    "int": frozenset({"int8", "int16", "int32", "uint8", "uint16"}),
    "bigint": frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"}),
}
_NUMERIC = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"}
)


def coerce_output(output: Any, result_type: ResultType, rows: int) -> pa.Array:
    """A model's output for `rows` rows as one Arrow array of the result type's Arrow type, length `rows`.

    | result type | which outputs |
    | --- | --- |
    | int, long | the leftmost whose dtype fits |
    | float, double | the leftmost numeric one, cast |
    | string | the leftmost one, as text |
    | boolean, date, timestamp, binary, decimal | the leftmost of that kind |
    | array<T> | all that T would take, in order; or one column of lists |
    | map<string, T> | the same, under their names; or one column of dicts |
    | struct<name: T, …> | the one of each name |

    A dtype decides, not the values: int64 does not fit int, and object columns of Python numbers are not numeric.
    Missing values (None, NaN, NaT) become null everywhere, inside arrays as well. An object column without any value
    says nothing of its type: it is taken, as nulls, where no other one fits.

    Raises:
        RowCountError: [ROW_COUNT] the model gave another number of rows.
        NoMatchingOutputError: [NO_MATCHING_OUTPUT] no output is of the result type.
        UnsupportedOutputError: [UNSUPPORTED_OUTPUT] the output has no columns.
        OutputValueError: [OUTPUT_VALUE] a value can't be held by the type, as a decimal of too many digits.
    Source: the Models document, "Export a python_function model as an Apache Spark UDF".

    >>> from spark_models.coerce.result_type import parse_result_type
    >>> coerce_output(np.array([[0.5, np.nan]]), parse_result_type("array<double>"), 1).to_pylist()
    [[0.5, None]]
    """
    found = output_columns(output, rows)
    if rows == 0:
        return pa.array([], type=result_type.arrow)
    if result_type.kind == "struct":
        return _struct(found, result_type)
    if result_type.kind == "array":
        return _array(found, result_type)
    if result_type.kind == "map":
        return _map(found, result_type)
    return _scalar(_leftmost(found, result_type), result_type)


def fits(column: Column, result_type: ResultType) -> bool:
    """Whether an output's dtype, and for object columns its values, are of a scalar result type."""
    kind = result_type.kind
    name = _numpy_name(column.dtype)
    if kind in _FITS:
        return name in _FITS[kind]
    if kind in ("float", "double"):
        return name in _NUMERIC
    if kind == "string":
        return True
    if kind == "boolean":
        return name == "bool" or (column.dtype == object and value_kind(column.values) == "boolean")
    if kind in ("date", "timestamp"):
        return _is_datetime(column)
    if kind == "binary":
        return getattr(column.dtype, "kind", "") == "S" or (
            column.dtype == object and value_kind(column.values) == "bytes"
        )
    return kind == "decimal" and column.dtype == object and value_kind(column.values) == "decimal"


def _numpy_name(dtype: Any) -> str:
    return dtype.name if isinstance(dtype, np.dtype) else str(getattr(dtype, "numpy_dtype", ""))


def _is_datetime(column: Column) -> bool:
    if getattr(column.dtype, "kind", "") == "M":
        return True
    return column.dtype == object and value_kind(column.values) in ("date", "datetime", "datetime64")


def _leftmost(output: Output, result_type: ResultType) -> Column:
    for column in output.columns:
        if fits(column, result_type):
            return column
    for column in output.columns:
        if _is_gap(column):
            return _nulls(column)
    raise _no_match(output, result_type)


def _is_gap(column: Column) -> bool:
    """Whether an object column has no value at all in this batch: other batches say of which type it is."""
    return column.dtype == object and value_kind(column.values) == "empty"


def _nulls(column: Column) -> Column:
    return Column(column.name, pa.nulls(len(column.values)))


def _no_match(output: Output, result_type: ResultType, name: str | None = None) -> NoMatchingOutputError:
    described = tuple((column.name, str(column.dtype)) for column in output.columns)
    return NoMatchingOutputError(result_type.ddl, described, name)


def _scalar(column: Column, result_type: ResultType) -> pa.Array:
    try:
        return _converted(column.values, result_type)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:  # Arrow's and pandas' are among these
        raise OutputValueError(column.name, result_type.ddl) from error


def _converted(values: Any, result_type: ResultType) -> pa.Array:
    kind = result_type.kind
    if isinstance(values, pa.NullArray):
        return values.cast(result_type.arrow)
    if kind in ("int", "bigint", "float", "double"):
        return _numbers(values, result_type.arrow)
    if kind == "string":
        return _texts(values)
    if kind == "date":
        return dates(values)
    if kind == "timestamp":
        return timestamps(values, result_type.zone)
    return pa.array(values, type=result_type.arrow, from_pandas=True)


def _numbers(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, np.ndarray):
        wanted = np.dtype(kind.to_pandas_dtype())
        with np.errstate(over="ignore"):  # a double too large for a float is infinite, as Spark casts it
            cast = values.astype(wanted, copy=False)
        # from_pandas makes NaN null and copies; without it, and without a NaN, the array is a view of the values.
        return pa.array(cast, from_pandas=cast.dtype.kind == "f" and bool(np.isnan(cast).any()))
    found = pa.array(values, from_pandas=True).cast(kind, safe=False)
    # pandas' nullable floats hold NaN beside NA, and from_pandas looks at the mask alone.
    return pc.if_else(pc.is_nan(found), None, found) if pa.types.is_floating(kind) else found


def _texts(values: Any) -> pa.Array:
    """Values as `str` shows them; pandas and Spark agree with it on numbers, booleans and dates."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return pa.array(values).cast(pa.string())
    if isinstance(values, np.ndarray) and values.dtype == object and value_kind(values) == "string":
        return pa.array(values, type=pa.string(), from_pandas=True)
    import pandas as pd

    # Through a Series a datetime64 or float32 value is the Timestamp or number that a user sees.
    return pa.array([None if is_missing(value) else str(value) for value in pd.Series(values)], type=pa.string())


def _array(output: Output, result_type: ResultType) -> pa.Array:
    element = result_type.element
    if output.matrix is not None and element.kind in ("float", "double", "int", "bigint"):
        return _from_matrix(output, element, result_type)
    if len(output.columns) == 1 and _is_lists(output.columns[0]):
        return _from_lists(output.columns[0], result_type.element, result_type)
    chosen = [
        column if fits(column, element) else _nulls(column)
        for column in output.columns
        if fits(column, element) or output.uniform and _is_gap(column)
    ]
    if chosen == []:
        return _without_values(output, result_type)
    return _interleaved([_scalar(column, element) for column in chosen], result_type.arrow)


def _without_values(output: Output, result_type: ResultType) -> pa.Array:
    """Nulls for a batch of one column that has lists in other batches, or one null in each list for several columns."""
    gaps = [_nulls(column).values for column in output.columns if _is_gap(column)]
    if gaps == []:
        raise _no_match(output, result_type)
    if len(output.columns) == 1:
        return gaps[0].cast(result_type.arrow)
    return _interleaved([gap.cast(result_type.element.arrow) for gap in gaps], result_type.arrow)


def _from_matrix(output: Output, element: ResultType, result_type: ResultType) -> pa.Array:
    matrix = output.matrix
    if not fits(output.columns[0], element):
        raise _no_match(output, result_type)
    flat = _numbers(np.ascontiguousarray(matrix).reshape(-1), element.arrow)
    width = matrix.shape[1]
    offsets = pa.array(np.arange(0, (len(matrix) + 1) * width, width, dtype="int32")[: len(matrix) + 1])
    return pa.ListArray.from_arrays(offsets, flat)


def _is_lists(column: Column) -> bool:
    if column.dtype != object:
        return False
    return any(isinstance(value, (list, tuple, np.ndarray)) for value in column.values)


def _from_lists(column: Column, element: ResultType, result_type: ResultType) -> pa.Array:
    """A column of lists: its cells end to end are one output of the element type. An error names the result type."""
    if element.kind in ("array", "map", "struct"):
        return _nested(column, ResultType("array", element))
    missing = np.fromiter((not isinstance(cell, (list, tuple, np.ndarray)) for cell in column.values), bool)
    inner = _end_to_end(column, [cell for cell, absent in zip(column.values, missing, strict=True) if not absent])
    if not isinstance(inner.values, pa.NullArray) and not fits(inner, element):
        cells = "dicts" if result_type.kind == "map" else "lists"
        raise NoMatchingOutputError(result_type.ddl, ((column.name, f"{cells} of {inner.dtype}"),), None)
    lengths = np.zeros(len(missing), dtype="int32")
    lengths[~missing] = [len(cell) for cell, absent in zip(column.values, missing, strict=True) if not absent]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype("int32")
    mask = pa.array(missing) if bool(missing.any()) else None
    return pa.ListArray.from_arrays(pa.array(starts), _scalar(inner, element), mask=mask)


def _is_dicts(column: Column) -> bool:
    return column.dtype == object and any(isinstance(value, dict) for value in column.values)


def _from_dicts(column: Column, result_type: ResultType) -> pa.Array:
    """A column of dicts: their values are one output of the element type, as those of lists are."""
    found = [cell if isinstance(cell, dict) else None for cell in column.values]
    lists = np.empty(len(found), dtype=object)
    lists[:] = [None if cell is None else list(cell.values()) for cell in found]
    values = _from_lists(Column(column.name, lists), result_type.element, result_type)
    names = pa.array([str(name) for cell in found if cell is not None for name in cell], type=pa.string())
    # A map without a value is one whose offset has none.
    absent = np.array([*(cell is None for cell in found), False])
    return pa.MapArray.from_arrays(pa.array(values.offsets.to_numpy(), mask=absent), names, values.values)


def _as_array(cell: Any) -> Any:
    # numpy's own text drops zero characters at its end.
    return np.asarray(cell, dtype=object if isinstance(cell[0], (str, bytes)) else None)


def _end_to_end(column: Column, cells: list[Any]) -> Column:
    """The values of all lists, end to end, as one column."""
    import pandas as pd

    # An empty list is an array of floats to numpy, and would make floats of the integers beside it.
    filled = [cell for cell in cells if len(cell) > 0]
    if filled == []:
        return Column(column.name, pa.nulls(0))
    try:
        flat = np.concatenate([_as_array(cell) for cell in filled])
    except ValueError as error:
        raise OutputValueError(column.name, "a list of plain values") from error
    if flat.ndim > 1:
        raise OutputValueError(column.name, "a list of plain values")
    if flat.dtype != object:
        return Column(column.name, flat)
    kind = value_kind(flat)
    if kind == "empty":
        return Column(column.name, pa.nulls(len(flat)))
    # Numbers and None become pandas' nullable numbers.
    numbers = kind in ("integer", "floating", "mixed-integer-float")
    return Column(column.name, pd.array(flat) if numbers else flat)


def _nested(column: Column, kind: ResultType) -> pa.Array:
    """Cells that are lists, dicts or arrays, as Arrow understands them."""
    try:
        return pa.array([_listed(cell) for cell in column.values], type=kind.arrow, from_pandas=True)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
        raise OutputValueError(column.name, kind.ddl) from error


def _listed(cell: Any) -> Any:
    """A cell with lists in place of arrays, in which Arrow takes one axis only."""
    if isinstance(cell, np.ndarray):
        return cell.tolist() if cell.dtype != object else [_listed(item) for item in cell]
    if isinstance(cell, (list, tuple)):
        return [_listed(item) for item in cell]
    return {name: _listed(item) for name, item in cell.items()} if isinstance(cell, dict) else cell


def _interleaved(columns: list[pa.Array], kind: pa.DataType) -> pa.Array:
    """Columns side by side as lists, one a row: the values are gathered in one take, without a Python row."""
    rows, width = len(columns[0]), len(columns)
    order = np.arange(rows * width).reshape(width, rows).T.reshape(-1)
    flat = pa.concat_arrays(columns).take(pa.array(order))
    offsets = pa.array(np.arange(0, rows * width + 1, width, dtype="int32"))
    return pa.ListArray.from_arrays(offsets, flat).cast(kind)


def _map(output: Output, result_type: ResultType) -> pa.Array:
    element = result_type.element
    if len(output.columns) == 1 and _is_dicts(output.columns[0]):
        return _from_dicts(output.columns[0], result_type)
    chosen = [column for column in output.columns if fits(column, element)]
    if chosen == []:
        chosen = [_nulls(column) for column in output.columns if _is_gap(column)]
    if chosen == []:
        raise _no_match(output, result_type)
    values = _interleaved([_scalar(column, element) for column in chosen], pa.list_(element.arrow))
    names = pa.array([column.name for column in chosen] * len(values), type=pa.string())
    return pa.MapArray.from_arrays(values.offsets, names, values.values)


def _struct(output: Output, result_type: ResultType) -> pa.Array:
    by_name = {column.name: column for column in reversed(output.columns)}
    arrays = []
    for name, kind in result_type.fields:
        column = by_name.get(name)
        if column is None:
            # An array field gathers the columns that a tensor output of this name was split into.
            parts = tuple(item for item in output.columns if item.name.startswith(f"{name}."))
            if kind.kind != "array" or parts == ():
                raise _no_match(output, result_type, name)
            arrays.append(_array(Output(parts), kind))
            continue
        arrays.append(_field(column, kind, result_type, output))
    fields = [pa.field(name, kind.arrow) for name, kind in result_type.fields]
    return pa.StructArray.from_arrays(arrays, fields=fields)


def _field(column: Column, kind: ResultType, result_type: ResultType, output: Output) -> pa.Array:
    if kind.kind == "array":
        return _array(Output((column,)), kind)
    if kind.kind in ("struct", "map"):
        return _nested(column, kind)
    if fits(column, kind):
        return _scalar(column, kind)
    if _is_gap(column):
        return _scalar(_nulls(column), kind)
    raise _no_match(output, result_type, column.name)

"""The columns of an incoming batch as the values that a plan binds, from Arrow arrays and from pandas Series."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_models.bind.casts import cast_column
from spark_models.bind.columns import bind_columns
from spark_models.bridge.arrow import column_values, dense_values, filled_cells, holds
from spark_models.bridge.pandas import column_array
from spark_models.errors import ColumnCountError, InputError, StructNotAloneError, VectorColumnError
from spark_models.schema.datatypes import AnyType, Array, DataType, Map, Object
from spark_models.schema.schema import Schema
from spark_models.schema.specs import Spec, TensorSpec
from spark_models.scoring.plan import BindPlan
from spark_models.scoring.scorer import Bind

_VECTOR = ["type", "size", "indices", "values"]
"""The fields of the struct that Spark stores an ML vector in."""


@dataclass(frozen=True, slots=True)
class ArrowBatch:
    """A batch of Arrow arrays."""

    columns: Sequence[pa.Array]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.columns[0])

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return sum(column.nbytes for column in self.columns)

    def bind(self, plan: BindPlan, timezone: str) -> Bind:
        """How the model's input is made of it; see `bind_arrow`."""
        return bind_arrow(plan, self.columns, timezone)


@dataclass(frozen=True, slots=True)
class PandasBatch:
    """A batch of pandas Series, or the one DataFrame that a struct has become."""

    columns: Sequence[Any]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.columns[0])

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes, with its Python objects."""
        frames = [column if isinstance(column, pd.DataFrame) else column.to_frame() for column in self.columns]
        return sum(_bytes_of(frame.iloc[:, at]) for frame in frames for at in range(frame.shape[1]))

    def bind(self, plan: BindPlan, timezone: str) -> Bind:
        """How the model's input is made of it; see `bind_pandas`. Spark has shown instants in the zone already."""
        return bind_pandas(plan, self.columns)


def _bytes_of(column: Any) -> int:
    """The bytes of a Series with its cells'; pandas takes an array in a cell for the few bytes of its head."""
    if column.dtype != object:
        return int(column.memory_usage(index=False, deep=True))
    return 8 * len(column) + sum(map(_bytes_of_cell, column.array))


def _bytes_of_cell(cell: Any) -> int:
    if isinstance(cell, np.ndarray):
        inner = sum(map(_bytes_of_cell, cell.flat)) if cell.dtype == object else 0
        return int(cell.nbytes) + inner
    if isinstance(cell, dict):
        return sys.getsizeof(cell) + sum(map(_bytes_of_cell, cell.values()))
    if isinstance(cell, (list, tuple)):
        return sys.getsizeof(cell) + sum(map(_bytes_of_cell, cell))
    return sys.getsizeof(cell)


def bind_arrow(plan: BindPlan, columns: Sequence[pa.Array], timezone: str) -> Bind:
    """Binds slices of Arrow columns: one packed array of doubles, one struct, or the columns themselves.

    Raises:
        InputError: the columns are not as many as the inputs, or not of the kind; `_inputs_as_fields` says which.
    """
    if plan.packed:
        return _matrix(plan, packed_matrix(columns[0]))
    fields = [[field.name for field in column.type] if pat.is_struct(column.type) else None for column in columns]
    names = _inputs_as_fields(plan, fields)
    if names is None:
        return _declared(plan, columns, timezone)
    plan, chosen = fields_of(plan, names)
    parts = columns[0].flatten()
    return _declared(plan, [parts[at] for at in chosen], timezone, [names[at] for at in chosen])


def _inputs_as_fields(plan: BindPlan, fields: Sequence[list[str] | None]) -> list[str] | None:
    """The names in the one struct that holds the inputs, by the fields of each column; None where columns are inputs.

    Raises:
        ColumnCountError: [COLUMN_COUNT] another number of columns than inputs: SQL is not checked on the driver.
        StructNotAloneError: [STRUCT_NOT_ALONE] a struct beside other columns, for a model without signature.
        VectorColumnError: [VECTOR_COLUMN] a column is a Spark ML vector.
    """
    if _VECTOR in fields:
        position = fields.index(_VECTOR)
        raise VectorColumnError(plan.labels[position] if position < len(plan.labels) else str(position))
    first = fields[0]
    if plan.specs == ():
        if any(names is not None for names in fields) and len(fields) > 1:
            raise StructNotAloneError(len(fields))
        return first
    is_input = len(plan.specs) == 1 and isinstance(plan.specs[0].type, (Object, Map, AnyType))
    if len(fields) == 1 and first is not None and not is_input:
        return first
    if len(fields) != len(plan.specs):
        raise ColumnCountError(len(plan.specs), len(fields))
    return None


def _declared(plan: BindPlan, columns: Sequence[pa.Array], timezone: str, labels: Sequence[str] | None = None) -> Bind:
    """Binds slices of Arrow columns, each made what its spec says where Arrow does that at once."""
    if plan.specs == ():
        return _columns(plan, [pandas_values(column, timezone) for column in columns], labels)
    values: list[Any] = []
    fitting: set[int] = set()
    for position, (column, spec) in enumerate(zip(columns, plan.specs, strict=True)):
        dense = dense_values(column) if isinstance(spec, TensorSpec) else None
        cells = _filled(column, spec)
        if dense is not None:
            values.append(dense)
        elif cells is not None:
            values.append(cells)
            fitting.add(position)
        else:
            values.append(arrow_values(column, timezone))
            if spec.type is DataType.string and pat.is_string(column.type):
                fitting.add(position)
    return _columns(plan, values, labels, fitting)


def _filled(column: pa.Array, spec: Spec) -> Any:
    """A column that holds exactly the nested values which are declared, as an object array of them; None for others."""
    if not isinstance(spec.type, (Array, Object)):
        return None
    with _uncollected():
        cells = filled_cells(column, spec.type)
    if cells is None:
        return None
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return values


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without looks for garbage: thousands of new lists and dicts bring on one after the other, and none is garbage.

    It halves what lists of 20 doubles cost.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def bind_pandas(plan: BindPlan, columns: Sequence[Any]) -> Bind:
    """Binds slices of pandas Series, or of the one DataFrame that a struct has become.

    Raises:
        InputError: the columns are not as many as the inputs, or not of the kind; `_inputs_as_fields` says which.
    """
    fields = [list(map(str, column.columns)) if isinstance(column, pd.DataFrame) else None for column in columns]
    names = _inputs_as_fields(plan, fields)
    if names is not None:
        plan, chosen = fields_of(plan, names)
        values = [_as_of_a_column(column_array(columns[0].iloc[:, at])) for at in chosen]
        values = [_with_gaps(column, kind) for column, kind in zip(values, _kinds(plan, len(values)), strict=True)]
        return _columns(plan, values, [names[at] for at in chosen])
    kinds = _kinds(plan, len(columns))
    values = [_with_gaps(_cells(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    texts = {at for at, kind in enumerate(kinds) if kind is DataType.string and values[at].dtype == object}
    return _columns(plan, values, fitting=texts if plan.guarded else set())


def _kinds(plan: BindPlan, columns: int) -> Sequence[object]:
    """The declared type of each column; None without a signature."""
    return [spec.type for spec in plan.specs] if plan.specs != () else [None] * columns


def _cells(column: Any) -> Any:
    """A column's values; those of a struct, which Spark has made a DataFrame of, as dicts."""
    if not isinstance(column, pd.DataFrame):
        return column_array(column)
    cells = np.empty(len(column), dtype=object)
    cells[:] = column.to_dict("records")
    return cells


def _as_of_a_column(values: Any) -> Any:
    """A struct's field as a column by itself would come.

    In structs alone Spark 4.2 makes nullable integers of those with nulls, and 3.5 gives timestamps in microseconds.
    """
    if isinstance(values, pd.arrays.IntegerArray):
        return values.to_numpy(dtype="float64", na_value=np.nan)
    if getattr(values.dtype, "kind", "") == "M" and values.dtype != "datetime64[ns]":
        return pd.DatetimeIndex(values).as_unit("ns").to_numpy()
    return values


def _with_gaps(values: Any, kind: object) -> Any:
    """Integers with nulls as pandas' nullable integers: Spark's conversion has made floats of them.

    It is done before the batch is sliced: a slice without nulls could not tell any more what it was.
    """
    if kind not in (DataType.integer, DataType.long) or getattr(values, "dtype", None) != np.dtype("float64"):
        return values
    if not bool(np.isnan(values).any()):
        return values
    try:
        return cast_column(values, kind, "", required=False)
    except InputError:
        return values  # digits were lost: the plan says so with the column's name


def packed_matrix(column: pa.Array) -> np.ndarray[Any, Any]:
    """An array column whose lists are all of one length as a matrix of doubles, null as NaN; a view where it can be."""
    values: np.ndarray[Any, Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.astype("float64", copy=False).reshape(len(column), -1)


def fields_of(plan: BindPlan, fields: Sequence[str]) -> tuple[BindPlan, list[int]]:
    """Which fields of a struct are the inputs, and the plan for these: all without a signature, else its names'."""
    if plan.specs == ():
        return plan, list(range(len(fields)))
    positions = bind_columns(fields, Schema(plan.specs))
    found = [position for position in positions if position is not None]
    if len(found) < len(positions):
        each = zip(plan.specs, plan.labels, positions, strict=True)
        given = [(spec, label) for spec, label, position in each if position is not None]
        plan = replace(plan, specs=tuple(spec for spec, _ in given), labels=tuple(label for _, label in given))
    return plan, found


def arrow_values(column: pa.Array, timezone: str) -> Any:
    """An Arrow column's values for a declared type: integers and booleans keep their type beside nulls."""
    if pat.is_timestamp(column.type):
        return column_values(_wall_clock(column, timezone))
    return pandas_values(column, timezone) if pat.is_nested(column.type) else column_values(column)


def pandas_values(column: pa.Array, timezone: str) -> Any:
    """An Arrow column's values as Spark's own pandas conversion has them: what a pandas UDF would get."""
    shown = _wall_clock(column, timezone)
    return shown.to_pandas(coerce_temporal_nanoseconds=True, maps_as_pydicts="strict").to_numpy()


def _wall_clock(column: pa.Array, timezone: str) -> pa.Array:
    """Instants, nested ones too, as the wall clock of the session's zone shows them, as Spark's pandas conversion does.

    Any other column is given back as it is.
    """
    kind = column.type
    if not holds(kind, _is_instant):
        return column
    if pat.is_timestamp(kind):
        return pc.local_timestamp(column.cast(pa.timestamp(kind.unit, tz=timezone)))
    if pat.is_struct(kind):
        parts = [_wall_clock(part, timezone) for part in column.flatten()]
        return pa.StructArray.from_arrays(parts, [field.name for field in kind], mask=column.is_null())
    if pat.is_fixed_size_list(kind):
        column = column.cast(pa.list_(kind.value_type))
    nulls = column.is_null().to_numpy(zero_copy_only=False)
    offsets = column.offsets.to_numpy()
    if bool(np.diff(offsets)[nulls].any()):  # a null that holds values: they are left out
        column = column.take(pa.array(np.arange(len(column))))
        offsets = column.offsets.to_numpy()
    # A null in the offsets makes a null list.
    starts = pa.array((offsets - offsets[0]).astype("int32"), mask=np.append(nulls, False))
    parts = [column.keys, column.items] if pat.is_map(kind) else [column.values]
    shown = [_wall_clock(part.slice(offsets[0], offsets[-1] - offsets[0]), timezone) for part in parts]
    return (pa.MapArray if pat.is_map(kind) else pa.ListArray).from_arrays(starts, *shown)


def _is_instant(kind: pa.DataType) -> bool:
    return pat.is_timestamp(kind) and kind.tz is not None


def _matrix(plan: BindPlan, matrix: np.ndarray[Any, Any]) -> Bind:
    def bind(start: int, stop: int) -> Any:
        return plan.of_matrix(matrix[start:stop])

    return bind


def _columns(
    plan: BindPlan, values: list[Any], labels: Sequence[str] | None = None, fitting: Collection[int] = frozenset()
) -> Bind:
    def bind(start: int, stop: int) -> Any:
        return plan.bind([column[start:stop] for column in values], labels, fitting)

    return bind

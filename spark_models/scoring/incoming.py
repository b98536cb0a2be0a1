"""The columns of an incoming batch as the values that a plan binds, from Arrow arrays and from pandas Series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_models.bind.casts import cast_column
from spark_models.bind.columns import bind_columns
from spark_models.bridge.arrow import column_values
from spark_models.bridge.pandas import column_array
from spark_models.errors import InputError, StructNotAloneError
from spark_models.schema.datatypes import DataType
from spark_models.schema.schema import Schema
from spark_models.scoring.plan import BindPlan
from spark_models.scoring.scorer import Bind


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
        return sum(int(frame.memory_usage(index=False, deep=True).sum()) for frame in frames)

    def bind(self, plan: BindPlan, timezone: str) -> Bind:
        """How the model's input is made of it; see `bind_pandas`. Spark has shown instants in the zone already."""
        return bind_pandas(plan, self.columns)


def bind_arrow(plan: BindPlan, columns: Sequence[pa.Array], timezone: str) -> Bind:
    """Binds slices of Arrow columns: one packed array of doubles, one struct, or the columns themselves.

    Raises:
        StructNotAloneError: [STRUCT_NOT_ALONE] a struct beside other columns, for a model without signature.
    """
    if plan.packed:
        return _matrix(plan, packed_matrix(columns[0]))
    values = pandas_values if plan.specs == () else arrow_values
    if any(pat.is_struct(column.type) for column in columns) and len(plan.specs) <= 1:
        _alone(columns)
        struct = columns[0]
        names = [field.name for field in struct.type]
        chosen = fields_of(plan, names)
        parts = struct.flatten()
        return _columns(plan, [values(parts[at], timezone) for at in chosen], [names[at] for at in chosen])
    return _columns(plan, [values(column, timezone) for column in columns])


def bind_pandas(plan: BindPlan, columns: Sequence[Any]) -> Bind:
    """Binds slices of pandas Series, or of the one DataFrame that a struct has become.

    Raises:
        StructNotAloneError: [STRUCT_NOT_ALONE] a struct beside other columns.
    """
    if any(isinstance(column, pd.DataFrame) for column in columns):
        _alone(columns)
        names = [str(name) for name in columns[0].columns]
        chosen = fields_of(plan, names)
        values = [_as_of_a_column(column_array(columns[0].iloc[:, at])) for at in chosen]
        return _columns(plan, values, [names[at] for at in chosen])
    kinds = [spec.type for spec in plan.specs] if len(plan.specs) == len(columns) else [None] * len(columns)
    values = [_with_gaps(column_array(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    return _columns(plan, values)


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


def fields_of(plan: BindPlan, fields: Sequence[str]) -> list[int]:
    """Which fields of a struct are the inputs: all without a signature, else those of its names."""
    if plan.specs == ():
        return list(range(len(fields)))
    positions = bind_columns(fields, Schema(plan.specs))
    return [position for position in positions if position is not None]


def arrow_values(column: pa.Array, timezone: str) -> Any:
    """An Arrow column's values for a declared type: integers and booleans keep their type beside nulls."""
    if pat.is_timestamp(column.type):
        return column_values(_wall_clock(column, timezone))
    return pandas_values(column, timezone) if pat.is_nested(column.type) else column_values(column)


def pandas_values(column: pa.Array, timezone: str) -> Any:
    """An Arrow column's values as Spark's own pandas conversion has them: what a pandas UDF would get."""
    shown = _wall_clock(column, timezone) if pat.is_timestamp(column.type) else column
    return shown.to_pandas(coerce_temporal_nanoseconds=True, maps_as_pydicts="strict").to_numpy()


def _wall_clock(column: pa.Array, timezone: str) -> pa.Array:
    """Instants as the wall clock of the session's zone shows them, as Spark's own pandas conversion does."""
    if column.type.tz is None:
        return column
    return pc.local_timestamp(column.cast(pa.timestamp(column.type.unit, tz=timezone)))


def _alone(columns: Sequence[Any]) -> None:
    if len(columns) > 1:
        raise StructNotAloneError(len(columns))


def _matrix(plan: BindPlan, matrix: np.ndarray[Any, Any]) -> Bind:
    def bind(start: int, stop: int) -> Any:
        return plan.of_matrix(matrix[start:stop])

    return bind


def _columns(plan: BindPlan, values: list[Any], labels: Sequence[str] | None = None) -> Bind:
    def bind(start: int, stop: int) -> Any:
        return plan.bind([column[start:stop] for column in values], labels)

    return bind

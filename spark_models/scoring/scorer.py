"""`BatchScorer`: what a worker does with one batch, whichever transport brought it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_models.bridge.arrow import column_values
from spark_models.coerce.coerce import coerce_output
from spark_models.coerce.result_type import ResultType
from spark_models.errors import StructNotAloneError
from spark_models.scoring.place import PackageRef
from spark_models.scoring.plan import BindPlan
from spark_models.scoring.resident import resident_model


@dataclass(frozen=True, slots=True)
class BatchScorer:
    """A score of one batch: bind by the plan, predict with the resident model, coerce to the result type.

    Small and picklable: it names the package by its hash, and the model itself stays in the worker process.
    """

    package: PackageRef
    plan: BindPlan
    result_type: ResultType
    method: str | None = None
    params: tuple[tuple[str, Any], ...] = ()
    timezone: str = "UTC"

    def score(self, bound: Any, rows: int) -> pa.Array:
        """The predictions for input that is bound already: an Arrow array of the result type, length `rows`."""
        if rows == 0:
            return pa.array([], type=self.result_type.arrow)
        model = resident_model(self.package, self.method)
        params = dict(self.params) if self.params != () else None
        return coerce_output(model.predict_bound(bound, params), self.result_type, rows)

    def score_columns(self, columns: Sequence[Any], rows: int, labels: Sequence[str] | None = None) -> pa.Array:
        """The predictions for columns that are 1-D numpy or pandas arrays."""
        if rows == 0:
            return pa.array([], type=self.result_type.arrow)
        return self.score(self.plan.bind(columns, labels), rows)

    def score_arrow(self, columns: Sequence[pa.Array]) -> pa.Array:
        """The predictions for Arrow columns: one packed array of doubles, one struct, or the columns themselves.

        Raises:
            StructNotAloneError: [STRUCT_NOT_ALONE] a struct beside other columns, for a model without signature.
        """
        rows = len(columns[0])
        if rows == 0:
            return pa.array([], type=self.result_type.arrow)
        if self.plan.packed:
            values = columns[0].flatten().to_numpy(zero_copy_only=False).astype("float64", copy=False)
            return self.score(self.plan.of_matrix(values.reshape(rows, -1)), rows)
        structs = [column for column in columns if pat.is_struct(column.type)]
        if structs != [] and len(self.plan.specs) <= 1:
            if len(columns) > 1:
                raise StructNotAloneError(len(columns))
            fields = [field.name for field in columns[0].type]
            return self.score_columns(*self._of_struct(fields, columns[0].flatten()))
        return self.score_columns([self.values(column) for column in columns], rows)

    def _of_struct(self, fields: list[str], columns: list[pa.Array]) -> tuple[list[Any], int, list[str]]:
        chosen = self.select_fields(fields)
        return [self.values(columns[at]) for at in chosen], len(columns[0]), [fields[at] for at in chosen]

    def select_fields(self, fields: Sequence[str]) -> list[int]:
        """Which fields of a struct are the inputs: all without a signature, else those of its names."""
        if self.plan.specs == ():
            return list(range(len(fields)))
        from spark_models.bind.columns import bind_columns
        from spark_models.schema.schema import Schema

        positions = bind_columns(fields, Schema(self.plan.specs))
        return [position for position in positions if position is not None]

    def values(self, column: pa.Array) -> Any:
        """An Arrow column's values; instants in the session zone's wall clock, as Spark's own pandas conversion has."""
        if pat.is_timestamp(column.type) and column.type.tz is not None:
            zoned = column.cast(pa.timestamp(column.type.unit, tz=self.timezone))
            return column_values(pc.local_timestamp(zoned))
        return column_values(column)

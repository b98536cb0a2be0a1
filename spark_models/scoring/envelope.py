"""The struct that carries a prediction together with its row's error and its batch's stats, until `score` opens it.

It is flat, the fields of a struct prediction among its own: pandas UDFs take nested structs apart row by row.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow as pa

from spark_models.coerce.result_type import ResultType
from spark_models.scoring.failures import Failure
from spark_models.scoring.stats import ScoreStats

ERROR_CODE = "error_code"
ERROR_COLUMN = "error_column"
_KINDS = {field.name: "bigint" if field.type == "int" else "double" for field in fields(ScoreStats)}


def value_fields(result_type: ResultType) -> list[str]:
    """The envelope's fields that hold the prediction: one, or one a field of a struct.

    >>> value_fields(ResultType("double"))
    ['value_0']
    """
    return [f"value_{position}" for position in range(max(1, len(result_type.fields)))]


def stats_field(name: str) -> str:
    """The envelope's field of one of the stats."""
    return f"stats_{name}"


def envelope_type(result_type: ResultType, observed: bool = True) -> ResultType:
    """The type of an envelope around predictions of a result type; it has the stats where they are observed."""
    kinds = [kind for _, kind in result_type.fields] if result_type.kind == "struct" else [result_type]
    values = list(zip(value_fields(result_type), kinds, strict=True))
    errors = [(ERROR_CODE, ResultType("string")), (ERROR_COLUMN, ResultType("string"))]
    stats = [(stats_field(name), ResultType(kind)) for name, kind in _KINDS.items()] if observed else []
    return ResultType("struct", fields=(*values, *errors, *stats))


def sealed(values: pa.Array, result_type: ResultType, failures: list[Failure], stats: ScoreStats | None) -> pa.Array:
    """Predictions in their envelopes: the error on the rows that failed, the stats on the batch's first row."""
    rows = len(values)
    kind = envelope_type(result_type, stats is not None).arrow
    parts = values.flatten() if result_type.kind == "struct" else [values]
    parts = [*parts, *_errors(rows, failures)]
    gaps = [None] * max(0, rows - 1)
    for name, value in ({} if stats is None else stats.to_dict()).items():
        carried = [value, *gaps] if rows > 0 else []
        parts.append(pa.array(carried, kind.field(stats_field(name)).type))
    return pa.StructArray.from_arrays(parts, fields=list(kind))


def _errors(rows: int, failures: list[Failure]) -> list[pa.Array]:
    """The code and the column of each row's error."""
    if failures == []:
        return [pa.nulls(rows, pa.string())] * 2
    codes, columns = np.full(rows, None, dtype=object), np.full(rows, None, dtype=object)
    for failure in failures:
        codes[failure.start : failure.stop] = failure.code
        columns[failure.start : failure.stop] = failure.column
    return [pa.array(codes, pa.string()), pa.array(columns, pa.string())]

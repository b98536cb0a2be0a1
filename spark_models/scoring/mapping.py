"""`score` by `mapInArrow`: whole batches of the DataFrame pass through the worker, which adds the predictions.

Before Spark 4.1, which has no Arrow UDF, this spares the conversion to pandas and back. In return every column of the
DataFrame travels, also those that a later select drops: a UDF leaves them in the JVM.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_models.coerce.result_type import ResultType
from spark_models.errors import InvalidArgumentError, listed
from spark_models.scoring.incoming import ArrowBatch
from spark_models.scoring.scorer import BatchScorer

_SCALARS: dict[str, T.DataType] = {
    "int": T.IntegerType(),
    "bigint": T.LongType(),
    "float": T.FloatType(),
    "double": T.DoubleType(),
    "string": T.StringType(),
    "boolean": T.BooleanType(),
    "date": T.DateType(),
    "timestamp": T.TimestampType(),
    "binary": T.BinaryType(),
}


def map_scored(df: Any, inputs: list[Any], scorer: BatchScorer, output: str) -> Any:
    """`df` with the column `output` of what the scorer gives for the columns `inputs`.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] a column of `df` has a type that does not travel as Arrow.
    """
    names = list(df.columns)
    foreign = [field.name for field in df.schema.fields if not travels(field.dataType)]
    if foreign != []:
        raise InvalidArgumentError(
            f"Columns {listed(foreign)} are of types that mapInArrow does not carry",
            "select the columns you need first, or use another transport",
        )
    sent = df.select(F.col("*"), *[column.alias(f"__input_{at}") for at, column in enumerate(inputs)])
    schema = T.StructType([*df.schema.fields, T.StructField(output, spark_type(scorer.sent_type), True)])
    kept = len(names)

    def add_predictions(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for whole in batches:
            step = scorer.slice_rows(ArrowBatch(whole.columns[kept:])) if whole.num_rows > 0 else 1
            # Each slice leaves as it is scored: of wide predictions no more than a slice is held.
            for start in range(0, max(1, whole.num_rows), step):
                batch = whole.slice(start, step)
                scored = scorer.run(ArrowBatch(batch.columns[kept:]))
                yield pa.RecordBatch.from_arrays([*batch.columns[:kept], scored], [*names, output])

    return sent.mapInArrow(add_predictions, schema)


def travels(kind: T.DataType) -> bool:
    """Whether values of a Spark type come back from Arrow as they went."""
    if isinstance(kind, T.ArrayType):
        return travels(kind.elementType)
    if isinstance(kind, T.MapType):
        return travels(kind.keyType) and travels(kind.valueType)
    if isinstance(kind, T.StructType):
        return all(travels(field.dataType) for field in kind.fields)
    plain = (T.ByteType, T.ShortType, T.DecimalType, T.TimestampNTZType, *{type(item) for item in _SCALARS.values()})
    return type(kind) in plain


def spark_type(kind: ResultType) -> T.DataType:
    """The pyspark type of a result type.

    >>> spark_type(ResultType("array", ResultType("double")))
    ArrayType(DoubleType(), True)
    """
    if kind.kind == "decimal":
        return T.DecimalType(kind.precision, kind.scale)
    if kind.kind == "array":
        return T.ArrayType(spark_type(kind.element))
    if kind.kind == "map":
        return T.MapType(T.StringType(), spark_type(kind.element))
    if kind.kind == "struct":
        return T.StructType([T.StructField(name, spark_type(item), True) for name, item in kind.fields])
    return _SCALARS[kind.kind]

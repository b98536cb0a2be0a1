"""Spark SQL types as column types, and back. The only part of the bridge that imports pyspark."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_models.bridge.sql import quoted
from spark_models.errors import InvalidSchemaError
from spark_models.schema.datatypes import Array, ColumnType, DataType, Map, Object
from spark_models.schema.schema import Schema

_SPARK: dict[DataType, T.DataType] = {
    DataType.boolean: T.BooleanType(),
    DataType.integer: T.IntegerType(),
    DataType.long: T.LongType(),
    DataType.float: T.FloatType(),
    DataType.double: T.DoubleType(),
    DataType.string: T.StringType(),
    DataType.binary: T.BinaryType(),
    DataType.datetime: T.TimestampType(),
}
_COLUMN: dict[str, DataType] = {
    "boolean": DataType.boolean,
    "tinyint": DataType.integer,
    "smallint": DataType.integer,
    "int": DataType.integer,
    "bigint": DataType.long,
    "float": DataType.float,
    "double": DataType.double,
    "string": DataType.string,
    "binary": DataType.binary,
    "date": DataType.datetime,
    "timestamp": DataType.datetime,
    "timestamp_ntz": DataType.datetime,
}

ACCEPTS: dict[DataType, tuple[str, ...]] = {
    DataType.boolean: ("boolean",),
    DataType.integer: ("int", "smallint", "tinyint"),
    DataType.long: ("bigint", "int", "smallint", "tinyint"),
    DataType.float: ("float",),
    DataType.double: ("double", "float", "int", "smallint", "tinyint"),
    DataType.string: ("string",),
    DataType.binary: ("binary",),
    DataType.datetime: ("timestamp", "timestamp_ntz", "date", "string"),
}
"""`typeof` of the Spark columns that each type takes without loss. Text is parsed for datetime, as ISO 8601 or an
error, because CSV and JSON sources have nothing else."""


def plain_column(name: str, kind: str) -> Any:
    """The column of that name and `simpleString`, a Spark ML vector as an array of doubles."""
    if kind != "vector":
        return F.col(quoted(name))
    from pyspark.ml.functions import vector_to_array

    return vector_to_array(F.col(quoted(name))).alias(name)


def holds_vectors(kind: T.DataType) -> bool:
    """Whether values of a Spark type have ML vectors inside, in arrays, maps or structs."""
    if isinstance(kind, T.StructType):
        return any(_is_or_holds_vectors(field.dataType) for field in kind.fields)
    if isinstance(kind, T.ArrayType):
        return _is_or_holds_vectors(kind.elementType)
    return isinstance(kind, T.MapType) and _is_or_holds_vectors(kind.valueType)


def _is_or_holds_vectors(kind: T.DataType) -> bool:
    return kind.simpleString() == "vector" or holds_vectors(kind)


def spark_type(kind: ColumnType) -> T.DataType:
    """The Spark type of a column type.

    Raises:
        InvalidSchemaError: [INVALID_SCHEMA] `any` has no Spark form.
    """
    if isinstance(kind, DataType):
        return _SPARK[kind]
    if isinstance(kind, Array):
        return T.ArrayType(spark_type(kind.dtype))
    if isinstance(kind, Map):
        return T.MapType(T.StringType(), spark_type(kind.value_type))
    if isinstance(kind, Object):
        fields = [T.StructField(prop.name, spark_type(prop.dtype), not prop.required) for prop in kind.properties]
        return T.StructType(fields)
    raise InvalidSchemaError(f"{kind!r} has no Spark type", "schema")


def column_type(kind: T.DataType) -> ColumnType | None:
    """The column type of a Spark type; None where the format has none (decimal, struct, map, vector, interval)."""
    if isinstance(kind, T.ArrayType):
        inner = column_type(kind.elementType)
        return None if inner is None else Array(inner)
    name = kind.simpleString()
    return DataType.string if name.startswith(("char(", "varchar(")) else _COLUMN.get(name)


def spark_schema(schema: Schema) -> T.DataType:
    """The Spark type of one row of a schema: a struct, or the bare type of a single unnamed column.

    Raises:
        InvalidSchemaError: [INVALID_SCHEMA] a tensor schema has no Spark form.
    """
    if schema.is_tensor_spec():
        raise InvalidSchemaError("a tensor schema has no Spark type", "schema")
    columns = schema.columns
    if len(columns) == 1 and columns[0].name is None:
        return spark_type(columns[0].type)
    named = zip(schema.input_names(), columns, strict=True)
    return T.StructType([T.StructField(str(name), spark_type(column.type), True) for name, column in named])


def is_spark_frame(data: Any) -> bool:
    """Whether the object is a Spark DataFrame, classic or Connect."""
    return hasattr(data, "schema") and isinstance(data.schema, T.StructType)

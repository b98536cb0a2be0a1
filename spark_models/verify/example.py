"""A package's example as a Spark DataFrame, and what its prediction column is to be."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np

from spark_models.bind.enforce import Enforcer
from spark_models.bridge.infer import infer_schema
from spark_models.bridge.numpy import column_type
from spark_models.bridge.pandas import is_missing, value_kind
from spark_models.coerce.output import Column
from spark_models.coerce.result_type import ResultType, signature_result_type
from spark_models.errors import UnsupportedColumnError, UnsupportedResultTypeError
from spark_models.schema.datatypes import Array, ColumnType, DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, TensorSpec
from spark_models.verify.compare import columns_of

ROW = "__row"
"""The column that numbers the rows, so that they can be put in order again."""

_SCALARS = {"f": "double", "i": "bigint", "b": "boolean", "M": "timestamp", "U": "string"}
_OBJECTS = {"string": "string", "bytes": "binary", "boolean": "boolean", "date": "date", "datetime": "timestamp"}


def row_count(data: Any) -> int:
    """How many rows an example has: the length of a table or array, or of the first array of a dict."""
    return len(next(iter(data.values()))) if isinstance(data, dict) else len(data)


def unscorable(example: Any, schema: Schema | None) -> str:
    """Why Spark can't give the model its example in the form that it has locally; '' where it can."""
    if schema is None:
        if not hasattr(example, "columns"):
            return "the model takes arrays and has no signature that says so"
        try:
            infer_schema(example)
        except UnsupportedColumnError as error:
            return f"the model has no signature, and the example columns without a Spark type ({error.what})"
        return ""
    for spec in schema.tensors:
        if spec.shape[:1] != (-1,):
            return f"the first axis of its tensor has the fixed length {spec.shape[0] if spec.shape else 1}"
        if column_type(spec.type) is None or spec.type.kind == "u":
            return f"Spark has no columns of {spec.type}"
    return ""


def spark_example(session: Any, example: Any, schema: Schema | None) -> Any:
    """The example as a Spark DataFrame of the schema's types; its rows are numbered in the column `ROW`."""
    if schema is not None and schema.is_tensor_spec():
        columns, fields = _tensor_columns(Enforcer(schema)(example), schema)
    else:
        frame = example if schema is None else Enforcer(schema)(example)
        stated = infer_schema(example) if schema is None else schema
        kinds = {str(name): spec.type for name, spec in zip(stated.input_names(), stated.columns, strict=True)}
        labels = [str(label) for label in (frame.columns if stated.has_input_names() else stated.input_names())]
        columns = [[_python(cell) for cell in frame.iloc[:, position]] for position in range(frame.shape[1])]
        fields = {label: kinds[label] for label in labels}
    types = Schema([ColSpec(kind, name) for name, kind in fields.items()] + [ColSpec("long", ROW)])
    rows = list(zip(*columns, range(row_count(example)), strict=True))
    return session.createDataFrame(rows, types.as_spark_schema())


def _tensor_columns(bound: Any, schema: Schema) -> tuple[list[list[Any]], dict[str, ColumnType]]:
    columns: list[list[Any]] = []
    fields: dict[str, ColumnType] = {}
    for name, spec in zip(schema.input_names(), schema.tensors, strict=True):
        values = bound[spec.name] if isinstance(bound, dict) else bound
        columns.append([_python(cell) for cell in values])
        fields[str(name)] = _nested(spec)
    return columns, fields


def _nested(spec: TensorSpec) -> ColumnType:
    kind: ColumnType = column_type(spec.type) or DataType.string
    for _ in spec.shape[1:]:
        kind = Array(kind)
    return kind


def _python(value: Any) -> Any:
    """A cell as `createDataFrame` takes it: Python's own values, missing ones as None, datetimes as instants of UTC."""
    if isinstance(value, np.ndarray):
        return [_python(item) for item in value]
    if isinstance(value, (list, tuple)):
        return [_python(item) for item in value]
    if isinstance(value, dict):
        return {key: _python(item) for key, item in value.items()}
    if is_missing(value):
        return None
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if isinstance(value, datetime.date):
        whole = value if isinstance(value, datetime.datetime) else datetime.datetime.combine(value, datetime.time())
        return whole if whole.tzinfo is not None else whole.replace(tzinfo=datetime.timezone.utc)
    return value.item() if isinstance(value, np.generic) else value


def result_type_of(predictions: Any, outputs: Schema | None) -> ResultType:
    """The result type that holds a model's predictions: the signature's outputs, else what the predictions are.

    A matrix is an array, a DataFrame of several columns a struct; what has no type of its own is compared as text.
    """
    try:
        return signature_result_type(outputs)
    except UnsupportedResultTypeError:
        pass
    columns = columns_of(predictions)
    kinds = [_kind(column) for column in columns]
    if len(kinds) == 1:
        return kinds[0]
    if not isinstance(predictions, dict) and not hasattr(predictions, "columns") and len(set(kinds)) == 1:
        return ResultType("array", kinds[0])
    return ResultType("struct", fields=tuple((column.name, kind) for column, kind in zip(columns, kinds, strict=True)))


def _kind(column: Column) -> ResultType:
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return _object_kind(column.values)
    kind = dtype.kind if isinstance(dtype, np.dtype) else getattr(getattr(dtype, "numpy_dtype", None), "kind", "")
    if str(dtype) in ("uint8", "uint16", "uint32"):
        return ResultType("bigint")
    return ResultType(_SCALARS.get(kind, "string"))


def _object_kind(values: Any) -> ResultType:
    cells = [value for value in values if not is_missing(value)]
    if cells != [] and all(isinstance(value, (list, np.ndarray)) for value in cells):
        flat = [item for value in cells for item in value]
        return ResultType("array", _kind(Column("", np.array(flat)))) if flat != [] else ResultType("string")
    if cells != [] and all(isinstance(value, decimal.Decimal) for value in cells):
        scale = max(-int(value.as_tuple().exponent) for value in cells)
        return ResultType("decimal", precision=38, scale=min(max(scale, 0), 37))
    return ResultType(_OBJECTS.get(value_kind(values), "string"))


def in_utc(value: Any) -> Any:
    """A collected value whose datetimes are in UTC: `collect` gives them naive, in the zone of the driver's host."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc)
    if isinstance(value, list):
        return [in_utc(item) for item in value]
    if isinstance(value, dict):
        return {name: in_utc(item) for name, item in value.items()}
    return in_utc(value.asDict()) if hasattr(value, "asDict") else value

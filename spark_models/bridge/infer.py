"""`infer_signature`: the schema of data that is at hand."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from spark_models.bridge import numpy as numpy_bridge
from spark_models.errors import UnsupportedColumnError, UnsupportedDataError
from spark_models.schema.datatypes import ColumnType, DataType
from spark_models.schema.params import ParamSchema, ParamSpec
from spark_models.schema.schema import Schema
from spark_models.schema.signature import ModelSignature
from spark_models.schema.specs import ColSpec, TensorSpec


def infer_signature(
    model_input: Any = None, model_output: Any = None, params: dict[str, Any] | None = None
) -> ModelSignature:
    """The signature of a model from a valid input and, where given, its output and the parameters of a call.

    | data | schema |
    | --- | --- |
    | pandas DataFrame, Spark DataFrame, Arrow table, list of records | named columns |
    | pandas Series, list of rows, DataFrame with labels 0…n-1 | unnamed columns |
    | numpy array | one unnamed tensor, first axis -1 |
    | dict of numpy arrays | named tensors, first axis -1 |

    Integer columns bring a warning: a missing value later turns them into floats, which an integer input refuses.

    Raises:
        UnsupportedDataError: [UNSUPPORTED_DATA] the object is of no kind above.
        UnsupportedColumnError: [UNSUPPORTED_COLUMN] columns have no type of the format; all of them are named.

    >>> import pandas as pd
    >>> infer_signature(pd.DataFrame({"x": [1.5]}), np.array([1, 0]))
    inputs: ['x': double]
    outputs: [int64 (-1,)]
    """
    inputs = None if model_input is None else infer_schema(model_input)
    if inputs is not None and not _knows_nulls(model_input):
        _warn_of_integers(inputs)
    outputs = None if model_output is None else infer_schema(model_output)
    return ModelSignature(inputs, outputs, None if params is None else _infer_params(params))


def infer_schema(data: Any) -> Schema:
    """The schema of one piece of data, by the table of `infer_signature`.

    >>> infer_schema({"a": np.zeros((2, 3), "float32")})
    ['a': float32 (-1, 3)]
    """
    if isinstance(data, np.ndarray):
        if data.dtype.names is not None:
            raise UnsupportedDataError("a structured array", "give pandas.DataFrame(data) for columns")
        return Schema([_tensor(data)])
    if isinstance(data, dict):
        return _from_dict(data)
    package = type(data).__module__.partition(".")[0]
    if package == "pyspark":
        return _from_spark(data)
    if package == "pyarrow":
        return _from_arrow(data)
    import pandas as pd

    if isinstance(data, pd.Series):
        return Schema([ColSpec(spec.type, None, spec.required) for spec in _columns([("", data)])])
    if isinstance(data, pd.DataFrame):
        return _from_frame(data)
    if isinstance(data, (list, tuple)):
        return _from_list(data)
    raise UnsupportedDataError(f"an object of type {type(data).__name__}")


def _from_frame(frame: Any) -> Schema:
    import pandas as pd

    labels = list(frame.columns)
    if isinstance(frame.columns, pd.MultiIndex) or not all(isinstance(name, str) for name in labels):
        if labels != list(range(len(labels))):
            raise UnsupportedDataError(
                "a DataFrame whose column labels are not all text",
                "rename them to text with frame.columns = [...], or number them 0…n-1 for unnamed inputs",
            )
        specs = _columns([(str(position), frame.iloc[:, position]) for position in range(len(labels))])
        return Schema(ColSpec(spec.type, None, spec.required) for spec in specs)
    return Schema(_columns((name, frame.iloc[:, position]) for position, name in enumerate(labels)))


def _columns(columns: Iterable[tuple[str, Any]]) -> list[ColSpec]:
    from spark_models.bridge import pandas as pandas_bridge

    found = [(name, column, pandas_bridge.column_type(column)) for name, column in columns]
    unsupported = tuple((repr(name), _described(column)) for name, column, kind in found if kind is None)
    if unsupported != ():
        raise UnsupportedColumnError(
            unsupported,
            "cast categories to str, uint64 to int64 or double; a column of one kind of values only, with at least one",
        )
    return [ColSpec(kind[0], name, kind[1]) for name, _, kind in found if kind is not None]


def _described(column: Any) -> str:
    from spark_models.bridge.pandas import value_kind

    if column.dtype != object:
        return str(column.dtype)
    kind = value_kind(column.to_numpy())
    return f"object ({'only missing values' if kind == 'empty' else kind})"


def _from_dict(data: dict[Any, Any]) -> Schema:
    for name, value in data.items():
        if not isinstance(value, np.ndarray):
            raise UnsupportedDataError(
                f"a dict whose value {name!r} is a {type(value).__name__}",
                "give numpy arrays for tensors, or pandas.DataFrame(data) for columns",
            )
    return Schema(_tensor(value, str(name)) for name, value in data.items())


def _from_list(data: Any) -> Schema:
    import pandas as pd

    if len(data) > 0 and all(isinstance(row, dict) for row in data):
        return _from_frame(pd.DataFrame(list(data)))
    if len(data) > 0 and all(isinstance(row, (list, tuple)) for row in data):
        return _from_frame(pd.DataFrame(list(data)))
    raise UnsupportedDataError(
        "a flat list", "give numpy.array(values) for a tensor, pandas.Series(values) for one unnamed column"
    )


def _from_arrow(data: Any) -> Schema:
    from spark_models.bridge import arrow

    if not hasattr(data, "schema"):
        raise UnsupportedDataError(f"an Arrow object of type {type(data).__name__}")
    return _from_fields([(field.name, arrow.column_type(field.type), str(field.type)) for field in data.schema])


def _from_spark(data: Any) -> Schema:
    from spark_models.bridge import spark

    if not spark.is_spark_frame(data):
        raise UnsupportedDataError(f"a pyspark object of type {type(data).__name__}")
    fields = data.schema.fields
    kinds = [(field.name, spark.column_type(field.dataType), field.dataType.simpleString()) for field in fields]
    return _from_fields(kinds)


def _from_fields(fields: list[tuple[str, ColumnType | None, str]]) -> Schema:
    unsupported = tuple((repr(name), described) for name, kind, described in fields if kind is None)
    if unsupported != ():
        raise UnsupportedColumnError(
            unsupported, "cast decimals to double, vectors with vector_to_array, and select the fields of a struct"
        )
    return Schema(ColSpec(kind, name) for name, kind, _ in fields if kind is not None)


def _tensor(array: np.ndarray[Any, Any], name: str | None = None) -> TensorSpec:
    shape = (-1, *array.shape[1:]) if array.ndim > 0 else ()
    return TensorSpec(numpy_bridge.tensor_dtype(array.dtype), shape, name)


def _knows_nulls(data: Any) -> bool:
    """Whether the data's type says if a column may hold nulls, so that the integer warning says nothing new."""
    return type(data).__module__.partition(".")[0] in ("pyspark", "pyarrow")


def _warn_of_integers(schema: Schema) -> None:
    integers = [
        spec.name for spec in schema.columns if spec.type in (DataType.integer, DataType.long) and spec.required
    ]
    if integers != []:
        warnings.warn(
            f"The signature has integer columns {integers[:10]}: an integer column cannot hold missing values, and "
            "one that has any arrives as floating point, which an integer input refuses. Declare it as double "
            "(astype('float64') before infer_signature) where values can be missing.",
            UserWarning,
            stacklevel=3,
        )


def _infer_params(params: dict[str, Any]) -> ParamSchema:
    return ParamSchema(_infer_param(name, value) for name, value in params.items())


def _infer_param(name: str, value: Any) -> ParamSpec:
    is_list = isinstance(value, (list, tuple, np.ndarray))
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise UnsupportedColumnError(((repr(name), "lists of several lengths"),), "give a flat list") from error
    kind = numpy_bridge.column_type(array.dtype)
    if kind is None:
        raise UnsupportedColumnError(((repr(name), str(array.dtype)),), "give params of one plain type each")
    return ParamSpec(name, kind, array.tolist() if is_list else array.item(), (-1,) if is_list else None)

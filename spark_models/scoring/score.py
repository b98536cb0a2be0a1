"""`score`: a DataFrame in, the same DataFrame with predictions out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import functions as F

from spark_models.bind.columns import bind_columns
from spark_models.errors import ColumnTypeError, InputError, InvalidArgumentError, InvalidInputError
from spark_models.package.reader import open_package
from spark_models.schema.datatypes import Array, DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import TensorSpec
from spark_models.scoring.arguments import accepted_types, quoted
from spark_models.scoring.udf import spark_udf


def score(
    df: Any,
    model_uri: Any,
    *,
    result_type: Any = None,
    output: str = "prediction",
    columns: list[str] | None = None,
    method: str | None = None,
    params: Mapping[str, Any] | None = None,
    allow_code: bool | None = None,
    expected_hash: str | None = None,
    transport: str | None = None,
) -> Any:
    """`df` with the model's predictions added, lazily; every input is checked against `df.schema` before a row is read.

    The model's inputs are found by the signature's names. A model without signature gets `columns`, or all of them, as
    a struct. Spark ML vectors become arrays of doubles where the signature has an array or tensor. One prediction
    becomes the column `output`; a struct becomes one column a field, `<output>_<field>`. The default result type is
    the signature's outputs, else double.

    Raises:
        MissingColumnsError, ColumnTypeError, InvalidInputError: the DataFrame does not fit; all problems are named.
        InvalidArgumentError: [INVALID_ARGUMENT] the DataFrame has a column of the output's name already.
    """
    package = open_package(model_uri)
    schema = package.model.get_input_schema()
    outputs = package.model.get_output_schema()
    wanted = (
        result_type
        if result_type is not None
        else ("signature" if outputs is not None and method is None else "double")
    )
    udf = spark_udf(
        df.sparkSession,
        model_uri,
        wanted,
        method=method,
        params=params,
        allow_code=allow_code,
        expected_hash=expected_hash,
        transport=transport,
    )
    fields = [name for name, _ in udf.result_type.fields]
    added = [output] if fields == [] else [f"{output}_{name}" for name in fields]
    clashes = [name for name in added if name in df.columns]
    if clashes != []:
        raise InvalidArgumentError(f"The DataFrame has columns {clashes} already", "choose another output=")
    if schema is None or len(schema) == 0:
        chosen = list(df.columns) if columns is None else columns
        predicted = udf(F.struct(*[F.col(quoted(name)) for name in chosen]))
    else:
        predicted = udf.of_inputs(*_inputs(df, schema, columns))
    kept = [F.col(quoted(name)) for name in df.columns]
    if fields == []:
        return df.select(*kept, predicted.alias(output))
    scored = df.select(*kept, predicted.alias(output))
    parts = [F.col(quoted(output)).getField(name).alias(f"{output}_{name}") for name in fields]
    return scored.select(*kept, *parts)


def _inputs(df: Any, schema: Schema, columns: list[str] | None) -> tuple[list[Any], list[object]]:
    """The columns of `df` that are the schema's inputs, in its order, types checked; and which inputs they are."""
    types = {field.name: field.dataType for field in df.schema.fields}
    given = list(df.columns) if columns is None else columns
    positions = bind_columns(given, schema)
    inputs: list[Any] = []
    found: list[object] = []
    problems: list[InputError] = []
    for spec, label, position in zip(schema, schema.input_names(), positions, strict=True):
        if position is None:
            continue
        found.append(label)
        name = given[position]
        kind = types[name]
        column = F.col(quoted(name))
        if kind.simpleString() == "vector" and _takes_array(spec):
            from pyspark.ml.functions import vector_to_array

            inputs.append(vector_to_array(column).alias(name))
            continue
        accepted = accepted_types(spec)
        simple = "string" if kind.simpleString().startswith(("char(", "varchar(")) else kind.simpleString()
        if accepted != () and simple not in accepted:
            problems.append(ColumnTypeError(name, simple, repr(spec.type)))
        inputs.append(column)
    if len(problems) == 1:
        raise problems[0]
    if problems != []:
        raise InvalidInputError(tuple(problems))
    return inputs, found


def _takes_array(spec: Any) -> bool:
    if isinstance(spec, TensorSpec):
        return len(spec.shape) == 2
    return isinstance(spec.type, Array) and spec.type.dtype is DataType.double

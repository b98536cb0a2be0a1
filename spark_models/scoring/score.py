"""`score`: a DataFrame in, the same DataFrame with predictions out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyspark.sql import functions as F

from spark_models.bind.columns import bind_columns
from spark_models.bridge.spark import holds_vectors, plain_column
from spark_models.bridge.sql import quoted
from spark_models.errors import (
    ColumnTypeError,
    InputError,
    InvalidArgumentError,
    InvalidInputError,
    VectorColumnError,
    listed,
    renames,
)
from spark_models.flavors import spark as spark_flavor
from spark_models.package.layout import PYFUNC
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.schema.datatypes import Array, DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import Spec, TensorSpec
from spark_models.scoring.arguments import accepted_types, expected_type
from spark_models.scoring.envelope import ERROR_CODE, ERROR_COLUMN, value_fields
from spark_models.scoring.mapping import map_scored
from spark_models.scoring.meter import ScoreMeter
from spark_models.scoring.observe import StatsObservation
from spark_models.scoring.udf import ScoringUdf, spark_udf

QUARANTINE = "quarantine"
MAP = "map"


def score(
    df: Any,
    model_uri: Any,
    *,
    result_type: Any = None,
    output: str = "prediction",
    columns: list[str] | None = None,
    method: str | None = None,
    params: Mapping[str, Any] | None = None,
    on_error: str = "fail",
    stats: StatsObservation | None = None,
    meter: ScoreMeter | None = None,
    batch_rows: int | None = None,
    batch_bytes: int | None = None,
    allow_code: bool | None = None,
    expected_hash: str | None = None,
    transport: str | None = None,
    env_manager: str = "local",
) -> Any:
    """`df` with the model's predictions added, lazily; every input is checked against `df.schema` before a row is read.

    The model's inputs are found by the signature's names. A model without signature gets `columns`, or all of them, as
    a struct. Spark ML vectors become arrays of doubles where the signature, if there is one, has an array or tensor.
    One prediction becomes the column `output`; a struct becomes one column a field, `<output>_<field>`. The default
    result type is the signature's outputs, else double.

    `on_error` is "fail", "null" or "quarantine": then the columns `<output>_error_code` and `<output>_error_column` say
    of each row that was not scored why, and are null for the others. A `StatsObservation` given as `stats` has the
    job's `ScoreStats` after the first action on the result; a `ScoreMeter` given as `meter` has them and a tally of the
    scores, without an aggregate of Spark. `df` may be a streaming DataFrame. `transport="map"` sends
    whole batches through `mapInArrow`: before Spark 4.1 it is faster where most columns are inputs. `env_manager` is
    that of `spark_udf`.

    A Spark ML pipeline transforms `df` itself, without a UDF: the options of the UDF are refused then.

    Raises:
        MissingColumnsError, ColumnTypeError, InvalidInputError: the DataFrame does not fit; all problems are named.
        InvalidArgumentError: [INVALID_ARGUMENT] the DataFrame has a column of the output's name already, or an option
            has no effect on this package.
    """
    package = open_package(model_uri)
    if is_pipeline(package.model):
        _refuse_udf_options(
            {
                "result_type": result_type,
                "method": method,
                "params": params,
                "on_error": None if on_error == "fail" else on_error,
                "stats": stats,
                "meter": meter,
                "batch_rows": batch_rows,
                "batch_bytes": batch_bytes,
                "transport": transport,
                "env_manager": None if env_manager == "local" else env_manager,
            }
        )
        return _transformed(package, df, output, columns, expected_hash)
    outputs = package.model.get_output_schema()
    stated = "signature" if outputs is not None and method is None else "double"
    udf = spark_udf(
        df.sparkSession,
        model_uri,
        stated if result_type is None else result_type,
        method=method,
        params=params,
        on_error="null" if on_error == QUARANTINE else on_error,
        batch_rows=batch_rows,
        batch_bytes=batch_bytes,
        allow_code=allow_code,
        expected_hash=expected_hash,
        # A map sends what an Arrow UDF would; the UDF itself is not made.
        transport=None if transport == MAP else transport,
        env_manager=env_manager,
    )
    if transport == MAP:
        udf = replace(udf, transport=MAP)
    added = _output_columns(udf, output, on_error)
    _require_free(df, added)
    bound, found = _inputs(df, udf.schema, columns)
    kept = [F.col(quoted(name)) for name in df.columns]
    enveloped = on_error == QUARANTINE or stats is not None
    if enveloped:
        udf = replace(udf, scorer=replace(udf.scorer, envelope=True, observed=stats is not None))
    if meter is not None:
        metered = meter.of(added, udf.result_type.fields != ())
        udf = replace(udf, scorer=replace(udf.scorer, meter=metered))
    if transport == MAP:
        scorer, sent = udf.sent(bound, found)
        scored = map_scored(df, sent, scorer, output)
    else:
        scored = df.select(*kept, udf.of_inputs(bound, found).alias(output))
    if stats is not None:
        scored = stats.observe(scored, F.col(quoted(output)))
    if not enveloped and added == [output]:
        return scored
    fields = [name for name, _ in udf.result_type.fields]
    if enveloped:
        fields = value_fields(udf.result_type)
    if on_error == QUARANTINE:
        fields = [*fields, ERROR_CODE, ERROR_COLUMN]
    whole = F.col(quoted(output))
    parts = [whole.getField(field).alias(name) for field, name in zip(fields, added, strict=True)]
    return scored.select(*kept, *parts)


def is_pipeline(model: Model) -> bool:
    """Whether Spark itself is the model: then it transforms the DataFrame, and no UDF is made."""
    loader = model.flavors.get(PYFUNC, {}).get("loader_module")
    return spark_flavor.FLAVOR in model.flavors and loader in ("spark_models.spark", "mlflow.spark")


def _refuse_udf_options(given: Mapping[str, Any]) -> None:
    """Raises InvalidArgumentError [INVALID_ARGUMENT] where an option is given that only a UDF can follow."""
    names = [name for name, value in given.items() if value is not None]
    if names != []:
        raise InvalidArgumentError(
            f"The package is a Spark ML pipeline, which Spark transforms itself: {listed(names)} has no effect on it",
            "leave it out; what it asks for is done by Spark before or after score(…)",
        )


def _transformed(package: Package, df: Any, output: str, columns: list[str] | None, expected_hash: str | None) -> Any:
    package.verify(expected_hash)
    schema = package.model.get_input_schema()
    if schema is not None and len(schema) > 0:
        _inputs(df, schema, columns)
    names = spark_flavor.answers(package.model)
    added = [output] if len(names) == 1 else [f"{output}_{name}" for name in names]
    _require_free(df, added)
    return spark_flavor.transform_frame(package, df, dict(zip(names, added, strict=True)))


def _require_free(df: Any, added: list[str]) -> None:
    """Raises InvalidArgumentError [INVALID_ARGUMENT] where the DataFrame has a column of a name that is to be added."""
    clashes = [name for name in added if name in df.columns]
    if clashes != []:
        raise InvalidArgumentError(f"The DataFrame has columns {clashes} already", "choose another output=")


def _output_columns(udf: ScoringUdf, output: str, on_error: str) -> list[str]:
    fields = [name for name, _ in udf.result_type.fields]
    names = [output] if fields == [] else [f"{output}_{name}" for name in fields]
    return [*names, f"{output}_{ERROR_CODE}", f"{output}_{ERROR_COLUMN}"] if on_error == QUARANTINE else names


def _inputs(df: Any, schema: Schema | None, columns: list[str] | None) -> tuple[list[Any], list[object]]:
    """The columns of `df` that are the schema's inputs, in its order, types checked; and which inputs they are."""
    types = {field.name: field.dataType for field in df.schema.fields}
    given = list(df.columns) if columns is None else columns
    unknown = [name for name in given if name not in types]
    if unknown != []:
        raise InvalidArgumentError(f"The DataFrame has no columns {listed(unknown)}", renames(unknown, list(types)))
    if schema is None:
        for name in given:
            if holds_vectors(types[name]):
                raise VectorColumnError(name)
        return [F.struct(*[plain_column(name, types[name].simpleString()) for name in given])], [0]
    positions = bind_columns(given, schema)
    inputs: list[Any] = []
    found: list[object] = []
    problems: list[InputError] = []
    for spec, label, position in zip(schema, schema.input_names(), positions, strict=True):
        if position is None:
            continue
        found.append(label)
        try:
            inputs.append(_input(given[position], types[given[position]].simpleString(), spec))
        except InputError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems != []:
        raise InvalidInputError(tuple(problems))
    return inputs, found


def _input(name: str, kind: str, spec: Spec) -> Any:
    """The column as the input of a spec; a Spark ML vector as an array where the spec takes one."""
    if kind == "vector" and _takes_array(spec):
        return plain_column(name, kind)
    accepted = accepted_types(spec)
    simple = "string" if kind.startswith(("char(", "varchar(")) else kind
    if kind == "vector" or (accepted != () and simple not in accepted):
        raise ColumnTypeError(name, simple, expected_type(spec))
    return F.col(quoted(name))


def _takes_array(spec: Spec) -> bool:
    if isinstance(spec, TensorSpec):
        return len(spec.shape) == 2
    return isinstance(spec.type, Array) and spec.type.dtype is DataType.double

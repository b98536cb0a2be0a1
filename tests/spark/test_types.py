"""Which Spark types each declared type takes, what the model then gets, and that the rest is refused before Python."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.errors import AnalysisException
from pyspark.ml.linalg import Vectors
from pyspark.sql.functions import array, col, lit, struct

from spark_models import errors
from spark_models.models import ModelSignature
from spark_models.schema.datatypes import Array, DataType
from spark_models.types.schema import ColSpec, Schema, TensorSpec

VALUES = {
    "boolean": "true",
    "tinyint": "1Y",
    "smallint": "2S",
    "int": "3",
    "bigint": "4L",
    "float": "cast(1.5 as float)",
    "double": "2.5D",
    "decimal(10,2)": "cast(3.25 as decimal(10,2))",
    "string": "'2020-01-31T12:34:56Z'",
    "binary": "X'0001ff'",
    "date": "date'2020-01-31'",
    "timestamp": "timestamp'2020-01-31 12:34:56.5'",
    "timestamp_ntz": "timestamp_ntz'2020-01-31 12:34:56.5'",
    "array<double>": "array(1.5D, 2.5D)",
}
"""A value of each Spark type, in SQL."""

NOON = datetime.datetime(2020, 1, 31, 12, 34, 56)
HALF = NOON + datetime.timedelta(milliseconds=500)
ACCEPTED: dict[tuple[str, str], tuple[str, Any]] = {
    ("boolean", "boolean"): ("bool", True),
    ("integer", "tinyint"): ("int32", 1),
    ("integer", "smallint"): ("int32", 2),
    ("integer", "int"): ("int32", 3),
    ("long", "tinyint"): ("int64", 1),
    ("long", "smallint"): ("int64", 2),
    ("long", "int"): ("int64", 3),
    ("long", "bigint"): ("int64", 4),
    ("float", "float"): ("float32", 1.5),
    ("double", "tinyint"): ("float64", 1.0),
    ("double", "smallint"): ("float64", 2.0),
    ("double", "int"): ("float64", 3.0),
    ("double", "float"): ("float64", 1.5),
    ("double", "double"): ("float64", 2.5),
    ("string", "string"): ("object", "2020-01-31T12:34:56Z"),
    ("binary", "binary"): ("object", b"\x00\x01\xff"),
    ("datetime", "string"): ("datetime64[ns]", NOON),
    ("datetime", "date"): ("datetime64[ns]", datetime.datetime(2020, 1, 31)),
    ("datetime", "timestamp"): ("datetime64[ns]", HALF),
    ("datetime", "timestamp_ntz"): ("datetime64[ns]", HALF),
    ("array<double>", "array<double>"): ("object", [1.5, 2.5]),
}
"""The dtype and value of what the model gets, by declared type and Spark type. What is not here is refused."""

DECLARED: dict[str, Any] = {kind.name: kind for kind in DataType} | {"array<double>": Array(DataType.double)}
EXPECTED = {**{kind.name: repr(kind) for kind in DataType}, "array<double>": "array(double)"}
SPARK_TYPES = [*VALUES, "vector"]
REFUSED = [(given, kind) for given in DECLARED for kind in SPARK_TYPES if (given, kind) not in ACCEPTED]


def told(frame: Any) -> list[str]:
    """The dtype and the value of the one input."""
    values = frame.iloc[:, 0]
    return [f"{values.dtype} {value!r}" for value in values.tolist()]


@pytest.fixture(scope="module")
def table(spark: Any) -> Any:
    columns = ", ".join(f"{value} as `{kind}`" for kind, value in VALUES.items())
    vectors = spark.createDataFrame([(Vectors.dense([1.0, 2.0]),)], ["vector"])
    table = spark.sql(f"select {columns}").crossJoin(vectors).coalesce(1).cache()
    assert table.count() == 1
    return table


@pytest.fixture(scope="module")
def models(save: Any) -> dict[str, Any]:
    return {name: save(told, {"x": ColSpec(kind, "x")}) for name, kind in DECLARED.items()}


def quoted(kind: str) -> Any:
    return col(f"`{kind}`")


def test_the_table_has_every_type(table: Any) -> None:
    assert dict(table.dtypes) == {kind: kind for kind in SPARK_TYPES}


def test_every_accepted_type_reaches_the_model_as_declared(udf: Any, table: Any, models: dict[str, Any]) -> None:
    predicted = [udf(models[given])(quoted(kind)) for given, kind in ACCEPTED]
    row = table.select(*[column.alias(str(at)) for at, column in enumerate(predicted)]).first()
    found = dict(zip(ACCEPTED, row, strict=True))
    expected = {key: f"{dtype} {_shown(dtype, value)}" for key, (dtype, value) in ACCEPTED.items()}
    assert found == expected


def _shown(dtype: str, value: Any) -> str:
    import pandas as pd

    return repr(pd.Series([value], dtype=dtype).tolist()[0]) if dtype != "object" else repr(value)


@pytest.mark.parametrize(("given", "kind"), REFUSED, ids=[f"{given}-{kind}" for given, kind in REFUSED])
def test_every_other_type_is_refused_before_a_row_reaches_python(
    udf: Any, table: Any, models: dict[str, Any], failure: Any, given: str, kind: str
) -> None:
    models[given].forget()
    text = failure(table.select(udf(models[given])(quoted(kind))))
    if kind == "vector":
        assert str(errors.VectorColumnError("vector")) in text
    else:
        expected = errors.ColumnTypeError("x", kind, EXPECTED[given])
        assert f"{expected.what}\nWhere: {expected.where}" in text
        assert "[COLUMN_TYPE] Column 'x' is" in text
    assert (models[given].loads(), models[given].calls()) == ([], [])


def test_the_advice_says_the_cast(udf: Any, table: Any, models: dict[str, Any], failure: Any) -> None:
    text = failure(table.select(udf(models["double"])(quoted("decimal(10,2)"))))
    assert (
        "[COLUMN_TYPE] Column 'x' is decimal(10,2); double is expected, and the cast may lose values.\n"
        "Where: inputs of the signature\n"
        "Hint: cast it yourself if no value is lost: col.cast('double')"
    ) in text
    assert table.select(udf(models["double"])(quoted("decimal(10,2)").cast("double"))).first()[0] == "float64 3.25"


def test_a_cast_of_the_users_is_taken(udf: Any, table: Any, models: dict[str, Any]) -> None:
    assert table.select(udf(models["string"])(quoted("bigint").cast("string"))).first()[0] == "object '4'"


# --- several inputs


@pytest.mark.parametrize("kind", [kind for kind in SPARK_TYPES if ("double", kind) not in ACCEPTED])
def test_one_wrong_column_among_doubles(
    udf: Any, table: Any, save: Any, failure: Any, transport: str, kind: str
) -> None:
    """Spark itself, on the driver, refuses some types in the array that the Arrow transport packs doubles into."""
    model = save(told, {"x": "double", "y": "double"})
    try:
        frame = table.select(udf(model)(quoted("double"), quoted(kind)))
    except AnalysisException as error:
        assert transport == "arrow"
        assert "DATATYPE_MISMATCH" in str(error)
    else:
        code = "[VECTOR_COLUMN]" if kind == "vector" else f"[COLUMN_TYPE] Column 'y' is {kind}"
        assert code in failure(frame)
    assert model.calls() == []


@pytest.mark.parametrize("bind", ["by name", "by position", "a struct"])
def test_the_wrong_column_of_many_doubles_is_named(spark: Any, udf: Any, save: Any, failure: Any, bind: str) -> None:
    names = [f"c {at}.d" for at in range(40)]
    table = spark.range(3).select(
        *[(lit("text") if at == 33 else lit(float(at))).alias(name) for at, name in enumerate(names)]
    )
    model = save(told, dict.fromkeys(names, "double"))
    columns = {"by name": [], "by position": [quoted(name) for name in names], "a struct": [struct(col("*"))]}[bind]
    assert f"[COLUMN_TYPE] Column {names[33]!r} is string; double is expected" in failure(
        table.select(udf(model)(*columns))
    )
    assert model.calls() == []


def test_integers_beside_floats_keep_their_digits(udf: Any, spark: Any, save: Any, configured: Any) -> None:
    """Spark makes one array of int and float columns an array of floats, unless ANSI mode is on."""
    model = save(lambda frame: [repr(frame.iloc[0].tolist())], {"x": "double", "y": "double"})
    table = spark.sql("select 16777217 as x, cast(0.5 as float) as y")
    with configured({"spark.sql.ansi.enabled": "false"}):
        assert table.select(udf(model)()).first()[0] == "[16777217.0, 0.5]"


@pytest.mark.parametrize(
    ("inputs", "kinds"),
    [
        ({"a": "double", "b": "long", "c": "string", "d": "datetime"}, ("float", "int", "string", "date")),
        ({"a": "double", "b": "double"}, ("float", "double")),
    ],
)
def test_a_guard_that_fits_leaves_no_trace_in_the_plan(
    udf: Any, table: Any, save: Any, inputs: dict[str, str], kinds: tuple[str, ...]
) -> None:
    model = save(told, inputs)
    chosen = [quoted(kind) for kind in kinds]
    plan = table.select(udf(model)(*chosen))._jdf.queryExecution().executedPlan().toString()
    assert "predict(" in plan
    for trace in ("CASE", "typeof", "raise_error"):
        assert trace not in plan


def test_a_guard_that_does_not_fit_raises_in_the_jvm(udf: Any, table: Any, models: dict[str, Any]) -> None:
    plan = table.select(udf(models["long"])(quoted("double")))._jdf.queryExecution().executedPlan().toString()
    assert "raise_error" in plan


# --- vectors


def told_type(data: Any) -> list[str]:
    return [type(data).__name__] * len(data)


TENSOR = ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))


def test_a_tensor_takes_an_array_column_and_no_vector(udf: Any, table: Any, save: Any, failure: Any) -> None:
    model = save(lambda data: data.sum(axis=1), signature=TENSOR)
    predict = udf(model, "double")
    assert table.select(predict(quoted("array<double>"))).first()[0] == 4.0
    model.forget()
    assert str(errors.VectorColumnError("vector")) in failure(table.select(predict(col("vector"))))
    assert model.calls() == []


@pytest.mark.parametrize("form", ["column", "beside", "struct", "array"])
def test_without_signature_a_vector_is_refused_as_well(
    udf: Any, table: Any, save: Any, failure: Any, form: str
) -> None:
    model = save(told_type)
    columns = {
        "column": [col("vector")],
        "beside": [col("double"), col("vector")],
        "struct": [struct("double", "vector")],
        "array": [array("vector")],
    }
    text = failure(table.select(udf(model)(*columns[form])))
    assert "[VECTOR_COLUMN]" in text
    assert "vector_to_array(" in text
    assert model.calls() == []


def test_the_line_of_the_vector_error_works(udf: Any, table: Any, models: dict[str, Any]) -> None:
    from pyspark.ml.functions import vector_to_array

    predicted = udf(models["array<double>"])(vector_to_array(col("vector")))
    assert table.select(predicted).first()[0] == "object [1.0, 2.0]"


# --- without signature every transport gives what Spark's own pandas conversion gives


def test_without_signature_values_are_those_of_sparks_pandas_conversion(udf: Any, spark: Any, save: Any) -> None:
    given = [(kind, value) for kind, value in VALUES.items() if kind != "array<double>"]
    wide = ", ".join(f"{value} as `{kind}`, if(true, null, {value}) as `{kind} null`" for kind, value in given)
    table = spark.sql(f"select {wide}, map('k', 1) as m, array(struct(1 as p, 'q' as q)) as s, array(1, 2) as a")
    model = save(lambda frame: [repr({name: (str(frame[name].dtype), frame[name].tolist()[0]) for name in frame})])
    names = {"nan": "nan", "NaT": "NaT", "Timestamp": str, "Decimal": str, "datetime": datetime}
    found = eval(table.select(udf(model)(struct("*"))).first()[0], names)
    assert found == {
        "boolean": ("bool", True),
        "boolean null": ("object", None),
        "tinyint": ("int8", 1),
        "tinyint null": ("float64", "nan"),
        "smallint": ("int16", 2),
        "smallint null": ("float64", "nan"),
        "int": ("int32", 3),
        "int null": ("float64", "nan"),
        "bigint": ("int64", 4),
        "bigint null": ("float64", "nan"),
        "float": ("float32", 1.5),
        "float null": ("float32", "nan"),
        "double": ("float64", 2.5),
        "double null": ("float64", "nan"),
        "decimal(10,2)": ("object", "3.25"),
        "decimal(10,2) null": ("object", None),
        "string": ("object", "2020-01-31T12:34:56Z"),
        "string null": ("object", None),
        "binary": ("object", b"\x00\x01\xff"),
        "binary null": ("object", None),
        "date": ("object", datetime.date(2020, 1, 31)),
        "date null": ("object", None),
        "timestamp": ("datetime64[ns]", "2020-01-31 12:34:56.500000"),
        "timestamp null": ("datetime64[ns]", "NaT"),
        "timestamp_ntz": ("datetime64[ns]", "2020-01-31 12:34:56.500000"),
        "timestamp_ntz null": ("datetime64[ns]", "NaT"),
        "m": ("object", {"k": 1}),
        "s": ("object", [{"p": 1, "q": "q"}]),
        "a": ("object", [1, 2]),
    }


# --- inputs that are structs themselves


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("form", ["column", "name"])
def test_an_input_may_be_a_struct(udf: Any, spark: Any, save: Any, beside: bool, form: str) -> None:
    from spark_models.schema.datatypes import Object, Property

    record = Object([Property("n", DataType.long), Property("t", DataType.string)])
    inputs = {"r": ColSpec(record, "r")} | ({"x": "double"} if beside else {})
    model = save(lambda frame: [repr(cell) for cell in frame["r"]], inputs)
    table = spark.sql("select named_struct('n', 7L, 't', 'a') as r, 0.5D as x")
    arguments = list(inputs) if form == "name" else [col(name) for name in inputs]
    assert table.select(udf(model)(*arguments)).first()[0] == "{'n': 7, 't': 'a'}"


# --- instants inside of other values, and the session's zone


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("array(at, null)", "[Timestamp('2024-07-01 08:00:00'), None]"),
        ("array(array(at))", "[[Timestamp('2024-07-01 08:00:00')]]"),
        ("named_struct('at', at)", "{'at': Timestamp('2024-07-01 08:00:00')}"),
        ("map('a', at)", "{'a': Timestamp('2024-07-01 08:00:00')}"),
        ("array(named_struct('at', at))", "[{'at': Timestamp('2024-07-01 08:00:00')}]"),
    ],
)
def test_nested_instants_are_shown_in_the_sessions_zone(
    udf: Any, spark: Any, save: Any, configured: Any, sql: str, shown: str
) -> None:
    def told(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            value = list(value)
        if isinstance(value, list):
            return [told(item) for item in value]
        if isinstance(value, dict):
            return {name: told(item) for name, item in value.items()}
        return None if pd.isna(value) else pd.Timestamp(value)

    model = save(lambda frame: [repr(told(cell)) for cell in frame.iloc[:, 0]])
    with configured({"spark.sql.session.timeZone": "America/New_York"}):
        table = spark.sql("select timestamp'2024-07-01 12:00:00Z' as at").selectExpr(f"{sql} as nested")
        predict = udf(model, "string")
        # Of a single struct the fields are the inputs.
        arguments = ["nested"] if "struct" not in sql or sql.startswith("array") else [struct(col("nested"))]
        assert table.select(predict(*arguments)).first()[0] == shown


def test_the_zone_is_that_of_the_query(udf: Any, spark: Any, save: Any, configured: Any) -> None:
    """The session's zone is set after the UDF was made: an instant comes back as it went, and is shown in the new."""
    model = save(lambda frame: frame["at"], {"at": "datetime"})
    hour = save(lambda frame: frame["at"].dt.hour, {"at": "datetime"})
    with configured({"spark.sql.session.timeZone": "UTC"}):
        same, hours = udf(model, "timestamp"), udf(hour, "int")
        table = spark.sql("select timestamp'2024-07-01 12:00:00Z' as at")
        with configured({"spark.sql.session.timeZone": "America/New_York"}):
            found = table.select((same("at") == col("at")).alias("same"), hours("at").alias("hour")).first()
    assert (found["same"], found["hour"]) == (True, 8)


# --- tensors


def test_a_column_of_another_kind_than_a_tensor_is_refused_before_a_row(
    udf: Any, spark: Any, save: Any, failure: Any
) -> None:
    model = save(lambda data: data["x"], signature=ModelSignature(Schema([TensorSpec(np.dtype("int32"), (-1,), "x")])))
    text = failure(spark.range(3).selectExpr("cast(id as double) as x").select(udf(model, "double")("x")))
    assert "[COLUMN_TYPE] Column 'x' is double; tensor(int32) is expected" in text
    assert model.calls() == []


def test_a_number_beyond_a_tensor_is_its_rows_fault(udf: Any, spark: Any, save: Any, failure: Any) -> None:
    signature = ModelSignature(Schema([TensorSpec(np.dtype("int32"), (-1,), "x")]))
    model = save(lambda data: data["x"], signature=signature, split_invariant=True)
    table = spark.createDataFrame([(1,), (3_000_000_000,), (None,), (4,)], "x long").coalesce(1)
    assert "TENSOR_VALUE" in failure(table.where("x is not null").select(udf(model, "long")("x")))
    scored = table.select(udf(model, "long", on_error="null")("x"))
    assert [row[0] for row in scored.collect()] == [1, None, None, 4]


def test_an_image_of_bytes(udf: Any, spark: Any, save: Any) -> None:
    signature = ModelSignature(Schema([TensorSpec(np.dtype("uint8"), (-1, 2, 2), "image")]))
    model = save(lambda data: data["image"].sum(axis=(1, 2), dtype="int64"), signature=signature)
    table = spark.sql("select array(1, 2, 3, 255) as image")
    assert table.select(udf(model, "long")("image")).first()[0] == 261


# --- many columns


def test_five_hundred_columns_in_another_order(udf: Any, spark: Any, save: Any) -> None:
    names = [f"c{at}" for at in range(500)]
    kinds = {name: "double" if at % 2 == 0 else "long" for at, name in enumerate(names)}
    model = save(lambda frame: (frame.to_numpy("float64") * np.arange(500)).sum(axis=1), kinds)
    table = spark.range(0, 5, 1, 1).selectExpr(
        *[f"cast(id + {at} as {'double' if at % 2 == 0 else 'long'}) as {name}" for at, name in enumerate(names)][::-1]
    )
    expected = [sum((row + at) * at for at in range(500)) for row in range(5)]
    assert [row[0] for row in table.select(udf(model, "double")()).collect()] == expected

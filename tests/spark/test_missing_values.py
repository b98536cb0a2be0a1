"""Missing values on their way in: what each declared type makes of a null."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql.functions import col, struct

from spark_models import errors
from spark_models.types.schema import ColSpec

ROWS = {
    "boolean": "(true), (null)",
    "int": "(7), (null)",
    "bigint": "(7L), (null)",
    "float": "(cast(1.5 as float)), (null)",
    "double": "(1.5D), (null)",
    "string": "('text'), (null)",
    "binary": "(X'00ff'), (null)",
    "date": "(date'2020-01-31'), (null)",
    "timestamp": "(timestamp'2020-01-31 12:00:00'), (null)",
}


def told(frame: Any) -> list[str]:
    values = frame.iloc[:, 0]
    return [f"{values.dtype} {value!r}" for value in values.tolist()]


def column(spark: Any, kind: str, rows: str | None = None) -> Any:
    return spark.sql(f"select * from values {ROWS[kind] if rows is None else rows} t(x)").coalesce(1)


@pytest.mark.parametrize(
    ("declared", "kind"), [("boolean", "boolean"), ("integer", "int"), ("long", "int"), ("long", "bigint")]
)
def test_a_required_column_without_a_value_for_null_is_refused(
    udf: Any, spark: Any, save: Any, failure: Any, declared: str, kind: str
) -> None:
    model = save(told, {"x": declared})
    text = failure(column(spark, kind).select(udf(model)()))
    found = errors.NullColumnError("x", declared)
    assert f"[NULLS_IN_COLUMN] Column 'x' of type {declared} has missing values" in text
    assert f"Where: inputs of the signature\nHint: {found.hint}" in text
    assert model.calls() == []


@pytest.mark.parametrize(
    ("declared", "kind", "expected"),
    [
        ("boolean", "boolean", ["boolean True", "boolean <NA>"]),
        ("integer", "int", ["Int32 7", "Int32 <NA>"]),
        ("long", "int", ["Int64 7", "Int64 <NA>"]),
        ("long", "bigint", ["Int64 7", "Int64 <NA>"]),
    ],
)
def test_an_optional_column_passes_as_the_nullable_type(
    udf: Any, spark: Any, save: Any, declared: str, kind: str, expected: list[str]
) -> None:
    model = save(told, {"x": ColSpec(declared, "x", False)})
    assert [row[0] for row in column(spark, kind).select(udf(model)()).collect()] == expected


@pytest.mark.parametrize("declared", ["boolean", "integer", "long"])
def test_an_optional_column_without_nulls_is_the_plain_type(udf: Any, spark: Any, save: Any, declared: str) -> None:
    kind = {"boolean": "true", "integer": "7", "long": "7L"}[declared]
    model = save(told, {"x": ColSpec(declared, "x", False)})
    expected = {"boolean": "bool True", "integer": "int32 7", "long": "int64 7"}[declared]
    assert column(spark, "int", f"({kind})").select(udf(model)()).first()[0] == expected


@pytest.mark.parametrize(
    ("declared", "kind", "expected"),
    [
        ("float", "float", ["float32 1.5", "float32 nan"]),
        ("double", "double", ["float64 1.5", "float64 nan"]),
        ("double", "float", ["float64 1.5", "float64 nan"]),
        ("double", "int", ["float64 7.0", "float64 nan"]),
        ("string", "string", ["object 'text'", "object None"]),
        ("binary", "binary", ["object b'\\x00\\xff'", "object None"]),
        ("datetime", "date", ["datetime64[ns] Timestamp('2020-01-31 00:00:00')", "datetime64[ns] NaT"]),
        ("datetime", "timestamp", ["datetime64[ns] Timestamp('2020-01-31 12:00:00')", "datetime64[ns] NaT"]),
    ],
)
def test_other_types_have_a_value_for_null(
    udf: Any, spark: Any, save: Any, declared: str, kind: str, expected: list[str]
) -> None:
    model = save(told, {"x": declared})
    assert [row[0] for row in column(spark, kind).select(udf(model)()).collect()] == expected


@pytest.mark.parametrize("declared", ["float", "double", "string", "binary", "datetime"])
def test_a_column_of_nulls_alone_has_the_declared_type(udf: Any, spark: Any, save: Any, declared: str) -> None:
    kind = {"datetime": "timestamp"}.get(declared, declared)
    model = save(told, {"x": declared})
    expected = {
        "float": "float32 nan",
        "double": "float64 nan",
        "string": "object None",
        "binary": "object None",
        "datetime": "datetime64[ns] NaT",
    }
    table = spark.sql(f"select cast(null as {kind}) as x")
    assert table.select(udf(model)()).first()[0] == expected[declared]


@pytest.mark.parametrize("given", [("x", "y"), ("x", "y", "z")])
def test_nulls_among_packed_doubles(udf: Any, spark: Any, save: Any, given: tuple[str, ...]) -> None:
    model = save(lambda frame: [repr(row) for row in frame.to_numpy().tolist()], dict.fromkeys(given, "double"))
    table = spark.sql("select * from values (null, 1, 2.5D), (3.5D, null, null) t(x, y, z)").coalesce(1)
    expected = [[float("nan"), 1.0, 2.5], [3.5, float("nan"), float("nan")]]
    found = [row[0] for row in table.select(udf(model)()).collect()]
    assert found == [repr(row[: len(given)]) for row in expected]


def test_nulls_inside_an_array(udf: Any, spark: Any, save: Any) -> None:
    from spark_models.schema.datatypes import Array, DataType

    model = save(told, {"x": ColSpec(Array(DataType.double), "x", False)})
    table = spark.sql("select * from values (array(1.5D, null)), (null) t(x)").coalesce(1)
    assert [row[0] for row in table.select(udf(model)()).collect()] == ["object [1.5, nan]", "object None"]


def test_a_long_beyond_the_digits_of_a_double_is_never_rounded(
    udf: Any, spark: Any, save: Any, failure: Any, transport: str
) -> None:
    """pandas holds integers with gaps as floats: what has lost digits on the way is refused, and Arrow loses none."""
    model = save(lambda frame: [str(value) for value in frame["x"]], {"x": ColSpec("long", "x", False)})
    predicted = column(spark, "bigint", "(9007199254740993L), (null)").select(udf(model)())
    if transport == "arrow":
        assert [row[0] for row in predicted.collect()] == ["9007199254740993", "<NA>"]
    else:
        assert "[COLUMN_TYPE] Column 'x' is float64; long (int64) is expected" in failure(predicted)
    exact = column(spark, "bigint", "(9007199254740991L), (-9007199254740991L), (null)").select(udf(model)())
    assert [row[0] for row in exact.collect()] == ["9007199254740991", "-9007199254740991", "<NA>"]


def test_a_null_struct_has_null_fields(udf: Any, spark: Any, save: Any) -> None:
    table = spark.sql("select * from values (1.5D, 'x'), (2.5D, 'y') t(x, y)").coalesce(1)
    nested = table.select(struct("x", "y").alias("s")).selectExpr("if(s.x > 2, null, s) as s")
    model = save(lambda frame: [repr(row) for row in frame.to_numpy().tolist()], {"x": "double", "y": "string"})
    assert [row[0] for row in nested.select(udf(model)(col("s"))).collect()] == ["[1.5, 'x']", "[nan, None]"]


def test_all_columns_with_nulls_are_said_at_once(udf: Any, spark: Any, save: Any, failure: Any) -> None:
    model = save(told, {"x": "long", "y": "boolean", "z": "double"})
    table = spark.sql("select cast(null as long) x, cast(null as boolean) y, cast(null as double) z")
    text = failure(table.select(udf(model)()))
    assert "[INVALID_INPUT] 2 problems with the input." in text
    assert "Column 'x' of type long" in text
    assert "Column 'y' of type boolean" in text

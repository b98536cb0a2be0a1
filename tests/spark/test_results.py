"""The prediction column: every result type over every transport, missing values, and the number of rows."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import types as T
from pyspark.sql.functions import col

from spark_models import errors

UTC = datetime.timezone.utc
DAY = datetime.date(2020, 1, 31)
NOON = datetime.datetime(2020, 1, 31, 12, 0, 0, 250000)


def mixed(frame: Any) -> Any:
    """A DataFrame with a column of each kind; the second row has only missing values, where there are any."""
    return pd.DataFrame(
        {
            "flag": pd.Series([True, None], dtype=object),
            "small": np.array([1, 2], "int32"),
            "big": np.array([2**40, 2], "int64"),
            "text": ["class1", None],
            "single": np.array([0.5, np.nan], "float32"),
            "real": [0.1, np.nan],
            "raw": pd.Series([b"\x00\xff", None], dtype=object),
            "day": pd.Series([DAY, None], dtype=object),
            "at": pd.to_datetime(pd.Series([NOON, None])),
            "exact": pd.Series([decimal.Decimal("1.50"), None], dtype=object),
            "several": pd.Series([[1.5, np.nan], None], dtype=object),
            "record": pd.Series([{"a": 1, "b": "x"}, None], dtype=object),
        }
    )


@pytest.fixture(scope="module")
def two(spark: Any) -> Any:
    return spark.range(2).selectExpr("cast(id as double) as x").coalesce(1)


@pytest.fixture(scope="module")
def mixed_model(save: Any) -> Any:
    return save(mixed, {"x": "double"})


RESULTS: dict[str, tuple[str, list[Any]]] = {
    # The document's own.
    "int": ("int", [1, 2]),
    "integer": ("int", [1, 2]),
    "long": ("bigint", [1, 2]),
    "float": ("float", [1.0, 2.0]),
    "double": ("double", [1.0, 2.0]),
    "string": ("string", ["True", None]),
    "array<int>": ("array<int>", [[1], [2]]),
    "array<long>": ("array<bigint>", [[1, 2**40], [2, 2]]),
    "array<float>": (
        "array<float>",
        [[1.0, float(2**40), 0.5, float(np.float32(0.1))], [2.0, 2.0, None, None]],
    ),
    "array<double>": ("array<double>", [[1.0, float(2**40), 0.5, 0.1], [2.0, 2.0, None, None]]),
    # Beyond it.
    "boolean": ("boolean", [True, None]),
    "date": ("date", [DAY, None]),
    "timestamp": ("timestamp", [datetime.datetime(2020, 1, 31), None]),
    "binary": ("binary", [bytearray(b"\x00\xff"), None]),
    "decimal(10,2)": ("decimal(10,2)", [decimal.Decimal("1.50"), None]),
    "array<boolean>": ("array<boolean>", [[True], [None]]),
    "array<date>": ("array<date>", [[DAY, DAY], [None, None]]),
    "array<timestamp>": ("array<timestamp>", [[datetime.datetime(2020, 1, 31), NOON], [None, None]]),
    "array<binary>": ("array<binary>", [[bytearray(b"\x00\xff")], [None]]),
    "array<decimal(10,2)>": ("array<decimal(10,2)>", [[decimal.Decimal("1.50")], [None]]),
    "map<string,long>": ("map<string,bigint>", [{"small": 1, "big": 2**40}, {"small": 2, "big": 2}]),
    "map<string,boolean>": ("map<string,boolean>", [{"flag": True}, {"flag": None}]),
    "map<string,timestamp>": (
        "map<string,timestamp>",
        [{"day": datetime.datetime(2020, 1, 31), "at": NOON}, {"day": None, "at": None}],
    ),
    "struct<text:string,at:timestamp,flag:boolean>": (
        "struct<text:string,at:timestamp,flag:boolean>",
        [T.Row(text="class1", at=NOON, flag=True), T.Row(text=None, at=None, flag=None)],
    ),
    "struct<several:array<double>,real:double,big:long>": (
        "struct<several:array<double>,real:double,big:bigint>",
        [T.Row(several=[1.5, None], real=0.1, big=2**40), T.Row(several=None, real=None, big=2)],
    ),
    "struct<record:struct<a:int,b:string>,day:date,exact:decimal(10,2),raw:binary>": (
        "struct<record:struct<a:int,b:string>,day:date,exact:decimal(10,2),raw:binary>",
        [
            T.Row(record=T.Row(a=1, b="x"), day=DAY, exact=decimal.Decimal("1.50"), raw=bytearray(b"\x00\xff")),
            T.Row(record=None, day=None, exact=None, raw=None),
        ],
    ),
}


@pytest.mark.parametrize("result_type", RESULTS)
def test_every_result_type(udf: Any, two: Any, mixed_model: Any, result_type: str) -> None:
    kind, expected = RESULTS[result_type]
    frame = two.select(udf(mixed_model, result_type)("x").alias("p"))
    assert frame.dtypes == [("p", kind)]
    assert [row[0] for row in frame.collect()] == expected


def test_the_default_is_double(spark: Any, two: Any, mixed_model: Any) -> None:
    import spark_models

    predicted = spark_models.pyfunc.spark_udf(spark, mixed_model.uri)("x")
    assert two.select(predicted).dtypes == [("prediction", "double")]


@pytest.mark.parametrize(
    "given",
    [
        T.LongType(),
        T.ArrayType(T.DoubleType()),
        T.StructType([T.StructField("text", T.StringType()), T.StructField("big", T.LongType())]),
    ],
    ids=lambda kind: kind.simpleString(),
)
def test_a_type_object_says_the_same_as_its_name(udf: Any, two: Any, mixed_model: Any, given: Any) -> None:
    frames = [two.select(udf(mixed_model, kind)("x")) for kind in (given, given.simpleString())]
    assert frames[0].schema == frames[1].schema
    assert frames[0].collect() == frames[1].collect()


def test_the_signatures_outputs_as_a_struct(udf: Any, two: Any, save: Any) -> None:
    outputs = {"label": "string", "score": "double", "rank": "long", "seen": "datetime", "ok": "boolean"}

    def predict(frame: Any) -> Any:
        rows = len(frame)
        return pd.DataFrame(
            {
                "ok": [True] * rows,
                "rank": np.arange(rows),
                "score": frame["x"] / 2,
                "seen": pd.Series([pd.Timestamp(NOON)] * rows),
                "label": ["a"] * rows,
            }
        )

    frame = two.select(udf(save(predict, {"x": "double"}, outputs), "signature")("x").alias("p"))
    assert frame.dtypes == [("p", "struct<label:string,score:double,rank:bigint,seen:timestamp,ok:boolean>")]
    assert frame.select("p.*").collect() == [("a", 0.0, 0, NOON, True), ("a", 0.5, 1, NOON, True)]


def test_a_field_name_with_a_dot(udf: Any, two: Any, save: Any) -> None:
    model = save(lambda frame: pd.DataFrame({"a.b": frame["x"], "c d": frame["x"] + 1}), {"x": "double"})
    frame = two.select(udf(model, "struct<`c d`:double,`a.b`:double>")("x").alias("p"))
    assert frame.select("p.`a.b`", "p.`c d`").collect() == [(0.0, 1.0), (1.0, 2.0)]


@pytest.mark.parametrize("result_type", ["short", "tinyint", "no such type", "array<short>", "map<int,int>", 5])
def test_an_unsupported_result_type_is_refused_on_the_driver(udf: Any, mixed_model: Any, result_type: Any) -> None:
    with pytest.raises(errors.UnsupportedResultTypeError, match="UNSUPPORTED_RESULT_TYPE"):
        udf(mixed_model, result_type)


def test_no_output_of_the_type(udf: Any, two: Any, save: Any, failure: Any) -> None:
    model = save(lambda frame: pd.DataFrame({"a": ["x"] * len(frame), "b": [True] * len(frame)}), {"x": "double"})
    text = failure(two.select(udf(model, "double")("x")))
    assert (
        "[NO_MATCHING_OUTPUT] The model's output has nothing that fits the result type double.\n"
        "Where: the model's output is a: object, b: bool\n"
        "Hint: choose a result_type that the output has"
    ) in text


# --- missing values


@pytest.mark.parametrize("result_type", ["double", "float", "string", "array<double>", "map<string,double>"])
def test_nan_is_null_everywhere(udf: Any, two: Any, save: Any, result_type: str) -> None:
    model = save(lambda frame: np.full((len(frame), 2), np.nan), {"x": "double"})
    expected = {"array<double>": [None, None], "map<string,double>": {"0": None, "1": None}}.get(result_type)
    assert [row[0] for row in two.select(udf(model, result_type)("x")).collect()] == [expected] * 2


def test_a_list_may_be_missing_or_empty(udf: Any, spark: Any, save: Any) -> None:
    model = save(lambda frame: pd.Series([[1.0, None], None, []], dtype=object), {"x": "double"})
    three = spark.range(3).selectExpr("cast(id as double) as x").coalesce(1)
    assert [row[0] for row in three.select(udf(model, "array<double>")("x")).collect()] == [[1.0, None], None, []]


def test_infinity_stays(udf: Any, two: Any, save: Any) -> None:
    model = save(lambda frame: [np.inf, -np.inf], {"x": "double"})
    assert [row[0] for row in two.select(udf(model, "double")("x")).collect()] == [np.inf, -np.inf]


# --- as many predictions as rows


@pytest.mark.parametrize(("change", "got"), [(-1, 1), (1, 3), (-2, 0)])
@pytest.mark.parametrize("result_type", ["double", "string", "array<double>", "struct<`0`:double>"])
def test_another_number_of_rows(
    udf: Any, two: Any, save: Any, failure: Any, result_type: str, change: int, got: int
) -> None:
    model = save(lambda frame: pd.DataFrame({"0": np.zeros(len(frame) + change)}), {"x": "double"})
    assert (
        f"[ROW_COUNT] The model gave {got} predictions for 2 rows.\n"
        "Hint: its predict must give exactly one prediction for each row, in their order"
    ) in failure(two.select(udf(model, result_type)("x")))


# --- time zones: the wall clock of the session, as Spark's own pandas conversion shows it

EDGES = [
    "2024-03-10 06:59:59Z",  # New York: an hour is left out
    "2024-03-10 07:00:00Z",
    "2024-07-01 12:00:00.123456Z",
    "2024-11-03 06:30:00Z",  # the second time that it is half past one
    "1969-12-31 23:59:59Z",
]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_an_instant_comes_back_as_it_was(udf: Any, spark: Any, save: Any, configured: Any, zone: str) -> None:
    model = save(lambda frame: frame, {"t": "datetime"})
    rows = ", ".join(f"(timestamp'{edge}')" for edge in EDGES)
    with configured({"spark.sql.session.timeZone": zone}):
        table = spark.sql(f"select * from values {rows} x(t)").coalesce(1)
        for result_type, value in (("timestamp", "p"), ("array<timestamp>", "p[0]"), ("struct<t:timestamp>", "p.t")):
            scored = table.select("t", udf(model, result_type)("t").alias("p"))
            assert [row[0] for row in scored.selectExpr(f"t = {value}").collect()] == [True] * len(EDGES)


def test_the_model_sees_the_wall_clock_of_the_session(udf: Any, spark: Any, save: Any, configured: Any) -> None:
    model = save(lambda frame: frame["t"].astype(str), {"t": "datetime"})
    with configured({"spark.sql.session.timeZone": "America/New_York"}):
        table = spark.sql("select timestamp'2024-07-01 12:00:00Z' as t")
        assert table.select(udf(model)("t")).first()[0] == "2024-07-01 08:00:00"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_date_is_the_day_that_the_model_shows(udf: Any, spark: Any, save: Any, configured: Any, zone: str) -> None:
    model = save(lambda frame: frame, {"t": "datetime"})
    with configured({"spark.sql.session.timeZone": zone}):
        table = spark.sql("select timestamp_ntz'2024-07-01 00:30:00' as n, date'2024-07-01' as d")
        for name in ("n", "d"):
            assert table.select(udf(model, "date")(col(name))).first()[0] == datetime.date(2024, 7, 1)


def test_a_zoned_output_is_its_instant(udf: Any, spark: Any, save: Any, configured: Any) -> None:
    model = save(lambda frame: frame["t"].dt.tz_localize("Europe/Paris"), {"t": "datetime"})
    with configured({"spark.sql.session.timeZone": "America/New_York"}):
        table = spark.sql("select timestamp_ntz'2024-07-01 00:30:00' as t")
        scored = table.select(udf(model, "timestamp")("t").alias("p"), udf(model, "date")("t").alias("d"))
        assert scored.selectExpr("p = timestamp'2024-06-30 22:30:00Z'", "d = date'2024-07-01'").first() == (True, True)


def test_a_decimal_of_too_many_digits(udf: Any, two: Any, save: Any, failure: Any) -> None:
    model = save(lambda frame: pd.Series([decimal.Decimal("12345.678")] * 2, dtype=object), {"x": "double"})
    assert "[OUTPUT_VALUE] Output '0' has values that decimal(4,2) can't hold." in failure(
        two.select(udf(model, "decimal(4,2)")("x"))
    )


def test_a_prediction_in_a_filter_and_an_aggregate(udf: Any, two: Any, save: Any) -> None:
    predict = udf(save(lambda frame: frame["x"] * 10, {"x": "double"}), "double")
    assert two.where(predict("x") > 5).count() == 1
    assert two.selectExpr("x").groupBy().agg({"x": "sum"}).count() == 1
    assert two.withColumn("p", predict()).agg({"p": "sum"}).first()[0] == 10.0


def test_two_models_in_one_query(udf: Any, two: Any, save: Any) -> None:
    first = udf(save(lambda frame: frame["x"] + 1, {"x": "double"}), "double")
    second = udf(save(lambda frame: frame["y"] * 2, {"y": "double"}), "double")
    chained = two.withColumn("y", first("x")).withColumn("z", second("y"))
    assert chained.collect() == [(0.0, 1.0, 2.0), (1.0, 2.0, 4.0)]


def test_an_unresolved_column_is_sparks_own_error(udf: Any, two: Any, mixed_model: Any) -> None:
    with pytest.raises(AnalysisException, match="`nothing`"):
        two.select(udf(mixed_model)(col("nothing")))

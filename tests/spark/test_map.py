"""`score(transport="map")`: the same answers as by a UDF, whatever travels beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

import spark_models
from spark_models.errors import InvalidArgumentError
from spark_models.scoring.observe import StatsObservation


@pytest.fixture
def table(spark: Any) -> Any:
    """Twenty rows in three partitions, with columns beside the inputs of every kind that travels."""
    return (
        spark.range(20)
        .repartition(3, "id")
        .select(
            "id",
            (F.col("id") * 0.5).alias("a"),
            F.when(F.col("id") % 4 != 0, F.col("id") * 1.0).alias("b"),
            F.timestamp_seconds(F.col("id") * 3600).alias("at"),
            F.to_date(F.lit("2020-02-29")).alias("day"),
            F.array("id", F.lit(None)).alias("list"),
            F.struct(F.col("id").alias("x"), F.lit("é").alias("y")).alias("record"),
            F.create_map(F.lit("k"), F.col("id")).alias("pairs"),
            F.lit(1).cast("decimal(10,2)").alias("price"),
            F.lit(1).cast("tinyint").alias("tiny"),
            F.encode(F.lit("raw"), "utf-8").alias("raw"),
        )
    )


@pytest.fixture
def model(save: Any) -> Any:
    def predict(frame: Any) -> Any:
        return pd.DataFrame({"sum": frame["a"] + frame["b"], "text": frame["a"].astype(str)})

    return save(predict, {"a": "double", "b": "double"}, {"sum": "double", "text": "string"}, split_invariant=True)


def test_a_map_gives_what_a_udf_gives_and_leaves_the_other_columns_as_they_were(table: Any, model: Any) -> None:
    mapped = spark_models.score(table, model.uri, transport="map")
    by_udf = spark_models.score(table, model.uri, transport="pandas")
    assert mapped.columns == by_udf.columns == [*table.columns, "prediction_sum", "prediction_text"]
    assert sorted(map(str, mapped.collect())) == sorted(map(str, by_udf.collect()))


def test_a_map_has_quarantine_and_stats(table: Any, save: Any) -> None:
    def predict(frame: Any) -> Any:
        if bool((frame["a"] == 3.5).any()):
            raise ValueError("seven is not scored")
        return np.asarray(frame["a"])

    saved = save(predict, {"a": "double"}, split_invariant=True)
    stats = StatsObservation()
    rows = spark_models.score(table, saved.uri, transport="map", on_error="quarantine", stats=stats).collect()
    assert [(row.id, row.prediction_error_code) for row in rows if row.prediction_error_code] == [(7, "MODEL_ERROR")]
    assert {row.id: row.prediction for row in rows} == {at: (None if at == 7 else at / 2) for at in range(20)}
    assert (stats.get.rows, stats.get.failed, stats.get.nulls) == (20, 1, 1)


def test_wide_predictions_leave_slice_by_slice(spark: Any, save: Any) -> None:
    """No more than a slice of them is held: a batch of 6 rows, of which each gives 1,000 numbers."""

    def predict(frame: Any) -> Any:
        return [np.full(1000, x) for x in frame["x"]]

    saved = save(predict, {"x": "double"})
    stats = StatsObservation()
    table = spark.range(0, 6, 1, 1).select("id", F.col("id").cast("double").alias("x"))
    scored = spark_models.score(
        table, saved.uri, transport="map", result_type="array<double>", batch_rows=2, stats=stats
    )
    assert [(row.id, row.prediction) for row in scored.collect()] == [(at, [float(at)] * 1000) for at in range(6)]
    assert (stats.get.rows, stats.get.batches, len(saved.calls())) == (6, 3, 3)


def test_what_does_not_travel_as_arrow_is_refused_by_name(spark: Any, model: Any) -> None:
    from pyspark.ml.linalg import Vectors

    df = spark.createDataFrame([(1.0, 2.0, Vectors.dense([1.0]))], ["a", "b", "features"])
    with pytest.raises(InvalidArgumentError, match=r"Columns \['features'\] are of types that mapInArrow does not"):
        spark_models.score(df, model.uri, transport="map")


def test_a_udf_is_no_map(spark: Any, model: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="map"):
        spark_models.pyfunc.spark_udf(spark, model.uri, transport="map")

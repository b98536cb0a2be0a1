"""What a score says of its cost: rows and failures exactly, loads as often as there were processes."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import functions as F

import spark_models
from spark_models.errors import InvalidArgumentError
from spark_models.scoring.observe import StatsObservation
from spark_models.scoring.stats import ScoreStats


@pytest.fixture(scope="module")
def table(spark: Any) -> Any:
    """1,000 rows in 7 partitions, some of them empty."""
    return spark.range(0, 1000, 1, 7).where("id < 500 or id >= 800").select("id", F.col("id").cast("double").alias("x"))


ROWS = 700


def half(frame: Any) -> Any:
    return frame["x"] / 2


def with_gaps(frame: Any) -> Any:
    """Null for every tenth row; fails on a batch with row 17."""
    if bool((frame["x"] == 17).any()):
        raise ValueError("no")
    return frame["x"].where(frame["x"] % 10 != 0)


# --- by the accumulator of a UDF


def test_the_rows_batches_and_loads_of_a_udf(udf: Any, table: Any, save: Any) -> None:
    model = save(half, {"x": "double"})
    predict = udf(model, "double")
    assert predict.stats == ScoreStats()
    table.select(predict("x").alias("p")).agg({"p": "sum"}).collect()
    stats = predict.stats
    assert (stats.rows, stats.nulls, stats.failed) == (ROWS, 0, 0)
    assert stats.batches == len(model.calls())
    assert stats.loads == len(model.loads()) == len(set(model.loads()))


def test_batches_are_those_of_spark_whatever_the_slices(udf: Any, table: Any, save: Any, configured: Any) -> None:
    model = save(half, {"x": "double"})
    predict = udf(model, "double", batch_rows=5)
    with configured({"spark.sql.execution.arrow.maxRecordsPerBatch": "50"}):
        table.coalesce(1).select(predict("x").alias("p")).agg({"p": "sum"}).collect()
    assert (predict.stats.rows, predict.stats.batches) == (ROWS, ROWS / 50)
    assert len(model.calls()) == ROWS / 5


def test_stats_add_up_over_jobs_and_belong_to_one_udf(udf: Any, table: Any, save: Any) -> None:
    model = save(half, {"x": "double"})
    first, second = udf(model, "double"), udf(model, "double")
    for _ in range(2):
        table.select(first("x").alias("p")).agg({"p": "sum"}).collect()
    assert (first.stats.rows, second.stats.rows) == (2 * ROWS, 0)


def test_nulls_and_failures_are_counted_apart(udf: Any, table: Any, save: Any) -> None:
    predict = udf(save(with_gaps, {"x": "double"}, split_invariant=True), "double", on_error="null")
    found = table.select(predict("x").alias("p")).agg(F.count_if(F.col("p").isNull())).first()[0]
    assert found == ROWS / 10 + 1
    assert (predict.stats.nulls, predict.stats.failed) == (found, 1)


def test_seconds_are_those_of_their_step(udf: Any, table: Any, save: Any) -> None:
    class Slow:
        """Takes its time to unpickle."""

        def __reduce__(self) -> Any:
            return (time.sleep, (0.4,))

    def predict(frame: Any, slow: Any = Slow()) -> Any:  # noqa: B008
        time.sleep(0.2)
        return frame["x"]

    call = udf(save(predict, {"x": "double"}), "double")
    table.limit(10).coalesce(1).select(call("x")).collect()
    stats = call.stats
    assert (stats.loads, stats.batches) == (1, 1)
    assert stats.load_seconds >= 0.4
    assert stats.predict_seconds >= 0.2
    assert stats.transfer_seconds == 0  # there was no batch before


def test_the_stats_of_a_udf_registered_for_sql(spark: Any, udf: Any, table: Any, save: Any) -> None:
    predict = udf(save(half, {"x": "double"}), "double")
    predict.register(spark, "half_of")
    table.createOrReplaceTempView("stats_table")
    assert spark.sql("select sum(half_of(x)) from stats_table").first()[0] > 0
    assert predict.stats.rows == ROWS


# --- by observation


@pytest.fixture(params=["pandas", "arrow", "map"])
def score(request: pytest.FixtureRequest, spark: Any) -> Any:
    """score(df, model): over each transport, observed; with what it has seen."""
    if request.param == "arrow" and not hasattr(F, "arrow_udf"):
        pytest.skip("this pyspark has no Arrow UDFs")

    def score(df: Any, model: Any, **options: Any) -> Any:
        stats = StatsObservation()
        return spark_models.score(df, model.uri, transport=request.param, stats=stats, **options), stats

    return score


def test_an_observed_score_counts_and_leaves_no_trace(score: Any, table: Any, save: Any) -> None:
    model = save(with_gaps, {"x": "double"}, split_invariant=True)
    scored, stats = score(table, model, on_error="null")
    assert scored.columns == ["id", "x", "prediction"]
    nulls = sum(row.prediction is None for row in scored.collect())
    seen = stats.get
    assert (seen.rows, seen.nulls, seen.failed) == (ROWS, nulls, 1)
    assert seen.loads == len(model.loads()) == len(set(model.loads()))
    assert seen.predict_seconds > 0


def test_an_observed_struct(score: Any, table: Any, save: Any) -> None:
    def predict(frame: Any) -> Any:
        return pd.DataFrame({"a": frame["x"], "b": frame["x"].astype(str)})

    scored, stats = score(table, save(predict, {"x": "double"}, {"a": "double", "b": "string"}))
    assert scored.columns == ["id", "x", "prediction_a", "prediction_b"]
    assert scored.orderBy("id").first()[2:] == (0.0, "0.0")
    assert stats.get.rows == ROWS


def test_an_observed_score_of_no_rows(score: Any, table: Any, save: Any) -> None:
    scored, stats = score(table.where("id < 0"), save(half, {"x": "double"}))
    assert scored.collect() == []
    assert stats.get == ScoreStats()


def test_a_limit_is_seen_as_the_rows_that_were_scored(score: Any, table: Any, save: Any) -> None:
    scored, stats = score(table.coalesce(1), save(half, {"x": "double"}))
    assert len(scored.limit(5).collect()) == 5
    assert stats.get.rows >= 5


def test_an_observation_is_for_one_score(score: Any, table: Any, save: Any) -> None:
    model = save(half, {"x": "double"})
    _, stats = score(table, model)
    with pytest.raises(InvalidArgumentError, match="takes the stats of one DataFrame"):
        spark_models.score(table, model.uri, stats=stats)


def test_an_observation_without_a_score() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        _ = StatsObservation().get
    assert str(caught.value) == (
        "[INVALID_ARGUMENT] Nothing is observed.\nHint: give the observation to score(df, …, stats=…)"
    )

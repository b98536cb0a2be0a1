"""Rows that a model can't score: null or in quarantine, with the reason and without their values; or the job fails."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

import spark_models
from spark_models.errors import InvalidArgumentError
from spark_models.types.schema import Array, ColSpec, DataType, TensorSpec

ROWS = 64


@pytest.fixture(scope="module")
def table(spark: Any) -> Any:
    """One partition, one batch: x is the row's number."""
    return spark.range(0, ROWS, 1, 1).select("id", F.col("id").cast("double").alias("x"))


@pytest.fixture
def score(transport: str) -> Any:
    def score(df: Any, model: Any, **options: Any) -> Any:
        return spark_models.score(df, model.uri, transport=transport, **options)

    return score


def refuses(*bad: int) -> Any:
    """A function that doubles x, and raises, with the value in its text, where one of these rows is in the batch."""

    def predict(frame: Any) -> Any:
        for x in frame["x"]:
            if int(x) in bad:
                raise ValueError(f"the secret value is {x}")
        return frame["x"] * 2

    return predict


def expected(*bad: int) -> list[Any]:
    return [None if row in bad else 2.0 * row for row in range(ROWS)]


def predictions(frame: Any) -> list[Any]:
    return [row["prediction"] for row in frame.collect()]


# --- null


def test_a_failing_row_is_null_and_the_others_are_scored(udf: Any, table: Any, save: Any) -> None:
    model = save(refuses(7), {"x": "double"}, split_invariant=True)
    assert predictions(table.select(udf(model, "double", on_error="null")("x"))) == expected(7)


def test_one_bad_row_costs_few_calls(udf: Any, table: Any, save: Any) -> None:
    model = save(refuses(41), {"x": "double"}, split_invariant=True)
    assert predictions(table.select(udf(model, "double", on_error="null")("x"))) == expected(41)
    assert len(model.calls()) == 1 + 2 * math.log2(ROWS)


def test_without_bad_rows_there_is_one_call(udf: Any, table: Any, save: Any) -> None:
    model = save(refuses(), {"x": "double"}, split_invariant=True)
    assert predictions(table.select(udf(model, "double", on_error="null")("x"))) == expected()
    assert len(model.calls()) == 1


def test_where_every_row_is_bad_all_are_null(udf: Any, table: Any, save: Any) -> None:
    model = save(refuses(*range(ROWS)), {"x": "double"}, split_invariant=True)
    assert predictions(table.select(udf(model, "double", on_error="null")("x"))) == [None] * ROWS


def test_a_batch_of_a_model_that_is_not_split_invariant_fails_whole(
    udf: Any, table: Any, save: Any, configured: Any
) -> None:
    """Such a model's answer depends on the rows beside it: halves would be other answers, and must not be given."""

    def predict(frame: Any) -> Any:
        if bool((frame["x"] == 20).any()):
            raise ValueError("no")
        return frame["x"] - frame["x"].mean()

    model = save(predict, {"x": "double"})
    with configured({"spark.sql.execution.arrow.maxRecordsPerBatch": "16"}):
        found = predictions(table.select(udf(model, "double", on_error="null")("x")))
    centred = [x - 7.5 for x in range(16)]
    assert found == [*centred, *[None] * 16, *centred, *centred]
    assert len(model.calls()) == 4


def test_a_tensor_of_fixed_length_is_never_halved(udf: Any, spark: Any, save: Any) -> None:
    """Whatever the package says of itself: the model takes batches of four and no others."""

    def predict(tensor: Any) -> Any:
        if bool((tensor == 2.0).any()):
            raise ValueError("no")
        return tensor[:, 0]

    signature = spark_models.models.ModelSignature(
        spark_models.types.schema.Schema([TensorSpec(np.dtype("float64"), (4, 1))])
    )
    model = save(predict, signature=signature, split_invariant=True)
    rows = spark.range(0, 4, 1, 1).select(F.array(F.col("id").cast("double")).alias("x"))
    assert predictions(rows.select(udf(model, "double", on_error="null")(F.col("x")))) == [None] * 4
    assert len(model.calls()) == 1


@pytest.mark.parametrize(
    "result_type", ["string", "array<double>", "struct<a:double,b:array<double>>", "map<string,double>", "binary"]
)
def test_a_failing_row_is_null_in_every_form_of_result(udf: Any, table: Any, save: Any, result_type: str) -> None:
    def predict(frame: Any) -> Any:
        if bool((frame["x"] == 1).any()):
            raise ValueError("no")
        x = frame["x"]
        if result_type.startswith("struct"):
            return pd.DataFrame({"a": x, "b": [[value] for value in x]})
        if result_type.startswith("array"):
            return np.stack([x, x], axis=1)
        if result_type.startswith("map"):
            return [{"k": value} for value in x]
        return [b"bytes" if result_type == "binary" else "text"] * len(x)

    model = save(predict, {"x": "double"}, split_invariant=True)
    found = predictions(table.limit(3).select(udf(model, result_type, on_error="null")("x")))
    assert found[1] is None or (result_type.startswith("struct") and tuple(found[1]) == (None, None))
    assert None not in (found[0], found[2])


def test_a_model_error_fails_the_job_by_default(udf: Any, table: Any, save: Any, failure: Any) -> None:
    text = failure(table.select(udf(save(refuses(7), {"x": "double"}, split_invariant=True), "double")("x")))
    assert "ValueError" in text


def test_the_batches_of_other_partitions_are_not_touched(udf: Any, spark: Any, save: Any) -> None:
    model = save(refuses(7), {"x": "double"})
    frame = spark.range(0, ROWS, 1, 4).select(F.col("id").cast("double").alias("x"))
    bad = range(16)
    assert predictions(frame.select(udf(model, "double", on_error="null")("x"))) == expected(*bad)


# --- what no row is to blame for


def short(frame: Any) -> Any:
    return frame["x"].iloc[:-1]


def texts(frame: Any) -> Any:
    return ["text"] * len(frame)


def exhausted(frame: Any) -> Any:
    raise MemoryError("no memory")


def unpackaged(frame: Any) -> Any:
    from spark_models.errors import MissingExtraError

    raise MissingExtraError("xgboost", "xgboost", "Loading this model")


@pytest.mark.parametrize(
    ("function", "sign"),
    [
        (short, "[ROW_COUNT] "),
        (texts, "[NO_MATCHING_OUTPUT] "),
        (exhausted, "MemoryError"),
        (unpackaged, "[MISSING_EXTRA] "),
    ],
)
def test_an_error_of_no_rows_making_fails_the_job_all_the_same(
    udf: Any, table: Any, save: Any, failure: Any, function: Any, sign: str
) -> None:
    model = save(function, {"x": "double"}, split_invariant=True)
    assert sign in failure(table.select(udf(model, "double", on_error="null")("x")))
    assert len(model.calls()) == 1


def test_a_model_that_can_not_be_loaded_fails_the_job(udf: Any, table: Any, save: Any, failure: Any) -> None:
    class Unloadable:
        def __reduce__(self) -> Any:
            return (int, ("not a number",))

    def predict(frame: Any, model: Any = Unloadable()) -> Any:  # noqa: B008
        return frame["x"]

    model = save(predict, {"x": "double"}, split_invariant=True)
    text = failure(table.select(udf(model, "double", on_error="null")("x")))
    assert "not a number" in text


def test_a_column_of_the_wrong_type_fails_the_job(udf: Any, table: Any, save: Any, failure: Any) -> None:
    model = save(refuses(), {"x": "double"}, split_invariant=True)
    text = failure(table.select(F.lit("text").alias("x")).select(udf(model, "double", on_error="null")("x")))
    assert "[COLUMN_TYPE] " in text
    assert model.calls() == []


# --- quarantine


def test_quarantine_says_which_rows_and_why_and_keeps_their_values_to_itself(score: Any, table: Any, save: Any) -> None:
    model = save(refuses(3, 9), {"x": "double"}, split_invariant=True)
    scored = score(table, model, on_error="quarantine")
    assert scored.columns == ["id", "x", "prediction", "prediction_error_code", "prediction_error_column"]
    rows = scored.collect()
    assert [row.prediction for row in rows] == expected(3, 9)
    assert [(row.id, row.prediction_error_code) for row in rows if row.prediction_error_code is not None] == [
        (3, "MODEL_ERROR"),
        (9, "MODEL_ERROR"),
    ]
    assert {row.prediction_error_column for row in rows} == {None}
    assert "secret" not in str(rows)


def test_quarantine_names_the_column_that_is_to_blame(score: Any, spark: Any, save: Any) -> None:
    model = save(lambda frame: frame["n"] * 2, {"n": "integer", "x": "double"}, split_invariant=True)
    table = spark.range(0, 10, 1, 1).selectExpr(
        "id", "if(id = 4, null, cast(id as int)) as n", "if(id = 5, null, 1.0D) as x"
    )
    rows = score(table, model, on_error="quarantine").collect()
    assert [
        (row.id, row.prediction_error_code, row.prediction_error_column) for row in rows if row.prediction_error_code
    ] == [(4, "NULLS_IN_COLUMN", "n")]
    assert [row.prediction for row in rows] == [0.0, 2.0, 4.0, 6.0, None, 10.0, 12.0, 14.0, 16.0, 18.0]


def test_a_null_that_the_model_predicts_is_no_failure(score: Any, table: Any, save: Any) -> None:
    def predict(frame: Any) -> Any:
        return frame["x"].where(frame["x"] != 5)

    rows = score(table, save(predict, {"x": "double"}, split_invariant=True), on_error="quarantine").collect()
    assert [row.id for row in rows if row.prediction is None] == [5]
    assert [row.id for row in rows if row.prediction_error_code is not None] == []


def test_quarantine_of_several_outputs(score: Any, table: Any, save: Any) -> None:
    def predict(frame: Any) -> Any:
        if bool((frame["x"] == 2).any()):
            raise ValueError("no")
        return pd.DataFrame({"half": frame["x"] / 2, "label": frame["x"].astype(str)})

    model = save(predict, {"x": "double"}, {"half": "double", "label": "string"}, split_invariant=True)
    rows = score(table.limit(3), model, on_error="quarantine").drop("x").collect()
    assert [tuple(row) for row in rows] == [
        (0, 0.0, "0.0", None, None),
        (1, 0.5, "1.0", None, None),
        (2, None, None, "MODEL_ERROR", None),
    ]


def test_a_whole_batch_goes_to_quarantine_where_it_can_not_be_halved(score: Any, spark: Any, save: Any) -> None:
    table = spark.range(0, 8, 1, 2).selectExpr("id", "cast(id as double) as x")
    rows = score(table, save(refuses(1), {"x": "double"}), on_error="quarantine").collect()
    assert [row.id for row in rows if row.prediction_error_code == "MODEL_ERROR"] == [0, 1, 2, 3]
    assert [row.prediction for row in rows] == [None] * 4 + [8.0, 10.0, 12.0, 14.0]


def test_quarantined_rows_can_be_written_apart(score: Any, table: Any, save: Any) -> None:
    model = save(refuses(3), {"x": "double"}, split_invariant=True)
    scored = score(table, model, on_error="quarantine")
    bad = scored.where("prediction_error_code is not null")
    assert [(row.id, row.x) for row in bad.collect()] == [(3, 3.0)]
    assert scored.where("prediction_error_code is null").count() == ROWS - 1


def test_an_optional_column_with_nulls_is_not_to_blame(score: Any, spark: Any, save: Any) -> None:
    model = save(lambda frame: frame["n"].fillna(0), {"n": ColSpec("integer", "n", False)}, split_invariant=True)
    table = spark.range(0, 3, 1, 1).selectExpr("if(id = 1, null, cast(id as int)) as n")
    rows = score(table, model, on_error="quarantine").collect()
    assert [(row.prediction, row.prediction_error_code) for row in rows] == [(0.0, None), (0.0, None), (2.0, None)]


# --- arguments


def test_quarantine_of_maps_of_which_some_are_empty(score: Any, table: Any, save: Any) -> None:
    model = save(lambda frame: frame["x"].map(lambda x: {} if x % 2 == 0 else {"x": x}), {"x": "double"})
    found = score(table, model, on_error="quarantine", result_type="map<string,double>").orderBy("id").head(2)
    assert [row["prediction"] for row in found] == [{}, {"x": 1.0}]


def test_parameters_that_the_model_does_not_take_fail_the_job(udf: Any, table: Any, save: Any, failure: Any) -> None:
    predict = udf(save(refuses(), {"x": "double"}), "double", params={"a": 1}, on_error="null")
    assert "params" in failure(table.select(predict("x")))


def test_quarantine_is_for_score(udf: Any, save: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        udf(save(refuses(), {"x": "double"}), "double", on_error="quarantine")
    assert str(caught.value) == (
        "[INVALID_ARGUMENT] on_error='quarantine' is unknown.\n"
        "Hint: choose one of ['fail', 'null']; score(df, …) also takes 'quarantine'"
    )


@pytest.mark.parametrize("options", [{"batch_rows": 0}, {"batch_bytes": -1}])
def test_a_bound_below_one(udf: Any, save: Any, options: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError, match="must be at least 1"):
        udf(save(refuses(), {"x": "double"}), "double", **options)


# --- slices


@pytest.fixture
def sizes(tmp_path: Any) -> Any:
    """A function that writes how many rows it was given, and reads what was written."""
    file = str(tmp_path / "sizes")

    def predict(frame: Any) -> Any:
        with open(file, "a") as stream:
            stream.write(f"{len(frame)}\n")
        return frame.iloc[:, 0] * 2

    def read() -> list[int]:
        with open(file) as stream:
            return [int(line) for line in stream]

    return predict, read


def test_batch_rows_bounds_what_the_model_gets_and_changes_no_answer(
    udf: Any, table: Any, save: Any, sizes: Any
) -> None:
    predict, read = sizes
    model = save(predict, {"x": "double"})
    assert predictions(table.select(udf(model, "double", batch_rows=20)("x"))) == expected()
    assert read() == [20, 20, 20, 4]


def test_a_batch_of_spark_within_the_bound_is_not_sliced(udf: Any, table: Any, save: Any, sizes: Any) -> None:
    predict, read = sizes
    assert predictions(table.select(udf(save(predict, {"x": "double"}), "double", batch_rows=1000)("x"))) == expected()
    assert read() == [ROWS]


def test_batch_bytes_bounds_it_by_size(udf: Any, table: Any, save: Any, sizes: Any) -> None:
    """64 rows of 8 bytes: 160 bytes are 20 rows, or somewhat fewer where the transport needs more for a row."""
    predict, read = sizes
    model = save(predict, {"x": "double"})
    assert predictions(table.select(udf(model, "double", batch_bytes=160)("x"))) == expected()
    assert sum(read()) == ROWS
    assert 10 <= max(read()) <= 20


def test_batch_bytes_counts_what_is_in_arrays(udf: Any, spark: Any, save: Any, sizes: Any) -> None:
    predict, read = sizes

    def lengths(frame: Any) -> Any:
        predict(frame.assign(n=1)[["n"]])
        return frame["x"].map(len)

    model = save(lengths, {"x": ColSpec(Array(DataType.double), "x")})
    wide = spark.range(0, 6, 1, 1).selectExpr("transform(sequence(1, 1000), i -> cast(i as double)) as x")
    assert predictions(wide.select(udf(model, "long", batch_bytes=20_000)("x"))) == [1000] * 6
    assert read() == [2, 2, 2]


def test_wide_rows_are_sliced_to_one_at_least(udf: Any, spark: Any, save: Any, sizes: Any) -> None:
    predict, read = sizes

    def lengths(frame: Any) -> Any:
        predict(frame.assign(n=1)[["n"]])
        return frame["t"].str.len()

    model = save(lengths, {"t": "string"})
    wide = spark.range(0, 10, 1, 1).selectExpr("repeat('x', 100000) as t")
    assert predictions(wide.select(udf(model, "long", batch_bytes=250_000)("t"))) == [100000] * 10
    assert max(read()) <= 2
    assert predictions(wide.select(udf(model, "long", batch_bytes=1)("t"))) == [100000] * 10
    assert read()[-10:] == [1] * 10


def test_slices_and_bad_rows_together(udf: Any, table: Any, save: Any) -> None:
    """Only the slice of the bad row is halved, or lost."""
    halved = save(refuses(41), {"x": "double"}, split_invariant=True)
    call = udf(halved, "double", on_error="null", batch_rows=16)
    assert predictions(table.select(call("x"))) == expected(41)
    assert len(halved.calls()) == 4 + 2 * math.log2(16)
    whole = save(refuses(41), {"x": "double"})
    call = udf(whole, "double", on_error="null", batch_rows=16)
    assert predictions(table.select(call("x"))) == expected(*range(32, 48))

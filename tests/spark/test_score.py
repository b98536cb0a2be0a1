"""`score`: a DataFrame with predictions added, and every error of binding on the driver, before a job."""

from __future__ import annotations

import re
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.linalg import Vectors

import spark_models
from spark_models import errors
from spark_models.models import ModelSignature
from spark_models.schema.datatypes import Array, DataType
from spark_models.types.schema import ColSpec, Schema, TensorSpec


@pytest.fixture(scope="module")
def table(spark: Any) -> Any:
    return spark.sql("select * from values ('k1', 2.0D, 1), ('k2', 4.0D, 2) t(`the.key`, x, n)").coalesce(1)


@pytest.fixture
def score(transport: str) -> Any:
    def score(df: Any, model: Any, **options: Any) -> Any:
        return spark_models.score(df, model.uri, transport=transport, **options)

    return score


def half(frame: Any) -> Any:
    return frame["x"] / 2


def test_one_output_is_one_column(score: Any, table: Any, save: Any) -> None:
    scored = score(table, save(half, {"x": "double"}))
    assert scored.columns == ["the.key", "x", "n", "prediction"]
    assert scored.collect() == [("k1", 2.0, 1, 1.0), ("k2", 4.0, 2, 2.0)]


def test_the_output_may_be_named_and_typed(score: Any, table: Any, save: Any) -> None:
    scored = score(table, save(half, {"x": "double"}), output="the.half", result_type="string")
    assert scored.select("`the.half`").collect() == [("1.0",), ("2.0",)]


def test_several_outputs_are_a_column_each(score: Any, table: Any, save: Any) -> None:
    def predict(frame: Any) -> Any:
        return pd.DataFrame({"half": frame["x"] / 2, "label": ["a"] * len(frame)})

    scored = score(table, save(predict, {"x": "double"}, {"label": "string", "half": "double"}))
    assert scored.columns == ["the.key", "x", "n", "prediction_label", "prediction_half"]
    assert scored.select("prediction_label", "prediction_half").collect() == [("a", 1.0), ("a", 2.0)]
    plan = scored._jdf.queryExecution().executedPlan().toString()
    assert len(re.findall(r"EvalPython \[", plan)) == 1


def test_unnamed_outputs_are_an_array(score: Any, table: Any, save: Any) -> None:
    outputs = Schema([ColSpec("double"), ColSpec("double")])
    signature = ModelSignature(Schema([ColSpec("double", "x")]), outputs)
    model = save(lambda frame: np.stack([frame["x"], frame["x"] + 1], axis=1), signature=signature)
    assert score(table, model).select("prediction").collect() == [([2.0, 3.0],), ([4.0, 5.0],)]


def test_without_signature_every_column_reaches_the_model_by_name(score: Any, table: Any, save: Any) -> None:
    model = save(lambda frame: [str(list(frame.columns))] * len(frame))
    assert score(table, model, result_type="string").first()["prediction"] == "['the.key', 'x', 'n']"
    chosen = score(table, model, result_type="string", columns=["n", "x"])
    assert chosen.first()["prediction"] == "['n', 'x']"


def test_columns_narrows_what_is_bound(score: Any, table: Any, save: Any) -> None:
    with pytest.raises(errors.MissingColumnsError):
        score(table, save(half, {"x": "double"}), columns=["n"])


def test_a_signature_without_names_takes_the_columns_by_position(score: Any, table: Any, save: Any) -> None:
    model = save(
        lambda frame: frame.sum(axis=1), signature=ModelSignature(Schema([ColSpec("double"), ColSpec("long")]))
    )
    assert score(table, model, columns=["x", "n"]).select("prediction").collect() == [(3.0,), (6.0,)]
    with pytest.raises(errors.ColumnCountError):
        score(table, model)


def test_an_optional_input_may_be_absent(score: Any, table: Any, save: Any) -> None:
    model = save(half, {"x": "double", "other": ColSpec("double", "other", False)})
    assert score(table, model).select("prediction").collect() == [(1.0,), (2.0,)]


# --- errors on the driver


@pytest.fixture
def no_job(spark: Any) -> Any:
    """Fails a test in which Spark ran a job; the tracker itself is tried at the end."""
    context = spark.sparkContext
    group = uuid.uuid4().hex
    context.setJobGroup(group, "")
    yield
    assert list(context.statusTracker().getJobIdsForGroup(group)) == []
    spark.range(1).collect()
    assert len(context.statusTracker().getJobIdsForGroup(group)) >= 1
    context.setLocalProperty("spark.jobGroup.id", None)


def test_missing_columns(no_job: None, score: Any, table: Any, save: Any) -> None:
    with pytest.raises(errors.MissingColumnsError) as caught:
        score(table, save(half, {"x": "double", "N": "long", "zip": "string"}))
    assert str(caught.value) == (
        "[MISSING_COLUMNS] Model is missing inputs ['N', 'zip'].\n"
        "Where: inputs of the signature (3 inputs); the input has ['the.key', 'x', 'n'].\n"
        "Hint: rename 'n' to 'N'"
    )


def test_a_wrong_type(no_job: None, score: Any, table: Any, save: Any) -> None:
    with pytest.raises(errors.ColumnTypeError) as caught:
        score(table, save(half, {"x": "long"}))
    assert str(caught.value).startswith(
        "[COLUMN_TYPE] Column 'x' is double; long is expected, and the cast may lose values.\n"
        "Where: inputs of the signature"
    )


def test_all_wrong_types_at_once(no_job: None, score: Any, table: Any, save: Any) -> None:
    with pytest.raises(errors.InvalidInputError) as caught:
        score(table, save(half, {"x": "float", "n": "boolean"}))
    assert [(error.code, error.column) for error in caught.value.errors] == [("COLUMN_TYPE", "x"), ("COLUMN_TYPE", "n")]


@pytest.mark.parametrize("kind", ["decimal(10,2)", "bigint", "string", "boolean", "array<double>", "struct<a:double>"])
def test_types_that_do_not_widen_to_double(no_job: None, score: Any, spark: Any, save: Any, kind: str) -> None:
    df = spark.createDataFrame([], f"x {kind}")
    with pytest.raises(errors.ColumnTypeError, match=re.escape(f"Column 'x' is {kind}; double is expected")):
        score(df, save(half, {"x": "double"}))


def test_a_column_that_is_twice_in_the_table(no_job: None, score: Any, table: Any, save: Any) -> None:
    with pytest.raises(errors.DuplicateColumnsError):
        score(table.select("x", "x"), save(half, {"x": "double"}))


@pytest.mark.parametrize("output", ["x", "the.key"])
def test_a_name_that_the_table_has(no_job: None, score: Any, table: Any, save: Any, output: str) -> None:
    with pytest.raises(errors.InvalidArgumentError) as caught:
        score(table, save(half, {"x": "double"}), output=output)
    assert str(caught.value) == (
        f"[INVALID_ARGUMENT] The DataFrame has columns ['{output}'] already.\nHint: choose another output="
    )


def test_a_field_whose_name_the_table_has(no_job: None, score: Any, table: Any, save: Any) -> None:
    model = save(half, {"x": "double"}, {"half": "double"})
    with pytest.raises(errors.InvalidArgumentError, match="p_half"):
        score(table.withColumnRenamed("n", "p_half"), model, output="p")


def test_an_unknown_column(no_job: None, score: Any, table: Any, save: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError) as caught:
        score(table, save(half, {"x": "double"}), columns=["x", "N"])
    assert str(caught.value) == "[INVALID_ARGUMENT] The DataFrame has no columns ['N'].\nHint: rename 'n' to 'N'"


def test_a_result_type_that_the_signature_does_not_say(no_job: None, score: Any, table: Any, save: Any) -> None:
    with pytest.raises(errors.UnsupportedResultTypeError):
        score(table, save(half, {"x": "double"}), result_type="signature")


# --- vectors


@pytest.fixture(scope="module")
def vectors(spark: Any) -> Any:
    rows = [(Vectors.dense([1.0, 2.0]),), (Vectors.sparse(2, {1: 3.0}),)]
    return spark.createDataFrame(rows, ["v"]).coalesce(1)


def test_a_vector_becomes_an_array_of_doubles(score: Any, vectors: Any, save: Any) -> None:
    model = save(lambda frame: [repr(cell) for cell in frame["v"]], {"v": ColSpec(Array(DataType.double), "v")})
    found = score(vectors, model, result_type="string")
    assert [row["prediction"] for row in found.collect()] == ["[1.0, 2.0]", "[0.0, 3.0]"]


def test_a_vector_becomes_a_row_of_a_tensor(score: Any, vectors: Any, save: Any) -> None:
    signature = ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))
    found = score(vectors, save(lambda data: data.sum(axis=1), signature=signature), columns=["v"])
    assert [row["prediction"] for row in found.collect()] == [3.0, 3.0]


def test_a_vector_is_no_double(no_job: None, score: Any, vectors: Any, save: Any) -> None:
    with pytest.raises(errors.ColumnTypeError, match="Column 'v' is vector; double is expected"):
        score(vectors, save(half, {"v": "double"}))


@pytest.mark.parametrize("sql", ["array(v)", "struct(v)", "map('a', v)", "array(struct(v))"])
def test_without_signature_vectors_inside_of_values_are_refused(
    no_job: None, score: Any, vectors: Any, save: Any, sql: str
) -> None:
    with pytest.raises(errors.VectorColumnError, match="Column 'nested'"):
        score(vectors.selectExpr(f"{sql} as nested"), save(lambda frame: frame.iloc[:, 0].map(str)))


def test_without_signature_a_vector_is_a_list_as_well(score: Any, vectors: Any, save: Any) -> None:
    model = save(lambda frame: [repr(cell) for cell in frame["v"]])
    found = score(vectors, model, result_type="string").collect()
    assert [row["prediction"] for row in found] == ["[1.0, 2.0]", "[0.0, 3.0]"]

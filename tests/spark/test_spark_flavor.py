"""A Spark ML pipeline as a package: the same answers natively, as a pyfunc, and by `score`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
import spark_models.mleap
import spark_models.spark
from spark_models.errors import InvalidModelError, ModelPathExistsError
from spark_models.models import Model


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"a": random.normal(size=60), "b": random.uniform(size=60)})
    return frame.assign(y=(frame["a"] > 0).astype(float))


@pytest.fixture(scope="module")
def pipeline(spark: Any, rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import VectorAssembler

    stages = [VectorAssembler(inputCols=["a", "b"], outputCol="features"), LogisticRegression(labelCol="y")]
    path = str(tmp_path_factory.mktemp("fitted") / "pipeline")
    Pipeline(stages=stages).fit(spark.createDataFrame(rows)).write().save(path)
    # Read back it has no training summary: that holds the session, and Spark 4.0 can't send a session to its tasks once
    # somebody has observed a frame.
    return PipelineModel.load(path)


@pytest.fixture(scope="module")
def package(pipeline: Any, rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packages") / "pipeline"
    signature = spark_models.infer_signature(rows[["a", "b"]], pd.DataFrame({"prediction": [1.0]}))
    spark_models.spark.save_model(pipeline, path, signature=signature, input_example=rows[["a", "b"]].head(4))
    return path


@pytest.fixture(scope="module")
def expected(spark: Any, pipeline: Any, rows: pd.DataFrame) -> list[float]:
    """Spark's own predictions, in the order of the rows."""
    frame = spark.createDataFrame(rows[["a", "b"]].assign(i=range(len(rows))))
    return [row.prediction for row in pipeline.transform(frame).orderBy("i").select("prediction").collect()]


def test_it_is_a_python_function_as_every_python_flavor(package: Path) -> None:
    """doc.flavors.all_python_have_pyfunc"""
    assert {"spark", "python_function"} <= set(Model.load(str(package)).flavors)


def test_the_native_form_is_the_pipeline(spark: Any, package: Path, rows: pd.DataFrame, expected: list[float]) -> None:
    loaded = spark_models.spark.load_model(package)
    frame = spark.createDataFrame(rows[["a", "b"]].assign(i=range(len(rows))))
    assert [row.prediction for row in loaded.transform(frame).orderBy("i").collect()] == expected


def test_the_pyfunc_scores_pandas_in_the_order_of_its_rows(
    package: Path, rows: pd.DataFrame, expected: list[float]
) -> None:
    predicted = spark_models.load_model(str(package)).predict(rows[["b", "a"]])
    assert np.ravel(predicted).tolist() == expected


def test_score_transforms_the_frame(spark: Any, package: Path, rows: pd.DataFrame, expected: list[float]) -> None:
    frame = spark.createDataFrame(rows[["a", "b"]].assign(i=range(len(rows))))
    scored = spark_models.score(frame, str(package))
    assert [row.prediction for row in scored.orderBy("i").collect()] == expected
    plan = scored._sc._jvm.PythonSQLUtils.explainString(scored._jdf.queryExecution(), "simple")
    assert "EvalPython" not in plan


def test_an_existing_path_and_what_is_not_fitted_are_refused(pipeline: Any, package: Path, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline

    before = sorted(package.rglob("*"))
    with pytest.raises(ModelPathExistsError):
        spark_models.spark.save_model(pipeline, package)
    assert sorted(package.rglob("*")) == before
    with pytest.raises(InvalidModelError):
        spark_models.spark.save_model(Pipeline(stages=[]), tmp_path / "unfitted")
    assert not (tmp_path / "unfitted").exists()


def test_sample_input_adds_the_form_for_the_jvm(spark: Any, pipeline: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    spark_models.spark.save_model(pipeline, tmp_path / "both", sample_input=spark.createDataFrame(rows[["a", "b"]]))
    assert {"spark", "mleap", "python_function"} <= set(Model.load(str(tmp_path / "both")).flavors)

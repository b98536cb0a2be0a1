"""A Spark ML pipeline as a package: the same answers natively, as a pyfunc, and by `score`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
import spark_models.mleap
import spark_models.spark
from spark_models.errors import (
    InvalidArgumentError,
    InvalidModelError,
    ModelNotFoundError,
    ModelPathExistsError,
    UnsupportedUriError,
)
from spark_models.flavors import hadoop
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


@pytest.mark.parametrize(
    "option", [{"on_error": "null"}, {"method": "transform"}, {"transport": "pandas"}, {"env_manager": "uv"}]
)
def test_score_refuses_what_only_a_udf_can_do(spark: Any, package: Path, option: dict[str, str]) -> None:
    frame = spark.createDataFrame([(1.0, 2.0)], ["a", "b"])
    with pytest.raises(InvalidArgumentError, match=f"{next(iter(option))}.*has no effect"):
        spark_models.score(frame, str(package), **option)


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


# --- file systems of Hadoop


@pytest.fixture
def viewfs(spark: Any, tmp_path: Path) -> str:
    """The URI of a Hadoop file system that no library of Python knows, and the folder that its /models is."""
    (tmp_path / "remote").mkdir()
    settings = spark.sparkContext._jsc.hadoopConfiguration()
    settings.set("fs.viewfs.mounttable.cluster.link./models", (tmp_path / "remote").as_uri())
    settings.setBoolean("fs.viewfs.impl.disable.cache", True)
    return "viewfs://cluster/models"


def test_a_package_on_a_hadoop_file_system(
    spark: Any, viewfs: str, pipeline: Any, rows: pd.DataFrame, expected: list[float], tmp_path: Path
) -> None:
    uri = f"{viewfs}/churn/1"
    spark_models.spark.save_model(pipeline, uri, input_example=rows[["a", "b"]].head(3))
    saved = tmp_path / "remote" / "churn" / "1"
    assert {"MLmodel", "manifest.sha256", "sparkml"} <= {item.name for item in saved.iterdir()}
    assert [item.name for item in (saved.parent).iterdir() if not item.name.endswith(".crc")] == ["1"]
    frame = spark.createDataFrame(rows[["a", "b"]].assign(i=range(len(rows))))
    for scored in (spark_models.spark.load_model(uri).transform(frame), spark_models.score(frame, uri)):
        assert [row.prediction for row in scored.orderBy("i").collect()] == expected
    assert np.ravel(spark_models.load_model(uri).predict(rows[["a", "b"]])).tolist() == expected


def test_on_hadoop_too_nothing_is_overwritten_and_a_failed_save_leaves_nothing(
    spark: Any, viewfs: str, pipeline: Any, rows: pd.DataFrame, tmp_path: Path
) -> None:
    remote = tmp_path / "remote"
    (remote / "taken").mkdir()
    (remote / "taken" / "file").write_text("theirs")
    (remote / "empty").mkdir()
    with pytest.raises(ModelPathExistsError):
        spark_models.spark.save_model(pipeline, f"{viewfs}/taken")
    spark_models.spark.save_model(pipeline, f"{viewfs}/empty")
    assert (remote / "empty" / "MLmodel").is_file()
    with pytest.raises(InvalidModelError):
        spark_models.spark.save_model("no model", f"{viewfs}/failed")
    assert sorted(item.name for item in remote.iterdir()) == ["empty", "taken"]


class Renaming:
    """A file system of Hadoop whose rename is another."""

    def __init__(self, system: Any, rename: Callable[[Any, Any], bool]) -> None:
        self._system = system
        self.rename = rename

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


@pytest.mark.parametrize("found", ["empty", "none"])
def test_a_rename_that_fails_is_an_error_and_leaves_what_was_there(
    spark: Any, viewfs: str, pipeline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    remote = tmp_path / "remote"
    (remote / "empty").mkdir()
    whole = hadoop._file_system

    def refusing(spark: Any, uri: str) -> Any:
        system, path = whole(spark, uri)
        return Renaming(system, lambda staged, target: False), path

    monkeypatch.setattr(hadoop, "_file_system", refusing)
    with pytest.raises(UnsupportedUriError, match="did not rename"):
        spark_models.spark.save_model(pipeline, f"{viewfs}/{found}")
    assert [item.name for item in remote.rglob("*")] == ["empty"]


def test_a_directory_that_is_made_meanwhile_is_not_written_into(
    spark: Any, viewfs: str, pipeline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = tmp_path / "remote"
    whole = hadoop._file_system

    def late(spark: Any, uri: str) -> Any:
        system, path = whole(spark, uri)

        def rename(staged: Any, target: Any) -> bool:
            (remote / "churn").mkdir()
            (remote / "churn" / "file").write_text("theirs")
            return bool(system.rename(staged, target))

        return Renaming(system, rename), path

    monkeypatch.setattr(hadoop, "_file_system", late)
    with pytest.raises(ModelPathExistsError):
        spark_models.spark.save_model(pipeline, f"{viewfs}/churn")
    assert sorted(item.name for item in remote.rglob("*") if not item.name.endswith(".crc")) == ["churn", "file"]


def test_a_scheme_that_nobody_knows_is_an_error_before_anything_is_written(pipeline: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedUriError):
        spark_models.spark.save_model(pipeline, "nowhere://cluster/models/churn")
    with pytest.raises(UnsupportedUriError):
        spark_models.spark.load_model("nowhere://cluster/models/churn")
    with pytest.raises(ModelNotFoundError):
        spark_models.spark.load_model((tmp_path / "none").as_uri())


def test_a_file_uri_is_a_path_of_this_host(pipeline: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    uri = (tmp_path / "my model").as_uri()
    spark_models.spark.save_model(pipeline, uri)
    assert (tmp_path / "my model" / "MLmodel").is_file()
    assert spark_models.spark.load_model(uri).uid == pipeline.uid


# --- what a pandas input holds


def test_missing_values_are_nulls_whatever_the_session(spark: Any, tmp_path: Path, configured: Any) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import SQLTransformer

    statement = "select *, case when x is null then 'null' when isnan(x) then 'nan' else 'number' end as prediction"
    model = PipelineModel([SQLTransformer(statement=f"{statement} from __THIS__")])
    spark_models.spark.save_model(model, tmp_path / "m")
    given = pd.DataFrame({"x": [1.0, float("nan")], "none": [None, None], "s": ["a", None], "u": np.uint8([1, 2])})
    for arrow in ("true", "false"):
        with configured({"spark.sql.execution.arrow.pyspark.enabled": arrow}):
            predicted = spark_models.load_model(str(tmp_path / "m")).predict(given)
        assert list(predicted) == ["number", "null"]


def test_a_tuned_pipeline_is_saved_by_its_best_model(spark: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.classification import DecisionTreeClassifier
    from pyspark.ml.evaluation import BinaryClassificationEvaluator
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.tuning import ParamGridBuilder, TrainValidationSplit

    classifier = DecisionTreeClassifier(labelCol="y")  # it has no training summary, which Spark 4.0 may fail to send
    pipeline = Pipeline(stages=[VectorAssembler(inputCols=["a", "b"], outputCol="features"), classifier])
    grid = ParamGridBuilder().addGrid(classifier.maxDepth, [1, 2]).build()
    evaluator = BinaryClassificationEvaluator(labelCol="y")
    tuned = TrainValidationSplit(
        estimator=pipeline, estimatorParamMaps=grid, evaluator=evaluator, seed=1, trainRatio=0.7
    ).fit(spark.createDataFrame(rows))
    spark_models.spark.save_model(tuned, tmp_path / "tuned", sample_input=spark.createDataFrame(rows))
    loaded = spark_models.spark.load_model(tmp_path / "tuned")
    assert isinstance(loaded, PipelineModel)
    assert loaded.uid == tuned.bestModel.uid
    assert {"spark", "mleap"} <= set(Model.load(str(tmp_path / "tuned")).flavors)


def test_arrays_of_numbers_are_vectors_where_a_stage_takes_vectors(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import ElementwiseProduct

    model = PipelineModel([ElementwiseProduct(inputCol="v", outputCol="prediction", scalingVec=[2.0, -1.0])])
    frame = pd.DataFrame({"v": [[1.0, 2.0], [3.0, 4.0]], "other": [[1.0], [2.0]]})
    signature = spark_models.infer_signature(frame, pd.DataFrame({"prediction": [[1.0]]}))
    spark_models.spark.save_model(model, tmp_path / "m", signature=signature, input_example=frame)
    predicted = spark_models.load_model(str(tmp_path / "m")).predict(frame)
    assert [list(value) for value in predicted["prediction"]] == [[2.0, -2.0], [6.0, -4.0]]
    given = spark.createDataFrame(frame)
    scored = spark_models.score(given, str(tmp_path / "m"))
    assert scored.drop("prediction").dtypes == given.dtypes
    assert sorted(row.prediction for row in scored.collect()) == [[2.0, -2.0], [6.0, -4.0]]
    assert sorted(row.v for row in scored.collect()) == [[1.0, 2.0], [3.0, 4.0]]


def test_a_pipeline_that_drops_its_input_is_an_error(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import SQLTransformer

    model = PipelineModel([SQLTransformer(statement="select a + 1 as prediction from __THIS__")])
    spark_models.spark.save_model(model, tmp_path / "m")
    with pytest.raises(InvalidModelError, match=r"SQLTransformer without '\*'"):
        spark_models.load_model(str(tmp_path / "m")).predict(pd.DataFrame({"a": [1.0], "id": [7]}))
    with pytest.raises(InvalidModelError, match=r"drops the columns \['a', 'id'\]"):
        spark_models.score(spark.createDataFrame([(1.0, 7)], ["a", "id"]), str(tmp_path / "m"))


def test_columns_that_the_model_does_not_give_are_named(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import Binarizer

    spark_models.spark.save_model(PipelineModel([Binarizer(inputCol="a", outputCol="b")]), tmp_path / "m")
    with pytest.raises(InvalidModelError, match=r"\['prediction'\]"):
        spark_models.load_model(str(tmp_path / "m")).predict(pd.DataFrame({"a": [1.0]}))

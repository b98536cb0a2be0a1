"""`verify` in the JVM: what Spark said of the stored example is said there too, and a changed bundle is found out."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import spark_models
import spark_models.mleap
import spark_models.spark
from spark_models.bundle import companion
from spark_models.cli import cli
from spark_models.errors import (
    CompanionFailedError,
    CompanionUnavailableError,
    FlavorNotFoundError,
    InvalidArgumentError,
    NothingToReplayError,
    ParityError,
)
from spark_models.models import infer_signature
from spark_models.package.manifest import write_manifest
from spark_models.verify.replay import JVM, LOCAL, SPARK, STORED, replay

sys.path.insert(0, str(Path(__file__).parent))
from jvm_parity import needs_jar

pytestmark = [pytest.mark.spark, needs_jar]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"a": random.normal(size=50), "b": random.uniform(size=50), "s": ["x", "y"] * 25})
    return frame.assign(y=(frame["a"] > 0).astype(float))


@pytest.fixture(scope="module")
def pipeline(spark: Any, rows: pd.DataFrame) -> Any:
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import StringIndexer, VectorAssembler

    stages = [
        StringIndexer(inputCol="s", outputCol="i", handleInvalid="keep"),
        VectorAssembler(inputCols=["a", "b", "i"], outputCol="features"),
        LogisticRegression(labelCol="y", regParam=0.1),
    ]
    return Pipeline(stages=stages).fit(spark.createDataFrame(rows))


@pytest.fixture(scope="module")
def sample(spark: Any, rows: pd.DataFrame) -> Any:
    return spark.createDataFrame(rows[["a", "b", "s"]])


@pytest.fixture(scope="module")
def package(pipeline: Any, rows: pd.DataFrame, sample: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of all three flavors, with an example."""
    path = tmp_path_factory.mktemp("packages") / "pipeline"
    outputs = pd.DataFrame({"prediction": [1.0], "probability": [[0.5, 0.5]]})
    signature = infer_signature(rows[["a", "b", "s"]], outputs)
    example = rows[["a", "b", "s"]].head(6)
    spark_models.spark.save_model(
        pipeline, path, signature=signature, input_example=example, sample_input=sample, verify=True
    )
    return path


def changed(package: Path, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy whose logistic regression in the bundle is another, with a manifest of its own."""
    shutil.copytree(package, to)
    [file] = to.glob("mleap/model/root/LogisticRegression*.node/model.json")
    model = json.loads(file.read_text())
    change(model["attributes"])
    file.write_text(json.dumps(model))
    write_manifest(to)
    return to


def call(*arguments: str | Path) -> Any:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_three_places_give_one_answer(package: Path) -> None:
    found = replay(package, jvm=True)
    assert [(check.where, check.against) for check in found.checks] == [
        (LOCAL, STORED),
        (SPARK, STORED),
        (SPARK, LOCAL),
        (JVM, STORED),
    ]
    assert [(check.conflicts, check.error) for check in found.checks] == [((), "")] * 4
    assert found.notes == ()
    result = call("verify", "--jvm", package)
    assert result.exit_code == 0, result.output
    assert "JVM against stored predictions: the same" in result.output


def test_a_perturbed_coefficient_is_found(package: Path, tmp_path: Path) -> None:
    def perturb(attributes: dict[str, Any]) -> None:
        attributes["coefficients"]["double"][0] += 1e-6

    copy = changed(package, tmp_path / "copy", perturb)
    result = call("verify", "--jvm", "--no-spark", copy)
    assert result.exit_code == 1
    assert "local against stored predictions: the same" in result.output
    assert "JVM against stored predictions: 6 conflicts" in result.output
    rows = [line.split() for line in result.output.splitlines() if "probability" in line]
    assert len(rows) == 6
    pairs = [re.findall(r"\[(.+?)\]", line) for line in result.output.splitlines() if "probability" in line]
    differences = [abs(float(one.split(",")[0]) - float(other.split(",")[0])) for one, other in pairs]
    assert 1e-9 < max(differences) < 1e-5
    assert call("verify", "--no-jvm", "--no-spark", copy).exit_code == 0
    assert call("verify", "--jvm", "--no-spark", "--tolerance", "1e-3", copy).exit_code == 0


def test_a_bundle_that_can_not_be_loaded_gives_no_answer(package: Path, tmp_path: Path) -> None:
    copy = changed(package, tmp_path / "copy", lambda attributes: attributes.pop("intercept"))
    [check] = [check for check in replay(copy, spark=False, jvm=True).checks if check.where == JVM]
    assert "[COMPANION_FAILED]" in check.error
    assert "[INVALID_BUNDLE]" in check.error
    assert call("verify", "--jvm", "--no-spark", copy).exit_code == 1


def test_a_package_of_the_mleap_flavor_alone(pipeline: Any, rows: pd.DataFrame, sample: Any, tmp_path: Path) -> None:
    save = spark_models.mleap.save_model
    example = rows[["a", "b", "s"]].head(4)
    save(spark_model=pipeline, sample_input=sample, path=tmp_path / "m", input_example=example, verify=True)
    found = replay(tmp_path / "m")
    assert [(check.where, check.against, check.passed) for check in found.checks] == [(JVM, STORED, True)]
    assert found.notes == ("only the JVM is asked: the package has no python_function flavor",)
    with pytest.raises(FlavorNotFoundError):
        replay(tmp_path / "m", jvm=False)
    save(spark_model=pipeline, sample_input=sample, path=tmp_path / "bare")
    with pytest.raises(NothingToReplayError):
        replay(tmp_path / "bare")


def test_without_stored_predictions_the_local_answers_are_what_is_expected(package: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(package, copy)
    model = spark_models.models.Model.load(str(copy))
    model.example_predictions = None
    (copy / "MLmodel").write_text(model.to_yaml())
    write_manifest(copy)
    checks = replay(copy, jvm=True).checks
    assert [(check.where, check.against, check.passed) for check in checks] == [
        (SPARK, LOCAL, True),
        (JVM, LOCAL, True),
    ]


def test_without_the_jar_the_jvm_is_left_out_or_an_error(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(companion.JAR_VARIABLE, str(tmp_path / "none.jar"))
    assert replay(package, spark=False).notes == (
        "Spark is left out, as asked",
        "the JVM is left out: SPARK_MODELS_JAR names no file",
    )
    with pytest.raises(CompanionUnavailableError):
        replay(package, spark=False, jvm=True)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(CompanionUnavailableError, match="no Java in JAVA_HOME"):
        companion.find_companion()


def test_a_bundle_that_answers_otherwise_is_not_saved(
    pipeline: Any, sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spark_models.bundle import stages, writer

    def wrong(stage: Any, sample: Any) -> Any:
        [node] = written.write(stage, sample)
        node.model.attributes["intercept"]["double"] += 0.25
        return [node]

    written = stages.STAGES["LogisticRegressionModel"]
    monkeypatch.setitem(writer.STAGES, "LogisticRegressionModel", stages.StageWriter(written.op, wrong))
    with pytest.raises(ParityError) as caught:
        spark_models.mleap.save_model(spark_model=pipeline, sample_input=sample, path=tmp_path / "model", verify=True)
    names = dict(caught.value.columns)
    assert list(names)[:2] == ["rawPrediction", "probability"]
    assert names["rawPrediction"] == "row 0, by 0.25"
    assert caught.value.rows == 50
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "no row"])
def test_a_sample_without_a_row_to_compare_is_not_verified(spark: Any, tmp_path: Path, value: Any) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import Binarizer

    model = PipelineModel([Binarizer(inputCol="a", outputCol="prediction")])
    sample = spark.createDataFrame([] if value == "no row" else [(value,), (value,)], "a double")
    with pytest.raises(InvalidArgumentError, match="nothing to compare"):
        spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "m", verify=True)
    assert not (tmp_path / "m").exists()
    whole = sample.union(spark.createDataFrame([(1.0,)], "a double"))
    spark_models.mleap.save_model(spark_model=model, sample_input=whole, path=tmp_path / "m", verify=True)


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_floats_are_held_to_what_floats_have(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.recommendation import ALS

    random = np.random.default_rng(4)
    ratings = pd.DataFrame(
        {"user": np.arange(400) % 20, "item": np.arange(400) // 20, "rating": random.normal(size=400)}
    )
    sample = spark.createDataFrame(ratings.assign(rating=ratings["rating"] * 1000))
    als = ALS(userCol="user", itemCol="item", ratingCol="rating", rank=12, seed=1)
    Pipeline(stages=[als]).fit(sample).write().save(str(tmp_path / "fitted"))
    model = PipelineModel.load(str(tmp_path / "fitted"))
    example = ratings[["user", "item"]].head(50)
    example.loc[7, "user"] = 999
    sample = sample.select("user", "item")
    path = tmp_path / "m"
    spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=path, input_example=example, verify=True)
    assert [(check.where, check.conflicts) for check in replay(path, jvm=True).checks] == [(JVM, ())]


def test_a_package_without_the_flavor_can_not_be_asked(tmp_path: Path) -> None:
    class Echo(spark_models.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            return model_input["a"]

    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Echo(), input_example=pd.DataFrame({"a": [1.0]}))
    assert [check.where for check in replay(tmp_path / "m", spark=False).checks] == [LOCAL]
    with pytest.raises(FlavorNotFoundError):
        replay(tmp_path / "m", spark=False, jvm=True)


def test_the_companion_says_why_it_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(CompanionFailedError) as caught:
        companion.jvm_conflicts(tmp_path / "none")
    assert caught.value.exit_status == 1
    assert any(line.startswith("[") for line in caught.value.output)

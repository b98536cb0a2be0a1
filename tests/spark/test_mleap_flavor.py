"""The mleap flavor: what a package of it holds, what is refused before anything is written, and what is dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import spark_models
import spark_models.mleap
import spark_models.spark
from spark_models.bundle.stages import REFUSED, STAGES, differs
from spark_models.errors import InvalidArgumentError, InvalidModelError, ModelPathExistsError, UnsupportedStagesError
from spark_models.models import Model, infer_signature

COLOURS = ["red", "green", "blue", "red"] * 10


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    frame = pd.DataFrame({"a": [float(at % 7) for at in range(40)], "s": COLOURS})
    return frame.assign(label=["yes" if at % 3 else "no" for at in range(40)])


@pytest.fixture(scope="module")
def sample(spark: Any, rows: pd.DataFrame) -> Any:
    return spark.createDataFrame(rows)


@pytest.fixture(scope="module")
def pipeline(sample: Any) -> Any:
    """Features and a classifier, whose label is indexed by a stage of the pipeline."""
    import pyspark.ml.feature as F
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import DecisionTreeClassifier

    stages = [
        F.StringIndexer(inputCol="label", outputCol="y"),
        F.StringIndexer(inputCol="s", outputCol="i"),
        F.VectorAssembler(inputCols=["a", "i"], outputCol="features", handleInvalid="skip"),
        DecisionTreeClassifier(labelCol="y"),
    ]
    return Pipeline(stages=stages).fit(sample)


def entries(path: Path) -> Any:
    return Model.load(str(path)).flavors


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_the_entry_of_mlmodel(pipeline: Any, sample: Any, tmp_path: Path) -> None:
    """mlp.mlmodel_entry, mlp.no_python_function_from_mleap_module, and the document's layout of the folder."""
    spark_models.mleap.save_model(spark_model=pipeline, sample_input=sample, path=tmp_path / "m")
    assert entries(tmp_path / "m") == {"mleap": {"mleap_version": "0.20.0", "model_data": "mleap/model"}}
    bundle = json.loads((tmp_path / "m" / "mleap" / "model" / "bundle.json").read_text())
    assert (bundle["format"], bundle["name"]) == ("json", pipeline.uid)
    columns = json.loads((tmp_path / "m" / "mleap" / "input_schema.json").read_text())
    assert [field["name"] for field in columns["fields"]] == ["a", "s", "label"]


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_a_sample_adds_the_flavor_to_those_of_spark(pipeline: Any, sample: Any, tmp_path: Path) -> None:
    """mlp.spark_save_with_sample_input_adds_three"""
    spark_models.spark.save_model(pipeline, tmp_path / "m", sample_input=sample)
    assert sorted(entries(tmp_path / "m")) == ["mleap", "python_function", "spark"]
    spark_models.spark.save_model(pipeline, tmp_path / "without")
    assert sorted(entries(tmp_path / "without")) == ["python_function", "spark"]


def test_python_can_not_load_it_and_says_what_can(pipeline: Any, sample: Any, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Some rows get other answers"):
        spark_models.mleap.save_model(spark_model=pipeline, sample_input=sample, path=tmp_path / "m")
    with pytest.raises(InvalidArgumentError, match="Java companion"):
        spark_models.mleap.load_model(tmp_path / "m")


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_log_model_writes_into_the_run(pipeline: Any, sample: Any) -> None:
    logged = spark_models.mleap.log_model(spark_model=pipeline, sample_input=sample, artifact_path="model")
    found = Model.load(logged.model_uri)
    assert list(found.flavors) == ["mleap"]
    assert found.artifact_path == "model"
    assert logged.model_uri == f"runs:/{found.run_id}/model"


def test_the_warning_names_stage_and_rows(pipeline: Any, sample: Any, tmp_path: Path) -> None:
    with pytest.warns(UserWarning) as caught:
        spark_models.mleap.save_model(spark_model=pipeline, sample_input=sample, path=tmp_path / "m")
    [warning] = [item for item in caught if "MLeap" in str(item.message)]
    text = str(warning.message)
    assert pipeline.stages[2].uid in text
    assert STAGES["VectorAssembler"].differs.split(":")[0] in text
    assert warning.filename == __file__


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_stages_of_the_label_are_dropped_on_request(pipeline: Any, sample: Any, tmp_path: Path) -> None:
    def nodes(path: Path) -> list[str]:
        model = json.loads((path / "mleap" / "model" / "root" / "model.json").read_text())
        return [name.partition("_")[0] for name in model["attributes"]["nodes"]["string"]]

    save = spark_models.mleap.save_model
    save(spark_model=pipeline, sample_input=sample, path=tmp_path / "whole")
    assert nodes(tmp_path / "whole") == ["StringIndexer", "StringIndexer", "VectorAssembler", "DecisionTreeClassifier"]
    unlabelled = sample.drop("label")
    save(spark_model=pipeline, sample_input=unlabelled, path=tmp_path / "cut", drop_label_stages=True)
    assert nodes(tmp_path / "cut") == ["StringIndexer", "VectorAssembler", "DecisionTreeClassifier"]
    with pytest.raises(InvalidArgumentError, match="sample_input"):
        spark_models.spark.save_model(pipeline, tmp_path / "m", drop_label_stages=True)


def test_a_sample_without_the_pipelines_columns_is_an_error_that_names_them(
    pipeline: Any, sample: Any, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        spark_models.mleap.save_model(spark_model=pipeline, sample_input=sample.drop("a", "label"), path=tmp_path / "m")
    assert str(caught.value).startswith("[INVALID_ARGUMENT] The sample input lacks the columns ['label', 'a']")
    assert not (tmp_path / "m").exists()


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_a_signature_that_lacks_a_column_of_the_bundle_is_refused(
    pipeline: Any, sample: Any, rows: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"\['label', 's'\]"):
        spark_models.mleap.save_model(
            spark_model=pipeline, sample_input=sample, path=tmp_path / "m", signature=infer_signature(rows[["a"]])
        )


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_a_signature_that_promises_what_the_bundle_has_not_is_refused(
    pipeline: Any, sample: Any, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """The JVM would answer with the prediction instead."""
    save = spark_models.mleap.save_model
    outputs = pd.DataFrame({"probability": [[0.5, 0.5]], "probabilty": [[0.5, 0.5]], "s": ["red"]})
    with pytest.raises(InvalidArgumentError, match=r"promises .*: \['probabilty'\]"):
        save(spark_model=pipeline, sample_input=sample, path=tmp_path / "m", signature=infer_signature(rows, outputs))
    assert not (tmp_path / "m").exists()
    signature = infer_signature(rows, outputs.drop(columns="probabilty"))
    save(spark_model=pipeline, sample_input=sample, path=tmp_path / "m", signature=signature)


def test_only_locales_with_letters_of_their_own_are_named(spark: Any) -> None:
    from pyspark.ml.feature import StopWordsRemover

    def said(**options: Any) -> str:
        return differs(StopWordsRemover(inputCol="w", outputCol="o", **options))

    assert said() == said(locale="de_DE") == said(locale="tr", caseSensitive=True) == ""
    assert said(locale="tr_TR") == said(locale="az") == STAGES["StopWordsRemover"].differs != ""


def test_every_refusal_is_listed_at_once_and_nothing_is_written(sample: Any, tmp_path: Path) -> None:
    import pyspark.ml.feature as F
    from pyspark.ml import Pipeline

    stages = [
        F.SQLTransformer(statement="select *, a + 1 as b from __THIS__"),
        F.FeatureHasher(inputCols=["a"], outputCol="h"),
        F.SQLTransformer(statement="select *, a + 2 as c from __THIS__"),
    ]
    model = Pipeline(stages=stages).fit(sample)
    with pytest.raises(UnsupportedStagesError) as caught:
        spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "m")
    assert caught.value.stages == tuple((model.stages[at].uid, REFUSED["SQLTransformer"]) for at in (0, 2))
    assert not (tmp_path / "m").exists()


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_an_existing_path_stays_as_it_is(pipeline: Any, sample: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("theirs")
    with pytest.raises(ModelPathExistsError):
        spark_models.mleap.save_model(spark_model=pipeline, sample_input=sample, path=tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_only_a_fitted_pipeline_is_taken(sample: Any, pipeline: Any, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline

    for model in (Pipeline(stages=[]), pipeline.stages[-1], "model"):
        with pytest.raises(InvalidModelError, match="PipelineModel"):
            spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "m")
    assert not (tmp_path / "m").exists()

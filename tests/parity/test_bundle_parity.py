"""Every stage that is written for MLeap scores in the JVM as in Spark, in pipelines of several stages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models.mleap
from spark_models.errors import UnsupportedStagesError

sys.path.insert(0, str(Path(__file__).parent))
from jvm_parity import Jvm, conflicts, needs_jar
from pipelines import feature_stages, predictor_stages, scored_by, training_rows

pytestmark = [pytest.mark.spark, needs_jar]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return training_rows()


@pytest.fixture(scope="module")
def jvm() -> Iterator[Jvm]:
    process = Jvm()
    yield process
    process.close()


NAMES = ["scalers", "vectors", "selectors", "columns", "categories", "words"]
NAMES += ["linear", "bayes", "trees", "clusters", "recommendation", "one_vs_rest", "inner"]
NAMES += ["one_vs_rest multinomial", "one_vs_rest forest", "one_vs_rest boosted"]


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
@pytest.mark.parametrize("name", NAMES)
def test_jvm_answers_as_spark(spark: Any, jvm: Jvm, rows: pd.DataFrame, tmp_path: Path, name: str) -> None:

    sample = spark.createDataFrame(rows)
    model = as_saved({**feature_stages(), **predictor_stages()}[name], sample, tmp_path)
    spark_models.mleap.save_model(spark_model=model, sample_input=sample.limit(5), path=tmp_path / "model")
    given = scored_by(name, rows)
    typed = spark.createDataFrame(given.assign(_row=range(len(given))))
    typed = typed.withColumn("gap", spark_nan_to_null("gap"))
    frame = model.transform(typed)
    made = [column for column in frame.columns if column not in typed.columns]
    expected = frame.orderBy("_row").select(*made).collect()
    # ALS predicts floats.
    tolerance = 1e-6 if name == "recommendation" else 1e-9
    answer = jvm.score(tmp_path / "model", list(given.columns), plain_rows(given), made)
    assert answer.errors == {}
    assert conflicts(made, expected, answer.rows, tolerance) == []
    if name == "one_vs_rest":
        # Two probabilities that round to 1 tie for MLeap, where Spark still compares the margins.
        far = given.assign(a=1e6, b=-1e6, d=0.0, _row=range(len(given)))
        far_rows = model.transform(spark.createDataFrame(far)).orderBy("_row").select("p6").collect()
        answer = jvm.score(tmp_path / "model", list(far.columns), plain_rows(far), ["p6"])
        assert conflicts(["p6"], far_rows, answer.rows) != []


def as_saved(stages: list[Any], sample: Any, folder: Path) -> Any:
    """The fitted pipeline as Spark has saved it.

    A fitted one holds the session by its training summaries, and Spark 4.0 can't send a session to its tasks once
    somebody has observed a frame.
    """
    from pyspark.ml import Pipeline, PipelineModel

    Pipeline(stages=stages).fit(sample).write().save(str(folder / "fitted"))
    return PipelineModel.load(str(folder / "fitted"))


def plain_rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Rows with None for what is missing."""
    rows: list[list[Any]] = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return rows


def spark_nan_to_null(column: str) -> Any:
    from pyspark.sql import functions as F

    return F.when(F.isnan(column), None).otherwise(F.col(column))


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_numbers_are_indexed_without_a_signature(spark: Any, jvm: Jvm, rows: pd.DataFrame, tmp_path: Path) -> None:
    import pyspark.ml.feature as F

    kept = rows[["c", "user", "y2"]].assign(y2=rows["y2"] > 0)
    sample = spark.createDataFrame(kept)
    stages = [
        F.StringIndexer(inputCols=["c", "user"], outputCols=["ci", "ui"], handleInvalid="keep"),
        F.VectorAssembler(inputCols=["ci", "ui", "y2"], outputCol="v"),
    ]
    model = as_saved(stages, sample, tmp_path)
    spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "model", verify=True)
    given = kept.copy()
    given.loc[0, "c"] = 0.5
    given.loc[1, "user"] = 999
    expected = model.transform(spark.createDataFrame(given)).select("ci", "ui", "v").collect()
    answer = jvm.score(tmp_path / "model", list(given.columns), plain_rows(given), ["ci", "ui", "v"])
    assert answer.errors == {}
    assert conflicts(["ci", "ui", "v"], expected, answer.rows) == []


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
@pytest.mark.parametrize("kind", ["tinyint", "smallint", "int", "bigint", "float", "decimal(10,1)", "double"])
def test_what_is_imputed_is_of_the_columns_type(
    spark: Any, jvm: Jvm, rows: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    """The mean of 1, 2 and 4 is 2 to Spark in a column of integers."""
    import pyspark.ml.feature as F
    from pyspark.sql import functions as S

    sample = spark.createDataFrame([(1,), (2,), (4,), (None,)], "n int").select(S.col("n").cast(kind).alias("n"))
    model = as_saved([F.Imputer(inputCol="n", outputCol="o")], sample, tmp_path)
    spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "model", verify=True)
    expected = [float(row.o) for row in model.transform(sample).collect()]
    answer = jvm.score(tmp_path / "model", ["n"], [[1], [2], [4], [None]], ["o"])
    assert answer.errors == {}
    assert [row[0] for row in answer.rows] == expected
    assert expected[3] != 7 / 3 or kind == "double"


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_numbers_of_every_size_are_hashed_as_numbers(spark: Any, jvm: Jvm, tmp_path: Path) -> None:
    import pyspark.ml.feature as F

    sample = spark.createDataFrame(
        [(at, at, at, at, at / 4, at % 2 == 0) for at in range(-3, 4)],
        "b tinyint, s smallint, i int, l bigint, f float, t boolean",
    )
    stages = [
        F.FeatureHasher(inputCols=sample.columns, outputCol="h", numFeatures=256),
        F.FeatureHasher(inputCols=sample.columns, outputCol="c", numFeatures=256, categoricalCols=["b", "s", "f"]),
    ]
    model = as_saved(stages, sample, tmp_path)
    spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "model", verify=True)
    expected = model.transform(sample).select("h", "c").collect()
    answer = jvm.score(tmp_path / "model", sample.columns, [list(row) for row in sample.collect()], ["h", "c"])
    assert answer.errors == {}
    assert conflicts(["h", "c"], expected, answer.rows) == []


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_text_of_numbers_that_is_not_sparks_is_refused(spark: Any, tmp_path: Path) -> None:
    import pyspark.ml.feature as F
    from pyspark.ml import Pipeline
    from pyspark.sql import functions as S

    sample = spark.createDataFrame([(1,), (2,), (None,)], "n int").withColumn("d", S.col("n").cast("decimal(4,2)"))
    stages = [
        F.Imputer(inputCol="n", outputCol="filled"),
        F.StringIndexer(inputCol="filled", outputCol="i", handleInvalid="keep"),
        F.StringIndexer(inputCol="d", outputCol="j", handleInvalid="keep"),
        F.StringIndexer(inputCol="n", outputCol="k", handleInvalid="keep"),
    ]
    model = Pipeline(stages=stages).fit(sample)
    with pytest.raises(UnsupportedStagesError) as caught:
        spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "model")
    assert [uid for uid, _ in caught.value.stages] == [model.stages[at].uid for at in (1, 2)]


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_refusals_are_listed_at_once(spark: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    import pyspark.ml.feature as F
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import NaiveBayes

    sample = spark.createDataFrame(rows)
    stages = [
        F.SQLTransformer(statement="select *, a + b as ab from __THIS__"),
        F.VectorAssembler(inputCols=["c", "d"], outputCol="features"),
        F.MinHashLSH(inputCol="features", outputCol="h", seed=1),
        NaiveBayes(modelType="gaussian", labelCol="y3"),
        F.Interaction(inputCols=["a", "features"], outputCol="i"),
    ]
    model = Pipeline(stages=stages).fit(sample)
    with pytest.raises(UnsupportedStagesError) as caught:
        spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "model")
    assert [uid for uid, _ in caught.value.stages] == [model.stages[at].uid for at in (0, 2, 3, 4)]
    assert not (tmp_path / "model").exists()


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_hashes_that_fit_into_32_bits(spark: Any, jvm: Jvm, rows: pd.DataFrame, tmp_path: Path) -> None:
    """Most models are refused, for their coefficients are as large as an int; those of this seed are small."""
    import pyspark.ml.feature as F

    sample = spark.createDataFrame(rows)
    va = F.VectorAssembler(inputCols=["c", "d"], outputCol="v")
    model = as_saved([va, F.MinHashLSH(inputCol="v", outputCol="h", seed=5003)], sample, tmp_path)
    spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "model")
    expected = model.transform(sample).select("h").collect()
    answer = jvm.score(tmp_path / "model", list(rows.columns), plain_rows(rows), ["h"])
    assert answer.errors == {}
    assert conflicts(["h"], expected, answer.rows) == []


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_most_topics_agree_roughly(spark: Any, jvm: Jvm, rows: pd.DataFrame, tmp_path: Path) -> None:
    """Inference of topics starts at random in both."""
    import pyspark.ml.feature as F
    from pyspark.ml.clustering import LDA

    sample = spark.createDataFrame(rows)
    stages = [
        F.Tokenizer(inputCol="t", outputCol="w"),
        F.CountVectorizer(inputCol="w", outputCol="features"),
        LDA(k=3, seed=1, maxIter=5),
    ]
    model = as_saved(stages, sample, tmp_path)
    spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "model")
    given = rows[["t"]]
    expected = model.transform(spark.createDataFrame(given)).select("topicDistribution").collect()
    answer = jvm.score(tmp_path / "model", ["t"], plain_rows(given), ["topicDistribution"])
    assert answer.errors == {}
    pairs = zip(expected, answer.rows, strict=True)
    apart = [max(abs(np.array(one.topicDistribution) - np.array(other[0]))) for one, other in pairs]
    assert 1e-9 < np.median(apart) < 2e-2
    assert all(sum(row[0]) == pytest.approx(1.0) for row in answer.rows)

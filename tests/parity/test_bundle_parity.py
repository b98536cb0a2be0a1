"""Every stage that is written for MLeap scores in the JVM as in Spark, row by row."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models.mleap
from spark_models.errors import UnsupportedStagesError

sys.path.insert(0, str(Path(__file__).parent))
from jvm_parity import JAR, conflicts, jvm_rows

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(
        not JAR.is_file() and os.environ.get("CI") != "true",
        reason=f"the Java companion is not built (make jvm): {JAR}",
    ),
]

ROWS = 240


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(7)
    words = np.array(["the", "Red", "fox", "jumps", "over", "dog", "ünï", "x1"])
    frame = pd.DataFrame(
        {
            "a": random.normal(size=ROWS) * 3,
            "b": random.uniform(-1, 5, ROWS),
            "c": random.integers(0, 3, ROWS).astype(float),
            "d": random.exponential(size=ROWS),
            "gap": np.where(random.random(ROWS) < 0.2, None, random.normal(size=ROWS)),
            "s": random.choice(["red", "green", "blue"], ROWS),
            "t": [" ".join(random.choice(words, random.integers(1, 7))) for _ in range(ROWS)],
            "user": random.integers(0, 12, ROWS),
            "item": random.integers(0, 9, ROWS),
        }
    )
    frame["gap"] = frame["gap"].astype(float)
    frame["y"] = 2 * frame["a"] - frame["b"] + random.normal(size=ROWS) * 0.3
    frame["y2"] = (frame["y"] > 0).astype(float)
    frame["y3"] = np.digitize(frame["y"], [-3, 2]).astype(float)
    frame["pos"] = np.exp(frame["a"] / 6) + 0.1
    frame["censor"] = (random.random(ROWS) < 0.8).astype(float)
    return frame


def scored(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows to score: those of the fit, with unseen categories, missing values and extremes."""
    frame = rows.copy()
    frame.loc[0, ["a", "b", "d"]] = [1e6, -1e6, 0.0]
    frame.loc[1, ["a", "b", "c", "d"]] = 0.0
    frame.loc[2, "s"] = "unseen"
    frame.loc[3, "s"] = None
    frame.loc[4, "t"] = "unseen words only"
    frame.loc[5, "t"] = ""
    return frame


def feature_stages() -> dict[str, list[Any]]:
    import pyspark.ml.feature as F

    va = F.VectorAssembler(inputCols=["a", "b", "c", "d"], outputCol="v")
    words = F.Tokenizer(inputCol="t", outputCol="w")
    index = F.StringIndexer(inputCol="s", outputCol="si", handleInvalid="keep")

    def on(kind: Any, name: str, **options: Any) -> Any:
        return kind(inputCol="v", outputCol=name, **options)

    return {
        "scalers": [
            va,
            on(F.StandardScaler, "o1", withMean=True),
            on(F.StandardScaler, "o2", withMean=False, withStd=False),
            on(F.MinMaxScaler, "o3", min=-1.0, max=2.0),
            on(F.MaxAbsScaler, "o4"),
            on(F.RobustScaler, "o5", withCentering=True),
            on(F.Normalizer, "o6", p=1.0),
            on(F.StandardScaler, "o7"),
        ],
        "vectors": [
            va,
            on(F.DCT, "o1"),
            on(F.DCT, "o11", inverse=True),
            on(F.PCA, "o2", k=2),
            on(F.PolynomialExpansion, "o3", degree=3),
            on(F.VectorSlicer, "o4", indices=[2], names=["a"]),
            on(F.ElementwiseProduct, "o5", scalingVec=[1.0, 0.0, -2.0, 0.5]),
            on(F.Binarizer, "o6", threshold=0.5),
            on(F.BucketedRandomProjectionLSH, "o8", bucketLength=2.0, numHashTables=3, seed=1),
            on(F.VectorIndexer, "o9", maxCategories=4, handleInvalid="keep"),
            F.VarianceThresholdSelector(featuresCol="v", outputCol="o10", varianceThreshold=2.0),
        ],
        "selectors": [
            va,
            F.VectorSizeHint(inputCol="v", size=4),
            F.UnivariateFeatureSelector(featuresCol="v", outputCol="o1", labelCol="y2", selectionMode="numTopFeatures")
            .setFeatureType("continuous")
            .setLabelType("categorical")
            .setSelectionThreshold(2),
            F.VectorAssembler(inputCols=["c", "user"], outputCol="cat"),
            F.ChiSqSelector(featuresCol="cat", outputCol="o2", labelCol="y2", numTopFeatures=1),
        ],
        "columns": [
            F.Binarizer(inputCols=["a", "b"], outputCols=["o1", "o2"], thresholds=[0.1, 2.0]),
            F.Bucketizer(inputCol="a", outputCol="o3", splits=[-float("inf"), -1.0, 0.5, float("inf")]),
            F.Bucketizer(
                inputCols=["b", "c"],
                outputCols=["o4", "o5"],
                splitsArray=[[-float("inf"), 0.0, float("inf")], [-1.0, 0.5, 9.0]],
                handleInvalid="keep",
            ),
            F.QuantileDiscretizer(inputCol="d", outputCol="o6", numBuckets=4),
            F.Imputer(inputCols=["gap", "a"], outputCols=["o7", "o8"], strategy="median"),
            F.FeatureHasher(inputCols=["a", "s", "user"], outputCol="o9", numFeatures=32, categoricalCols=["user"]),
        ],
        "categories": [
            index,
            F.OneHotEncoder(inputCols=["si"], outputCols=["o1"]),
            F.OneHotEncoder(inputCols=["si", "c"], outputCols=["o2", "o3"], dropLast=False, handleInvalid="keep"),
            F.IndexToString(inputCol="c", outputCol="o4", labels=["x", "y", "z"]),
            va,
            F.Interaction(inputCols=["si", "b"], outputCol="o6"),
            F.StringIndexer(
                inputCols=["s", "t"], outputCols=["o7", "o8"], handleInvalid="keep", stringOrderType="alphabetAsc"
            ),
        ],
        "words": [
            words,
            F.RegexTokenizer(inputCol="t", outputCol="o1", pattern=r"[^\w]+", minTokenLength=2),
            F.RegexTokenizer(inputCol="t", outputCol="o2", pattern=r"\w+", gaps=False, toLowercase=False),
            F.StopWordsRemover(inputCol="w", outputCol="o3"),
            F.NGram(inputCol="w", outputCol="o4", n=2),
            F.HashingTF(inputCol="w", outputCol="o5", numFeatures=32),
            F.HashingTF(inputCol="w", outputCol="o6", numFeatures=16, binary=True),
            F.CountVectorizer(inputCol="w", outputCol="o7", minTF=0.2),
            F.IDF(inputCol="o5", outputCol="o8"),
            F.Word2Vec(inputCol="w", outputCol="o9", vectorSize=3, minCount=2, seed=1),
        ],
    }


def predictor_stages() -> dict[str, list[Any]]:
    import pyspark.ml.classification as C
    import pyspark.ml.clustering as K
    import pyspark.ml.feature as F
    import pyspark.ml.recommendation as R
    import pyspark.ml.regression as G
    from pyspark.ml import Pipeline

    va = F.VectorAssembler(inputCols=["a", "b", "c", "d"], outputCol="features")
    indexed = F.VectorIndexer(inputCol="features", outputCol="x", maxCategories=4, handleInvalid="keep")

    def named(estimator: Any, at: int, label: str = "", features: str = "features") -> Any:
        names = {"predictionCol": "p", "rawPredictionCol": "r", "probabilityCol": "q"}
        for param, start in names.items():
            if estimator.hasParam(param):
                estimator._set(**{param: f"{start}{at}"})
        estimator._set(featuresCol=features)
        if label != "":
            estimator._set(labelCol=label)
        return estimator

    squares = F.ElementwiseProduct(inputCol="features", outputCol="none", scalingVec=[0.0, 0.0, 1.0, 1.0])
    bits = F.Binarizer(inputCol="features", outputCol="bits", threshold=0.5)
    return {
        "linear": [
            va,
            named(C.LogisticRegression(), 1, "y2"),
            named(C.LogisticRegression(regParam=0.1), 2, "y3"),
            named(C.LogisticRegression(family="multinomial"), 3, "y2"),
            named(C.LogisticRegression(thresholds=[0.7, 0.3]), 4, "y2"),
            named(C.LinearSVC(threshold=0.2), 5, "y2"),
            named(G.LinearRegression(), 7, "y"),
            named(G.GeneralizedLinearRegression(family="gaussian", linkPredictionCol="l8"), 8, "y"),
            named(G.GeneralizedLinearRegression(family="binomial", link="probit"), 9, "y2"),
            named(G.GeneralizedLinearRegression(family="poisson"), 10, "pos"),
            named(
                G.AFTSurvivalRegression(quantilesCol="z11", censorCol="censor", quantileProbabilities=[0.2, 0.8]),
                11,
                "pos",
            ),
            named(G.IsotonicRegression(featureIndex=1), 12, "y"),
            named(C.MultilayerPerceptronClassifier(layers=[4, 5, 3], seed=1, maxIter=20), 13, "y3"),
        ],
        "bayes": [
            va,
            squares,
            bits,
            named(C.NaiveBayes(), 1, "y3", "none"),
            named(C.NaiveBayes(modelType="bernoulli"), 2, "y3", "bits"),
        ],
        "trees": [
            va,
            indexed,
            named(C.DecisionTreeClassifier(), 1, "y3", "x"),
            named(G.DecisionTreeRegressor(), 2, "y", "x"),
            named(C.RandomForestClassifier(numTrees=5, seed=1).setThresholds([0.2, 0.3, 0.5]), 3, "y3", "x"),
            named(G.RandomForestRegressor(numTrees=5, seed=1), 4, "y", "x"),
            named(C.GBTClassifier(maxIter=4, seed=1), 5, "y2", "x"),
            named(G.GBTRegressor(maxIter=4, seed=1), 6, "y", "x"),
        ],
        "clusters": [
            va,
            named(K.KMeans(k=4, seed=1), 1),
            named(K.BisectingKMeans(k=5, seed=1), 2),
            named(K.GaussianMixture(k=2, seed=1), 3),
        ],
        "recommendation": [
            R.ALS(userCol="user", itemCol="item", ratingCol="y", rank=3, seed=1).setPredictionCol("p4"),
        ],
        "one_vs_rest": [
            va,
            named(C.OneVsRest(classifier=C.LogisticRegression(regParam=0.1, rawPredictionCol="r6")), 6, "y3"),
        ],
        "inner": [Pipeline(stages=[va, named(G.LinearRegression(), 1, "y")])],
    }


NAMES = ["scalers", "vectors", "selectors", "columns", "categories", "words"]
NAMES += ["linear", "bayes", "trees", "clusters", "recommendation", "one_vs_rest", "inner"]


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
@pytest.mark.parametrize("name", NAMES)
def test_jvm_answers_as_spark(spark: Any, rows: pd.DataFrame, tmp_path: Path, name: str) -> None:
    from pyspark.ml import Pipeline

    sample = spark.createDataFrame(rows)
    model = Pipeline(stages={**feature_stages(), **predictor_stages()}[name]).fit(sample)
    spark_models.mleap.save_model(spark_model=model, sample_input=sample.limit(5), path=tmp_path / "model")
    given = scored(rows)
    given.loc[6, "user"] = 999
    if name == "clusters":
        given.loc[0, ["a", "b"]] = [40.0, -30.0]  # at a million every density is 0
    if name == "vectors":
        given.loc[0, ["a", "b"]] = [400.0, -300.0]
    if name in ("bayes", "selectors", "one_vs_rest"):
        given = rows.copy()
    typed = spark.createDataFrame(given.assign(_row=range(len(given))))
    typed = typed.withColumn("gap", spark_nan_to_null("gap"))
    frame = model.transform(typed)
    made = [column for column in frame.columns if column not in typed.columns and not left_out(name, column)]
    expected = frame.orderBy("_row").select(*made).collect()
    # ALS predicts floats, which JSON shows with as many digits as a float has.
    tolerance = 1e-6 if name == "recommendation" else 1e-9
    found = conflicts(expected, jvm_rows(tmp_path / "model", given, made), tolerance)
    assert found == []
    if name == "one_vs_rest":
        # Two probabilities that round to 1 tie for MLeap, where Spark still compares the margins.
        far = given.assign(a=1e6, b=-1e6, d=0.0, _row=range(len(given)))
        far_rows = model.transform(spark.createDataFrame(far)).orderBy("_row").select("p6").collect()
        assert conflicts(far_rows, jvm_rows(tmp_path / "model", far.drop(columns="_row"), ["p6"])) != []


def left_out(name: str, column: str) -> bool:
    """The raw prediction of a multinomial model of two classes, which MLeap has not."""
    return name == "linear" and column == "r3"


def spark_nan_to_null(column: str) -> Any:
    from pyspark.sql import functions as F

    return F.when(F.isnan(column), None).otherwise(F.col(column))


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

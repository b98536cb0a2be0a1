"""The pipelines whose answers in the JVM are held to Spark's: rows to fit on, rows to score, and stages in groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

ROWS = 240


def training_rows() -> pd.DataFrame:
    """Rows of numbers, categories, texts, ids and labels."""
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


def scored_by(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows to score by a group of stages: without the values that some stage of it raises for."""
    if name in ("bayes", "selectors") or name.startswith("one_vs_rest"):
        return rows.copy()
    frame = scored(rows)
    frame.loc[6, "user"] = 999
    if name == "clusters":
        frame.loc[0, ["a", "b"]] = [40.0, -30.0]  # at a million every density is 0
    if name == "vectors":
        frame.loc[0, ["a", "b"]] = [400.0, -300.0]
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
            named(C.LogisticRegression(family="multinomial", threshold=0.9), 14, "y2"),
            named(C.LogisticRegression(family="multinomial", thresholds=[0.9, 0.1], regParam=0.1), 15, "y2"),
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
        # One a pipeline: PySpark lets no other name than its default be that of the raw prediction.
        "one_vs_rest": [va, named(C.OneVsRest(classifier=C.LogisticRegression(regParam=0.1)), 6, "y3")],
        "one_vs_rest multinomial": [
            va,
            # With L1 its two margins are not each other's negatives.
            named(
                C.OneVsRest(classifier=C.LogisticRegression(family="multinomial", regParam=0.02, elasticNetParam=1.0)),
                7,
                "y3",
            ),
        ],
        "one_vs_rest forest": [
            va,
            named(C.OneVsRest(classifier=C.RandomForestClassifier(numTrees=3, seed=1)), 8, "y3"),
        ],
        "one_vs_rest boosted": [va, named(C.OneVsRest(classifier=C.GBTClassifier(maxIter=3, seed=1)), 9, "y3")],
        "inner": [Pipeline(stages=[va, named(G.LinearRegression(), 1, "y")])],
    }


def mode_stages() -> dict[str, list[Any]]:
    """The other modes of handleInvalid, and other parameters that change what a stage does with a value."""
    import pyspark.ml.feature as F
    import pyspark.ml.recommendation as R

    groups: dict[str, list[Any]] = {}
    for mode in ("error", "skip", "keep"):
        va = F.VectorAssembler(inputCols=["a", "b", "c"], outputCol="v", handleInvalid=mode)
        index = F.StringIndexer(inputCol="s", outputCol="si", handleInvalid=mode)
        splits = [-2.0, 0.5, 4.0]
        groups[f"handleInvalid {mode}"] = [
            va,
            index,
            F.StringIndexer(inputCol="c", outputCol="ci", handleInvalid=mode),
            F.StringIndexer(inputCol="user", outputCol="ui", handleInvalid=mode),
            F.QuantileDiscretizer(inputCol="d", outputCol="o2", numBuckets=3, handleInvalid=mode),
            F.VectorIndexer(inputCol="v", outputCol="o3", maxCategories=4, handleInvalid=mode),
            *(
                F.OneHotEncoder(inputCols=["c"], outputCols=[f"o4{last}"], handleInvalid=mode, dropLast=last)
                for last in (True, False)
                if mode != "skip"
            ),
            F.RFormula(formula="y2 ~ a + s + c", featuresCol="rf", labelCol="rl", handleInvalid=mode),
            *([F.VectorSizeHint(inputCol="v", size=3, handleInvalid="optimistic")] if mode == "keep" else []),
            # Behind all that is fitted: Spark 4.2 computes whatever stands before it, and some rows are out of bounds.
            F.Bucketizer(inputCol="a", outputCol="o1", splits=splits, handleInvalid=mode),
        ]
    groups["parameters"] = [
        F.Imputer(inputCols=["a", "gap"], outputCols=["o1", "o2"], strategy="mean"),
        F.Imputer(inputCols=["c"], outputCols=["o3"], strategy="mode", missingValue=1.0),
        F.Binarizer(inputCol="a", outputCol="o4", threshold=0.5),
        F.HashingTF(inputCol="w", outputCol="o5", numFeatures=2000),
        F.Tokenizer(inputCol="t", outputCol="w"),
        F.StopWordsRemover(inputCol="w", outputCol="o6", caseSensitive=True, stopWords=["The", "red"]),
        F.IndexToString(inputCol="c", outputCol="o7", labels=["x", "y", "z"]),
        F.FeatureHasher(inputCols=["a", "s", "user", "b"], outputCol="o8", numFeatures=64),
        R.ALS(userCol="user", itemCol="item", ratingCol="y", rank=2, seed=1, coldStartStrategy="drop").setPredictionCol(
            "o9"
        ),
    ]
    groups["parameters"].sort(key=lambda stage: type(stage).__name__ != "Tokenizer")
    return groups


def typed_stages(kind: str) -> list[Any]:
    """The stages that take a column of numbers, here `n` of type `kind` with nulls, and `i` without."""
    import pyspark.ml.feature as F

    infinity = float("inf")
    return [
        F.Imputer(inputCol="n", outputCol="o1"),
        F.Imputer(inputCol="n", outputCol="o2", strategy="median"),
        *([F.Binarizer(inputCol="n", outputCol="o3", threshold=2.0)] if kind == "double" else []),
        F.Bucketizer(inputCol="n", outputCol="o4", splits=[-infinity, 1.0, 2.5, infinity], handleInvalid="keep"),
        F.OneHotEncoder(inputCol="i", outputCol="o5", handleInvalid="keep"),
        F.IndexToString(inputCol="i", outputCol="o6", labels=[str(at) for at in range(9)]),
        F.Interaction(inputCols=["n", "a"], outputCol="o7"),
        F.VectorAssembler(inputCols=["n", "a"], outputCol="o8", handleInvalid="keep"),
        *(
            [
                F.FeatureHasher(inputCols=["n", "a"], outputCol="o9", numFeatures=64),
                F.FeatureHasher(inputCols=["n", "a"], outputCol="o10", numFeatures=64, categoricalCols=["n"]),
                F.StringIndexer(inputCol="n", outputCol="o11", handleInvalid="keep"),
            ]
            if not kind.startswith("decimal")
            else []
        ),
    ]


def stage_groups() -> dict[str, list[Any]]:
    """All groups; what is before a predictor takes every value, so that the predictor sees it."""
    predictors = predictor_stages()
    for stages in predictors.values():
        for stage in stages:
            if type(stage).__name__ == "VectorAssembler":
                stage.setHandleInvalid("keep")
    return {**feature_stages(), **predictors, **mode_stages()}


def closures(stages: list[Any], at: int) -> list[Any]:
    """The stage at that place, and the ones before it that make its inputs, in their order."""
    from spark_models.bundle.writer import inputs_of, outputs_of

    wanted = set(inputs_of(stages[at]))
    chosen = [stages[at]]
    for stage in reversed(stages[:at]):
        if wanted & set(outputs_of(stage)):
            chosen.insert(0, stage)
            wanted |= set(inputs_of(stage))
    return chosen

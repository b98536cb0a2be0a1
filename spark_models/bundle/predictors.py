"""Writers of classifiers, regressions, clusterings and recommendations: each gives a stage's nodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from spark_models.bundle import values as v
from spark_models.bundle.nodes import BundleModel, Node, Sample
from spark_models.bundle.trees import ensemble, single, thresholds
from spark_models.bundle.values import RefusedError, Value

PORTS = {
    "rawPredictionCol": "raw_prediction",
    "probabilityCol": "probability",
    "predictionCol": "prediction",
    "linkPredictionCol": "link_prediction",
    "quantilesCol": "quantiles",
}
Nodes = list[Node]


def predictor(stage: Any, model: BundleModel, *without: str) -> Nodes:
    """The node of a stage from a features column to the prediction columns that it gives."""
    outputs = tuple(
        (port, str(stage.getOrDefault(param)))
        for param, port in PORTS.items()
        if param not in without
        and stage.hasParam(param)
        and stage.isDefined(param)
        and stage.getOrDefault(param) not in (None, "")
    )
    return [Node(stage.uid, model, (("features", stage.getFeaturesCol()),), outputs)]


def decision_tree_classifier(stage: Any, sample: Sample) -> Nodes:
    """A tree whose leaves hold the weights of the classes."""
    return predictor(stage, single(stage, sample, True))


def decision_tree_regressor(stage: Any, sample: Sample) -> Nodes:
    """A tree whose leaves hold the prediction."""
    return predictor(stage, single(stage, sample, False))


def random_forest_classifier(stage: Any, sample: Sample) -> Nodes:
    """Trees whose leaves hold the weights of the classes, each normalized, and summed."""
    return predictor(stage, ensemble(stage, sample, "random_forest_classifier", True))


def random_forest_regressor(stage: Any, sample: Sample) -> Nodes:
    """Trees whose leaves hold predictions, and their mean."""
    return predictor(stage, ensemble(stage, sample, "random_forest_regression", False))


def gbt_classifier(stage: Any, sample: Sample) -> Nodes:
    """Trees of margins, summed by their weights, between two classes."""
    return predictor(stage, ensemble(stage, sample, "gbt_classifier", False))


def gbt_regressor(stage: Any, sample: Sample) -> Nodes:
    """Trees of predictions, summed by their weights."""
    return predictor(stage, ensemble(stage, sample, "gbt_regression", False))


def linear_svc(stage: Any, sample: Sample) -> Nodes:
    """The margin between two classes, against a threshold."""
    attributes = {
        "num_classes": v.long(2),
        "coefficients": v.vector(stage.coefficients.toArray()),
        "intercept": v.double(stage.intercept),
        "threshold": v.double(stage.getThreshold()),
    }
    return predictor(stage, BundleModel("linear_svc", attributes))


def logistic_regression(stage: Any, sample: Sample) -> Nodes:
    """The probabilities of two classes by one row of coefficients, or of any by a row each; refused for one class."""
    if stage.numClasses < 2:
        raise RefusedError("it was fitted on one class")
    matrix = stage.coefficientMatrix.toArray()
    if len(matrix) == 1:
        threshold = stage.getThreshold() if stage.isSet("threshold") or not stage.isSet("thresholds") else None
        if threshold is None:
            low, high = stage.getThresholds()
            threshold = 1.0 / (1.0 + low / high) if high != 0.0 else 0.0
        return predictor(stage, _margin(stage, threshold))
    attributes: dict[str, Value] = {
        # MLeap reads a row a class for more than two; how many there are it takes from the rows, and a multinomial
        # model of two classes has two of them.
        "num_classes": v.long(max(stage.numClasses, 3)),
        "coefficient_matrix": v.matrix(matrix),
        "intercept_vector": v.vector(stage.interceptVector.toArray()),
        **thresholds(stage),
    }
    return predictor(stage, BundleModel("logistic_regression", attributes))


def _margin(stage: Any, threshold: float = 0.5) -> BundleModel:
    """The logistic regression of two classes by the margin of the second."""
    attributes = {
        "num_classes": v.long(2),
        "coefficients": v.vector(stage.coefficientMatrix.toArray()[-1]),
        "intercept": v.double(stage.interceptVector.toArray()[-1]),
        "threshold": v.double(threshold),
    }
    return BundleModel("logistic_regression", attributes)


def multilayer_perceptron(stage: Any, sample: Sample) -> Nodes:
    """The probabilities of classes by layers of weights."""
    attributes = {
        "layers": v.longs(stage.getLayers()),
        "weights": v.vector(stage.weights.toArray()),
        **thresholds(stage),
    }
    return predictor(stage, BundleModel("multi_layer_perceptron_classifier", attributes))


def naive_bayes(stage: Any, sample: Sample) -> Nodes:
    """The probabilities of classes by those of their features; refused for the types that MLeap has not."""
    if stage.getModelType() not in ("multinomial", "bernoulli"):
        raise RefusedError(f"MLeap has no naive Bayes of type {stage.getModelType()!r}")
    attributes = {
        "num_features": v.long(stage.numFeatures),
        "num_classes": v.long(stage.numClasses),
        "pi": v.vector(stage.pi.toArray()),
        "theta": v.matrix(stage.theta),
        "model_type": v.string(stage.getModelType()),
        **thresholds(stage),
    }
    return predictor(stage, BundleModel("naive_bayes", attributes))


MONOTONE: dict[str, Callable[[Any, Sample], BundleModel]] = {
    # Of a multinomial model the probability is of both margins: Spark compares the second alone.
    "LogisticRegressionModel": lambda model, sample: _margin(model),
    "GBTClassificationModel": lambda model, sample: ensemble(model, sample, "gbt_classifier", False),
    "RandomForestClassificationModel": lambda model, sample: ensemble(model, sample, "random_forest_classifier", True),
}
"""Classifiers whose probability grows with the raw prediction: Spark compares the one, MLeap the other."""


def one_vs_rest(stage: Any, sample: Sample) -> Nodes:
    """The class whose model is surest; refused where MLeap compares its models by another number than Spark."""
    kinds = {type(model).__name__ for model in stage.models}
    if not kinds <= set(MONOTONE):
        raise RefusedError(f"MLeap compares the models of {sorted(kinds)} by another number than Spark")
    parts = {f"model{at}": MONOTONE[type(model).__name__](model, sample) for at, model in enumerate(stage.models)}
    attributes = {"num_classes": v.long(len(parts)), "num_features": v.long(stage.models[0].numFeatures)}
    return predictor(stage, BundleModel("one_vs_rest", attributes, parts=parts), "probabilityCol")


def survival(stage: Any, sample: Sample) -> Nodes:
    """The mean survival time, and its quantiles."""
    attributes = {
        "coefficients": v.vector(stage.coefficients.toArray()),
        "intercept": v.double(stage.intercept),
        "quantile_probabilities": v.doubles(stage.getQuantileProbabilities()),
        "scale": v.double(stage.scale),
    }
    return predictor(stage, BundleModel("aft_survival_regression", attributes))


def generalized_linear(stage: Any, sample: Sample) -> Nodes:
    """A linear prediction through the link of its family; refused for tweedie and for offsets."""
    if stage.getFamily() == "tweedie":
        raise RefusedError("MLeap has no family 'tweedie'")
    if stage.isSet("offsetCol") and stage.getOffsetCol():
        raise RefusedError("MLeap has no offset column")
    attributes = {
        "coefficients": v.vector(stage.coefficients.toArray()),
        "intercept": v.double(stage.intercept),
        "family": v.string(stage.getFamily()),
        **({"link": v.string(stage.getLink())} if stage.isSet("link") else {}),
    }
    return predictor(stage, BundleModel("generalized_linear_regression", attributes))


def isotonic(stage: Any, sample: Sample) -> Nodes:
    """A prediction between the boundaries of a monotone function."""
    vector = sample.size(stage.getFeaturesCol()) is not None
    attributes = {
        "boundaries": v.doubles(stage.boundaries.toArray()),
        "predictions": v.doubles(stage.predictions.toArray()),
        "isotonic": v.boolean(stage.getIsotonic()),
        **({"feature_index": v.long(stage.getFeatureIndex())} if vector else {}),
    }
    return predictor(stage, BundleModel("isotonic_regression", attributes))


def linear_regression(stage: Any, sample: Sample) -> Nodes:
    """A linear prediction."""
    attributes = {"coefficients": v.vector(stage.coefficients.toArray()), "intercept": v.double(stage.intercept)}
    return predictor(stage, BundleModel("linear_regression", attributes))


def _euclidean(stage: Any) -> None:
    """Raises RefusedError for another distance than the euclidean."""
    if stage.getDistanceMeasure() != "euclidean":
        raise RefusedError(f"MLeap has no distance {stage.getDistanceMeasure()!r}")


def k_means(stage: Any, sample: Sample) -> Nodes:
    """The number of the nearest center; refused for other distances than the euclidean."""
    _euclidean(stage)
    centers = stage.clusterCenters()
    attributes = {"cluster_centers": v.vectors(centers), "num_features": v.long(len(centers[0]))}
    return predictor(stage, BundleModel("k_means", attributes))


def bisecting_k_means(stage: Any, sample: Sample) -> Nodes:
    """The leaf of a tree of centers, which is read from the saved stage; refused as `k_means`."""
    _euclidean(stage)
    rows = {row["index"]: row for row in sample.saved.read(stage, "data/data")}
    children = {child for row in rows.values() for child in row["children"]}
    open_nodes = [index for index in rows if index not in children]
    lines = []
    while open_nodes != []:
        row = rows[open_nodes.pop()]
        below = list(row["children"])
        values = [v.number(item) for item in row["center"].toArray()]
        fields = {"index": row["index"], "norm": v.number(row["norm"]), "values": values, "numChildren": len(below)}
        lines.append(json.dumps(fields))
        open_nodes += reversed(below)
    return predictor(stage, BundleModel("bisecting_k_means", {}, {"tree.json": "\n".join(lines) + "\n"}))


def gaussian_mixture(stage: Any, sample: Sample) -> Nodes:
    """The probabilities of several normal distributions, and the greatest."""
    rows = stage.gaussiansDF.collect()
    attributes = {
        "means": v.vectors(row["mean"].toArray() for row in rows),
        "covs": v.matrices(row["cov"] for row in rows),
        "weights": v.doubles(stage.weights),
    }
    return predictor(stage, BundleModel("gaussian_mixture", attributes))


def lda(stage: Any, sample: Sample) -> Nodes:
    """The topics of counts of words."""
    set_by_hand = stage.isSet("topicConcentration")
    concentration = stage.getOrDefault("topicConcentration") if set_by_hand else 1.0 / stage.getK()
    attributes = {
        "vocabSize": v.integer(stage.vocabSize()),
        "docConcentration": v.doubles(stage.estimatedDocConcentration().toArray()),
        "topicConcentration": v.double(concentration),
        "topicMatrix": v.matrix(np.asarray(stage.topicsMatrix().toArray())),
    }
    outputs = (("prediction", stage.getTopicDistributionCol()),)
    inputs = (("features", stage.getFeaturesCol()),)
    return [Node(stage.uid, BundleModel("lda_local_model_op", attributes), inputs, outputs)]


def als(stage: Any, sample: Sample) -> Nodes:
    """The product of the factors of a user and an item; NaN where one is unknown."""
    users, items = stage.userFactors.collect(), stage.itemFactors.collect()
    attributes = {
        "rank": v.integer(stage.rank),
        "users": v.integers(row["id"] for row in users),
        "user_factors": v.vectors([row["features"] for row in users], "float"),
        "items": v.integers(row["id"] for row in items),
        "item_factors": v.vectors([row["features"] for row in items], "float"),
    }
    inputs = (("user", stage.getUserCol()), ("item", stage.getItemCol()))
    return [Node(stage.uid, BundleModel("als", attributes), inputs, (("prediction", stage.getPredictionCol()),))]

"""Decision trees and their ensembles, from the nodes that Spark saves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from spark_models.bundle import values as v
from spark_models.bundle.nodes import BundleModel, Sample


def tree_text(rows: Iterable[Any], classes: bool) -> str:
    """A tree in preorder, one JSON line a node; leaves hold class stats, or the prediction."""
    nodes = {row["id"]: row for row in rows}
    lines: list[str] = []
    open_nodes = [0]
    while open_nodes != []:
        row = nodes[open_nodes.pop()]
        if row["leftChild"] < 0:
            stats = row["impurityStats"] if classes else [row["prediction"]]
            lines.append(json.dumps({"type": "leaf", "values": [v.number(item) for item in stats]}))
        else:
            lines.append(json.dumps({"type": "internal", "split": _split(row["split"])}))
            open_nodes += [row["rightChild"], row["leftChild"]]
    return "\n".join(lines) + "\n"


def _split(split: Any) -> dict[str, Any]:
    index, given, count = split["featureIndex"], split["leftCategoriesOrThreshold"], split["numCategories"]
    if count == -1:
        return {"type": "continuous", "featureIndex": index, "threshold": v.number(given[0])}
    # As Spark does: the smaller side is listed, and a category that is on neither goes to the other one.
    left = set(given)
    is_left = len(left) <= count // 2
    listed = left if is_left else {float(item) for item in range(count)} - left
    return {
        "type": "categorical",
        "featureIndex": index,
        "isLeft": is_left,
        "numCategories": count,
        "categories": sorted(listed),
    }


def tree_model(stage: Any, rows: Iterable[Any], classes: bool, features: int) -> BundleModel:
    """A tree as a model of its own."""
    attributes = {"num_features": v.long(features)}
    if classes:
        attributes |= {"num_classes": v.long(stage.numClasses), **thresholds(stage)}
    op = "decision_tree_classifier" if classes else "decision_tree_regression"
    return BundleModel(op, attributes, {"tree.json": tree_text(rows, classes)})


def single(stage: Any, sample: Sample, classes: bool) -> BundleModel:
    """The model of a decision tree."""
    return tree_model(stage, sample.saved.read(stage), classes, stage.numFeatures)


def ensemble(stage: Any, sample: Sample, op: str, classes: bool) -> BundleModel:
    """The model of a forest or of boosted trees, one folder a tree."""
    trees: dict[int, list[Any]] = {}
    for row in sample.saved.read(stage):
        trees.setdefault(row["treeID"], []).append(row["nodeData"])
    count = stage.numClasses if classes else 0
    parts = {}
    for number in sorted(trees):
        attributes = {"num_features": v.long(stage.numFeatures)}
        if classes:
            attributes["num_classes"] = v.long(count)
        kind = "decision_tree_classifier" if classes else "decision_tree_regression"
        parts[f"tree{number}"] = BundleModel(kind, attributes, {"tree.json": tree_text(trees[number], classes)})
    top = {
        "num_features": v.long(stage.numFeatures),
        "tree_weights": v.doubles(stage.treeWeights),
        "trees": v.strings(parts),
    }
    if op.endswith("classifier"):
        top |= {"num_classes": v.long(stage.numClasses), **thresholds(stage)}
    return BundleModel(op, top, parts=parts)


def thresholds(stage: Any) -> dict[str, v.Value]:
    """The thresholds of a classifier, where they are set."""
    return {"thresholds": v.doubles(stage.getThresholds())} if stage.isSet("thresholds") else {}

"""Writers of pyspark.ml.feature: each gives a stage's nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

from spark_models.bundle import values as v
from spark_models.bundle.nodes import BundleModel, Node, Sample
from spark_models.bundle.values import RefusedError, Value

Nodes = list[Node]


def one(stage: Any, op: str, attributes: dict[str, Value]) -> Nodes:
    """The one node of a stage with an input and an output column."""
    model = BundleModel(op, attributes)
    return [Node(stage.uid, model, (("input", stage.getInputCol()),), (("output", stage.getOutputCol()),))]


def columns(stage: Any) -> list[tuple[str, str]]:
    """The pairs of input and output columns of a stage that takes one or several."""
    if stage.isSet("inputCols"):
        return list(zip(stage.getInputCols(), stage.getOutputCols(), strict=True))
    return [(stage.getInputCol(), stage.getOutputCol())]


def each(stage: Any, op: str, attributes: Callable[[int, str], dict[str, Value]]) -> Nodes:
    """A node for each column."""
    pairs = columns(stage)
    names = [stage.uid] if len(pairs) == 1 else [f"{stage.uid}_{at}" for at in range(len(pairs))]
    return [
        Node(name, BundleModel(op, attributes(at, given)), (("input", given),), (("output", made),))
        for at, (name, (given, made)) in enumerate(zip(names, pairs, strict=True))
    ]


def several(stage: Any, op: str, attributes: dict[str, Value]) -> Nodes:
    """The node of a stage that takes several columns and gives one."""
    inputs = tuple((f"input{at}", name) for at, name in enumerate(stage.getInputCols()))
    return [Node(stage.uid, BundleModel(op, attributes), inputs, (("output", stage.getOutputCol()),))]


def binarizer(stage: Any, sample: Sample) -> Nodes:
    """A node a column: 1.0 above its threshold, else 0.0."""
    limits = stage.getThresholds() if stage.isSet("thresholds") else None

    def attributes(at: int, column: str) -> dict[str, Value]:
        threshold = stage.getThreshold() if limits is None else limits[at]
        return {"threshold": v.double(threshold), "input_shapes": {"data_shape": v.shape(sample.size(column))}}

    return each(stage, "binarizer", attributes)


def random_projection(stage: Any, sample: Sample) -> Nodes:
    """The buckets of a vector's projections, one a hash table; the directions are read from the saved stage."""
    [row] = sample.saved.read(stage)
    attributes = {
        "random_unit_vectors": v.vectors(row["randUnitVectors"].toArray()),
        "bucket_length": v.double(stage.getBucketLength()),
        "input_size": v.integer(row["randUnitVectors"].numCols),
    }
    return one(stage, "bucketed_random_projection_lsh", attributes)


def min_hash(stage: Any, sample: Sample) -> Nodes:
    """The smallest hashes of a vector's places that are not zero, one a hash table; refused where 32 bits overflow."""
    [row] = sample.saved.read(stage)
    size = sample.length(stage.getInputCol())
    pairs = list(zip(row["randCoefficients"][::2], row["randCoefficients"][1::2], strict=True))
    if any(size * a + b > 2**31 - 1 for a, b in pairs):
        raise RefusedError("MLeap hashes in 32 bits, which overflow where Spark's 64 do not")
    attributes = {
        "random_coefficients_a": v.longs(a for a, _ in pairs),
        "random_coefficients_b": v.longs(b for _, b in pairs),
        "input_size": v.integer(size),
    }
    return one(stage, "min_hash_lsh", attributes)


def bucketizer(stage: Any, sample: Sample) -> Nodes:
    """A node a column: the number of the bucket between its splits."""
    many = stage.getSplitsArray() if stage.isSet("splitsArray") else [stage.getSplits()]

    def attributes(at: int, column: str) -> dict[str, Value]:
        # An infinite end is null, and MLeap puts it back.
        splits = [math.nan if math.isinf(item) else item for item in many[at]]
        return {"splits": v.doubles(splits, nan=True), "handle_invalid": v.string(stage.getHandleInvalid())}

    return each(stage, "bucketizer", attributes)


def chi_sq_selector(stage: Any, sample: Sample) -> Nodes:
    """The selected places of a vector: of every selector of features."""
    size = sample.length(stage.getFeaturesCol())
    attributes = {"filter_indices": v.longs(sorted(stage.selectedFeatures)), "input_size": v.integer(size)}
    model = BundleModel("chi_sq_selector", attributes)
    return [Node(stage.uid, model, (("input", stage.getFeaturesCol()),), (("output", stage.getOutputCol()),))]


def count_vectorizer(stage: Any, sample: Sample) -> Nodes:
    """How often each word of the vocabulary stands in a list of words."""
    attributes = {
        "vocabulary": v.strings(stage.vocabulary),
        "binary": v.boolean(stage.getBinary()),
        "min_tf": v.double(stage.getMinTF()),
    }
    return one(stage, "count_vectorizer", attributes)


def dct(stage: Any, sample: Sample) -> Nodes:
    """The discrete cosine transform of a vector, or its inverse."""
    size = sample.length(stage.getInputCol())
    return one(stage, "dct", {"inverse": v.boolean(stage.getInverse()), "input_size": v.integer(size)})


def elementwise_product(stage: Any, sample: Sample) -> Nodes:
    """A vector, each place by its factor."""
    return one(stage, "elementwise_product", {"scaling_vec": v.vector(stage.getScalingVec().toArray())})


# MLeap hashes a byte as a category, and any other number as a number.
BASIC = {"boolean": "boolean", "tinyint": "short", "smallint": "short", "int": "int", "bigint": "long"} | {
    name: name for name in ("float", "double", "string")
}
"""Bundle.ML's names of the types that hold the values of Spark's."""


def feature_hasher(stage: Any, sample: Sample) -> Nodes:
    """Columns of numbers, text and booleans, hashed into a sparse vector; refused for other types."""
    names = stage.getInputCols()
    kinds = [sample.kind(name) for name in names]
    other = [f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True) if kind not in BASIC]
    if other != []:
        raise RefusedError(f"MLeap has no type for {', '.join(other)}")
    attributes = {
        "num_features": v.long(stage.getNumFeatures()),
        "categorical_cols": v.strings(stage.getCategoricalCols() if stage.isSet("categoricalCols") else []),
        "input_shapes": {"type": "list", "data_shape": [v.shape(None, nullable=True) for _ in names]},
        "basic_types": {"type": "list", "basic_type": [BASIC[kind] for kind in kinds]},
        "input_names": v.strings(names),
    }
    return several(stage, "feature_hasher", attributes)


def hashing_tf(stage: Any, sample: Sample) -> Nodes:
    """A list of words, hashed into a sparse vector of counts."""
    attributes = {
        "num_features": v.long(stage.getNumFeatures()),
        "binary": v.boolean(stage.getBinary()),
        # Spark hashes in this way since 3.0.
        "hashUnsafeBytesVersion": v.integer(2),
    }
    return one(stage, "hashing_term_frequency", attributes)


def idf(stage: Any, sample: Sample) -> Nodes:
    """Counts of words, each by its inverse document frequency."""
    return one(stage, "idf", {"idf": v.vector(stage.idf.toArray())})


def imputer(stage: Any, sample: Sample) -> Nodes:
    """A node a column: its surrogate where the value is missing, as Spark casts it to the column's type."""
    [surrogates] = stage.surrogateDF.collect()
    missing = stage.getMissingValue()
    stated = {} if math.isnan(missing) else {"missing_value": v.double(missing)}

    def attributes(at: int, column: str) -> dict[str, Value]:
        return {
            "surrogate_value": v.double(_as_kind(surrogates[column], sample.kind(column))),
            **stated,
            "strategy": v.string(stage.getStrategy()),
            "nullable_input": v.boolean(True),
        }

    return each(stage, "imputer", attributes)


def _as_kind(value: float, kind: str) -> float:
    """A double as Spark casts it to a type of numbers: cut for integers, rounded for floats and decimals."""
    if kind in ("tinyint", "smallint", "int", "bigint") and math.isfinite(value):
        return float(math.trunc(value))
    if kind.startswith("decimal") and math.isfinite(value):
        scale = int(kind.rstrip(")").partition(",")[2])
        return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP))
    return float(np.float32(value)) if kind == "float" else value


def index_to_string(stage: Any, sample: Sample) -> Nodes:
    """The label of an index; refused where the labels are known neither by a parameter nor by the sample."""
    labels = stage.getLabels() if stage.isSet("labels") else sample.values(stage.getInputCol())[0]
    if not labels:
        raise RefusedError("its labels are known neither from a parameter nor from the sample's metadata")
    return one(
        stage, "reverse_string_indexer", {"labels": v.strings(labels), "input_shape": {"data_shape": v.shape(None)}}
    )


def interaction(stage: Any, sample: Sample) -> Nodes:
    """The products of all combinations of columns; refused for vectors."""
    names = stage.getInputCols()
    vectors = [name for name in names if sample.size(name) is not None]
    if vectors != []:
        # MLeap 0.20.0 numbers a sparse vector's entries by their place among the stored ones.
        raise RefusedError(f"MLeap misplaces the entries of sparse vectors, and {vectors} are vectors")
    shapes = {"type": "list", "data_shape": [v.shape(None) for _ in names]}
    attributes: dict[str, Value] = {"num_inputs": v.integer(len(names)), "input_shapes": shapes}
    for at, name in enumerate(names):
        attributes[f"num_features{at}"] = v.integers(_categories(name, sample))
    return several(stage, "interaction", attributes)


def _categories(column: str, sample: Sample) -> Sequence[int]:
    """How many places a column takes in an interaction: its categories, or one for a number."""
    nominal = sample.attributes(column).get("type") == "nominal"
    return [max(1, sample.values(column)[1] or 1) if nominal else 1]


def max_abs_scaler(stage: Any, sample: Sample) -> Nodes:
    """A vector, each place by its greatest absolute value: as a standard scaler."""
    # MLeap's own op cuts at ±1, which Spark does not.
    scale = [item if item != 0.0 else 1.0 for item in stage.maxAbs.toArray()]
    return one(stage, "standard_scaler", {"std": v.vector(scale)})


def min_max_scaler(stage: Any, sample: Sample) -> Nodes:
    """A vector, each place from its range to another."""
    attributes = {
        "min": v.vector(stage.originalMin.toArray()),
        "max": v.vector(stage.originalMax.toArray()),
        "minValue": v.double(stage.getMin()),
        "maxValue": v.double(stage.getMax()),
    }
    return one(stage, "min_max_scaler", attributes)


def ngram(stage: Any, sample: Sample) -> Nodes:
    """The runs of n words of a list of words."""
    return one(stage, "ngram", {"n": v.long(stage.getN())})


def normalizer(stage: Any, sample: Sample) -> Nodes:
    """A vector by its p-norm."""
    size = sample.length(stage.getInputCol())
    return one(stage, "normalizer", {"p_norm": v.double(stage.getP()), "input_size": v.integer(size)})


def one_hot_encoder(stage: Any, sample: Sample) -> Nodes:
    """One node for all columns: a sparse vector of an index, for each."""
    pairs = columns(stage)
    attributes = {
        "category_sizes": v.integers(stage.categorySizes),
        "handle_invalid": v.string(stage.getHandleInvalid()),
        "drop_last": v.boolean(stage.getDropLast()),
    }
    inputs = tuple((f"input{at}", given) for at, (given, _) in enumerate(pairs))
    outputs = tuple((f"output{at}", made) for at, (_, made) in enumerate(pairs))
    return [Node(stage.uid, BundleModel("one_hot_encoder", attributes), inputs, outputs)]


def pca(stage: Any, sample: Sample) -> Nodes:
    """The projections of a vector on its principal components."""
    return one(stage, "pca", {"principal_components": v.matrix(stage.pc)})


def polynomial_expansion(stage: Any, sample: Sample) -> Nodes:
    """The monomials of a vector's places up to a degree."""
    size = sample.length(stage.getInputCol())
    return one(stage, "polynomial_expansion", {"degree": v.long(stage.getDegree()), "input_size": v.long(size)})


def regex_tokenizer(stage: Any, sample: Sample) -> Nodes:
    """The words of a text between matches of a regular expression, or the matches."""
    attributes = {
        "regex": v.string(stage.getPattern()),
        "match_gaps": v.boolean(stage.getGaps()),
        "token_min_length": v.integer(stage.getMinTokenLength()),
        "lowercase_text": v.boolean(stage.getToLowercase()),
    }
    return one(stage, "regex_tokenizer", attributes)


def robust_scaler(stage: Any, sample: Sample) -> Nodes:
    """A vector, each place less its median and by its range between quantiles: as a standard scaler."""
    return _scaler(stage, sample, stage.getWithCentering(), stage.getWithScaling(), "median", "range")


def standard_scaler(stage: Any, sample: Sample) -> Nodes:
    """A vector, each place less its mean and by its standard deviation."""
    return _scaler(stage, sample, stage.getWithMean(), stage.getWithStd(), "mean", "std")


def _scaler(stage: Any, sample: Sample, shifts: bool, scales: bool, shift: str, scale: str) -> Nodes:
    """A standard scaler by the names of the model's two vectors; one that does nothing scales by 1."""
    attributes: dict[str, Value] = {}
    if shifts:
        attributes["mean"] = v.vector(getattr(stage, shift).toArray())
    if scales:
        attributes["std"] = v.vector(getattr(stage, scale).toArray())
    if attributes == {}:
        # MLeap's op refuses to do nothing; a scale of 1 does nothing.
        attributes["std"] = v.vector([1.0] * sample.length(stage.getInputCol()))
    return one(stage, "standard_scaler", attributes)


def stop_words_remover(stage: Any, sample: Sample) -> Nodes:
    """A node a column: a list of words without the stop words."""
    attributes = {
        "stop_words": v.strings(stage.getStopWords()),
        "case_sensitive": v.boolean(stage.getCaseSensitive()),
    }
    return each(stage, "stopwords_remover", lambda at, column: attributes)


def string_indexer(stage: Any, sample: Sample) -> Nodes:
    """A node a column: the index of a label, by the stage's handleInvalid for others; refused for decimals."""
    labels = stage.labelsArray

    def attributes(at: int, column: str) -> dict[str, Value]:
        if sample.kind(column).startswith("decimal"):
            raise RefusedError(f"MLeap has no text for the decimals of {column!r}")
        return {
            "labels_length": v.integer(1),
            "labels_array_0": v.strings(labels[at]),
            "handle_invalid": v.string(stage.getHandleInvalid()),
        }

    return each(stage, "string_indexer", attributes)


def tokenizer(stage: Any, sample: Sample) -> Nodes:
    """The words of a text in small letters, between white space."""
    return one(stage, "tokenizer", {})


def vector_assembler(stage: Any, sample: Sample) -> Nodes:
    """Columns of numbers and vectors as one vector."""
    shapes = [v.shape(sample.size(name)) for name in stage.getInputCols()]
    return several(stage, "vector_assembler", {"input_shapes": {"type": "list", "data_shape": shapes}})


def vector_indexer(stage: Any, sample: Sample) -> Nodes:
    """A vector whose categorical places hold indices; the categories are read from the saved stage."""
    [row] = sample.saved.read(stage)
    maps: dict[int, dict[float, int]] = row["categoryMaps"]
    attributes: dict[str, Value] = {
        "keys": v.longs(maps),
        "num_features": v.long(row["numFeatures"]),
        "handle_invalid": v.string(stage.getHandleInvalid()),
    }
    for key, categories in maps.items():
        attributes[f"key_{key}_keys"] = v.doubles(categories)
        attributes[f"key_{key}_values"] = v.longs(categories.values())
    return one(stage, "vector_indexer", attributes)


def vector_size_hint(stage: Any, sample: Sample) -> Nodes:
    """No node: it only checks a size that the bundle knows."""
    return []


def vector_slicer(stage: Any, sample: Sample) -> Nodes:
    """Some places of a vector, by number and by name; refused for names that the sample has not."""
    groups = sample.attributes(stage.getInputCol()).get("attrs", {})
    places = {item.get("name"): item["idx"] for group in groups.values() for item in group}
    names = stage.getNames()
    unknown = [name for name in names if name not in places]
    if unknown != []:
        raise RefusedError(f"the sample has no features {unknown} in {stage.getInputCol()!r}")
    attributes = {
        "indices": v.longs([*stage.getIndices(), *[places[name] for name in names]]),
        "names": v.strings([]),
        "named_indices": v.integers([]),
        "input_size": v.integer(sample.length(stage.getInputCol())),
    }
    return one(stage, "vector_slicer", attributes)


def word2vec(stage: Any, sample: Sample) -> Nodes:
    """The mean of the vectors of a list's words."""
    rows = stage.getVectors().collect()
    attributes = {
        "words": v.strings(row["word"] for row in rows),
        "indices": v.longs(range(len(rows))),
        "word_vectors": v.doubles(item for row in rows for item in row["vector"].toArray()),
    }
    return one(stage, "word_to_vector", attributes)

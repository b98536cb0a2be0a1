"""The table of stages: which function writes each class of pyspark.ml, and where the answers differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spark_models.bundle import feature as f
from spark_models.bundle import predictors as p
from spark_models.bundle.nodes import Node, Sample


@dataclass(frozen=True, slots=True)
class StageWriter:
    """How a stage becomes nodes of an op; `differs` says for which rows MLeap's answer is another."""

    op: str
    write: Callable[[Any, Sample], list[Node]]
    differs: str = ""


STAGES: dict[str, StageWriter] = {
    "AFTSurvivalRegressionModel": StageWriter("aft_survival_regression", p.survival),
    "ALSModel": StageWriter("als", p.als, "coldStartStrategy 'drop': Spark drops the row, MLeap gives NaN"),
    "Binarizer": StageWriter("binarizer", f.binarizer),
    "BisectingKMeansModel": StageWriter("bisecting_k_means", p.bisecting_k_means),
    "BucketedRandomProjectionLSHModel": StageWriter(
        "bucketed_random_projection_lsh", f.random_projection, "a matrix where Spark gives an array of vectors"
    ),
    "Bucketizer": StageWriter("bucketizer", f.bucketizer),
    "ChiSqSelectorModel": StageWriter("chi_sq_selector", f.chi_sq_selector),
    "CountVectorizerModel": StageWriter("count_vectorizer", f.count_vectorizer),
    "DCT": StageWriter("dct", f.dct),
    "DecisionTreeClassificationModel": StageWriter("decision_tree_classifier", p.decision_tree_classifier),
    "DecisionTreeRegressionModel": StageWriter("decision_tree_regression", p.decision_tree_regressor),
    "ElementwiseProduct": StageWriter("elementwise_product", f.elementwise_product),
    "FeatureHasher": StageWriter("feature_hasher", f.feature_hasher),
    "GBTClassificationModel": StageWriter("gbt_classifier", p.gbt_classifier),
    "GBTRegressionModel": StageWriter("gbt_regression", p.gbt_regressor),
    "GaussianMixtureModel": StageWriter("gaussian_mixture", p.gaussian_mixture),
    "GeneralizedLinearRegressionModel": StageWriter("generalized_linear_regression", p.generalized_linear),
    "HashingTF": StageWriter("hashing_term_frequency", f.hashing_tf),
    "IDFModel": StageWriter("idf", f.idf),
    "ImputerModel": StageWriter("imputer", f.imputer, "a missingValue other than NaN: MLeap fills NaN as well"),
    "IndexToString": StageWriter("reverse_string_indexer", f.index_to_string),
    "Interaction": StageWriter("interaction", f.interaction),
    "IsotonicRegressionModel": StageWriter("isotonic_regression", p.isotonic),
    "KMeansModel": StageWriter("k_means", p.k_means),
    "LinearRegressionModel": StageWriter("linear_regression", p.linear_regression),
    "LinearSVCModel": StageWriter("linear_svc", p.linear_svc),
    "LocalLDAModel": StageWriter("lda_local_model_op", p.lda, "inference starts at random: topics agree to about 1e-2"),
    "LogisticRegressionModel": StageWriter("logistic_regression", p.logistic_regression),
    "MaxAbsScalerModel": StageWriter("standard_scaler", f.max_abs_scaler),
    "MinHashLSHModel": StageWriter("min_hash_lsh", f.min_hash),
    "MinMaxScalerModel": StageWriter("min_max_scaler", f.min_max_scaler),
    "MultilayerPerceptronClassificationModel": StageWriter(
        "multi_layer_perceptron_classifier", p.multilayer_perceptron
    ),
    "NGram": StageWriter("ngram", f.ngram),
    "NaiveBayesModel": StageWriter("naive_bayes", p.naive_bayes),
    "Normalizer": StageWriter("normalizer", f.normalizer),
    "OneHotEncoderModel": StageWriter("one_hot_encoder", f.one_hot_encoder),
    "OneVsRestModel": StageWriter(
        "one_vs_rest", p.one_vs_rest, "models whose probabilities both round to 1: MLeap takes the first"
    ),
    "PCAModel": StageWriter("pca", f.pca),
    "PolynomialExpansion": StageWriter("polynomial_expansion", f.polynomial_expansion),
    "RandomForestClassificationModel": StageWriter("random_forest_classifier", p.random_forest_classifier),
    "RandomForestRegressionModel": StageWriter("random_forest_regression", p.random_forest_regressor),
    "RegexTokenizer": StageWriter("regex_tokenizer", f.regex_tokenizer),
    "RobustScalerModel": StageWriter("standard_scaler", f.robust_scaler),
    "StandardScalerModel": StageWriter("standard_scaler", f.standard_scaler),
    "StopWordsRemover": StageWriter("stopwords_remover", f.stop_words_remover),
    "StringIndexerModel": StageWriter("string_indexer", f.string_indexer),
    "Tokenizer": StageWriter("tokenizer", f.tokenizer),
    "UnivariateFeatureSelectorModel": StageWriter("chi_sq_selector", f.chi_sq_selector),
    "VarianceThresholdSelectorModel": StageWriter("chi_sq_selector", f.chi_sq_selector),
    "VectorAssembler": StageWriter(
        "vector_assembler",
        f.vector_assembler,
        "NaN: Spark raises ('error') or drops the row ('skip'), MLeap scores it; null: MLeap raises",
    ),
    "VectorIndexerModel": StageWriter("vector_indexer", f.vector_indexer, "'skip': MLeap raises for the row"),
    "VectorSizeHint": StageWriter("(none)", f.vector_size_hint, "MLeap does not check the size"),
    "VectorSlicer": StageWriter("vector_slicer", f.vector_slicer),
    "Word2VecModel": StageWriter("word_to_vector", f.word2vec),
}
"""Every class that is written, with the op of MLeap that answers for it."""


def differs(stage: Any) -> str:
    """Where the answers for rows of this very stage may differ; '' where they don't."""
    found = STAGES[type(stage).__name__].differs
    name = type(stage).__name__
    if name == "VectorAssembler" and stage.getHandleInvalid() == "keep":
        return "null: Spark takes it for NaN, MLeap raises"
    if name == "VectorIndexerModel" and stage.getHandleInvalid() != "skip":
        return ""
    if name == "ALSModel" and stage.getColdStartStrategy() != "drop":
        return ""
    if name == "ImputerModel" and stage.getMissingValue() != stage.getMissingValue():
        return ""
    if name in ("StringIndexerModel", "Bucketizer") and stage.getHandleInvalid() == "skip":
        return "a skipped row is absent from Spark's answer and null in MLeap's"
    return found

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
    """How a stage becomes nodes of an op.

    `differs` says for which rows MLeap's answer is another, and `refused` with which parameters it can't be written.
    `limits` are rows of which nobody is warned: what they hold is no ordinary value of the column.
    """

    op: str
    write: Callable[[Any, Sample], list[Node]]
    differs: str = ""
    refused: str = ""
    limits: str = ""


STAGES: dict[str, StageWriter] = {
    "AFTSurvivalRegressionModel": StageWriter("aft_survival_regression", p.survival),
    "ALSModel": StageWriter("als", p.als, "coldStartStrategy 'drop': Spark drops the row, MLeap gives NaN"),
    "Binarizer": StageWriter("binarizer", f.binarizer),
    "BisectingKMeansModel": StageWriter(
        "bisecting_k_means", p.bisecting_k_means, refused="a distanceMeasure other than euclidean"
    ),
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
    "FeatureHasher": StageWriter(
        "feature_hasher", f.feature_hasher, refused="columns that are neither numbers, text nor booleans"
    ),
    "GBTClassificationModel": StageWriter("gbt_classifier", p.gbt_classifier),
    "GBTRegressionModel": StageWriter("gbt_regression", p.gbt_regressor),
    "GaussianMixtureModel": StageWriter("gaussian_mixture", p.gaussian_mixture),
    "GeneralizedLinearRegressionModel": StageWriter(
        "generalized_linear_regression", p.generalized_linear, refused="the family tweedie; an offsetCol"
    ),
    "HashingTF": StageWriter("hashing_term_frequency", f.hashing_tf),
    "IDFModel": StageWriter("idf", f.idf),
    "ImputerModel": StageWriter("imputer", f.imputer, "a missingValue other than NaN: MLeap fills NaN as well"),
    "IndexToString": StageWriter(
        "reverse_string_indexer",
        f.index_to_string,
        "NaN: MLeap takes the first label, and Spark 4.2 raises",
        refused="no labels, neither as a parameter nor in the sample's metadata",
    ),
    "Interaction": StageWriter(
        "interaction", f.interaction, refused="vectors: MLeap misplaces the entries of sparse ones"
    ),
    "IsotonicRegressionModel": StageWriter("isotonic_regression", p.isotonic),
    "KMeansModel": StageWriter(
        "k_means",
        p.k_means,
        refused="a distanceMeasure other than euclidean",
        limits="NaN: Spark raises, MLeap answers",
    ),
    "LinearRegressionModel": StageWriter("linear_regression", p.linear_regression),
    "LinearSVCModel": StageWriter("linear_svc", p.linear_svc),
    "LocalLDAModel": StageWriter(
        "lda_local_model_op",
        p.lda,
        "inference starts at random: most rows agree to about 1e-2, and one that fits several mixtures may get another",
    ),
    "LogisticRegressionModel": StageWriter(
        "logistic_regression",
        p.logistic_regression,
        refused="a model of one class",
        limits="margins that are not finite: Spark's probability is NaN, MLeap's 0 or 1",
    ),
    "MaxAbsScalerModel": StageWriter("standard_scaler", f.max_abs_scaler),
    "MinHashLSHModel": StageWriter(
        "min_hash_lsh",
        f.min_hash,
        refused="coefficients whose hashes overflow in MLeap's 32 bits: all but a few of short vectors",
    ),
    "MinMaxScalerModel": StageWriter("min_max_scaler", f.min_max_scaler),
    "MultilayerPerceptronClassificationModel": StageWriter(
        "multi_layer_perceptron_classifier", p.multilayer_perceptron
    ),
    "NGram": StageWriter("ngram", f.ngram),
    "NaiveBayesModel": StageWriter(
        "naive_bayes",
        p.naive_bayes,
        refused="the model types gaussian and complement",
        limits="numbers that Spark raises for (negative ones, NaN, infinities): MLeap answers",
    ),
    "Normalizer": StageWriter("normalizer", f.normalizer),
    "OneHotEncoderModel": StageWriter(
        "one_hot_encoder",
        f.one_hot_encoder,
        limits="numbers that are no index: Spark cuts fractions, and 'keep' takes the others; MLeap raises",
    ),
    "OneVsRestModel": StageWriter(
        "one_vs_rest",
        p.one_vs_rest,
        "models whose probabilities both round to 1: MLeap takes the first; "
        "NaN, infinite: Spark 4.2 takes another class",
        refused="classifiers other than logistic regression, random forest and boosted trees",
    ),
    "PCAModel": StageWriter("pca", f.pca),
    "PolynomialExpansion": StageWriter("polynomial_expansion", f.polynomial_expansion),
    "RandomForestClassificationModel": StageWriter("random_forest_classifier", p.random_forest_classifier),
    "RandomForestRegressionModel": StageWriter("random_forest_regression", p.random_forest_regressor),
    "RegexTokenizer": StageWriter("regex_tokenizer", f.regex_tokenizer),
    "RobustScalerModel": StageWriter("standard_scaler", f.robust_scaler),
    "StandardScalerModel": StageWriter("standard_scaler", f.standard_scaler),
    "StopWordsRemover": StageWriter(
        "stopwords_remover",
        f.stop_words_remover,
        "a locale tr, az or lt: MLeap takes the small letters of its JVM's own",
    ),
    "StringIndexerModel": StageWriter(
        "string_indexer", f.string_indexer, refused="columns of decimals; integers and floats that an Imputer gives"
    ),
    "Tokenizer": StageWriter("tokenizer", f.tokenizer),
    "UnivariateFeatureSelectorModel": StageWriter("chi_sq_selector", f.chi_sq_selector),
    "VarianceThresholdSelectorModel": StageWriter("chi_sq_selector", f.chi_sq_selector),
    "VectorAssembler": StageWriter(
        "vector_assembler",
        f.vector_assembler,
        "NaN: Spark raises ('error') or drops the row ('skip'), MLeap scores it; null: MLeap raises",
    ),
    "VectorIndexerModel": StageWriter("vector_indexer", f.vector_indexer, "'skip': MLeap raises for the row"),
    "VectorSizeHint": StageWriter("—", f.vector_size_hint, "MLeap does not check the size"),
    "VectorSlicer": StageWriter("vector_slicer", f.vector_slicer, refused="names that the sample's metadata has not"),
    "Word2VecModel": StageWriter("word_to_vector", f.word2vec),
}
"""Every class that is written, with the op of MLeap that answers for it."""

INSIDE: dict[str, str] = {
    "CrossValidatorModel": "its best model",
    "PipelineModel": "its stages",
    "RFormulaModel": "the stages that make its features; the label is left to Spark",
    "TrainValidationSplitModel": "its best model",
}
"""Classes that stand for the stages inside them."""

REFUSED: dict[str, str] = {
    "DistributedLDAModel": "MLeap scores a local one: put model.toLocal() into the pipeline",
    "FMClassificationModel": "MLeap has no op for factorization machines",
    "FMRegressionModel": "MLeap has no op for factorization machines",
    "FPGrowthModel": "MLeap has no op for frequent patterns",
    "SQLTransformer": "MLeap runs no SQL",
    "TargetEncoderModel": "MLeap has no op for target encoding",
}
"""Classes of pyspark.ml that MLeap has no op for, each with what is to be said."""


OTHER_LETTERS = ("tr", "az", "lt")
"""The languages whose small letters are to Java not those of all others."""


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
    if name == "StopWordsRemover" and (stage.getCaseSensitive() or _language(stage) not in OTHER_LETTERS):
        return ""
    if name in ("StringIndexerModel", "Bucketizer") and stage.getHandleInvalid() == "skip":
        return "a skipped row is absent from Spark's answer and null in MLeap's"
    return found


def _language(stage: Any) -> str:
    # Over Connect the default, which is the server's own, is not known.
    return str(stage.getLocale()).partition("_")[0] if stage.isDefined("locale") else ""

"""Fitted Spark ML pipelines, in Spark's own files; scored by Spark, from pandas, or as a transform of a DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spark_models.bridge.sql import quoted
from spark_models.bundle.writer import best_model
from spark_models.errors import InvalidArgumentError, InvalidModelError
from spark_models.flavors import mleap
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.hadoop import destination, fetch, hadoop_uri, scratch_folder, send, shares_disk
from spark_models.flavors.pipeline import (
    PREDICTION,
    SparkPredictor,
    array_inputs,
    get_session,
    output_columns,
    outputs,
    require_kept,
    with_vectors,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel, log_package

FLAVOR = "spark"
FOLDER = "sparkml"
CAPABILITIES = Capabilities(library="pyspark", inputs=("dataframe",), formats=(Format("Spark's files"),))


def save_model(
    spark_model: Any,
    path: PathLike,
    mlflow_model: Model | None = None,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    dfs_tmpdir: str | None = None,
    sample_input: Any = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | PathLike | None = None,
    extra_pip_requirements: Sequence[str] | PathLike | None = None,
    *,
    code_paths: Sequence[PathLike] | None = None,
    metadata: Mapping[str, Any] | None = None,
    drop_label_stages: bool = False,
    verify: bool = False,
) -> None:
    """Saves a fitted PipelineModel, or a single fitted transformer as one, as a package at `path`.

    Of a CrossValidatorModel or TrainValidationSplitModel it is the best model.

    `path` is of this host's disk, or a URI of a file system of Hadoop that the session knows (hdfs:, s3a:, viewfs:, …).
    Where Spark does not write to this host's disk the files go through `dfs_tmpdir`, a path of its file system, and are
    fetched from there; over Spark Connect through Spark itself, and the server's copy stays. `sample_input`, a Spark
    DataFrame, adds the mleap flavor (`drop_label_stages` and `verify` as there).

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no fitted transformer that can be saved.
        UnsupportedUriError: [UNSUPPORTED_URI] the session has no file system for the URI.
        InvalidArgumentError: [INVALID_ARGUMENT] `verify` or `drop_label_stages` without `sample_input`.
        UnsupportedStagesError: [UNSUPPORTED_STAGES] with `sample_input`: MLeap has no op for some stages.
        ParityError: [PARITY] with `verify`: the JVM does not give Spark's answers for the sample.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    pipeline = as_pipeline(spark_model)
    if sample_input is None and (verify or drop_label_stages):
        raise InvalidArgumentError(
            "'verify' and 'drop_label_stages' are of the mleap flavor", "give sample_input, a Spark DataFrame"
        )
    with (
        destination(path, get_session) as local,
        PackageWriter(
            local,
            requirements=default_requirements(),
            model=mlflow_model,
            signature=signature,
            metadata=metadata,
            conda_env=conda_env,
            pip_requirements=pip_requirements,
            extra_pip_requirements=extra_pip_requirements,
            code_paths=code_paths,
        ) as package,
    ):
        if sample_input is not None:
            # First, for it refuses before it writes.
            mleap.add_bundle(package, pipeline, sample_input, dfs_tmpdir, drop_label_stages, verify)
        spark = get_session()
        if dfs_tmpdir is None and shares_disk(spark):
            _save(pipeline, hadoop_uri(package.root / FOLDER), package, input_example)
        else:
            with scratch_folder(spark, dfs_tmpdir) as scratch:
                _save(pipeline, scratch, package, input_example)
                fetch(spark, scratch, package.root / FOLDER)
        for checksum in (package.root / FOLDER).rglob(".*.crc"):
            # Hadoop's local file system keeps them aside and never shows them: a copy of the package would lack them.
            checksum.unlink()
        package.add_flavor(FLAVOR, pyspark_version=_pyspark_version(), model_data=FOLDER, code=package.code)
        package.add_pyfunc("spark_models.spark", data=FOLDER, split_invariant=True)


def _save(pipeline: Any, folder: str, package: PackageWriter, input_example: Any) -> None:
    """Saves the pipeline in Spark's files; the example is scored by what was saved, as everybody will score it."""
    pipeline.write().save(folder)
    if input_example is not None:
        saved = type(pipeline).load(folder)
        add_example(package, input_example, SparkPredictor(saved, output_columns(package.model)).predict)


def log_model(
    spark_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """

    def save(path: str, run_id: str) -> None:
        save_model(spark_model, path, mlflow_model=Model(artifact_path=artifact_path, run_id=run_id), **options)

    return log_package(artifact_path, save, registered_model_name)


def load_model(model_uri: PathLike, dfs_tmpdir: str | None = None) -> Any:
    """The PipelineModel itself, in the session that is active or is started.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] pyspark is not installed.
    """
    package = open_package(model_uri)
    return _load(package.path(package.flavor(FLAVOR).get("model_data")), dfs_tmpdir)


def _load_pyfunc(path: str) -> SparkPredictor:
    """The predictor of the pipeline in the folder `path` of a package."""
    folder = Path(path)
    package = open_package(folder if (folder / "MLmodel").exists() else folder.parent)
    stages = package.path(package.flavor(FLAVOR).get("model_data"))
    return SparkPredictor(_load(stages), output_columns(package.model))


def answers(model: Model) -> tuple[str, ...]:
    """The columns that a package's pipeline is asked for: the signature's outputs, else the prediction."""
    return output_columns(model) or (PREDICTION,)


def transform_frame(package: Package, df: Any, added: Mapping[str, str]) -> Any:
    """`df` with the pipeline's columns `added`, by their new names, from its own transform: no Python worker.

    Raises:
        InvalidModelError: [INVALID_MODEL] the pipeline gives no such column, or drops columns of `df`.
    """
    from pyspark.sql import functions as F

    model = _load(package.path(package.flavor(FLAVOR).get("model_data")))
    scored = model.transform(with_vectors(df, model))
    require_kept(scored, df.columns)
    made = [column.alias(name) for column, name in zip(outputs(scored, list(added)), added.values(), strict=True)]
    arrays = array_inputs(df, model)
    # Arrays that were made vectors come out as they were given.
    kept = {
        name: outputs(scored, [name])[0].cast(df.schema[name].dataType) if name in arrays else F.col(quoted(name))
        for name in df.columns
    }
    return scored.select(*(column.alias(name) for name, column in kept.items()), *made)


def as_pipeline(spark_model: Any) -> Any:
    """A PipelineModel; of a tuned model the best one, and a single transformer is wrapped.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no fitted transformer that can be saved.
    """
    model = best_model(spark_model)
    if type(model).__name__ == "PipelineModel":
        return model
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if "Transformer" not in kinds or not hasattr(model, "write"):
        expected = "a fitted PipelineModel, or a fitted transformer that can be saved"
        raise InvalidModelError(FLAVOR, f"a {type(spark_model).__name__}", expected)
    from pyspark.ml import PipelineModel

    return PipelineModel([model])


def default_requirements() -> list[str]:
    """What a package of this flavor needs: pyspark, in the version that is installed."""
    return [installed_requirement("pyspark")]


def _load(folder: Path, dfs_tmpdir: str | None = None) -> Any:
    spark = get_session()
    from pyspark.ml import PipelineModel

    if dfs_tmpdir is None and shares_disk(spark):
        return PipelineModel.load(hadoop_uri(folder))
    with scratch_folder(spark, dfs_tmpdir) as scratch:
        send(spark, folder, scratch)
        return PipelineModel.load(scratch)


def _pyspark_version() -> str:
    import pyspark

    return str(pyspark.__version__)

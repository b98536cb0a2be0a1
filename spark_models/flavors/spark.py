"""Fitted Spark ML pipelines, in Spark's own files; scored by Spark, from pandas, or as a transform of a DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spark_models.bridge.sql import quoted
from spark_models.errors import InvalidArgumentError, InvalidModelError, MissingExtraError
from spark_models.flavors import mleap
from spark_models.flavors.base import Capabilities, add_example
from spark_models.flavors.hadoop import fetch, scratch_folder, send, shares_disk
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel, log_package

FLAVOR = "spark"
FOLDER = "sparkml"
PREDICTION = "prediction"
CAPABILITIES = Capabilities(inputs=("dataframe",))
ROW = "_spark_models_row"
"""The column that brings rows back in their order."""


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
) -> None:
    """Saves a fitted PipelineModel, or a single fitted transformer as one, as a package at `path`.

    Where Spark does not write to this host's disk the files go through `dfs_tmpdir`, a path of its file system, and are
    fetched from there; over Spark Connect through Spark itself, and the server's copy stays. `sample_input`, a Spark
    DataFrame, adds the mleap flavor (`drop_label_stages` as there).

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no fitted transformer that can be saved.
        UnsupportedStagesError: [UNSUPPORTED_STAGES] with `sample_input`: MLeap has no op for some stages.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    pipeline = as_pipeline(spark_model)
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        metadata=metadata,
        conda_env=conda_env,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        code_paths=code_paths,
    ) as package:
        if sample_input is not None:
            # First, for it refuses before it writes.
            mleap.add_to_model(
                mlflow_model=package.model,
                path=package.root,
                spark_model=pipeline,
                sample_input=sample_input,
                dfs_tmpdir=dfs_tmpdir,
                drop_label_stages=drop_label_stages,
            )
        spark = get_session()
        if dfs_tmpdir is None and shares_disk(spark):
            pipeline.write().save((package.root / FOLDER).as_uri())
        else:
            with scratch_folder(spark, dfs_tmpdir) as scratch:
                pipeline.write().save(scratch)
                fetch(spark, scratch, package.root / FOLDER)
        add_example(package, input_example, SparkPredictor(pipeline, output_columns(package.model)).predict)
        package.add_flavor(FLAVOR, pyspark_version=_pyspark_version(), model_data=FOLDER, code=package.code)
        package.add_pyfunc("spark_models.spark", data=FOLDER, split_invariant=True)


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


class SparkPredictor:
    """A pipeline that scores pandas input in a Spark session."""

    __slots__ = ("columns", "model")
    keeps_input = True

    def __init__(self, model: Any, columns: tuple[str, ...] | None = None) -> None:
        self.model = model
        self.columns = columns

    def predict(self, data: Any) -> Any:
        """The signature's output columns as a DataFrame, else the column `prediction`; a row a row of `data`.

        Raises:
            InvalidModelError: [INVALID_MODEL] the pipeline gives no such column, or drops rows.
        """
        if not isinstance(data, pd.DataFrame):
            raise InvalidArgumentError(f"The spark flavor scores a DataFrame, not {type(data).__name__}")
        frame = data.reset_index(drop=True).rename(columns=str)
        frame[ROW] = np.arange(len(frame))
        wanted = self.columns or (PREDICTION,)
        scored = self.model.transform(get_session().createDataFrame(frame))
        rows = scored.select(*outputs(scored, wanted), ROW).toPandas().sort_values(ROW)
        if len(rows) != len(frame):
            raise InvalidModelError(FLAVOR, "one that drops rows (handleInvalid 'skip')", "a pipeline that keeps them")
        answer = rows[list(wanted)].reset_index(drop=True)
        return answer if self.columns is not None else answer[PREDICTION].to_numpy()


def outputs(scored: Any, wanted: Sequence[str]) -> list[Any]:
    """The wanted columns of a scored DataFrame, vectors as arrays of doubles."""
    from spark_models.bridge.spark import plain_column

    missing = [name for name in wanted if name not in scored.columns]
    if missing != []:
        raise InvalidModelError(FLAVOR, f"one without the columns {missing}", "a pipeline that gives them")
    return [plain_column(name, scored.schema[name].dataType.simpleString()) for name in wanted]


def output_columns(model: Model) -> tuple[str, ...] | None:
    """The names of the signature's outputs; None without any."""
    schema = model.get_output_schema()
    names = None if schema is None else schema.input_names()
    return None if not names or not all(isinstance(name, str) for name in names) else tuple(names)


def answers(model: Model) -> tuple[str, ...]:
    """The columns that a package's pipeline is asked for: the signature's outputs, else the prediction."""
    return output_columns(model) or (PREDICTION,)


def transform_frame(package: Package, df: Any, added: Mapping[str, str]) -> Any:
    """`df` with the pipeline's columns `added`, by their new names, from its own transform: no Python worker."""
    scored = _load(package.path(package.flavor(FLAVOR).get("model_data"))).transform(df)
    made = [column.alias(name) for column, name in zip(outputs(scored, list(added)), added.values(), strict=True)]
    return scored.select(*map(quoted, df.columns), *made)


def as_pipeline(spark_model: Any) -> Any:
    """A PipelineModel; a single transformer is wrapped in one.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no fitted transformer that can be saved.
    """
    if type(spark_model).__name__ == "PipelineModel":
        return spark_model
    kinds = {kind.__name__ for kind in type(spark_model).__mro__}
    if "Transformer" not in kinds or not hasattr(spark_model, "write"):
        expected = "a fitted PipelineModel, or a fitted transformer that can be saved"
        raise InvalidModelError(FLAVOR, f"a {type(spark_model).__name__}", expected)
    from pyspark.ml import PipelineModel

    return PipelineModel([spark_model])


def get_session() -> Any:
    """The active session, else a local one: in a worker of Spark as well.

    Raises:
        MissingExtraError: [MISSING_EXTRA] pyspark is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError("pyspark", "spark", "to score Spark ML pipelines") from error
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    return (
        SparkSession.builder.config("spark.executor.allowSparkContext", "true")
        .config("spark.ui.enabled", "false")
        .master("local[1]")
        .getOrCreate()
    )


def default_requirements() -> list[str]:
    """What a package of this flavor needs: pyspark, in the version that is installed."""
    return [installed_requirement("pyspark")]


def _load(folder: Path, dfs_tmpdir: str | None = None) -> Any:
    spark = get_session()
    from pyspark.ml import PipelineModel

    if dfs_tmpdir is None and shares_disk(spark):
        return PipelineModel.load(folder.as_uri())
    with scratch_folder(spark, dfs_tmpdir) as scratch:
        send(spark, folder, scratch)
        return PipelineModel.load(scratch)


def _pyspark_version() -> str:
    import pyspark

    return str(pyspark.__version__)

"""Spark ML pipelines as Bundle.ML, which MLeap's runtime scores in a JVM; without the python_function flavor."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spark_models.bundle.saved import SavedStages
from spark_models.bundle.writer import MLEAP_VERSION, Preflight, best_model, flat, preflight, transformed, write_bundle
from spark_models.errors import InvalidArgumentError, InvalidModelError, listed, listed_pairs
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.hadoop import scratch_folder
from spark_models.flavors.parity import ROWS, require_parity
from spark_models.flavors.pipeline import SparkPredictor, as_saved, output_columns
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel, log_package

FLAVOR = "mleap"
CAPABILITIES = Capabilities(library="pyspark", inputs=("rows in a JVM",), formats=(Format("Bundle.ML"),))
FOLDER = "mleap"
BUNDLE = "mleap/model"
SCHEMA_FILE = "input_schema.json"


def save_model(
    *,
    spark_model: Any,
    sample_input: Any,
    path: PathLike,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    pip_requirements: Sequence[str] | PathLike | None = None,
    extra_pip_requirements: Sequence[str] | PathLike | None = None,
    metadata: Mapping[str, Any] | None = None,
    dfs_tmpdir: str | None = None,
    drop_label_stages: bool = False,
    verify: bool = False,
) -> None:
    """Saves a fitted PipelineModel as a package with the mleap flavor alone.

    `sample_input` is a Spark DataFrame with the pipeline's input columns; it gives their types and the lengths of
    vectors. `input_example`, pandas rows, is stored with Spark's predictions, so that `verify` has what to replay.
    `drop_label_stages` leaves out stages that only make the label. `verify` scores the sample in the JVM before the
    package appears; it needs the Java companion. Where MLeap's answer for some rows is not Spark's, a warning names the
    stages.

    Raises:
        UnsupportedStagesError: [UNSUPPORTED_STAGES] stages that MLeap has no op for; all are named, nothing is written.
        ParityError: [PARITY] with `verify`: the JVM does not give Spark's answers for the sample.
        CompanionUnavailableError: [COMPANION_UNAVAILABLE] with `verify`: there is no Java, or no jar.
        InvalidModelError: [INVALID_MODEL] the model is no PipelineModel.
        InvalidArgumentError: [INVALID_ARGUMENT] the sample is no Spark DataFrame.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        metadata=metadata,
        conda_env=conda_env,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
    ) as package:
        add_bundle(package, spark_model, sample_input, dfs_tmpdir, drop_label_stages, verify)
        if input_example is not None:
            with as_saved(best_model(spark_model), sample_input.sparkSession, dfs_tmpdir) as model:
                add_example(package, input_example, SparkPredictor(model, output_columns(package.model)).predict)


def log_model(
    *,
    spark_model: Any,
    sample_input: Any,
    artifact_path: str,
    registered_model_name: str | None = None,
    **options: Any,
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """

    def save(path: str, run_id: str) -> None:
        model = Model(artifact_path=artifact_path, run_id=run_id)
        save_model(spark_model=spark_model, sample_input=sample_input, path=path, mlflow_model=model, **options)

    return log_package(artifact_path, save, registered_model_name)


def add_bundle(
    package: PackageWriter,
    spark_model: Any,
    sample_input: Any,
    dfs_tmpdir: str | None,
    drop_label_stages: bool,
    verify: bool,
) -> None:
    """Adds the mleap flavor to a package that is being written; with `verify` the JVM must answer as Spark does."""
    found = check(spark_model, sample_input, dfs_tmpdir=dfs_tmpdir, drop_label_stages=drop_label_stages)
    found.require()
    _require_columns(found, package.model.signature)
    _write(found, spark_model.uid, sample_input, package.root, stacklevel=4)
    package.add_flavor(FLAVOR, mleap_version=MLEAP_VERSION, model_data=BUNDLE)
    if not verify:
        return
    package.write_mlmodel()
    spark = sample_input.sparkSession
    with as_saved(best_model(spark_model), spark, dfs_tmpdir) as model, scratch_folder(spark, dfs_tmpdir) as scratch:
        kept = {stage.uid for stage in found.stages}
        stages = [stage for stage in flat(model, SavedStages(spark, scratch)) if stage.uid in kept]
        require_parity(package.root, found, transformed(stages, sample_input.limit(ROWS)))


def add_to_model(
    *,
    mlflow_model: Model,
    path: PathLike,
    spark_model: Any,
    sample_input: Any,
    dfs_tmpdir: str | None = None,
    drop_label_stages: bool = False,
) -> None:
    """Writes the bundle under `path` and adds the mleap flavor to the model's MLmodel.

    Raises:
        UnsupportedStagesError: [UNSUPPORTED_STAGES] stages that MLeap has no op for; all are named, nothing is written.
        InvalidModelError: [INVALID_MODEL] the model is no PipelineModel.
        InvalidArgumentError: [INVALID_ARGUMENT] the sample is no Spark DataFrame.
    """
    found = check(spark_model, sample_input, dfs_tmpdir=dfs_tmpdir, drop_label_stages=drop_label_stages)
    _write(found, spark_model.uid, sample_input, Path(path), stacklevel=3)
    mlflow_model.add_flavor(FLAVOR, mleap_version=MLEAP_VERSION, model_data=BUNDLE)


def _require_columns(found: Preflight, signature: ModelSignature | None) -> None:
    """A signature with names must have every column that the bundle takes, and promise none that it has not.

    The JVM binds rows by it, and answers with what it promises.
    """
    if signature is None:
        return
    if signature.inputs.has_input_names():
        names = signature.inputs.input_names()
        missing = [name for name in found.inputs() if name not in names]
        if missing != []:
            raise InvalidArgumentError(
                f"The signature lacks columns that the bundle takes: {listed(missing)}",
                "add them to the signature's inputs; drop_label_stages=True leaves out stages that only make the label",
            )
    if signature.outputs is None or not signature.outputs.has_input_names():
        return
    had = {*found.inputs(), *found.outputs()}
    unknown = [name for name in signature.outputs.input_names() if name not in had]
    if unknown != []:
        raise InvalidArgumentError(
            f"The signature promises columns that the bundle does not give: {listed(unknown)}",
            f"leave them out of the signature's outputs; it gives {listed(found.outputs())}",
        )


def _write(found: Preflight, name: str, sample_input: Any, root: Path, stacklevel: int) -> None:
    found.require()
    if found.differences != ():
        each = listed_pairs((f"{uid}: {text}" for uid, text in found.differences), "; ")
        warnings.warn(
            f"Some rows get other answers from MLeap than from Spark: {each}.", UserWarning, stacklevel=stacklevel
        )
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_bundle(found, name, root / BUNDLE)
    # As MLflow's early releases do: the columns of the sample, in Spark's own JSON.
    (folder / SCHEMA_FILE).write_text(json.dumps(json.loads(sample_input.schema.json()), indent=2), encoding="utf-8")


def check(
    spark_model: Any, sample_input: Any, *, dfs_tmpdir: str | None = None, drop_label_stages: bool = False
) -> Preflight:
    """What the bundle of a pipeline would be: the stages that can't be written, and those whose answers differ."""
    if sample_input is None:
        raise InvalidArgumentError(
            "A sample input is needed: it gives the columns of the bundle", "give sample_input, a PySpark dataframe"
        )
    if not hasattr(sample_input, "sparkSession") or not hasattr(sample_input, "schema"):
        raise InvalidArgumentError(
            f"The sample input must be a PySpark dataframe, not {type(sample_input).__name__}",
            "make one with spark.createDataFrame(…)",
        )
    if type(best_model(spark_model)).__name__ != "PipelineModel":
        raise InvalidModelError(FLAVOR, f"a {type(spark_model).__name__}", "a fitted PipelineModel")
    with scratch_folder(sample_input.sparkSession, dfs_tmpdir) as scratch:
        return preflight(spark_model, sample_input, scratch, drop_label_stages)


def load_model(model_uri: PathLike) -> Any:
    """Always an error: MLeap's runtime is a JVM's, and Python has none.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        InvalidArgumentError: [INVALID_ARGUMENT] it was, and Python can't load it.
    """
    open_package(model_uri).flavor(FLAVOR)
    raise InvalidArgumentError(
        "The mleap flavor is scored by a JVM and has no Python form",
        "score it with the Java companion, or save it with spark_models.spark.save_model(…, sample_input=…)",
    )


def default_requirements() -> list[str]:
    """What a package of this flavor was made with: pyspark, in the version that is installed."""
    return [installed_requirement("pyspark")]

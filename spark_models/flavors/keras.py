"""Keras models: HDF5, as the document has it, or Keras 3's own .keras, which is the safe one."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spark_models.errors import InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    flavor_conf,
    library,
    log_saved,
    one_of,
    package_at,
    table,
    thread_limit,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "keras"
FOLDER = "data"
CUSTOM_OBJECTS = "custom_objects.cloudpickle"
FILES = {"h5": "model.h5", "keras": "model.keras"}
CAPABILITIES = Capabilities(
    library="keras",
    inputs=("dataframe", "ndarray", "dict"),
    formats=(Format("h5", "may rebuild Lambda layers from bytecode"), Format("keras")),
    batch_rows=1024,
)


def save_model(
    keras_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    save_format: str = "h5",
    custom_objects: Mapping[str, Any] | None = None,
    keras_module: str | ModuleType = "keras",
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a Keras model as a package at `path`.

    `save_format` is "h5", or "keras" for Keras 3's own file, whose loading runs no code and which MLflow 3 loads
    natively. `custom_objects` are classes and functions by name that Keras needs to load the model; they are pickled.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no Keras model.
        InvalidArgumentError: [INVALID_ARGUMENT] the format is unknown.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    one_of("save format", save_format, list(FILES))
    if not any(kind.__name__ == "Model" and "keras" in kind.__module__ for kind in type(keras_model).__mro__):
        raise InvalidModelError(FLAVOR, f"a {type(keras_model).__name__}", "a keras.Model")
    module = keras_module if isinstance(keras_module, str) else keras_module.__name__
    with PackageWriter(
        path,
        requirements=default_requirements(custom_objects is not None),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        folder = package.root / FOLDER
        folder.mkdir()
        if custom_objects is not None:
            with open(folder / CUSTOM_OBJECTS, "wb") as stream:
                library("cloudpickle").dump(dict(custom_objects), stream)
        keras_model.save(str(folder / FILES[save_format]))
        (folder / "keras_module.txt").write_text(module, encoding="utf-8")
        (folder / "save_format.txt").write_text(save_format, encoding="utf-8")
        add_example(package, input_example, KerasPredictor(keras_model).predict)
        keras = library("keras")
        package.add_flavor(
            FLAVOR,
            keras_module=module,
            keras_version=keras.__version__,
            keras_backend=keras.backend.backend() if hasattr(keras.backend, "backend") else None,
            save_format=save_format,
            save_exported_model=False,
            data=FOLDER,
            code=package.code,
        )
        package.add_pyfunc("spark_models.keras", data=FOLDER)


def log_model(
    keras_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, keras_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike, custom_objects: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """The Keras model itself; `options` go to Keras' own load_model.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] keras is not installed.
    """
    package = open_package(model_uri)
    return load_files(package, package.flavor(FLAVOR), custom_objects, **options)


def _load_pyfunc(path: str) -> KerasPredictor:
    """The predictor of the package that `path`, a package or its data folder, lies in."""
    package = package_at(path)
    keras = library("keras")
    limit_threads(keras)
    return KerasPredictor(load_files(package, flavor_conf(package, FLAVOR), compile=False))


class KerasPredictor:
    """A Keras model that scores DataFrames, arrays and dicts of arrays."""

    __slots__ = ("model",)
    keeps_input = True

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any) -> Any:
        """The model's output: a DataFrame for a DataFrame, else arrays, in a dict where the model has several outputs.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] data of another kind.
        """
        if isinstance(data, pd.DataFrame):
            return table(np.asarray(self._call(data.to_numpy())), data.index)
        if not isinstance(data, (np.ndarray, dict)):
            raise UnsupportedInputError(f"a {type(data).__name__}", "a DataFrame, an array or a dict of arrays")
        output = self._call(data)
        if isinstance(output, dict):
            return output
        if isinstance(output, (list, tuple)):
            return {str(position): values for position, values in enumerate(output)}
        return output

    def _call(self, data: Any) -> Any:
        return self.model.predict(data, verbose=0)


def default_requirements(custom_objects: bool = False) -> list[str]:
    """What a package of this flavor needs: keras and its backend; with custom objects cloudpickle."""
    backend = library("keras").backend
    name = backend.backend() if hasattr(backend, "backend") else "tensorflow"
    found = [installed_requirement("keras"), installed_requirement(name, f"{name}-cpu")]
    return [*found, installed_requirement("cloudpickle")] if custom_objects else found


def limit_threads(keras: Any) -> None:
    """Bounds the backend's own threads, which take every core unless they are told."""
    limit = thread_limit()
    if limit is None:
        return
    backend = keras.backend.backend()
    if backend == "torch":
        library("torch", "pytorch").set_num_threads(limit)
    elif backend == "tensorflow":
        bound_tensorflow(library("tensorflow"), limit)


def bound_tensorflow(tensorflow: Any, limit: int) -> None:
    """Bounds TensorFlow's threads, unless it runs already: then they stay as they are."""
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(limit)
        tensorflow.config.threading.set_inter_op_parallelism_threads(limit)
    except RuntimeError:
        return


def load_files(
    package: Package, conf: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    """The Keras model of a package's data folder, whichever release of MLflow wrote it."""
    keras = library("keras")
    folder = package.path(conf.get("data", FOLDER))
    if folder.is_file():  # the first releases name the HDF5 file itself
        return keras.models.load_model(str(folder), custom_objects=dict(custom_objects or {}), **options)
    known: dict[str, Any] = {}
    for name in (CUSTOM_OBJECTS, "global_custom_objects.cloudpickle"):
        if (folder / name).is_file():
            with open(folder / name, "rb") as stream:
                known.update(pickle.load(stream))  # noqa: S301 - `allow_code=False` refuses it before
    known.update(custom_objects or {})
    return keras.models.load_model(str(_file(folder)), custom_objects=known, **options)


def _file(folder: Path) -> Path:
    for name in ("model.keras", "model.h5", "model"):
        if (folder / name).exists():
            return folder / name
    raise InvalidModelError(FLAVOR, "a folder without a model", "model.keras or model.h5")

"""TensorFlow SavedModels by a signature of theirs, tf.Modules, and Keras models as MLflow 2 and 3 log them here."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spark_models.errors import InvalidArgumentError, InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.keras import KerasPredictor, bound_tensorflow, load_files
from spark_models.flavors.native import (
    PackageOptions,
    cells,
    flavor_conf,
    library,
    log_saved,
    package_at,
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

FLAVOR = "tensorflow"
SAVED_MODEL = "tfmodel"
MODULE = "tf2model"
TAGS = ("serve",)
SIGNATURE_KEY = "serving_default"
CAPABILITIES = Capabilities(
    library="tensorflow",
    inputs=("dataframe", "ndarray", "dict"),
    formats=(Format("SavedModel", "its graph may read and write files"),),
    batch_rows=1024,
)


def save_model(
    model: Any = None,
    path: PathLike | None = None,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    tf_saved_model_dir: PathLike | None = None,
    tf_meta_graph_tags: Sequence[str] | None = None,
    tf_signature_def_key: str | None = None,
    saved_model_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a TensorFlow model as a package at `path`: a SavedModel that is there already, or an object in memory.

    With `tf_saved_model_dir` its files are copied, and scored by the function that `tf_signature_def_key` names
    (`serving_default`) of the graph with `tf_meta_graph_tags` (`serve`). `model` is a tf.Module, with
    `saved_model_kwargs` for tf.saved_model.save, or a Keras model, which is exported with its serving function.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] neither or both are given, or the SavedModel has no such signature.
        InvalidModelError: [INVALID_MODEL] the object is neither.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    if path is None or (model is None) == (tf_saved_model_dir is None):
        raise InvalidArgumentError("Give a path, and either a model or tf_saved_model_dir")
    tensorflow = library("tensorflow", purpose="Saving this model")
    by_signature = tf_saved_model_dir is not None or hasattr(model, "export")
    tags, key = list(tf_meta_graph_tags or TAGS), tf_signature_def_key or SIGNATURE_KEY
    if model is not None and not isinstance(model, tensorflow.Module) and not hasattr(model, "export"):
        raise InvalidModelError(
            FLAVOR, f"a {type(model).__name__}", "a tf.Module, a Keras model or a SavedModel's folder"
        )
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        folder = package.root / (SAVED_MODEL if by_signature else MODULE)
        if tf_saved_model_dir is not None:
            shutil.copytree(tf_saved_model_dir, folder)
        elif by_signature:
            model.export(str(folder), verbose=False)
        else:
            tensorflow.saved_model.save(model, str(folder), **(saved_model_kwargs or {}))
        if by_signature:
            conf: dict[str, Any] = {"saved_model_dir": folder.name, "meta_graph_tags": tags, "signature_def_key": key}
        else:
            conf = {"saved_model_dir": folder.name, "model_type": "tf2-module"}
        predictor = _predictor(folder, conf)
        add_example(package, input_example, predictor.predict)
        package.add_flavor(FLAVOR, tensorflow_version=tensorflow.__version__, code=package.code, **conf)
        package.add_pyfunc("spark_models.tensorflow")


def log_model(
    model: Any = None, artifact_path: str = "model", *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The TensorFlow function of the saved signature, the tf.Module, or for packages of MLflow 2 the Keras model.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] tensorflow is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR))


def _load_pyfunc(path: str) -> Any:
    """The predictor of the package that `path`, a package or a folder of it, lies in."""
    package = package_at(path)
    tensorflow = library("tensorflow")
    limit = thread_limit()
    if limit is not None:
        bound_tensorflow(tensorflow, limit)
    conf = flavor_conf(package, FLAVOR)
    if conf.get("model_type") == "keras":
        return KerasPredictor(load_files(package, conf, compile=False))
    return _predictor(package.path(conf.get("saved_model_dir")), conf)


class SignaturePredictor:
    """A SavedModel's signature that scores DataFrames, arrays and dicts of arrays."""

    __slots__ = ("function", "inputs", "loaded", "tensorflow")
    keeps_input = True

    def __init__(self, loaded: Any, key: str, tensorflow: Any) -> None:
        found = loaded.signatures
        if key not in found:
            raise InvalidArgumentError(f"The SavedModel has no signature {key!r}", f"it has {sorted(found)}")
        self.loaded = loaded  # the function holds its variables by weak references
        self.function = found[key]
        self.inputs = self.function.structured_input_signature[1]
        self.tensorflow = tensorflow

    def predict(self, data: Any) -> Any:
        """The signature's outputs by name.

        | data | each input | answer |
        | --- | --- | --- |
        | DataFrame | the column of its name; the matrix of all columns for a single input of another name | DataFrame |
        | array | the single input | dict of arrays |
        | dict of arrays | the array of its name | dict of arrays |

        Numbers of a DataFrame are cast to the input's dtype. In a DataFrame an output with several values a row is a
        column of lists.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] one array for several inputs, or data of another kind.
        """
        found = self.function(**self._feeds(data))
        # TensorFlow's own order is another one in each process.
        arrays = {name: found[name].numpy() for name in sorted(found)}
        if not isinstance(data, pd.DataFrame):
            return arrays
        return pd.DataFrame({name: cells(values) for name, values in arrays.items()}, index=data.index)

    def _feeds(self, data: Any) -> dict[str, Any]:
        names = list(self.inputs)
        if isinstance(data, pd.DataFrame):
            if len(names) == 1 and names[0] not in data.columns:
                return {names[0]: self._tensor(names[0], data.to_numpy(), cast=True)}
            return {name: self._tensor(name, _stacked(data[name]), cast=True) for name in names}
        if isinstance(data, np.ndarray) and len(names) == 1:
            return {names[0]: self._tensor(names[0], data)}
        if not isinstance(data, dict):
            wanted = "a DataFrame, or a dict with an array for each of the inputs"
            raise UnsupportedInputError(f"a {type(data).__name__} for the inputs {names}", wanted)
        return {name: self._tensor(name, values) for name, values in data.items()}

    def _tensor(self, name: str, values: Any, cast: bool = False) -> Any:
        spec = self.inputs.get(name)
        dtype = spec.dtype if cast and spec is not None else None
        return self.tensorflow.constant(values, dtype=dtype)


class ModulePredictor:
    """A tf.Module whose call scores arrays, or the matrix of a DataFrame."""

    __slots__ = ("model", "tensorflow")
    keeps_input = True

    def __init__(self, model: Any, tensorflow: Any) -> None:
        self.model = model
        self.tensorflow = tensorflow

    def predict(self, data: Any) -> Any:
        """The module's output, an array or a dict of arrays; a DataFrame for a DataFrame.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] data of another kind.
        """
        if not isinstance(data, (pd.DataFrame, np.ndarray)):
            raise UnsupportedInputError(f"a {type(data).__name__}", "a DataFrame or an array")
        matrix = data.to_numpy(dtype=np.float32) if isinstance(data, pd.DataFrame) else data
        output = self.model(self.tensorflow.convert_to_tensor(matrix))
        if isinstance(output, dict):
            return {name: tensor.numpy() for name, tensor in output.items()}
        return pd.DataFrame(output.numpy(), index=data.index) if isinstance(data, pd.DataFrame) else output.numpy()


def default_requirements() -> list[str]:
    """What a package of this flavor needs: tensorflow, in the version that is installed."""
    return [installed_requirement("tensorflow", "tensorflow-cpu")]


def _predictor(folder: Path, conf: Mapping[str, Any]) -> SignaturePredictor | ModulePredictor:
    tensorflow = library("tensorflow")
    if "signature_def_key" not in conf:
        return ModulePredictor(tensorflow.saved_model.load(str(folder)), tensorflow)
    loaded = tensorflow.saved_model.load(str(folder), tags=list(conf.get("meta_graph_tags") or TAGS))
    return SignaturePredictor(loaded, str(conf["signature_def_key"]), tensorflow)


def _load(package: Package, conf: Mapping[str, Any]) -> Any:
    if conf.get("model_type") == "keras":
        return load_files(package, conf)
    predictor = _predictor(package.path(conf.get("saved_model_dir")), conf)
    return predictor.function if isinstance(predictor, SignaturePredictor) else predictor.model


def _stacked(values: Any) -> Any:
    cells = values.to_numpy()
    nested = cells.dtype == object and len(cells) > 0 and isinstance(cells[0], (list, np.ndarray))
    return np.stack([np.asarray(cell) for cell in cells]) if nested else cells

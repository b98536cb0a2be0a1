"""Loading a package as one Python function whose input is checked against the signature."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spark_models.bind.enforce import Enforcer
from spark_models.errors import InvalidArgumentError, InvalidPackageError, LoaderNotFoundError
from spark_models.flavors.base import Predictor
from spark_models.flavors.registry import loader_module_name
from spark_models.package.audit import refuse_code
from spark_models.package.manifest import check_hash, copy_verified
from spark_models.package.mlmodel import Model, html_table
from spark_models.package.reader import Package, open_package
from spark_models.pyfunc.empty import empty_output, is_empty
from spark_models.pyfunc.modules import import_path
from spark_models.schema.signature import ModelSignature
from spark_models.store.cache import entry


class PyFuncModel:
    """A loaded model: `predict` checks and casts its input by the signature, then calls the model."""

    __slots__ = ("_enforce", "_keeps_input", "_predictor", "metadata", "uri")

    def __init__(self, predictor: Predictor, metadata: Model, uri: str = "") -> None:
        self._predictor = predictor
        self.metadata = metadata
        self.uri = uri
        inputs = metadata.get_input_schema()
        self._enforce = None if inputs is None or len(inputs) == 0 else Enforcer(inputs, uri)
        self._keeps_input = bool(getattr(predictor, "keeps_input", False))

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """The model's predictions, in the form that the model gives: DataFrame, Series, array, list or dict.

        With a column signature `data` is a DataFrame, or a dict of columns (named), or a list or array (unnamed); with
        a tensor signature an array or a dict of arrays. Without a signature it reaches the model as it is. What the
        model writes into a DataFrame or array does not reach `data`. `params` are checked against the signature's
        parameters.

        Raises:
            InputError: the input does not fit; the subclass and its code say how.
            InvalidParamsError: [INVALID_PARAMS] params are unknown or of the wrong type.
        """
        given = data if self._enforce is None else self._enforce(data)
        return self.predict_bound(given if self._keeps_input else _copied(given), params)

    def predict_bound(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """The model's predictions on input that was bound to the signature already.

        Many libraries refuse a batch without rows; then the result has none either, in the form of the signature's
        outputs, where it tells them.
        """
        bound = bind_params(self.metadata.signature, params)
        if not params and not getattr(self._predictor, "takes_params", True):
            bound = None  # the signature's defaults are for a model that takes params
        try:
            return self._predictor.predict(data) if bound is None else self._predictor.predict(data, params=bound)
        except Exception:
            outputs = self.metadata.get_output_schema()
            if outputs is None or len(outputs) == 0 or not is_empty(data):
                raise
            return empty_output(outputs)

    def with_method(self, method: str | None) -> PyFuncModel:
        """The same model, scored by another of its methods (`predict_proba`, …); itself for None.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] the flavor has only one.
            InvalidModelError: [INVALID_MODEL] the model has not this one.
        """
        if method is None:
            return self
        change = getattr(self._predictor, "with_method", None)
        if change is None:
            raise InvalidArgumentError(f"This model has only predict, not {method!r}")
        return PyFuncModel(change(method), self.metadata, self.uri)

    def unwrap_python_model(self) -> Any:
        """The `PythonModel` instance itself.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] the model was saved by another flavor.
        """
        instance = getattr(self._predictor, "python_model", None)
        if instance is None:
            raise InvalidArgumentError("This model holds no PythonModel", "load it natively with its flavor")
        return instance

    @property
    def signature(self) -> ModelSignature | None:
        """The signature; None where the model has none."""
        return self.metadata.signature

    def __repr__(self) -> str:
        flavor = self.metadata.flavors.get("python_function", {}).get("loader_module")
        facts = {"artifact_path": self.metadata.artifact_path, "flavor": flavor, "run_id": self.metadata.run_id}
        lines = [f"  {name}: {value}" for name, value in facts.items() if value is not None]
        return "\n".join(["spark_models.pyfunc.loaded_model:", *lines])

    def _repr_html_(self) -> str:
        return html_table([("package", self.uri), *self.metadata.facts()])


def load_model(
    model_uri: str | os.PathLike[str],
    suppress_warnings: bool = False,
    *,
    method: str | None = None,
    model_config: Mapping[str, Any] | None = None,
    allow_code: bool | None = None,
    expected_hash: str | None = None,
    check_manifest: bool = True,
) -> PyFuncModel:
    """The model at a URI as one Python function. Its dependencies must be installed; nothing is installed.

    `method` scores by another method of the model than the saved one. `allow_code=False` refuses packages whose loading
    runs code that they carry (pickles, `code/`, foreign loaders); the default is the environment's
    `SPARK_MODELS_ALLOW_CODE`, else true. `expected_hash` pins the content hash, and the very bytes that were hashed are
    loaded. `check_manifest=False` skips reading every file to compare it with the manifest.

    Raises:
        ModelNotFoundError: [MODEL_NOT_FOUND], NotAModelError: [NOT_A_MODEL] there is no model.
        ManifestMismatchError: [MANIFEST_MISMATCH] a file is not as it was saved.
        HashMismatchError: [HASH_MISMATCH] the package is not the pinned one.
        CodeNotAllowedError: [CODE_NOT_ALLOWED] loading would run code and may not.
        LoaderNotFoundError: [LOADER_NOT_FOUND] the loader module can't be imported.
    """
    package = open_package(model_uri)
    if expected_hash is not None:
        package = _pinned(package, expected_hash)
    elif check_manifest:
        package.verify()
    refuse_code(package, allow_code)
    if not suppress_warnings:
        _warn_of_python(package)
    predictor = load_predictor(package.root, model_config)
    return PyFuncModel(predictor, package.model, package.uri).with_method(method)


def load_predictor(root: Path, model_config: Mapping[str, Any] | None = None) -> Predictor:
    """The predictor of the package in a directory: its code on the import path, its loader module called.

    Raises:
        LoaderNotFoundError: [LOADER_NOT_FOUND] the module can't be imported, or has no `_load_pyfunc`.
        ModuleConflictError: [MODULE_CONFLICT] another package has brought different code under the same name.
    """
    package = open_package(root)
    conf = package.pyfunc
    if conf.get("code") is not None:
        code = package.path(conf["code"])
        if not code.is_dir():
            raise InvalidPackageError(str(root), f"its code {conf['code']!r} is no folder")
        import_path(code, str(root))
    stated = str(conf.get("loader_module"))
    name = loader_module_name(stated)
    if not all(part.isidentifier() for part in name.split(".")):
        raise LoaderNotFoundError(stated, "that is no name of a module", str(root))
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise LoaderNotFoundError(stated, str(error), str(root)) from error
    loader = getattr(module, "_load_pyfunc", None)
    if loader is None:
        raise LoaderNotFoundError(stated, "it has no function _load_pyfunc(path)", str(root))
    data = str(package.path(conf["data"])) if conf.get("data") is not None else str(package.root)
    takes_config = "model_config" in inspect.signature(loader).parameters
    loaded = loader(data, model_config=model_config) if takes_config else loader(data)
    return _predictor(loaded)


def _predictor(loaded: Any) -> Predictor:
    """A loader's object under the calling convention of predictors: `params` only where it takes them."""
    try:
        takes_params = "params" in inspect.signature(loaded.predict).parameters
    except (TypeError, ValueError):
        takes_params = False
    return loaded if takes_params else _WithoutParams(loaded)


class _WithoutParams:
    """A predictor of the document's time, whose predict takes the data alone."""

    __slots__ = ("loaded",)
    takes_params = False

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        if params:
            raise InvalidArgumentError("The model takes no params")
        return self.loaded.predict(data)


def _copied(data: Any) -> Any:
    """Frames and arrays, also in a dict, as copies; anything else as it is."""
    if isinstance(data, (pd.DataFrame, pd.Series, np.ndarray)):
        return data.copy()
    return {name: _copied(value) for name, value in data.items()} if type(data) is dict else data


def bind_params(signature: ModelSignature | None, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The parameters that reach the model: bound by the signature, else as given; None where there are none."""
    declared = None if signature is None else signature.params
    if declared is not None:
        return declared.bind(given)
    return dict(given) if given else None


def _pinned(package: Package, expected_hash: str) -> Package:
    """The package as a private copy whose bytes were hashed while they were copied."""
    check_hash(package.content_hash(), expected_hash, str(package.root))

    def fill(stage: Path) -> None:
        check_hash(copy_verified(package.root, stage), expected_hash, str(package.root))

    root = entry(expected_hash.lower().removeprefix("sha256:"), fill)
    return Package(root, package.uri, Model.load(root))


def _warn_of_python(package: Package) -> None:
    stated = str(package.pyfunc.get("python_version", ""))
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if stated != "" and stated.split(".")[:2] != running.split("."):
        warnings.warn(
            f"The model was saved with Python {stated} and is loaded with {running}; pickles may not load, or differ.",
            UserWarning,
            stacklevel=3,
        )

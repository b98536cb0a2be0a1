"""What the flavors of libraries share: options of a save, logging, the library itself, its version and its threads."""

from __future__ import annotations

import importlib
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

import numpy as np

from spark_models.errors import InvalidArgumentError, InvalidModelError, MissingExtraError
from spark_models.package.layout import MLMODEL
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PathLike
from spark_models.tracking import LoggedModel, log_package

THREADS_VARIABLE = "SPARK_MODELS_THREADS"
"""How many threads a model may use in a process; it goes before OMP_NUM_THREADS, which Spark sets to a task's CPUs."""
DEVICE_VARIABLE = "SPARK_MODELS_DEVICE"
"""Where deep learning models score: cpu, cuda, cuda:1, …; by default a GPU where the library sees one."""


class PackageOptions(TypedDict, total=False):
    """The keyword arguments that every flavor's `save_model` takes beside its own.

    `pip_requirements` stand in the place of the flavor's default environment, `extra_pip_requirements` are added to it;
    `code_paths` are modules and folders that travel with the model; `metadata` is kept in the MLmodel file.
    """

    pip_requirements: Sequence[str] | PathLike | None
    extra_pip_requirements: Sequence[str] | PathLike | None
    code_paths: Sequence[PathLike] | None
    metadata: Mapping[str, Any] | None


def log_saved(
    save: Callable[..., None],
    model: Any,
    artifact_path: str,
    registered_model_name: str | None,
    options: Mapping[str, Any],
) -> LoggedModel:
    """Saves the model into the active run by a flavor's `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """

    def into(path: str, run_id: str) -> None:
        save(model, path, mlflow_model=Model(artifact_path=artifact_path, run_id=run_id), **options)

    return log_package(artifact_path, into, registered_model_name)


def library(module: str, extra: str | None = None, purpose: str = "Loading this model") -> ModuleType:
    """A model library, imported.

    Raises:
        MissingExtraError: [MISSING_EXTRA] it is not installed; the error names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(module.partition(".")[0], extra or module, purpose) from error


def package_at(path: PathLike) -> Package:
    """The package that a path given to `_load_pyfunc` lies in: its directory, or a file or folder of it."""
    given = Path(path)
    root = next((folder for folder in (given, *given.parents[:2]) if (folder / MLMODEL).is_file()), given)
    return open_package(root)


def flavor_conf(package: Package, flavor: str) -> Mapping[str, Any]:
    """The attributes of a flavor, else of the python_function."""
    return package.model.flavors.get(flavor, package.pyfunc)


def warn_of_version(name: str, stated: object, installed: str, what: str) -> None:
    """Warns where the files that `what` names were written by another minor version of the library."""
    if stated is not None and str(stated).split(".")[:2] != installed.split(".")[:2]:
        warnings.warn(
            f"The model was saved with {name} {stated} and is loaded with {installed}; {what} are not made for that, "
            "and its answers may differ.",
            UserWarning,
            stacklevel=5,
        )


def one_of(argument: str, given: str, choices: Sequence[str]) -> str:
    """The argument itself, if it is one of the choices.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] it is none of them.
    """
    if given not in choices:
        raise InvalidArgumentError(f"The {argument} {given!r} is unknown", f"choose one of {list(choices)}")
    return given


def kind_of(model: Any) -> str:
    """The full name of the model's class, as MLflow writes it into `model_class`."""
    return f"{type(model).__module__}.{type(model).__qualname__}"


def imported(full_name: str, flavor: str, within: str | None = None) -> Any:
    """The class of a full name; only from the library `within` where that is given.

    Raises:
        InvalidModelError: [INVALID_MODEL] it is not there, or not the library's.
    """
    module, _, name = full_name.rpartition(".")
    if within is not None and module.partition(".")[0] != within:
        raise InvalidModelError(flavor, f"a {full_name}", f"a model class of {within}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidModelError(flavor, f"a {full_name}", "a model whose class can be imported") from error
    if not isinstance(found, type):
        raise InvalidModelError(flavor, f"a {full_name}", "a model whose class can be imported")
    return found


def thread_limit() -> int | None:
    """How many threads a model may use in this process; None where nobody has said so.

    Libraries with a thread pool of their own (ONNX Runtime, TensorFlow, CatBoost) take every core unless they are told;
    with a worker process a core that is the square of the cores.

    >>> os.environ[THREADS_VARIABLE] = "2"
    >>> thread_limit()
    2
    >>> del os.environ[THREADS_VARIABLE]
    """
    for name in (THREADS_VARIABLE, "OMP_NUM_THREADS"):
        # OMP_NUM_THREADS may be a list, one number a level of nesting.
        stated = os.environ.get(name, "").partition(",")[0].strip()
        if stated.isdigit() and int(stated) > 0:
            return int(stated)
    return None


def float32_where_double(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers as networks hold them: doubles and integers of a table as float32."""
    return values if values.dtype == np.float32 else values.astype(np.float32)


def table(values: np.ndarray[Any, Any], index: Any) -> Any:
    """A network's output for a DataFrame, one of its index: a column a value; more axes as arrays in cells."""
    import pandas as pd

    if values.ndim <= 2:
        return pd.DataFrame(values, index=index)
    return pd.DataFrame({0: list(values)}, index=index)


def cells(values: Any) -> Any:
    """An output as a column of a table: its values, or a list for each row where a row has several.

    >>> cells(np.array([[1.0], [2.0]])).tolist(), cells(np.zeros((1, 2))).tolist()
    ([1.0, 2.0], [[0.0, 0.0]])
    """
    if isinstance(values, np.ndarray) and math.prod(values.shape[1:]) == 1:
        return values.reshape(-1)
    # ZipMap of ONNX gives a list of dicts already.
    given = values.tolist() if isinstance(values, np.ndarray) else list(values)
    column = np.empty(len(given), dtype=object)
    column[:] = given
    return column

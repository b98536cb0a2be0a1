"""Which module saves and loads which flavor: the built-in table, and entry points of installed packages."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from spark_models.errors import InvalidArgumentError, LoaderNotFoundError, listed

GROUP = "spark_models.flavors"
"""The entry point group of third-party flavors: `name = "module"`."""

BUILT_IN: dict[str, str] = {
    "python_function": "spark_models.pyfunc",
    "catboost": "spark_models.catboost",
    "fastai": "spark_models.fastai",
    "gluon": "spark_models.gluon",
    "h2o": "spark_models.h2o",
    "keras": "spark_models.keras",
    "lightgbm": "spark_models.lightgbm",
    "mleap": "spark_models.mleap",
    "onnx": "spark_models.onnx",
    "pytorch": "spark_models.pytorch",
    "sklearn": "spark_models.sklearn",
    "spacy": "spark_models.spacy",
    "spark": "spark_models.spark",
    "statsmodels": "spark_models.statsmodels",
    "tensorflow": "spark_models.tensorflow",
    "xgboost": "spark_models.xgboost",
}
"""The public module of each built-in flavor."""

LOADERS: dict[str, str] = {
    "mlflow.pyfunc.model": "spark_models.pyfunc.model",
    "mlflow.catboost": "spark_models.catboost",
    "mlflow.fastai": "spark_models.fastai",
    "mlflow.gluon": "spark_models.gluon",
    "mlflow.h2o": "spark_models.h2o",
    "mlflow.keras": "spark_models.keras",
    "mlflow.lightgbm": "spark_models.lightgbm",
    "mlflow.onnx": "spark_models.onnx",
    "mlflow.pytorch": "spark_models.pytorch",
    "mlflow.sklearn": "spark_models.sklearn",
    "mlflow.spacy": "spark_models.spacy",
    "mlflow.spark": "spark_models.spark",
    "mlflow.statsmodels": "spark_models.statsmodels",
    "mlflow.tensorflow": "spark_models.tensorflow",
    "mlflow.xgboost": "spark_models.xgboost",
}
"""Loader modules that packages of MLflow name, and ours that reads the same files."""


@cache
def plugins() -> dict[str, EntryPoint]:
    """The installed third-party flavors by name; a built-in name is never replaced."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


def flavor_names() -> tuple[str, ...]:
    """The names of all flavors that can be used here, sorted."""
    return tuple(sorted({*BUILT_IN, *plugins()}))


def flavor_module(name: str) -> ModuleType:
    """The module of a flavor, with `save_model`, `log_model` and `load_model`.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] there is no flavor of that name.
        LoaderNotFoundError: [LOADER_NOT_FOUND] a third-party flavor can't be imported.
    """
    if name in BUILT_IN:
        return importlib.import_module(BUILT_IN[name])
    point = plugins().get(name)
    if point is None:
        raise InvalidArgumentError(
            f"There is no flavor {name!r}", f"the flavors here are {listed(flavor_names(), 50)}; others come as plugins"
        )
    try:
        module = point.load()
    except ImportError as error:
        raise LoaderNotFoundError(point.value, str(error), f"entry point {name!r} of {GROUP}") from error
    if not isinstance(module, ModuleType):
        raise LoaderNotFoundError(point.value, "it is no module", f"entry point {name!r} of {GROUP}")
    return module


def loader_module_name(stated: str) -> str:
    """The module that loads a python_function whose package names `stated`; MLflow's own are mapped to ours.

    >>> loader_module_name("mlflow.sklearn"), loader_module_name("my_loader")
    ('spark_models.sklearn', 'my_loader')
    """
    return LOADERS.get(stated, stated)

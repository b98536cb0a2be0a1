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
    "mleap": "spark_models.mleap",
    "sklearn": "spark_models.sklearn",
    "spark": "spark_models.spark",
}
"""The public module of each built-in flavor."""

LOADERS: dict[str, str] = {
    "mlflow.pyfunc.model": "spark_models.pyfunc.model",
    "mlflow.sklearn": "spark_models.sklearn",
    "mlflow.spark": "spark_models.spark",
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
            f"There is no flavor {name!r}", f"the flavors here are {listed(flavor_names())}; others come as plugins"
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

"""Fitted results of statsmodels, pickled by its own `save`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from spark_models.errors import InvalidModelError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    flavor_conf,
    library,
    log_saved,
    package_at,
    warn_of_version,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "statsmodels"
MODEL_FILE = "model.statsmodels"
CAPABILITIES = Capabilities(
    library="statsmodels", inputs=("dataframe",), formats=(Format("pickle", "unpickles the results"),)
)


def save_model(
    statsmodels_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    remove_data: bool = False,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves fitted results of statsmodels as a package at `path`.

    `remove_data` leaves the arrays of the training data out, as statsmodels does it: the results still predict.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no fitted results.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    if not _is_results(statsmodels_model):
        expected = "fitted results of statsmodels, as fit() gives them"
        raise InvalidModelError(FLAVOR, f"a {type(statsmodels_model).__name__}", expected)
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        # Without its data the object in memory would change as well: the example is scored first.
        predictor = StatsmodelsPredictor(statsmodels_model)
        add_example(package, input_example, predictor.predict)
        _save(statsmodels_model, str(package.root / MODEL_FILE), remove_data)
        package.add_flavor(
            FLAVOR,
            statsmodels_version=library("statsmodels").__version__,
            data=MODEL_FILE,
            code=package.code,
        )
        package.add_pyfunc(
            "spark_models.statsmodels", data=MODEL_FILE, split_invariant=False if predictor.is_series else None
        )


def log_model(
    statsmodels_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, statsmodels_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The results themselves. Unpickling runs code: load only what you trust.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] statsmodels is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR))


def _load_pyfunc(path: str) -> StatsmodelsPredictor:
    """The predictor of the package that `path`, a package or its model file, lies in."""
    package = package_at(path)
    return StatsmodelsPredictor(_load(package, flavor_conf(package, FLAVOR)))


class StatsmodelsPredictor:
    """Results that score DataFrames: rows of regressors, or for time series one row with `start` and `end`."""

    __slots__ = ("is_series", "model")
    keeps_input = True

    def __init__(self, model: Any) -> None:
        self.model = model
        kinds = {kind.__name__ for kind in type(getattr(model, "model", None)).__mro__}
        self.is_series = "TimeSeriesModel" in kinds

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The predictions: a Series where statsmodels gives one, else an array.

        Raises:
            InvalidModelError: [INVALID_MODEL] a time series is asked otherwise than by one row of start and end.
        """
        if not self.is_series:
            return self.model.predict(data, **(params or {}))
        asked = isinstance(data, pd.DataFrame) and len(data) == 1 and {"start", "end"} <= set(data.columns)
        if not asked:
            raise InvalidModelError(FLAVOR, "a time series", "models of rows; ask this by one row of 'start' and 'end'")
        return self.model.predict(start=data["start"].iloc[0], end=data["end"].iloc[0], **(params or {}))


def default_requirements() -> list[str]:
    """What a package of this flavor needs: statsmodels, in the version that is installed."""
    return [installed_requirement("statsmodels")]


def _is_results(model: Any) -> bool:
    within = any(kind.__module__.partition(".")[0] == "statsmodels" for kind in type(model).__mro__)
    return within and callable(getattr(model, "predict", None)) and hasattr(model, "save") and hasattr(model, "model")


def _save(model: Any, file: str, remove_data: bool) -> None:
    if not remove_data:
        model.save(file)
        return
    import copy

    copy.deepcopy(model).save(file, remove_data=True)


def _load(package: Package, conf: Mapping[str, Any]) -> Any:
    statsmodels = library("statsmodels")
    pickles = library("statsmodels.iolib.smpickle", "statsmodels")
    warn_of_version("statsmodels", conf.get("statsmodels_version"), statsmodels.__version__, "pickles")
    return pickles.load_pickle(str(package.path(conf.get("data", MODEL_FILE))))

"""CatBoost models, in CatBoost's own files: loading runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spark_models.errors import InvalidModelError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    flavor_conf,
    library,
    log_saved,
    one_of,
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

FLAVOR = "catboost"
MODEL_FILE = "model.cb"
FORMATS = ("cbm", "json")
CAPABILITIES = Capabilities(
    library="catboost",
    inputs=("dataframe",),
    formats=(Format("cbm"), Format("json")),
    methods=("predict_proba", "predict_log_proba"),
)


def save_model(
    cb_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    format: str = "cbm",  # noqa: A002 - the name that CatBoost and MLflow give it
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a fitted CatBoost, CatBoostClassifier, CatBoostRegressor or CatBoostRanker as a package at `path`.

    `format` is CatBoost's: "cbm" or "json".

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no model of catboost, or not fitted.
        InvalidArgumentError: [INVALID_ARGUMENT] the format is unknown.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    one_of("format", format, FORMATS)
    if not _is_catboost(cb_model) or not cb_model.is_fitted():
        raise InvalidModelError(FLAVOR, f"a {type(cb_model).__name__}", "a fitted model of catboost")
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        cb_model.save_model(str(package.root / MODEL_FILE), format=format)
        add_example(package, input_example, CatBoostPredictor(cb_model).predict)
        package.add_flavor(
            FLAVOR,
            catboost_version=library("catboost").__version__,
            model_type=type(cb_model).__name__,
            save_format=format,
            model_binary=MODEL_FILE,
            code=package.code,
        )
        package.add_pyfunc("spark_models.catboost", model_binary=MODEL_FILE)


def log_model(
    cb_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, cb_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The model itself, of the class that was saved.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] catboost is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR))


def _load_pyfunc(path: str) -> CatBoostPredictor:
    """The predictor of the package that `path`, a package or its model file, lies in."""
    package = package_at(path)
    return CatBoostPredictor(_load(package, flavor_conf(package, FLAVOR)), threads=thread_limit())


class CatBoostPredictor:
    """A model of catboost that scores DataFrames."""

    __slots__ = ("_call", "_options", "model", "threads")
    keeps_input = True

    def __init__(self, model: Any, method: str = "predict", threads: int | None = None) -> None:
        self.model = model
        self.threads = threads
        self._options = {} if threads is None else {"thread_count": threads}
        self._call = None if method.startswith("_") else getattr(model, method, None)
        if not callable(self._call):
            raise InvalidModelError(FLAVOR, f"a {type(model).__name__}", f"a model with {method}()")

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The method's output, an array; `params` go to the library's own call."""
        return self._call(data, **{**self._options, **(params or {})})  # type: ignore[misc]

    def with_method(self, method: str) -> CatBoostPredictor:
        """The same model, scored by another of its methods: predict_proba, predict_log_proba."""
        return CatBoostPredictor(self.model, method, self.threads)


def default_requirements() -> list[str]:
    """What a package of this flavor needs: catboost, in the version that is installed."""
    return [installed_requirement("catboost")]


def _is_catboost(model: Any) -> bool:
    return any(f"{kind.__module__}.{kind.__name__}" == "catboost.core.CatBoost" for kind in type(model).__mro__)


def _load(package: Package, conf: Mapping[str, Any]) -> Any:
    catboost = library("catboost")
    names = ("CatBoost", "CatBoostClassifier", "CatBoostRanker", "CatBoostRegressor")
    kind = getattr(catboost, one_of("model type", str(conf.get("model_type", "CatBoost")), names))
    model = kind()
    file = package.path(conf.get("model_binary", conf.get("data", MODEL_FILE)))
    model.load_model(str(file), format=str(conf.get("save_format", "cbm")))
    return model

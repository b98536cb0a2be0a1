"""XGBoost boosters and scikit-learn estimators, in XGBoost's own UBJSON or JSON: loading runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spark_models.errors import InvalidModelError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    flavor_conf,
    imported,
    kind_of,
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

FLAVOR = "xgboost"
BOOSTER = "xgboost.core.Booster"
FORMATS = ("ubj", "json")
CAPABILITIES = Capabilities(
    library="xgboost", inputs=("dataframe",), formats=(Format("ubj"), Format("json")), methods=("predict_proba",)
)


def save_model(
    xgb_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    model_format: str = "ubj",
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a Booster, or a fitted estimator of xgboost's scikit-learn classes, as a package at `path`.

    `model_format` is "ubj" or "json", both XGBoost's own. An estimator comes back as one of its class; MLflow's
    releases before 1.23 load only Boosters.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is neither, or not fitted.
        InvalidArgumentError: [INVALID_ARGUMENT] the format is unknown.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    one_of("model format", model_format, FORMATS)
    _check(xgb_model)
    file = f"model.{model_format}"
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        xgb_model.save_model(package.root / file)
        add_example(package, input_example, XGBoostPredictor(xgb_model).predict)
        package.add_flavor(
            FLAVOR,
            xgb_version=library("xgboost").__version__,
            data=file,
            model_class=kind_of(xgb_model),
            model_format=model_format,
            code=package.code,
        )
        package.add_pyfunc("spark_models.xgboost", data=file)


def log_model(
    xgb_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, xgb_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The Booster or estimator itself.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] xgboost is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR))


def _load_pyfunc(path: str) -> XGBoostPredictor:
    """The predictor of the package that `path`, a package or its model file, lies in."""
    package = package_at(path)
    model = _load(package, flavor_conf(package, FLAVOR))
    limit = thread_limit()
    if limit is not None:
        # An estimator writes its own n_jobs into each DMatrix that it makes.
        booster = model if _is_booster(model) else model.get_booster()
        booster.set_param({"nthread": limit})
        if not _is_booster(model):
            model.n_jobs = limit
    return XGBoostPredictor(model)


class XGBoostPredictor:
    """A Booster or estimator that scores DataFrames."""

    __slots__ = ("_call", "model")
    keeps_input = True

    def __init__(self, model: Any, method: str = "predict") -> None:
        self.model = model
        self._call = getattr(model, method, None)
        if not callable(self._call) or method.startswith("_"):
            raise InvalidModelError(FLAVOR, f"a {type(model).__name__}", f"a model with {method}()")

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The method's output; for a Booster an array of margins or probabilities, as its objective says."""
        if len(data) == 0:
            # Of no rows XGBoost gives shapes and types that differ from version to version. It takes NaN as missing.
            return self.predict(data.reindex([0]), params)[:0]
        if _is_booster(self.model):
            return self._call(library("xgboost").DMatrix(data), **(params or {}))  # type: ignore[misc]
        return self._call(data, **(params or {}))  # type: ignore[misc]

    def with_method(self, method: str) -> XGBoostPredictor:
        """The same model, scored by another of its methods: predict_proba, apply."""
        return XGBoostPredictor(self.model, method)


def default_requirements() -> list[str]:
    """What a package of this flavor needs: xgboost, in the version that is installed."""
    return [installed_requirement("xgboost", "xgboost-cpu")]


def _is_booster(model: Any) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" == BOOSTER for kind in type(model).__mro__)


def _check(model: Any) -> None:
    fitted = _is_booster(model) or (
        type(model).__module__.partition(".")[0] == "xgboost"
        and callable(getattr(model, "get_booster", None))
        and model.__sklearn_is_fitted__()
    )
    if not fitted:
        raise InvalidModelError(FLAVOR, f"a {type(model).__name__}", "a Booster or a fitted estimator of xgboost")


def _load(package: Package, conf: Mapping[str, Any]) -> Any:
    library("xgboost")
    # MLflow names no class before 1.23, when it saved Boosters alone.
    model = imported(str(conf.get("model_class", BOOSTER)), FLAVOR, within="xgboost")()
    file = package.path(conf.get("data"))
    # Of a file by another ending, as MLflow's `.xgb`, XGBoost warns; what is in it it finds out all the same.
    model.load_model(file if file.suffix in (".ubj", ".json") else bytearray(file.read_bytes()))
    return model

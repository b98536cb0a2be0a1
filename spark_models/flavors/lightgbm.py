"""LightGBM boosters, in LightGBM's own text, and its scikit-learn estimators, pickled or by skops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spark_models.errors import InvalidModelError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    flavor_conf,
    kind_of,
    library,
    log_saved,
    one_of,
    package_at,
    thread_limit,
    warn_of_version,
)
from spark_models.flavors.pickles import (
    ESTIMATOR_FORMATS,
    FORMAT_CLOUDPICKLE,
    FORMAT_SKOPS,
    check_trusted,
    dump_estimator,
    load_estimator,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "lightgbm"
BOOSTER = "lightgbm.basic.Booster"
TEXT = "model.lgb"
CAPABILITIES = Capabilities(
    library="lightgbm",
    inputs=("dataframe",),
    formats=(Format("text (Booster)"), *ESTIMATOR_FORMATS),
    methods=("predict_proba",),
)


def save_model(
    lgb_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    serialization_format: str = FORMAT_CLOUDPICKLE,
    skops_trusted_types: Sequence[str] | None = None,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a Booster, or a fitted estimator of lightgbm's scikit-learn classes, as a package at `path`.

    A Booster is written as LightGBM's own text, whose loading runs no code. An estimator has no such form: by default
    it is pickled, with `serialization_format="skops"` only the types that `skops_trusted_types` names are built.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is neither.
        InvalidArgumentError: [INVALID_ARGUMENT] the format is unknown, or skops finds types that are not trusted.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    one_of("serialization format", serialization_format, [item.name for item in ESTIMATOR_FORMATS])
    _check(lgb_model)
    is_booster = kind_of(lgb_model) == BOOSTER
    file = TEXT if is_booster else f"model.{'skops' if serialization_format == FORMAT_SKOPS else 'pkl'}"
    requirements = default_requirements() if is_booster else default_requirements(serialization_format)
    with PackageWriter(
        path, requirements=requirements, model=mlflow_model, signature=signature, conda_env=conda_env, **options
    ) as package:
        if is_booster:
            lgb_model.save_model(str(package.root / file))
        else:
            dump_estimator(lgb_model, package.root / file, serialization_format)
            if serialization_format == FORMAT_SKOPS:
                check_trusted(package.root / file, skops_trusted_types or ())
        add_example(package, input_example, LightGBMPredictor(lgb_model).predict)
        package.add_flavor(
            FLAVOR,
            lgb_version=library("lightgbm").__version__,
            data=file,
            model_class=kind_of(lgb_model),
            serialization_format=None if is_booster else serialization_format,
            skops_trusted_types=list(skops_trusted_types) if skops_trusted_types else None,
            code=package.code,
        )
        package.add_pyfunc("spark_models.lightgbm", data=file)


def log_model(
    lgb_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, lgb_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The Booster or estimator itself; unpickling an estimator runs code: load only what you trust.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] lightgbm is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR))


def _load_pyfunc(path: str) -> LightGBMPredictor:
    """The predictor of the package that `path`, a package or its model file, lies in."""
    package = package_at(path)
    return LightGBMPredictor(_load(package, flavor_conf(package, FLAVOR)), threads=thread_limit())


class LightGBMPredictor:
    """A Booster or estimator that scores DataFrames."""

    __slots__ = ("_call", "_options", "model", "threads")
    keeps_input = True

    def __init__(self, model: Any, method: str = "predict", threads: int | None = None) -> None:
        self.model = model
        self.threads = threads
        self._options = {} if threads is None else {"num_threads": threads}
        self._call = None if method.startswith("_") else getattr(model, method, None)
        if not callable(self._call):
            raise InvalidModelError(FLAVOR, f"a {type(model).__name__}", f"a model with {method}()")

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The method's output, an array; `params` go to the library's own call."""
        return self._call(data, **self._options, **(params or {}))  # type: ignore[misc]

    def with_method(self, method: str) -> LightGBMPredictor:
        """The same model, scored by another of its methods: predict_proba."""
        return LightGBMPredictor(self.model, method, self.threads)


def default_requirements(serialization_format: str | None = None) -> list[str]:
    """What a package of this flavor needs: lightgbm; for an estimator scikit-learn and what pickles it."""
    names = ["lightgbm"] if serialization_format is None else ["lightgbm", "scikit-learn", serialization_format]
    return [installed_requirement(name) for name in names if name != "pickle"]


def _check(model: Any) -> None:
    fitted = kind_of(model) == BOOSTER or (
        any(kind.__module__ == "lightgbm.sklearn" for kind in type(model).__mro__) and model.__sklearn_is_fitted__()
    )
    if not fitted:
        raise InvalidModelError(FLAVOR, f"a {type(model).__name__}", "a Booster or a fitted estimator of lightgbm")


def _load(package: Package, conf: Mapping[str, Any]) -> Any:
    lightgbm = library("lightgbm")
    file = package.path(conf.get("data"))
    # MLflow names no class before 1.23, when it saved Boosters alone.
    if conf.get("model_class", BOOSTER) == BOOSTER:
        return lightgbm.Booster(model_file=str(file))
    form = str(conf.get("serialization_format", FORMAT_CLOUDPICKLE))
    if form != FORMAT_SKOPS:
        warn_of_version("lightgbm", conf.get("lgb_version"), lightgbm.__version__, "pickles")
    return load_estimator(file, form, conf.get("skops_trusted_types") or ())

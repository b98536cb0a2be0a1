"""scikit-learn estimators and pipelines, pickled; by joblib, so that processes share arrays; by skops, without code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spark_models.errors import InvalidArgumentError, InvalidModelError, MissingExtraError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.pickles import (
    ESTIMATOR_FORMATS,
    FORMAT_CLOUDPICKLE,
    FORMAT_JOBLIB,
    FORMAT_PICKLE,
    FORMAT_SKOPS,
    UNPICKLES,
    check_trusted,
    dump_estimator,
    load_estimator,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel, log_package

FLAVOR = "sklearn"
SERIALIZATION_FORMAT_PICKLE = FORMAT_PICKLE
SERIALIZATION_FORMAT_CLOUDPICKLE = FORMAT_CLOUDPICKLE
SERIALIZATION_FORMAT_JOBLIB = FORMAT_JOBLIB
SERIALIZATION_FORMAT_SKOPS = FORMAT_SKOPS
FILES = {
    FORMAT_CLOUDPICKLE: "model.pkl",
    FORMAT_PICKLE: "model.pkl",
    FORMAT_JOBLIB: "model.joblib",
    FORMAT_SKOPS: "model.skops",
}
"""The name of the model's file in each format."""

PREDICT_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")
CAPABILITIES = Capabilities(
    library="scikit-learn",
    inputs=("dataframe",),
    memory_mapped=True,
    formats=(*ESTIMATOR_FORMATS, Format(FORMAT_JOBLIB, UNPICKLES)),
    methods=PREDICT_METHODS[1:],
)


def save_model(
    sk_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    serialization_format: str = SERIALIZATION_FORMAT_CLOUDPICKLE,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | PathLike | None = None,
    extra_pip_requirements: Sequence[str] | PathLike | None = None,
    *,
    pyfunc_predict_fn: str = "predict",
    skops_trusted_types: Sequence[str] | None = None,
    code_paths: Sequence[PathLike] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Saves a fitted estimator or pipeline as a package at `path`.

    `pyfunc_predict_fn` is the method that the pyfunc form calls: predict, predict_proba, decision_function, transform.
    An input example whose columns are all numbers also settles whether the estimator gives the same for the bare
    matrix (`matrix_input`), which spares Spark workers the building of DataFrames.

    `serialization_format="joblib"` is for large arrays: they are memory-mapped when the model is loaded, so that the
    workers of a host share one copy. Trees copy their nodes into memory of their own all the same. MLflow loads such a
    package as a python_function, and has no loader for its sklearn form.

    `serialization_format="skops"` is for models that others load: it holds no code. Where the model has types that
    skops does not know, `skops_trusted_types` names those that may be built.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object has no such method.
        InvalidArgumentError: [INVALID_ARGUMENT] the format or method is unknown; skops finds untrusted types.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    _check_arguments(sk_model, serialization_format, pyfunc_predict_fn)
    with PackageWriter(
        path,
        requirements=default_requirements(serialization_format),
        model=mlflow_model,
        signature=signature,
        metadata=metadata,
        conda_env=conda_env,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        code_paths=code_paths,
    ) as package:
        file = FILES[serialization_format]
        dump_estimator(sk_model, package.root / file, serialization_format)
        if serialization_format == FORMAT_SKOPS:
            check_trusted(package.root / file, skops_trusted_types or ())
        predictor = SklearnPredictor(sk_model, pyfunc_predict_fn)
        add_example(package, input_example, predictor.predict)
        package.add_flavor(
            FLAVOR,
            pickled_model=file,
            sklearn_version=_sklearn_version(),
            serialization_format=serialization_format,
            skops_trusted_types=list(skops_trusted_types) if skops_trusted_types else None,
            code=package.code,
        )
        package.add_pyfunc(
            "spark_models.sklearn",
            model_path=file,
            predict_fn=pyfunc_predict_fn,
            matrix_input=_takes_matrix(package, predictor) or None,
            split_invariant=True,
        )


def log_model(
    sk_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """

    def save(path: str, run_id: str) -> None:
        save_model(sk_model, path, mlflow_model=Model(artifact_path=artifact_path, run_id=run_id), **options)

    return log_package(artifact_path, save, registered_model_name)


def load_model(model_uri: PathLike) -> Any:
    """The estimator itself, as it was saved. Unpickling runs code: load only what you trust.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] scikit-learn is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR))


def _load_pyfunc(path: str) -> SklearnPredictor:
    """The predictor of the package at `path`, or of the model file in it, as MLflow's early releases name it."""
    given = Path(path)
    package = open_package(given if given.is_dir() else given.parent)
    conf = package.model.flavors.get(FLAVOR, package.pyfunc)
    return SklearnPredictor(_load(package, conf), str(package.pyfunc.get("predict_fn", "predict")))


class SklearnPredictor:
    """An estimator and the method that scores."""

    __slots__ = ("_call", "model", "name")
    keeps_input = True

    def __init__(self, model: Any, method: str = "predict") -> None:
        self.model = model
        self.name = method
        self._call = getattr(model, method, None)
        if not callable(self._call):
            raise InvalidModelError(FLAVOR, f"a {type(model).__name__}", f"a fitted estimator with {method}()")

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The method's output for a DataFrame or matrix; sparse output is made dense."""
        output = self._call(data, **params) if params else self._call(data)  # type: ignore[misc]
        if isinstance(output, np.memmap):
            # A choice from mapped classes keeps the name of their kind, though it is an array in memory.
            return np.asarray(output)
        return output.toarray() if hasattr(output, "toarray") and not hasattr(output, "columns") else output

    def with_method(self, method: str) -> SklearnPredictor:
        """The same estimator, scored by another of its methods."""
        if method not in PREDICT_METHODS:
            raise InvalidArgumentError(
                f"The method {method!r} does not score", f"choose one of {list(PREDICT_METHODS)}"
            )
        return SklearnPredictor(self.model, method)


def default_requirements(serialization_format: str = SERIALIZATION_FORMAT_CLOUDPICKLE) -> list[str]:
    """What a package of this flavor needs: scikit-learn and the pickler, in the versions that are installed."""
    pickler = [] if serialization_format == SERIALIZATION_FORMAT_PICKLE else [serialization_format]
    return [installed_requirement(name) for name in ("scikit-learn", *pickler)]


def _check_arguments(sk_model: Any, serialization_format: str, method: str) -> None:
    if serialization_format not in FILES:
        raise InvalidArgumentError(
            f"The serialization format {serialization_format!r} is unknown", f"choose one of {list(FILES)}"
        )
    if method not in PREDICT_METHODS:
        raise InvalidArgumentError(f"The method {method!r} does not score", f"choose one of {list(PREDICT_METHODS)}")
    if not callable(getattr(sk_model, method, None)):
        # A transformer has no predict; the caller has to say which method is meant.
        offered = [name for name in PREDICT_METHODS if callable(getattr(sk_model, name, None))]
        advice = f"pyfunc_predict_fn={offered[0]!r}" if offered != [] else "fit and save an estimator"
        raise InvalidModelError(FLAVOR, f"a {type(sk_model).__name__}", f"an estimator with {method}() (use {advice})")


def _sklearn_version() -> str:
    return installed_requirement("scikit-learn").partition("==")[2]


def _load(package: Package, conf: Mapping[str, Any]) -> Any:
    try:
        import sklearn
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn", "Loading this model") from error
    form = str(conf.get("serialization_format", FORMAT_CLOUDPICKLE))
    stated = conf.get("sklearn_version")
    if stated is not None and str(stated).split(".")[:2] != sklearn.__version__.split(".")[:2]:
        warnings.warn(
            f"The model was saved with scikit-learn {stated} and is loaded with {sklearn.__version__}; "
            "pickles are not made for that, and its answers may differ.",
            UserWarning,
            stacklevel=4,
        )
    file = conf.get("pickled_model", conf.get("model_path", conf.get("data", FILES[FORMAT_CLOUDPICKLE])))
    return load_estimator(package.path(file), form, conf.get("skops_trusted_types") or ())


def _takes_matrix(package: PackageWriter, predictor: SklearnPredictor) -> bool:
    """Whether the estimator gave the very same for the example's matrix, not to be written to, as for its DataFrame."""
    if package.model.example_predictions is None:
        return False
    frame = package.model.load_input_example(package.root)
    numeric = hasattr(frame, "dtypes") and len(frame) > 0 and all(dtype.kind in "fiu" for dtype in frame.dtypes)
    if not numeric:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an estimator that was fitted with names says so about every matrix
            matrix = frame.to_numpy(dtype="float64")
            matrix.flags.writeable = False  # on Spark it is a view of Arrow's buffer
            same = _equal(predictor.predict(matrix), predictor.predict(frame))
    except Exception:  # noqa: BLE001 - whatever a model raises here only says that it needs its DataFrame
        return False
    return same


def _equal(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    try:
        return bool(np.array_equal(np.asarray(left), np.asarray(right), equal_nan=np.asarray(left).dtype.kind == "f"))
    except TypeError:
        return False

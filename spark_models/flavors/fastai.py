"""fastai Learners, as fastai exports them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from spark_models.errors import InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    library,
    log_saved,
    package_at,
    thread_limit,
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

FLAVOR = "fastai"
MODEL_FILE = "model.fastai"
CAPABILITIES = Capabilities(
    library="fastai",
    inputs=("dataframe",),
    thread_safe=False,
    formats=(Format("export", "unpickles the Learner"),),
    batch_rows=1024,
)


def save_model(
    fastai_learner: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a fastai Learner as a package at `path`, by its own `export`: without the data it was trained on.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no Learner.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    if not any(kind.__module__ == "fastai.learner" for kind in type(fastai_learner).__mro__):
        raise InvalidModelError(FLAVOR, f"a {type(fastai_learner).__name__}", "a Learner of fastai")
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        fastai_learner.export(package.root / MODEL_FILE)
        add_example(package, input_example, FastaiPredictor(fastai_learner).predict)
        package.add_flavor(FLAVOR, fastai_version=library("fastai").__version__, data=MODEL_FILE, code=package.code)
        package.add_pyfunc("spark_models.fastai", data=MODEL_FILE)


def log_model(
    fastai_learner: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, fastai_learner, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The Learner itself. Unpickling runs code: load only what you trust.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] fastai is not installed.
    """
    package = open_package(model_uri)
    return _load(package)


def _load_pyfunc(path: str) -> FastaiPredictor:
    """The predictor of the package that `path`, a package or its model file, lies in."""
    limit = thread_limit()
    if limit is not None:
        library("torch", "fastai").set_num_threads(limit)
    return FastaiPredictor(_load(package_at(path)))


class FastaiPredictor:
    """A Learner that scores DataFrames; one thread at a time, for it changes itself while it predicts."""

    __slots__ = ("model",)

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any) -> Any:
        """A DataFrame with the column `predictions`: for each row the array of the Learner's outputs.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] the input is no DataFrame.
        """
        if not isinstance(data, pd.DataFrame):
            raise UnsupportedInputError(f"a {type(data).__name__}", "a DataFrame")
        with _quiet(self.model):
            rows = self.model.dls.test_dl(data, num_workers=0)
            found = self.model.get_preds(dl=rows)[0].numpy()
        return pd.DataFrame({"predictions": list(found)}, index=data.index)


def default_requirements() -> list[str]:
    """What a package of this flavor needs: fastai and torch, in the versions that are installed."""
    return [installed_requirement("fastai"), installed_requirement("torch")]


@contextlib.contextmanager
def _quiet(learner: Any) -> Iterator[None]:
    """Without bars of progress, which would fill an executor's log."""
    with learner.no_bar(), learner.no_logging():
        yield


def _load(package: Package) -> Any:
    conf = package.flavor(FLAVOR)
    fastai = library("fastai")
    warn_of_version("fastai", conf.get("fastai_version"), fastai.__version__, "exported Learners")
    load_learner = library("fastai.learner", "fastai").load_learner
    return load_learner(package.path(conf.get("data", MODEL_FILE)))

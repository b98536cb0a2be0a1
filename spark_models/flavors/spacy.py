"""spaCy pipelines, in spaCy's own folder; scored by their text categorizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from spark_models.errors import InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    library,
    log_saved,
    package_at,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "spacy"
FOLDER = "model.spacy"
CATEGORIZERS = ("textcat", "textcat_multilabel")
CAPABILITIES = Capabilities(library="spacy", inputs=("dataframe",), formats=(Format("spaCy's folder"),))


def save_model(
    spacy_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a spaCy pipeline as a package at `path`.

    Only a pipeline with a text categorizer gets the python_function flavor, as with MLflow: others answer with spaCy's
    Doc, which no table holds.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no spaCy pipeline.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    if not any(kind.__module__ == "spacy.language" for kind in type(spacy_model).__mro__):
        raise InvalidModelError(FLAVOR, f"a {type(spacy_model).__name__}", "a pipeline of spaCy")
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        spacy_model.to_disk(package.root / FOLDER)
        scores = any(spacy_model.get_pipe_meta(name).factory in CATEGORIZERS for name in spacy_model.pipe_names)
        if scores:
            add_example(package, input_example, SpacyPredictor(spacy_model).predict)
            package.add_pyfunc("spark_models.spacy", data=FOLDER)
        package.add_flavor(FLAVOR, spacy_version=library("spacy").__version__, data=FOLDER, code=package.code)


def log_model(
    spacy_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, spacy_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The pipeline itself.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] spacy is not installed.
    """
    package = open_package(model_uri)
    return _load(package)


def _load_pyfunc(path: str) -> SpacyPredictor:
    """The predictor of the package that `path`, a package or its folder of the pipeline, lies in."""
    return SpacyPredictor(_load(package_at(path)))


class SpacyPredictor:
    """A pipeline that categorizes the texts of a DataFrame's only column."""

    __slots__ = ("model",)
    keeps_input = True

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any) -> Any:
        """A DataFrame with the column `predictions`: for each text a dict of every category's score.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] the input is no DataFrame of one column.
        """
        if not isinstance(data, pd.DataFrame) or data.shape[1] != 1:
            shape = f"{data.shape[1]} columns" if isinstance(data, pd.DataFrame) else f"a {type(data).__name__}"
            raise UnsupportedInputError(shape, "a DataFrame of one column, the texts")
        # Not by `pipe`: beside other texts spaCy gives an empty one other scores than alone.
        scores = pd.Series([self.model(text).cats for text in data.iloc[:, 0]], index=data.index, dtype=object)
        return scores.to_frame("predictions")


def default_requirements() -> list[str]:
    """What a package of this flavor needs: spacy, in the version that is installed."""
    return [installed_requirement("spacy")]


def _load(package: Package) -> Any:
    return library("spacy").load(package.path(package.flavor(FLAVOR).get("data", FOLDER)))

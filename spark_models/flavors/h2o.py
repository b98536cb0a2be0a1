"""H2O models, as H2O's server writes them: binary, or as MOJO, which later versions read too."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from spark_models.errors import InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    flavor_conf,
    library,
    log_saved,
    one_of,
    package_at,
    warn_of_version,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.package.yaml_file import dump_yaml, read_yaml
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "h2o"
FOLDER = "model.h2o"
SETTINGS = "h2o.yaml"
FORMATS = ("binary", "mojo")
CAPABILITIES = Capabilities(
    library="h2o",
    inputs=("dataframe",),
    formats=(Format("binary", "H2O's server deserializes it"), Format("mojo")),
    batch_rows=10_000,
)


def save_model(
    h2o_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    settings: Mapping[str, Any] | None = None,
    model_format: str = "binary",
    **options: Unpack[PackageOptions],
) -> None:
    """Saves an H2O model as a package at `path`; the server that holds it writes its files.

    `settings` go into `model.h2o/h2o.yaml`; its entry `init` is what loading the package as a python_function calls
    h2o.init with. `model_format="mojo"` writes a MOJO, which any later version of H2O scores; a binary model is read
    only by the very version that wrote it.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no model of H2O.
        InvalidArgumentError: [INVALID_ARGUMENT] the format is unknown.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    one_of("model format", model_format, FORMATS)
    if not any(kind.__module__.startswith("h2o.") for kind in type(h2o_model).__mro__):
        raise InvalidModelError(FLAVOR, f"a {type(h2o_model).__name__}", "a model of H2O")
    h2o = library("h2o", purpose="Saving this model")
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        folder = package.root / FOLDER
        folder.mkdir()
        if model_format == "mojo":
            written = h2o_model.save_mojo(str(folder), force=True)
        else:
            written = h2o.download_model(h2o_model, str(folder))
        name = Path(written).name
        # Without the paths of this machine: MLflow reads `model_file` alone.
        stated = {**(settings or {}), "full_file": f"{FOLDER}/{name}", "model_file": name, "model_dir": FOLDER}
        (folder / SETTINGS).write_text(dump_yaml({**stated, "model_format": model_format}), encoding="utf-8")
        add_example(package, input_example, H2OPredictor(h2o_model, h2o).predict)
        package.add_flavor(FLAVOR, h2o_version=h2o.__version__, data=FOLDER, code=package.code)
        package.add_pyfunc("spark_models.h2o", data=FOLDER)


def log_model(
    h2o_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, h2o_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The H2O model itself, in the server that h2o.init() has connected to.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] h2o is not installed.
    """
    package = open_package(model_uri)
    return _load(package, init=False)


def _load_pyfunc(path: str) -> H2OPredictor:
    """The predictor of the package that `path`, a package or its folder of the model, lies in; calls h2o.init."""
    return H2OPredictor(_load(package_at(path), init=True), library("h2o"))


class H2OPredictor:
    """An H2O model that scores DataFrames on its server."""

    __slots__ = ("h2o", "model")
    keeps_input = True

    def __init__(self, model: Any, h2o: Any) -> None:
        self.model = model
        self.h2o = h2o

    def predict(self, data: Any) -> Any:
        """H2O's own answer as a DataFrame: `predict`, and for classes a column `p…` of each.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] the input is no DataFrame.
        """
        if not isinstance(data, pd.DataFrame):
            raise UnsupportedInputError(f"a {type(data).__name__}", "a DataFrame")
        if len(data) == 0:
            # H2O guesses types from values; the caller's signature says what no rows give.
            raise UnsupportedInputError("a DataFrame without rows", "rows")
        rows = self.h2o.H2OFrame(data.reset_index(drop=True))
        scored = self.model.predict(rows)
        answer = scored.as_data_frame(use_multi_thread=False)
        for frame in (rows, scored):
            self.h2o.remove(frame.frame_id)  # the server keeps what it is not told to drop
        answer.index = data.index
        return answer


def default_requirements() -> list[str]:
    """What a package of this flavor needs: h2o, in the version that is installed."""
    return [installed_requirement("h2o")]


def _load(package: Package, init: bool) -> Any:
    conf = flavor_conf(package, FLAVOR)
    folder = package.path(conf.get("data", FOLDER))
    settings = read_yaml(folder / SETTINGS)
    h2o = library("h2o")
    if init:
        # Its prints would stand among what a program writes.
        with contextlib.redirect_stdout(sys.stderr):
            h2o.init(**{"verbose": False, **(settings.get("init") or {})})
        h2o.no_progress()
    file = folder / Path(str(settings["model_file"])).name
    if settings.get("model_format") == "mojo":
        return h2o.upload_mojo(str(file))
    warn_of_version("h2o", conf.get("h2o_version"), h2o.__version__, "its binary models")
    return h2o.upload_model(str(file))

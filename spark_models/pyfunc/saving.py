"""Saving a python_function: a `PythonModel` with artifacts, or a loader module with data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spark_models.errors import InvalidArgumentError, InvalidModelError
from spark_models.flavors.base import add_example
from spark_models.package.environment import installed_requirement
from spark_models.package.layout import ARTIFACTS, CODE, DATA, PYFUNC
from spark_models.package.mlmodel import Model
from spark_models.package.writer import PackageWriter, PathLike, copy_into
from spark_models.pyfunc.loading import load_predictor
from spark_models.pyfunc.model import PythonModel
from spark_models.pyfunc.modules import leave_path
from spark_models.schema.signature import ModelSignature
from spark_models.store.uris import local_path
from spark_models.tracking import LoggedModel, log_package

PYTHON_MODEL = "python_model.pkl"
LOADER = "spark_models.pyfunc.model"


def save_model(
    path: PathLike,
    loader_module: str | None = None,
    data_path: PathLike | None = None,
    code_path: Sequence[PathLike] | None = None,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    python_model: PythonModel | None = None,
    artifacts: Mapping[str, str] | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | PathLike | None = None,
    extra_pip_requirements: Sequence[str] | PathLike | None = None,
    *,
    code_paths: Sequence[PathLike] | None = None,
    metadata: Mapping[str, Any] | None = None,
    split_invariant: bool = False,
) -> None:
    """Saves a python_function as a package at `path`, in one of two ways.

    `python_model` with `artifacts` (name → path or URI of a file or folder, copied into the package), or
    `loader_module` with `data_path`: the module's `_load_pyfunc(data_path)` gives an object with `predict(data)`.
    `code_paths` (also `code_path`) are modules and folders that are copied and put on the import path on loading.
    `split_invariant` declares that a row's prediction does not depend on the rows beside it: then a batch that fails is
    halved until the bad rows stand alone, and a server may score requests together.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] neither way, both, or an argument of the other one.
        InvalidModelError: [INVALID_MODEL] `python_model` is no PythonModel.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    _check_arguments(loader_module, data_path, python_model, artifacts, code_path, code_paths)
    with PackageWriter(
        path,
        requirements=[] if python_model is None else default_requirements(),
        model=mlflow_model,
        signature=signature,
        metadata=metadata,
        conda_env=conda_env,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        code_paths=code_paths if code_paths is not None else code_path,
    ) as package:
        if python_model is not None:
            _add_python_model(package, python_model, artifacts or {}, split_invariant or None)
        else:
            _add_loader(package, str(loader_module), data_path, split_invariant or None)
        if input_example is not None:
            # The example is scored by the package itself, so a model that can't be loaded again is found now.
            package.write_mlmodel()
            try:
                predictor = load_predictor(package.root)
                add_example(package, input_example, predictor.predict)
            finally:
                leave_path(package.root / CODE)


def log_model(artifact_path: str, *, registered_model_name: str | None = None, **options: Any) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """

    def save(path: str, run_id: str) -> None:
        save_model(path, mlflow_model=Model(artifact_path=artifact_path, run_id=run_id), **options)

    return log_package(artifact_path, save, registered_model_name)


def add_to_model(
    model: Model,
    loader_module: str,
    data: str | None = None,
    code: str | None = None,
    env: str | None = None,
    **other: Any,
) -> Model:
    """The model with a `python_function` flavor, for flavors that write their package themselves."""
    from platform import python_version

    given = {"data": data, "code": code, "env": env, **other}
    attributes = {name: value for name, value in given.items() if value is not None}
    return model.add_flavor(PYFUNC, loader_module=loader_module, python_version=python_version(), **attributes)


def default_requirements() -> list[str]:
    """What a pickled PythonModel needs: cloudpickle, in the version that is installed."""
    return [installed_requirement("cloudpickle")]


def _check_arguments(
    loader_module: str | None,
    data_path: PathLike | None,
    python_model: Any,
    artifacts: Mapping[str, str] | None,
    code_path: Sequence[PathLike] | None,
    code_paths: Sequence[PathLike] | None,
) -> None:
    first = {"loader_module": loader_module, "data_path": data_path}
    second = {"python_model": python_model, "artifacts": artifacts}
    given = [[name for name, value in ways.items() if value is not None] for ways in (first, second)]
    if given[0] != [] and given[1] != []:
        raise InvalidArgumentError(
            f"{given[0]} and {given[1]} can't be given together",
            "give either loader_module with data_path, or python_model with artifacts",
        )
    if loader_module is None and python_model is None:
        raise InvalidArgumentError("Either loader_module or python_model must be given")
    if code_path is not None and code_paths is not None:
        raise InvalidArgumentError("code_path and code_paths are the same argument; give one of them")
    if python_model is not None and not _is_python_model(python_model):
        raise InvalidModelError(PYFUNC, f"a {type(python_model).__name__}", "an instance of a subclass of PythonModel")


def _is_python_model(candidate: Any) -> bool:
    # An instance of MLflow's own PythonModel has the same methods, and is taken without importing MLflow.
    names = {kind.__name__ for kind in type(candidate).__mro__}
    return isinstance(candidate, PythonModel) or (
        "PythonModel" in names and callable(getattr(candidate, "predict", None))
    )


def _add_python_model(
    package: PackageWriter, python_model: Any, artifacts: Mapping[str, str], split_invariant: bool | None
) -> None:
    import cloudpickle

    with open(package.root / PYTHON_MODEL, "wb") as stream:
        cloudpickle.dump(python_model, stream)
    entries = {name: _add_artifact(package.root, name, uri) for name, uri in artifacts.items()}
    package.add_pyfunc(
        LOADER,
        python_model=PYTHON_MODEL,
        cloudpickle_version=cloudpickle.__version__,
        artifacts=entries if entries != {} else None,
        split_invariant=split_invariant,
    )


def _add_artifact(root: Path, name: str, uri: str) -> dict[str, str]:
    source = local_path(uri)
    folder = root / ARTIFACTS
    if (folder / source.name).exists():
        # Two artifacts of one file name: the second gets a folder of its own.
        folder = folder / f"{len(list(folder.iterdir()))}"
    copied = copy_into(source, folder)
    return {"path": copied.relative_to(root).as_posix(), "uri": os.fspath(uri)}


def _add_loader(
    package: PackageWriter, loader_module: str, data_path: PathLike | None, split_invariant: bool | None
) -> None:
    data = None
    if data_path is not None:
        source = Path(data_path)
        if not source.exists():
            raise InvalidArgumentError(f"The data path {str(source)!r} does not exist")
        data = copy_into(source, package.root / DATA).relative_to(package.root).as_posix()
    package.add_pyfunc(loader_module, data=data, split_invariant=split_invariant)

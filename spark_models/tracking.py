"""Runs that logged models belong to: a directory each, or MLflow's active run where MLflow is in use."""

from __future__ import annotations

import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from spark_models.errors import ModelPathExistsError, NoRegistryError, RunNotFoundError
from spark_models.store.paths import inside
from spark_models.store.uris import RUN_ID, run_artifacts, runs_home


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What identifies a run."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run that models are logged into; as a context manager it ends with the block."""

    info: RunInfo
    artifacts: Path = field(repr=False)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in _active:
            _active.remove(self)


_active: list[Run] = []


def start_run(run_id: str | None = None) -> Run:
    """A new run, or the earlier one of that id, as the active run.

    Raises:
        RunNotFoundError: [RUN_NOT_FOUND] there is no run of that id.
    """
    if run_id is not None and (RUN_ID.fullmatch(run_id) is None or not run_artifacts(run_id).is_dir()):
        raise RunNotFoundError(run_id, str(runs_home()))
    name = uuid.uuid4().hex if run_id is None else run_id
    run = Run(RunInfo(name), run_artifacts(name))
    run.artifacts.mkdir(parents=True, exist_ok=True)
    _active.append(run)
    return run


def active_run() -> Run | None:
    """The run that `log_model` writes into; None where none was started."""
    return _active[-1] if _active != [] else None


def end_run() -> None:
    """Ends the active run; without one nothing happens."""
    if _active != []:
        _active.pop()


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """Where a logged model is: its URI `runs:/<run_id>/<path>`, its run and its path in it."""

    model_uri: str
    run_id: str
    artifact_path: str


def log_package(
    artifact_path: str, save: Callable[[str, str], None], registered_model_name: str | None = None
) -> LoggedModel:
    """Saves a model into the active run, which is started where there is none.

    `save(path, run_id)` writes the package. Where MLflow is loaded and has an active run, the package goes there.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    mlflow = sys.modules.get("mlflow")
    foreign = None if mlflow is None else mlflow.active_run()
    if foreign is not None:
        return _log_to_mlflow(mlflow, foreign.info.run_id, artifact_path, save, registered_model_name)
    if registered_model_name is not None:
        raise NoRegistryError(registered_model_name)
    run = active_run() or start_run()
    target = inside(run.artifacts, artifact_path, "artifact_path")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ModelPathExistsError(str(target))
    save(str(target), run.info.run_id)
    return LoggedModel(f"runs:/{run.info.run_id}/{artifact_path}", run.info.run_id, artifact_path)


def _log_to_mlflow(
    mlflow: object, run_id: str, artifact_path: str, save: Callable[[str, str], None], registered_model_name: str | None
) -> LoggedModel:
    stage = Path(tempfile.mkdtemp(prefix="spark-models-log-"))
    try:
        save(str(stage / "model"), run_id)
        mlflow.log_artifacts(str(stage / "model"), artifact_path)  # type: ignore[attr-defined]
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    uri = f"runs:/{run_id}/{artifact_path}"
    if registered_model_name is not None:
        mlflow.register_model(uri, registered_model_name)  # type: ignore[attr-defined]
    return LoggedModel(uri, run_id, artifact_path)

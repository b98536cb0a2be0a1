"""The flavor: the functions that every flavor has, over the library of `centroids`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from centroids import NearestCentroid

from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import log_saved, package_at
from spark_models.package.reader import open_package
from spark_models.package.writer import PackageWriter

FLAVOR = "centroids"
MODEL_FILE = "centroids.json"
CAPABILITIES = Capabilities(library="spark-models-centroids", formats=(Format("json"),))


def save_model(model: Any, path: Any, mlflow_model: Any = None, input_example: Any = None, **options: Any) -> None:
    """Saves a NearestCentroid as a package at `path`; `options` are those of every flavor."""
    with PackageWriter(path, requirements=default_requirements(), model=mlflow_model, **options) as package:
        content = {"labels": model.labels.tolist(), "centroids": model.centroids.tolist()}
        (package.root / MODEL_FILE).write_text(json.dumps(content), encoding="utf-8")
        add_example(package, input_example, model.predict)
        package.add_flavor(FLAVOR, data=MODEL_FILE, code=package.code)
        package.add_pyfunc("centroids_flavor", data=MODEL_FILE, split_invariant=True)


def log_model(model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any) -> Any:
    """Saves the model into the active run."""
    return log_saved(save_model, model, artifact_path, registered_model_name, options)


def load_model(model_uri: Any) -> NearestCentroid:
    """The model itself."""
    package = open_package(model_uri)
    return _load(package.path(package.flavor(FLAVOR).get("data")))


def _load_pyfunc(path: str) -> NearestCentroid:
    package = package_at(path)
    return _load(package.path(package.pyfunc.get("data")))


def default_requirements() -> list[str]:
    """What a package of this flavor needs."""
    return ["spark-models-centroids==0.1.0"]


def _load(file: Path) -> NearestCentroid:
    return NearestCentroid(**json.loads(file.read_text(encoding="utf-8")))

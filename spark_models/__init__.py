"""spark-models: package a model once and score it anywhere Spark runs.

Importing this package imports no model library, no pandas and no pyspark: its names are loaded on use.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "Model": "spark_models.package.mlmodel",
    "ModelSignature": "spark_models.schema.signature",
    "StatsObservation": "spark_models.scoring.observe",
    "active_run": "spark_models.tracking",
    "end_run": "spark_models.tracking",
    "infer_signature": "spark_models.bridge.infer",
    "load_model": "spark_models.pyfunc",
    "progress": "spark_models.scoring.progress",
    "score": "spark_models.scoring.score",
    "spark_udf": "spark_models.scoring.udf",
    "start_run": "spark_models.tracking",
}
_MODULES = ("azureml", "deployments", "errors", "models", "pyfunc", "sagemaker", "sklearn", "types")

__all__ = [*_NAMES, *_MODULES, "__version__"]  # noqa: PLE0604 - ruff does not see that the names are text


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

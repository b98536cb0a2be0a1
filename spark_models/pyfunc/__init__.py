"""Any model as one Python function: save, load, predict, and score on Spark."""

from __future__ import annotations

from typing import Any

from spark_models.pyfunc.loading import PyFuncModel, load_model
from spark_models.pyfunc.model import PythonModel, PythonModelContext
from spark_models.pyfunc.saving import add_to_model, default_requirements, log_model, save_model

__all__ = [
    "PyFuncModel",
    "PythonModel",
    "PythonModelContext",
    "add_to_model",
    "default_requirements",
    "load_model",
    "log_model",
    "save_model",
    "spark_udf",
]


def __getattr__(name: str) -> Any:
    # Scoring on Spark stands above this package and needs pyspark: it is imported when it is asked for.
    if name == "spark_udf":
        from spark_models.scoring.udf import spark_udf

        return spark_udf
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

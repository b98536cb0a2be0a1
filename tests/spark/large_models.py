"""The models of `test_large_package.py`: a module of its own, since joblib pickles classes by their name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

import spark_models


def noted(total: float, marks: str) -> float:
    """Notes the process, and leaves the other worker the time to take the other task."""
    Path(marks, str(os.getpid())).touch()
    time.sleep(0.5)
    return total


class Lookup(spark_models.pyfunc.PythonModel):
    """Adds up an artifact that it maps from its file."""

    def __init__(self, marks: Path) -> None:
        self.marks = str(marks)

    def load_context(self, context: Any) -> None:
        self.weights = np.load(context.artifacts["weights"], mmap_mode="r")

    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input["x"] + noted(float(self.weights.sum()), self.marks)


class Table:
    """The same for the sklearn flavor: an object with an array of its own."""

    def __init__(self, weights: Any, marks: Path) -> None:
        self.weights = weights
        self.marks = str(marks)

    def predict(self, data: Any) -> Any:
        return data["x"] + noted(float(self.weights.sum()), self.marks)

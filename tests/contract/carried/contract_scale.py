"""A module that a package carries: its model, and the loader of another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spark_models.pyfunc import PythonModel


class Scaled(PythonModel):
    """Columns a and b, each times its factor, added."""

    def __init__(self, a: float, b: float) -> None:
        self.a = a
        self.b = b

    def predict(self, context: Any, model_input: Any) -> Any:
        return self.a * model_input["a"] + self.b * model_input["b"]


class FromFile:
    """What the loader gives: any object with `predict`."""

    def __init__(self, factors: dict[str, float]) -> None:
        self.factors = factors

    def predict(self, data: Any) -> Any:
        return sum(factor * data[name] for name, factor in self.factors.items()).to_numpy()


def _load_pyfunc(path: str) -> FromFile:
    return FromFile(json.loads(Path(path).read_text()))

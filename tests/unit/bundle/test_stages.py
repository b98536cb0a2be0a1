"""The table of stages has a word for every class of the installed pyspark.ml, and for no other."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from spark_models.bundle.stages import INSIDE, REFUSED, STAGES

pyspark = pytest.importorskip("pyspark")
MODULES = (
    "base",
    "pipeline",
    "feature",
    "classification",
    "regression",
    "clustering",
    "recommendation",
    "fpm",
    "tuning",
)
NEWER = {"TargetEncoderModel"}
"""Classes that only some of the supported releases have."""


def transformers() -> dict[str, Any]:
    """Every class of pyspark.ml that a pipeline can hold and a user can name."""
    from pyspark.ml import Transformer

    found = {}
    for name in MODULES:
        module = importlib.import_module(f"pyspark.ml.{name}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Transformer) and kind.__module__ == module.__name__:
                found[kind.__name__] = kind
    return {
        name: kind
        for name, kind in found.items()
        if not inspect.isabstract(kind) and not name.startswith("_") and hasattr(kind, "write")
    }


def test_every_class_is_written_or_refused_with_a_reason() -> None:
    known = {*STAGES, *INSIDE, *REFUSED}
    assert set(transformers()) - known == set()
    assert known - set(transformers()) <= NEWER


def test_none_stands_twice() -> None:
    assert set(STAGES) & set(REFUSED) == set()
    assert set(INSIDE) & {*STAGES, *REFUSED} == set()

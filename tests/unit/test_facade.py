"""The package's front: its names, and what importing it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spark_models

ROOT = Path(__file__).parent.parent.parent
HEAVY = ("pandas", "numpy", "pyarrow", "pyspark", "sklearn", "yaml", "cloudpickle", "click")


def _python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def test_the_import_loads_none_of_the_libraries() -> None:
    code = f"import sys, spark_models; dir(spark_models); print([name for name in {HEAVY} if name in sys.modules])"
    assert _python(code) == "[]"


@pytest.mark.parametrize("module", ["errors", "models", "pyfunc", "types"])
def test_the_facades_load_neither_spark_nor_a_model_library(module: str) -> None:
    code = (
        f"import sys, spark_models.{module}; print([n for n in ('pyspark', 'sklearn', 'mlflow') if n in sys.modules])"
    )
    assert _python(code) == "[]"


def test_every_name_is_listed_and_there() -> None:
    assert dir(spark_models) == sorted(spark_models.__all__)
    missing = [name for name in dir(spark_models) if getattr(spark_models, name, None) is None]
    assert missing == []


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'spark_models' has no attribute 'nonsense'"):
        _ = spark_models.nonsense
    with pytest.raises(AttributeError, match="nonsense"):
        _ = spark_models.pyfunc.nonsense


def test_a_name_is_one_object_wherever_it_is_taken_from() -> None:
    from spark_models.models import Model, ModelSignature, infer_signature
    from spark_models.models.signature import ModelSignature as Documented
    from spark_models.types import ColSpec
    from spark_models.types.schema import ColSpec as DocumentedSpec

    assert spark_models.Model is Model
    assert spark_models.ModelSignature is ModelSignature is Documented
    assert spark_models.infer_signature is infer_signature
    assert ColSpec is DocumentedSpec
    assert spark_models.load_model is spark_models.pyfunc.load_model

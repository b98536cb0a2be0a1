"""Facts of the Models document that no input and output can state; each test names the fact's id."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
from spark_models import errors
from spark_models.flavors.registry import BUILT_IN
from spark_models.models import Model, ModelSignature, infer_signature
from spark_models.types.schema import ColSpec, Schema, TensorSpec


def _sklearn(path: str) -> None:
    from sklearn.linear_model import LinearRegression

    import spark_models.sklearn

    spark_models.sklearn.save_model(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), path)


def _pyfunc(path: str) -> None:
    class Same(spark_models.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            return model_input

    spark_models.pyfunc.save_model(path, python_model=Same())


SAVES = {"sklearn": _sklearn, "python_function": _pyfunc}


def test_every_python_flavor_writes_python_function(tmp_path: Path) -> None:
    """doc.flavors.all_python_have_pyfunc"""
    # Of the others each has a law for it, with its library: tests/contract. A Spark pipeline needs a session:
    # tests/spark/test_spark_flavor.py. MLeap's form is for the JVM alone.
    assert set(SAVES) <= set(BUILT_IN)
    for name, save in SAVES.items():
        save(str(tmp_path / name))
        flavors = Model.load(str(tmp_path / name)).flavors
        assert {name, "python_function"} <= set(flavors)
        assert importlib.import_module(flavors["python_function"]["loader_module"])._load_pyfunc is not None
        assert spark_models.pyfunc.load_model(str(tmp_path / name)) is not None


def test_a_native_model_is_not_checked_against_the_signature(tmp_path: Path) -> None:
    """doc.sig.native_load_not_enforced"""
    from sklearn.linear_model import LinearRegression

    import spark_models.sklearn

    path = str(tmp_path / "m")
    signature = ModelSignature(Schema([ColSpec("double", "x")]))
    fitted = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 2.0])
    spark_models.sklearn.save_model(fitted, path, signature=signature)
    given = pd.DataFrame({"x": np.array([3], "int64")})
    assert spark_models.sklearn.load_model(path).predict(given).tolist() == pytest.approx([6.0])
    with pytest.raises(errors.ColumnTypeError):
        spark_models.pyfunc.load_model(path).predict(given)


class Shape(spark_models.pyfunc.PythonModel):
    """A model that says what shape it was given."""

    def predict(self, context: Any, model_input: Any) -> Any:
        return np.full(len(model_input), float(np.prod(model_input.shape[1:])))


def test_axis_0_of_a_tensor_example_is_the_batch(tmp_path: Path) -> None:
    """doc.example.batch_axis"""
    example = np.arange(24, dtype="float32").reshape(2, 3, 4)
    assert infer_signature(example).inputs.tensors[0].shape == (-1, 3, 4)
    path = str(tmp_path / "m")
    signature = infer_signature(example, np.zeros(2))
    spark_models.pyfunc.save_model(path, python_model=Shape(), signature=signature, input_example=example)
    model = spark_models.pyfunc.load_model(path)
    np.testing.assert_array_equal(model.metadata.load_input_example(path), example)
    for rows in (1, 2, 5):
        assert model.predict(np.zeros((rows, 3, 4), "float32")).tolist() == [12.0] * rows


def test_a_signature_says_otherwise(tmp_path: Path) -> None:
    """doc.example.batch_axis"""
    path = str(tmp_path / "m")
    signature = ModelSignature(Schema([TensorSpec(np.dtype("float32"), (3, -1))]))
    spark_models.pyfunc.save_model(path, python_model=Shape(), signature=signature)
    model = spark_models.pyfunc.load_model(path)
    assert model.predict(np.zeros((3, 5), "float32")).tolist() == [5.0] * 3
    with pytest.raises(errors.TensorShapeError):
        model.predict(np.zeros((2, 5), "float32"))

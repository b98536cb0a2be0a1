"""A batch without rows: the model's own answer, else what the signature says of its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_models.models import Model, ModelSignature
from spark_models.pyfunc import PyFuncModel
from spark_models.pyfunc.empty import empty_output
from spark_models.types.schema import Array, ColSpec, DataType, Schema, TensorSpec


class Refuses:
    """A model that can't do without a row, as many can't."""

    def predict(self, data: Any, params: Any = None) -> Any:
        if len(next(iter(data.values())) if isinstance(data, dict) else data) == 0:
            raise ValueError("Found array with 0 sample(s)")
        return np.ones(len(data))


def tensor(dtype: str, *shape: int, name: str | None = None) -> TensorSpec:
    return TensorSpec(np.dtype(dtype), (-1, *shape), name)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([tensor("int64")], np.zeros(0, "int64")),
        ([tensor("float32", 3, -1)], np.zeros((0, 3, 0), "float32")),
        ([tensor("int8", name="a"), tensor("U", 2, name="b")], {"a": np.zeros(0, "int8"), "b": np.zeros((0, 2), "U")}),
        ([ColSpec("long")], pd.Series([], dtype="int64")),
        ([ColSpec("string")], pd.Series([], dtype=object)),
        (
            [ColSpec("double"), ColSpec("datetime")],
            pd.DataFrame({0: pd.Series([], dtype="float64"), 1: pd.Series([], dtype="datetime64[ns]")}),
        ),
        (
            [ColSpec("boolean", "on"), ColSpec(Array(DataType.long), "v")],
            pd.DataFrame({"on": pd.Series([], dtype=bool), "v": pd.Series([], dtype=object)}),
        ),
    ],
)
def test_no_rows_in_the_form_of_the_outputs(outputs: Any, expected: Any) -> None:
    found = empty_output(Schema(outputs))
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected)
    elif isinstance(expected, dict):
        assert {name: (array.dtype.kind, array.shape) for name, array in found.items()} == {
            name: (array.dtype.kind, array.shape) for name, array in expected.items()
        }
    else:
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)


X = Schema([ColSpec("double", "x")])
ROWS = pd.DataFrame({"x": [1.0]})


def test_a_model_that_refuses_no_rows_is_answered_for() -> None:
    model = PyFuncModel(Refuses(), Model(signature=ModelSignature(X, Schema([tensor("float64")]))))
    assert model.predict(ROWS.iloc[:0]).shape == (0,)
    assert model.predict(ROWS).tolist() == [1.0]
    tensors = ModelSignature(Schema([tensor("int8", name="a")]), Schema([ColSpec("long", "n")]))
    found = PyFuncModel(Refuses(), Model(signature=tensors)).predict({"a": np.zeros(0, "int8")})
    assert list(found.columns) == ["n"]


@pytest.mark.parametrize("signature", [None, ModelSignature(X), ModelSignature(X, Schema([]))])
def test_where_nothing_is_said_of_outputs_the_models_error_stands(signature: Any) -> None:
    with pytest.raises(ValueError, match="0 sample"):
        PyFuncModel(Refuses(), Model(signature=signature)).predict(ROWS.iloc[:0])


def test_an_error_on_rows_stands() -> None:
    class Fails:
        def predict(self, data: Any) -> Any:
            raise ValueError("no")

    model = PyFuncModel(Fails(), Model(signature=ModelSignature(X, Schema([tensor("float64")]))))
    with pytest.raises(ValueError, match="no"):
        model.predict(ROWS)

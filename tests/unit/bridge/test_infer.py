"""Schemas of data at the edges: what can't be told is refused by name."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_models.bridge.infer import infer_schema, infer_signature
from spark_models.errors import InvalidSchemaError, UnsupportedColumnError, UnsupportedDataError
from spark_models.types.schema import Array, ColSpec, DataType, Schema, TensorSpec


def objects(*values: Any) -> pd.DataFrame:
    column = pd.Series([None] * len(values), dtype=object)
    column[:] = values
    return pd.DataFrame({"a": column})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (objects(1, None), ColSpec("double", "a")),
        (objects(True, None), ColSpec("boolean", "a", required=False)),
        (objects(np.float32(1.5), 2), ColSpec("double", "a")),
        (objects(bytearray(b"x"), None), ColSpec("binary", "a")),
        (objects([1], [1.5, 2.0]), ColSpec(Array(DataType.double), "a")),
        (objects(np.zeros((2, 2))), ColSpec(Array(Array(DataType.double)), "a")),
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int16")}), ColSpec("integer", "a", required=False)),
        (pd.DataFrame({"a": pd.array([1.5, None], dtype="Float32")}), ColSpec("float", "a")),
        (pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]")}), ColSpec("long", "a", required=False)),
        (pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0])}), ColSpec("double", "a")),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-31"]).tz_localize("UTC")}), ColSpec("datetime", "a")),
        (pa.table({"a": pa.array([1], pa.uint32())}), ColSpec("long", "a")),
    ],
)
def test_a_column(data: Any, expected: ColSpec) -> None:
    assert infer_schema(data) == Schema([expected])


@pytest.mark.parametrize(
    "data",
    [
        objects(2**63),
        objects(-(2**63) - 1, None),
        objects([2**70]),
        objects(1, "x"),
        objects([1], ["x"]),
        objects([], []),
        objects(None),
        objects({"x": 1}),
        pd.DataFrame({"a": pd.Categorical(["x"])}),
        pd.DataFrame({"a": np.array([1], "uint64")}),
        pd.DataFrame({"a": np.array([1j])}),
        pd.DataFrame({"a": pd.to_timedelta(["1D"])}),
        pa.table({"a": pa.array([None], pa.decimal128(5, 2))}),
    ],
)
def test_a_column_of_no_type_of_the_format(data: Any) -> None:
    with pytest.raises(UnsupportedColumnError, match="'a'"):
        infer_schema(data)


@pytest.mark.parametrize(
    "data",
    [
        5,
        "text",
        [1, 2],
        [],
        {"a": [1]},
        np.array([(1, 2.0)], dtype="i4,f8"),
        pa.array([1]),
        pd.DataFrame([[1, 2]], columns=[3, 4]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
    ],
)
def test_data_of_no_kind_that_has_a_schema(data: Any) -> None:
    with pytest.raises(UnsupportedDataError):
        infer_schema(data)


def test_labels() -> None:
    assert infer_schema(pd.DataFrame([[1.0, "x"]])) == Schema([ColSpec("double"), ColSpec("string")])
    assert infer_schema(pd.DataFrame([[1.0, "x"]], columns=[False, True])) == Schema(
        [ColSpec("double"), ColSpec("string")]
    )
    with pytest.raises(InvalidSchemaError, match="'a'"):
        infer_schema(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))
    assert infer_schema(pd.DataFrame()) == Schema([])


def test_text_tensors_have_no_length() -> None:
    assert infer_schema(np.array(["long", "x"])) == Schema([TensorSpec(np.dtype("U"), (-1,))])
    assert infer_schema(np.array(5)) == Schema([TensorSpec(np.dtype("int64"), ())])


def test_integers_are_warned_of_only_where_a_gap_would_change_them() -> None:
    with pytest.warns(UserWarning, match=r"integer columns \['n'\]"):
        infer_signature(pd.DataFrame({"n": [1], "x": [0.5]}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        infer_signature(pd.DataFrame({"x": [0.5]}), pd.DataFrame({"n": [1]}))
        infer_signature(pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}))
        infer_signature(pa.table({"n": [1]}))


def test_params() -> None:
    signature = infer_signature(params={"limit": 0.5, "words": ["a"], "n": 3, "on": True, "raw": b"x", "none": []})
    assert signature.params is not None
    found = {param.name: (param.dtype, param.shape) for param in signature.params}
    assert found == {
        "limit": (DataType.double, None),
        "words": (DataType.string, (-1,)),
        "n": (DataType.long, None),
        "on": (DataType.boolean, None),
        "raw": (DataType.binary, None),
        "none": (DataType.double, (-1,)),
    }
    for value in (None, [[1], [2, 3]], {"x": 1}, 2**70, object()):
        with pytest.raises(UnsupportedColumnError, match="'p'"):
            infer_signature(params={"p": value})

"""Input examples of each kind the document has, and files of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import spark_models.pyfunc
from spark_models.errors import InvalidExampleError, InvalidPackageError, PathEscapesError
from spark_models.package.example import decode_output, encode_output, read_example, read_predictions, save_example
from spark_models.types.schema import Schema, TensorSpec


@pytest.mark.parametrize(
    "example",
    [
        5,
        "text",
        None,
        [],
        {},
        {"x": [1, 2]},
        {"x": 1, "y": np.ones(2)},
        [np.ones((2, 2))],
        pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
        {"x": "\ud800"},
    ],
)
def test_what_is_no_example(example: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidExampleError):
        save_example(example, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_as_the_document_prints_it(tmp_path: Path) -> None:
    save_example(pd.DataFrame({"a": [1], "raw": [b"abc"]}, index=[7]), tmp_path)
    assert json.loads((tmp_path / "input_example.json").read_text()) == {"columns": ["a", "raw"], "data": [[1, "YWJj"]]}
    save_example([1, "x"], tmp_path)
    assert json.loads((tmp_path / "input_example.json").read_text()) == {"data": [[1, "x"]]}
    save_example({"t": np.ones((1, 2), "float32")}, tmp_path)
    assert json.loads((tmp_path / "input_example.json").read_text()) == {"inputs": {"t": [[1.0, 1.0]]}}


def test_integers_on_both_sides_of_the_sign_bit(tmp_path: Path) -> None:
    array = np.array([0, 2**63 + 1], "uint64")
    assert read_example(save_example(array, tmp_path), tmp_path).tolist() == [0, 2**63 + 1]


@pytest.mark.parametrize(
    "body", ["", "{", "[[1], []]", '{"data": [[1], []]}', '{"inputs": [[1], [1, 2]]}', "5", '{"x": 1}']
)
def test_a_file_that_is_no_example(body: str, tmp_path: Path) -> None:
    (tmp_path / "input_example.json").write_text(body)
    with pytest.raises(InvalidPackageError):
        read_example({}, tmp_path)


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"kind": "dict", "items": []}', '{"kind": "dataframe", "dtypes": ["int64"], "data": [[]]}']
)
def test_a_file_that_holds_no_predictions(body: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(body)
    with pytest.raises(InvalidPackageError):
        read_predictions({"artifact_path": "p.json"}, tmp_path)


def test_no_example_is_read_from_outside(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "secret.json").write_text('{"data": [[1]]}')
    (tmp_path / "m" / "link.json").symlink_to(tmp_path / "secret.json")
    for path in ("../secret.json", str(tmp_path / "secret.json"), "link.json"):
        for read in (read_example, read_predictions):
            with pytest.raises(PathEscapesError):
                read({"artifact_path": path}, tmp_path / "m")


def _again(example: Any, folder: Path) -> Any:
    return read_example(json.loads(json.dumps(save_example(example, folder))), folder)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([[1, "x", 0.5]], columns=["a", "a", "a"]),
        pd.DataFrame([[1, "x"]], columns=pd.Index([1, "1"])),
        pd.DataFrame([[1, "x"]], columns=[7, 5]),
        pd.DataFrame({"a": ["x", np.nan]}),
        pd.DataFrame({"a": ["x", None]}),
        pd.DataFrame({"a": np.array(["9999-12-31", "0001-01-01", "NaT"], "datetime64[s]")}),
        pd.DataFrame({"a": pd.Categorical(["x", None, "y"])}),
        pd.DataFrame({"a": pd.period_range("2020-01", periods=2, freq="M")}),
        pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.5])}),
        pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]")}),
    ],
    ids=lambda frame: "/".join(f"{label} {dtype}" for label, dtype in zip(frame.columns, frame.dtypes, strict=True)),
)
def test_frames_that_json_alone_would_change(frame: pd.DataFrame, tmp_path: Path) -> None:
    found = _again(frame, tmp_path)
    pd.testing.assert_frame_equal(found, frame)
    pairs = zip(found.to_numpy(object).ravel(), frame.to_numpy(object).ravel(), strict=True)
    assert all((one is None) == (other is None) for one, other in pairs)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": pd.array([[1.0], [2.0]], dtype=pd.ArrowDtype(pa.list_(pa.float64())))}),
        pd.DataFrame({"a": pd.arrays.IntervalArray.from_breaks([0, 1, 2])}),
    ],
    ids=["lists of Arrow", "intervals"],
)
def test_a_dtype_that_has_no_way_back_is_plain_objects(frame: pd.DataFrame, tmp_path: Path) -> None:
    found = _again(frame, tmp_path)
    assert (found["a"].dtype, len(found)) == (object, 2)


def test_bytes_in_tensors(tmp_path: Path) -> None:
    array = np.array([[b"ab", b"\x00\xff"]])
    np.testing.assert_array_equal(_again(array, tmp_path), array)
    np.testing.assert_array_equal(decode_output(json.loads(json.dumps(encode_output(array)))), array)


class Gives(spark_models.pyfunc.PythonModel):
    def __init__(self, output: Any) -> None:
        self.output = output

    def predict(self, context: Any, model_input: Any) -> Any:
        return self.output


@pytest.mark.parametrize(
    "output",
    [
        None,
        "text",
        5.0,
        {"a": 1},
        pa.table({"a": [1]}),
        pd.Series([1], name=("a", "b")),
        pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
    ],
    ids=lambda output: type(output).__name__,
)
def test_a_model_whose_predictions_have_no_json_is_saved_all_the_same(output: Any, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="can't be stored"):
        spark_models.pyfunc.save_model(tmp_path / "m", python_model=Gives(output), input_example={"x": 1.0})
    model = spark_models.pyfunc.load_model(tmp_path / "m")
    assert model.metadata.load_input_example(tmp_path / "m")["x"].tolist() == [1.0]
    assert model.metadata.load_example_predictions(tmp_path / "m") is None
    assert not (tmp_path / "m" / "example_predictions.json").exists()


@pytest.mark.parametrize(
    ("info", "body", "expected"),
    [
        ({"type": "ndarray"}, [[1.5]], np.array([[1.5]])),
        ({"type": "ndarray"}, {"x": [1.5]}, {"x": np.array([1.5])}),
        ({"type": "ndarray"}, {"inputs": [1.5]}, {"inputs": np.array([1.5])}),
        ({"type": "ndarray", "params": "true"}, {"inputs": [1.5], "params": {"k": 1}}, np.array([1.5])),
        ({"type": "dataframe", "params": "true"}, {"inputs": {"columns": ["x"], "data": [[1.5]]}, "params": {}}, None),
    ],
    ids=str,
)
def test_examples_as_newer_mlflow_writes_them(info: Any, body: Any, expected: Any, tmp_path: Path) -> None:
    (tmp_path / "input_example.json").write_text(json.dumps(body))
    named = isinstance(expected, dict)
    schema = Schema([TensorSpec(np.dtype("float64"), (-1,), next(iter(expected)) if named else None)])
    found = read_example({"artifact_path": "input_example.json", **info}, tmp_path, schema)
    if expected is None:
        pd.testing.assert_frame_equal(found, pd.DataFrame({"x": [1.5]}))
    elif named:
        assert {name: values.tolist() for name, values in found.items()} == {
            name: values.tolist() for name, values in expected.items()
        }
    else:
        np.testing.assert_array_equal(found, expected)

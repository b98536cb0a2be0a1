"""Packages that were written once load for ever: of this format from its first day on, and of the document's time.

`format-1/` holds packages as they were written. They hold no code that only one Python reads, and are never renewed: a
later format gets a folder of its own. Pickles of scikit-learn do not last that long, so where one is needed it is made
here, beside a hand-written MLmodel.
"""

from __future__ import annotations

import datetime
import decimal
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import spark_models.pyfunc
import spark_models.sklearn
from spark_models.models import Model, ModelSignature
from spark_models.package.reader import open_package
from spark_models.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

WRITTEN = Path(__file__).parent / "format-1"


@pytest.fixture(autouse=True)
def own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a package brings along is gone after its test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("old_loader", "old_words"):
        sys.modules.pop(name, None)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a committed package: loading one compiles its code, and that is not to be seen in the repository."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(WRITTEN / name, tmp_path / name))

    return copy


def test_a_loader_with_its_data(written: Callable[[str], Path]) -> None:
    path = written("loader")
    assert open_package(path).verify() == open_package(path).content_hash()
    model = spark_models.pyfunc.load_model(path, suppress_warnings=True)
    inputs = Schema([ColSpec("double", "a"), ColSpec("double", "b"), ColSpec("long", "n", required=False)])
    assert model.signature == ModelSignature(inputs, Schema([TensorSpec(np.dtype("float64"), (-1,))]))
    assert (model.metadata.run_id, model.metadata.artifact_path) == ("0f3c", "model")
    assert (model.metadata.model_uuid, model.metadata.metadata) == ("5e1f0d", {"owner": "compat"})
    example = model.metadata.load_input_example(path)
    pd.testing.assert_frame_equal(example, pd.DataFrame({"a": [0.5, np.nan, -1.25], "b": [1.0, 2.0, 3.0]}))
    stored = model.metadata.load_example_predictions(path)
    np.testing.assert_array_equal(stored, np.array([0.0, np.nan, -5.5]))
    np.testing.assert_array_equal(model.predict(example), stored)


def test_a_pickled_model_with_code_and_an_artifact(written: Callable[[str], Path]) -> None:
    path = written("python_model")
    model = spark_models.pyfunc.load_model(path, suppress_warnings=True)
    assert model.signature == ModelSignature(params=ParamSchema([ParamSpec("shift", DataType.long, 0)]))
    example = model.metadata.load_input_example(path)
    stored = model.metadata.load_example_predictions(path)
    pd.testing.assert_frame_equal(stored, pd.DataFrame({"score": [3, 13]}))
    pd.testing.assert_frame_equal(model.predict(example), stored)
    assert model.predict(example, {"shift": 5})["score"].tolist() == [8, 18]


def test_an_example_of_every_dtype(written: Callable[[str], Path]) -> None:
    path = written("python_model")
    lists = pd.Series([[1.0, 2.0], []], dtype=object)
    expected = pd.DataFrame(
        {
            "bytes": [b"\x00\xff", None],
            "date": [datetime.date(2020, 1, 31), None],
            "at": pd.to_datetime(["2020-01-31T12:34:56.123456789", None]),
            # Half past two comes twice in this night.
            "zoned": pd.to_datetime(["2020-10-25T00:30:00Z", "2020-10-25T01:30:00Z"]).tz_convert("Europe/Berlin"),
            "price": [decimal.Decimal("1.10"), None],
            "n": pd.array([1, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "small": np.array([1, 2], "int8"),
            "big": np.array([2**64 - 1, 0], "uint64"),
            "f": np.array([0.1, np.nan], "float32"),
            "text": ['ä "x"', None],
            "gap": ["x", np.nan],
            "s": pd.array(["x", None], dtype="string"),
            "list": lists,
            "wait": pd.to_timedelta(["1D", None]),
        }
    )
    found = Model.load(path).load_input_example(path)
    pd.testing.assert_frame_equal(found, expected)
    assert str(found["price"][0]) == "1.10"
    assert (found["text"][1], type(found["gap"][1])) == (None, float)


def test_writing_a_package_again_changes_nothing_in_it(written: Callable[[str], Path]) -> None:
    for name in ("loader", "python_model"):
        path = written(name)
        Model.load(path).save(path)
        assert open_package(path).verify() != ""
        assert Model.load(path) == Model.load(WRITTEN / name)


# --- written by hand, as other tools and times write them


@pytest.fixture
def linear() -> LinearRegression:
    return LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}), [0.0, 3.0])


FRAME = pd.DataFrame({"y": [1.0, 2.0], "x": [0.5, 0.25]})

SKLEARN = {
    "the document's own": """\
time_created: 2018-05-25T17:28:53.35

flavors:
  sklearn:
    sklearn_version: 0.19.1
    pickled_model: model.pkl
  python_function:
    loader_module: mlflow.sklearn
""",
    "with the data of the first releases": """\
utc_time_created: '2018-05-25 17:28:53.353535'
flavors:
  sklearn: {sklearn_version: 0.19.1, pickled_model: model.pkl}
  python_function: {loader_module: mlflow.sklearn, data: model.pkl, python_version: 3.6.5}
""",
    "of MLflow 1.20": """\
artifact_path: model
flavors:
  python_function:
    env: conda.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.8.8
  sklearn:
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 0.24.2
run_id: 0f3c5e
signature:
  inputs: '[{"name": "x", "type": "double"}, {"name": "y", "type": "double"}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
utc_time_created: '2021-09-01 12:00:00.123456'
""",
    "of MLflow 2 and 3": """\
artifact_path: model
databricks_runtime: 15.4.x-cpu-ml-scala2.12
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.5.2
is_signature_from_type_hint: false
mlflow_version: 3.1.0
model_id: m-0f3c5e
model_size_bytes: 1024
prompts: null
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  serving_input_path: serving_input_example.json
  type: dataframe
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "double", "name": "y", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: null
type_hint_from_example: false
utc_time_created: '2026-01-31 12:00:00.123456'
""",
}


@pytest.mark.parametrize("mlmodel", SKLEARN.values(), ids=list(SKLEARN))
def test_a_sklearn_model(mlmodel: str, linear: LinearRegression, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(mlmodel)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(linear))
    # MLflow's examples have no word about dtypes: the signature says that whole numbers are doubles.
    (tmp_path / "input_example.json").write_text('{"columns": ["x", "y"], "data": [[1, 2], [0.5, null]]}')
    with pytest.warns(UserWarning, match="saved with scikit-learn"):
        model = spark_models.pyfunc.load_model(tmp_path, suppress_warnings=True)
    ordered = FRAME[["x", "y"]]
    given = FRAME if model.signature is not None else ordered
    np.testing.assert_allclose(model.predict(given), linear.predict(ordered), rtol=1e-12)
    with pytest.warns(UserWarning, match="saved with scikit-learn"):
        assert type(spark_models.sklearn.load_model(tmp_path)) is LinearRegression
    if model.metadata.saved_input_example_info is not None:
        example = model.metadata.load_input_example(tmp_path)
        pd.testing.assert_frame_equal(example, pd.DataFrame({"x": [1.0, 0.5], "y": [2.0, np.nan]}))


def test_the_documents_time_is_read_to_the_fraction() -> None:
    content = {"time_created": "2018-05-25T17:28:53.35", "flavors": {}}
    assert Model.from_dict(content).time_created == datetime.datetime(2018, 5, 25, 17, 28, 53, 350000)


PYFUNC = """\
flavors:
  python_function:
    artifacts:
      words:
        path: artifacts/words.txt
        uri: /home/somebody/words.txt
    cloudpickle_version: 1.6.0
    env: conda.yaml
    loader_module: mlflow.pyfunc.model
    python_model: python_model.pkl
    python_version: {version}
"""


class Counts:
    """What an instance of MLflow's own PythonModel is once it is loaded: an object with these two methods."""

    words: str

    def load_context(self, context: Any) -> None:
        self.words = Path(context.artifacts["words"]).read_text()

    def predict(self, context: Any, model_input: Any) -> Any:
        return [len(self.words.split()) + value for value in model_input]


def test_a_python_model_of_mlflow(tmp_path: Path) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    (tmp_path / "MLmodel").write_text(PYFUNC.format(version=version))
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "words.txt").write_text("one two")
    (tmp_path / "python_model.pkl").write_bytes(cloudpickle.dumps(Counts()))
    model = spark_models.pyfunc.load_model(tmp_path)
    assert model.predict([1, 2]) == [3, 4]
    assert Model.load(tmp_path).flavors["python_function"]["loader_module"] == "mlflow.pyfunc.model"

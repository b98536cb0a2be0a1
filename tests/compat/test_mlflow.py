"""Packages that MLflow 1.20, 2.x and 3.x wrote are scored here, without MLflow.

`scripts/mlflow_packages.py` made them, with what the MLflow of their time answered. What only another version of the
library reads is said in `NOT_READ`, with the reason; all else loads for ever.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models.pyfunc
from spark_models.models import Model

HERE = Path(__file__).parent
WRITTEN = sorted(path.parent for path in HERE.glob("mlflow-*/*/MLmodel"))
LIBRARIES = {"onnx": "onnxruntime", "python_model": "numpy", "xgboost_classifier": "xgboost"}
NOT_READ = {
    "1.20.2/sklearn": "scikit-learn's pickles are read by their own version alone",
}


def name_of(path: Path) -> str:
    return f"{path.parent.name.removeprefix('mlflow-')}/{path.name}"


def answers(path: Path) -> tuple[pd.DataFrame, list[float]]:
    stated = json.loads((path.parent / "answers.json").read_text())
    return pd.DataFrame(stated["rows"]), stated["answers"][path.name]


@pytest.mark.filterwarnings("ignore:The model was saved with")
@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_a_package_of_mlflow_gives_its_answers(path: Path, tmp_path: Path) -> None:
    library = LIBRARIES.get(path.name, path.name)
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    if Model.load(path).flavors.get("sklearn", {}).get("serialization_format") == "skops":
        pytest.importorskip("skops")
    if path.name == "python_model" and sys.version_info[:2] != (3, 11):
        pytest.skip("it holds bytecode of Python 3.11")
    rows, expected = answers(path)
    copy = shutil.copytree(path, tmp_path / "model")
    try:
        model = spark_models.pyfunc.load_model(copy, suppress_warnings=True)
        found = model.predict(rows)
    except Exception as error:
        if name_of(path) in NOT_READ:
            pytest.xfail(f"{NOT_READ[name_of(path)]}: {type(error).__name__}")
        raise
    numbers = np.asarray(found, dtype="float64").reshape(len(rows))
    np.testing.assert_allclose(numbers, expected, rtol=1e-6)
    assert model.signature is not None
    pd.testing.assert_frame_equal(model.metadata.load_input_example(copy), rows)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="it holds bytecode of Python 3.11")
@pytest.mark.parametrize("version", ["1.20.2", "2.22.1", "3.17.2"])
def test_no_module_stands_for_mlflow(version: str) -> None:
    """The classes are resolved by the unpickler: afterwards `import mlflow` fails as it did before."""
    if importlib.util.find_spec("mlflow") is not None:
        pytest.skip("MLflow is installed")
    program = (
        "import sys, spark_models.pyfunc as p\n"
        "model = p.load_model(sys.argv[1], suppress_warnings=True).unwrap_python_model()\n"
        "assert isinstance(model, p.PythonModel), type(model).__mro__\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'mlflow'])\n"
    )
    path = str(HERE / f"mlflow-{version}" / "python_model")
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, path],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_what_has_no_stand_in_is_named(tmp_path: Path) -> None:
    import io

    from spark_models.errors import MissingExtraError
    from spark_models.pyfunc.unpickling import ModelUnpickler

    if importlib.util.find_spec("mlflow") is not None:
        pytest.skip("MLflow is installed")
    with pytest.raises(MissingExtraError) as caught:
        ModelUnpickler(io.BytesIO(b"cmlflow.pyfunc\nChatModel\n.")).load()
    assert str(caught.value) == (
        "[MISSING_EXTRA] The pickled model names mlflow.pyfunc.ChatModel: loading it needs mlflow, which is not "
        "installed.\nHint: pip install 'spark-models[mlflow]'"
    )


def test_a_rewrite_keeps_every_key(tmp_path: Path) -> None:
    for path in WRITTEN:
        copy = Path(shutil.copytree(path, tmp_path / name_of(path)))
        before: Any = Model.load(copy)
        before.save(copy)
        assert Model.load(copy) == before
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert before.flavors == Model.load(path).flavors

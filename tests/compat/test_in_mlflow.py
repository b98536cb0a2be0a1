"""What is saved here is loaded by the real MLflow: as a python_function and natively, with its signature and example.

The models are those of the contract suite. What the MLflow that is installed has no loader for is said in `NOT_NATIVE`,
with the reason; the python_function of each is loaded all the same.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from flavor_laws import FlavorCase, assert_same, head
from native_cases import CASES, available

from spark_models.models import ModelSignature

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: scripts/environment heavy")

ONLY_KERAS_FILES = "MLflow 3 reads of Keras models only the .keras format"
OWN_FORM = "a format of this project's own: MLflow's loader of the flavor has no such thing"
NOT_NATIVE = {
    "fastai table": "MLflow 3 has no fastai; its release 2.22 was the last",
    "gluon table": "MLflow has no Gluon since its release 2.10",
    "gluon tensor": "MLflow has no Gluon since its release 2.10",
    "h2o table, mojo": OWN_FORM,
    "keras table, h5": ONLY_KERAS_FILES,
    "pytorch table, safetensors": OWN_FORM,
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> FlavorCase:
    found = available(request.param)
    if found is None:
        pytest.skip(f"{CASES[request.param][0]} is not installed: scripts/environment makes an environment that has it")
    return found


@pytest.fixture(scope="module")
def package(case: FlavorCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ours") / "model"
    case.save(path, signature=case.signature, input_example=head(case.data, 3), metadata={"owner": "contract"})
    return path


def test_mlflow_reads_the_signature_and_the_example(case: FlavorCase, package: Path) -> None:
    from mlflow.models import Model

    found = Model.load(str(package))
    assert ModelSignature.from_dict(found.signature.to_dict()) == case.signature
    assert found.metadata == {"owner": "contract"}
    assert_same(found.load_input_example(str(package)), head(case.data, 3))


def test_mlflow_loads_the_python_function(case: FlavorCase, package: Path) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(package))
    assert_same(model.predict(case.data), case.oracle(case.data))


def test_mlflow_loads_the_model_itself(case: FlavorCase, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if case.name in NOT_NATIVE:
        pytest.skip(NOT_NATIVE[case.name])
    flavor = case.name.split(" ")[0]
    theirs = importlib.import_module(f"mlflow.{flavor}")
    ours = importlib.import_module(f"spark_models.{flavor}")
    if case.native is None:
        model: Any = theirs.load_model(str(package))
        assert model is not None
        return
    # The case's own way of asking a model that was loaded, with MLflow's loader in the place of ours.
    monkeypatch.setattr(ours, "load_model", lambda path: theirs.load_model(str(path)))
    assert_same(case.native(package, case.data), case.oracle(case.data))

"""What the flavors of libraries do without the library: errors, options, and what loading would run."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spark_models import errors
from spark_models.flavors.capabilities import capabilities, tensor_rows
from spark_models.flavors.native import imported, thread_limit
from spark_models.flavors.registry import BUILT_IN, LOADERS, flavor_module
from spark_models.models import Model, ModelSignature
from spark_models.package.audit import code_reasons
from spark_models.package.reader import open_package
from spark_models.types.schema import Schema, TensorSpec

ROOT = Path(__file__).parents[3]
EXTRAS = set(re.findall(r"^([a-z0-9]+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
NATIVE = {
    "catboost": ("catboost", {"model_binary": "f", "model_type": "CatBoost"}),
    "fastai": ("fastai", {"data": "f"}),
    "gluon": ("mxnet", {"data": "d"}),
    "h2o": ("h2o", {"data": "d"}),
    "keras": ("keras", {"data": "d"}),
    "lightgbm": ("lightgbm", {"data": "f"}),
    "onnx": ("onnx", {"data": "f"}),
    "pytorch": ("torch", {"model_data": "d"}),
    "sklearn": ("sklearn", {"pickled_model": "f"}),
    "spacy": ("spacy", {"data": "d"}),
    "statsmodels": ("statsmodels", {"data": "f"}),
    "tensorflow": ("tensorflow", {"saved_model_dir": "d"}),
    "xgboost": ("xgboost", {"data": "f"}),
}


def package(folder: Path, flavor: str, conf: dict[str, Any], *files: str, loader: str = "mlflow") -> Path:
    """A package with one flavor and files that nothing is in."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("model_file: x\n")
    python_function = {"loader_module": f"{loader}.{flavor}", "python_version": "3.11.7"}
    Model(flavors={flavor: conf, "python_function": python_function}).save(folder)
    return folder


@pytest.mark.parametrize("name", NATIVE)
def test_a_missing_library_is_named_with_its_extra(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, conf = NATIVE[name]
    path = package(tmp_path, name, conf, "f", "d/h2o.yaml")
    for loaded in [item for item in sys.modules if item.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.MissingExtraError) as caught:
        flavor_module(name).load_model(path)
    assert caught.value.extra in EXTRAS
    assert caught.value.extra == name
    assert f"pip install 'spark-models[{name}]'" in str(caught.value)


@pytest.mark.parametrize("name", sorted({*NATIVE} - {"sklearn"}))
def test_what_the_library_has_not_made_is_refused(name: str, tmp_path: Path) -> None:
    refused = errors.MissingExtraError if name == "tensorflow" else errors.InvalidModelError
    needed = {"pytorch": "torch"}.get(name)
    if needed is not None:
        pytest.importorskip(needed)
    if name == "tensorflow" and importlib.util.find_spec("tensorflow") is not None:
        refused = errors.InvalidModelError
    with pytest.raises(refused):
        flavor_module(name).save_model("a text", tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_every_built_in_flavor_has_an_extra_a_loader_and_capabilities() -> None:
    without = {"python_function", "crate", "mleap"}
    assert {*BUILT_IN} - without <= EXTRAS
    assert {f"mlflow.{name}" for name in {*BUILT_IN} - without} <= set(LOADERS)
    for name in {*BUILT_IN} - without:
        model = Model(flavors={"python_function": {"loader_module": f"mlflow.{name}"}})
        found = capabilities(model)
        assert found is not None
        assert found.library != ""
        assert found.formats != ()


REASONS: dict[str, tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "xgboost": ("xgboost", {"data": "model.ubj"}, ("model.ubj",), ()),
    "lightgbm Booster": (
        "lightgbm",
        {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"},
        ("model.lgb",),
        (),
    ),
    "lightgbm of old": ("lightgbm", {"data": "model.lgb", "lgb_version": "3.2.1"}, ("model.lgb",), ()),
    "lightgbm estimator": (
        "lightgbm",
        {"data": "model", "model_class": "lightgbm.sklearn.LGBMClassifier"},
        ("model",),
        ("'model' is a pickle",),
    ),
    "sklearn skops": ("sklearn", {"pickled_model": "m", "serialization_format": "skops"}, ("m",), ()),
    "sklearn skops, trusting": (
        "sklearn",
        {"pickled_model": "m", "serialization_format": "skops", "skops_trusted_types": ["os.system"]},
        ("m",),
        ("skops builds the types ['os.system'], which the package itself trusts",),
    ),
    "sklearn pickle by another name": ("sklearn", {"pickled_model": "m"}, ("m",), ("'m' is a pickle",)),
    "statsmodels": (
        "statsmodels",
        {"data": "model.statsmodels"},
        ("model.statsmodels",),
        ("'model.statsmodels' is a pickle",),
    ),
    "fastai": ("fastai", {"data": "model.fastai"}, ("model.fastai",), ("'model.fastai' is a pickle",)),
    "pytorch pickle": ("pytorch", {"model_data": "data"}, ("data/model.pth",), ("'data/model.pth' is a pickle",)),
    "pytorch script": (
        "pytorch",
        {"model_data": "data", "serialization_format": "torchscript"},
        ("data/model.pth",),
        (),
    ),
    "pytorch pt2 of MLflow": ("pytorch", {"model_data": "data"}, ("data/model.pt2",), ()),
    "pytorch safetensors": (
        "pytorch",
        {"model_data": "data", "serialization_format": "safetensors", "model_class": "net.Net"},
        ("data/model.safetensors",),
        ("the class 'net.Net' is imported and called",),
    ),
    "keras": ("keras", {"data": "data"}, ("data/model.keras",), ()),
    "keras with objects": (
        "keras",
        {"data": "data"},
        ("data/model.keras", "data/custom_objects.cloudpickle"),
        ("'data/custom_objects.cloudpickle' is a pickle",),
    ),
    "keras h5": (
        "keras",
        {"data": "data"},
        ("data/model.h5",),
        ("Keras may rebuild Lambda layers from bytecode in the HDF5 file",),
    ),
    "tensorflow": (
        "tensorflow",
        {"saved_model_dir": "tfmodel"},
        ("tfmodel/saved_model.pb",),
        ("the graph of a SavedModel may read and write files",),
    ),
    "tensorflow with Keras": (
        "tensorflow",
        {"model_type": "keras", "data": "data"},
        ("data/model.keras",),
        (),
    ),
    "h2o": ("h2o", {"data": "model.h2o"}, ("model.h2o/gbm",), ("the server of H2O deserializes its model",)),
    "onnx": ("onnx", {"data": "model.onnx"}, ("model.onnx",), ()),
    "spacy": ("spacy", {"data": "model.spacy"}, ("model.spacy/config.cfg",), ()),
    "gluon": ("gluon", {"data": "data"}, ("data/net-symbol.json", "data/net-0000.params"), ()),
    "catboost": ("catboost", {"model_binary": "model.cb"}, ("model.cb",), ()),
}


@pytest.mark.parametrize("loader", ["mlflow", "spark_models"])
@pytest.mark.parametrize("case", REASONS)
def test_audit_says_what_loading_would_run(case: str, loader: str, tmp_path: Path) -> None:
    flavor, conf, files, expected = REASONS[case]
    path = package(tmp_path, flavor, conf, *files, loader=loader)
    assert code_reasons(open_package(path)) == expected


def test_the_arguments_of_h2o_init_are_told(tmp_path: Path) -> None:
    path = package(tmp_path, "h2o", {"data": "model.h2o"}, "model.h2o/h2o.yaml")
    (path / "model.h2o" / "h2o.yaml").write_text("init:\n  ip: other.example.org\nmodel_format: mojo\n")
    assert code_reasons(open_package(path)) == ("h2o.init is called with the arguments of its h2o.yaml",)


@pytest.mark.parametrize("name", ["os.system", "xgboost.no_such", "no.such.Module", "text", "json.loads"])
def test_a_class_of_a_package_is_a_class(name: str) -> None:
    with pytest.raises(errors.InvalidModelError):
        imported(name, "pytorch")


def test_a_class_of_a_package_may_be_only_the_librarys() -> None:
    with pytest.raises(errors.InvalidModelError, match="a model class of xgboost"):
        imported("decimal.Decimal", "xgboost", within="xgboost")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": "2", "SPARK_MODELS_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "many"}, None),
        ({"OMP_NUM_THREADS": "0"}, None),
    ],
)
def test_the_limit_of_threads(variables: dict[str, str], expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "SPARK_MODELS_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert thread_limit() == expected


def test_networks_get_bounded_batches_and_nothing_else_is_cut() -> None:
    def model(loader: str, shape: tuple[int, ...], **facts: Any) -> Model:
        signature = ModelSignature(Schema([TensorSpec(np.dtype("float32"), shape)]))
        return Model(flavors={"python_function": {"loader_module": loader}}, signature=signature, **facts)

    assert tensor_rows(model("mlflow.onnx", (-1, 3))) == 1024
    assert tensor_rows(model("spark_models.pytorch", (-1, 3), metadata={"batch_rows": 64})) == 64
    assert tensor_rows(model("spark_models.pytorch", (8, 3))) is None
    assert tensor_rows(model("spark_models.pyfunc.model", (-1, 3))) is None
    assert tensor_rows(Model(flavors={"python_function": {"loader_module": "mlflow.onnx"}})) is None

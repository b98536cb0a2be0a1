"""Loaded models: params, methods, contexts, and the code that a package brings along."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
from spark_models import errors
from spark_models.models import ModelSignature
from spark_models.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

ROOT = Path(__file__).parent.parent.parent.parent
INPUTS = Schema([ColSpec("double", "x")])


class Scaled(spark_models.pyfunc.PythonModel):
    """A model with parameters and a second method."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input["x"].to_numpy() * (params or {}).get("factor", 1.0)

    def explain(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return [f"{column}" for column in model_input.columns]

    kind = "no method"


class Bare(spark_models.pyfunc.PythonModel):
    """A model of MLflow 3's form: no context, no params."""

    def predict(self, model_input: Any) -> Any:  # type: ignore[override]
        return model_input


@pytest.fixture
def scaled(tmp_path: Path) -> Any:
    params = ParamSchema([ParamSpec("factor", DataType.double, 2.0), ParamSpec("tags", DataType.string, [], (-1,))])
    signature = ModelSignature(INPUTS, params=params)
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Scaled(), signature=signature)
    return spark_models.pyfunc.load_model(tmp_path / "m")


FRAME = pd.DataFrame({"x": [1.0, 2.0]})


def test_params_have_their_defaults_and_types(scaled: Any) -> None:
    assert scaled.predict(FRAME).tolist() == [2.0, 4.0]
    assert scaled.predict(FRAME, {"factor": 3}).tolist() == [3.0, 6.0]
    assert scaled.predict(FRAME, params={"factor": np.float32(0.5), "tags": ["a"]}).tolist() == [0.5, 1.0]
    assert scaled.signature.params == scaled.metadata.signature.params


def test_wrong_params_are_all_named(scaled: Any) -> None:
    with pytest.raises(errors.InvalidParamsError) as caught:
        scaled.predict(FRAME, {"Factor": 1.0, "factor": "a lot", "tags": "one"})
    text = str(caught.value)
    assert all(part in text for part in ("'Factor'", "'factor' must be double, not str", "'tags' must be string"))
    assert "a lot" not in text
    with pytest.raises(errors.InvalidParamsError):
        scaled.predict(FRAME, {"factor": True})


def test_a_model_that_takes_no_params_says_so(tmp_path: Path) -> None:
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Bare())
    model = spark_models.pyfunc.load_model(tmp_path / "m")
    assert model.predict([1]) == [1]
    with pytest.raises(errors.InvalidArgumentError, match="takes no params"):
        model.predict([1], {"a": 1})


def test_another_method_scores_on_request(scaled: Any, tmp_path: Path) -> None:
    assert spark_models.pyfunc.load_model(tmp_path / "m", method="explain").predict(FRAME) == ["x"]
    assert scaled.with_method(None) is scaled
    for method in ("nonsense", "kind", "__init__", "__reduce__", ""):
        with pytest.raises(errors.InvalidModelError):
            scaled.with_method(method)


def test_a_classifier_gives_its_probabilities(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]}), [0, 0, 1, 1])
    spark_models.sklearn.save_model(fitted, tmp_path / "m", signature=ModelSignature(INPUTS))
    for method in ("predict", "predict_proba", "decision_function", "predict_log_proba"):
        model = spark_models.load_model(tmp_path / "m", method=method)
        np.testing.assert_array_equal(model.predict(FRAME), getattr(fitted, method)(FRAME))
    with pytest.raises(errors.InvalidArgumentError, match="does not score"):
        spark_models.load_model(tmp_path / "m", method="fit")
    with pytest.raises(errors.InvalidModelError):
        spark_models.load_model(tmp_path / "m", method="transform")
    spark_models.sklearn.save_model(fitted, tmp_path / "proba", pyfunc_predict_fn="predict_proba")
    np.testing.assert_array_equal(
        spark_models.load_model(tmp_path / "proba").predict(FRAME), fitted.predict_proba(FRAME)
    )


def test_predict_does_not_change_its_input(tmp_path: Path) -> None:
    class Greedy(spark_models.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            model_input["new"] = 1.0
            return model_input.pop("x")

    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Greedy(), signature=ModelSignature(INPUTS))
    frame = FRAME.copy(deep=True)
    assert spark_models.load_model(tmp_path / "m").predict(frame).tolist() == [1.0, 2.0]
    pd.testing.assert_frame_equal(frame, FRAME)


def test_the_instance_and_its_context(scaled: Any, tmp_path: Path) -> None:
    assert type(scaled.unwrap_python_model()).__name__ == "Scaled"
    assert "loader_module" not in repr(scaled)
    spark_models.pyfunc.save_model(tmp_path / "data", loader_module="json")
    with pytest.raises(errors.LoaderNotFoundError, match="_load_pyfunc"):
        spark_models.load_model(tmp_path / "data")


@pytest.fixture
def clean_imports() -> Iterator[None]:
    """What a test's packages import is forgotten after it."""
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith("carried_"):
            del sys.modules[name]


LOADER = """
class _Model:
    def predict(self, data):
        return {answer}
def _load_pyfunc(path):
    return _Model()
"""


def _carried(tmp_path: Path, form: str, answer: str) -> Path:
    """A package whose own code answers with `answer`; the code is a module, a package or a bare folder."""
    folder = tmp_path / f"code-{answer}"
    if form == "module":
        file = folder / "carried_model.py"
        code, name = file, "carried_model"
    else:
        code = folder / "carried_folder"
        file, name = code / "inner.py", "carried_folder.inner"
    file.parent.mkdir(parents=True)
    file.write_text(LOADER.format(answer=answer))
    if form == "package":
        (code / "__init__.py").write_text("")
    package = tmp_path / f"m-{answer}"
    spark_models.pyfunc.save_model(package, loader_module=name, code_paths=[code])
    return package


@pytest.mark.parametrize("form", ["module", "package", "bare folder"])
def test_two_packages_with_other_code_of_one_name(tmp_path: Path, clean_imports: None, form: str) -> None:
    first, second = _carried(tmp_path, form, "1"), _carried(tmp_path, form, "2")
    assert spark_models.load_model(first).predict(None) == 1
    with pytest.raises(errors.ModuleConflictError) as caught:
        spark_models.load_model(second)
    assert caught.value.modules == ("carried_model" if form == "module" else "carried_folder",)
    assert spark_models.load_model(first).predict(None) == 1


@pytest.mark.parametrize("form", ["module", "package", "bare folder"])
def test_two_packages_with_the_same_code(tmp_path: Path, clean_imports: None, form: str) -> None:
    first = _carried(tmp_path, form, "1")
    other = _carried(tmp_path / "again", form, "1")
    assert [spark_models.load_model(path).predict(None) for path in (first, other, first)] == [1, 1, 1]


def test_code_that_saving_ran_is_told_from_another_packages(tmp_path: Path, clean_imports: None) -> None:
    """An example is scored before the package is in its place: the files that were imported then are gone."""
    for answer in ("1", "2"):
        code = tmp_path / answer / "carried_once.py"
        code.parent.mkdir()
        code.write_text(LOADER.format(answer=f"[{answer}] * len(data)"))
        path = list(sys.path)
        if answer == "2":
            with pytest.raises(errors.ModuleConflictError, match="carried_once"):
                spark_models.pyfunc.save_model(
                    tmp_path / "m2", loader_module="carried_once", code_paths=[code], input_example={"x": 1.0}
                )
            spark_models.pyfunc.save_model(tmp_path / "m2", loader_module="carried_once", code_paths=[code])
        else:
            spark_models.pyfunc.save_model(
                tmp_path / "m1", loader_module="carried_once", code_paths=[code], input_example={"x": 1.0}
            )
        assert sys.path == path
    with pytest.raises(errors.ModuleConflictError, match="carried_once"):
        spark_models.load_model(tmp_path / "m2")
    assert spark_models.load_model(tmp_path / "m1").predict([0, 0]) == [1, 1]


@pytest.mark.parametrize("given", [FRAME, np.ones((2, 1)), {"a": np.ones(2)}], ids=lambda given: type(given).__name__)
def test_what_a_model_writes_stays_its_own(given: Any, tmp_path: Path) -> None:
    class Writes(spark_models.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            if isinstance(model_input, pd.DataFrame):
                model_input["x"] += 1.0
                return model_input["x"]
            array = model_input["a"] if isinstance(model_input, dict) else model_input
            array += 1.0
            return array

    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Writes())
    model = spark_models.load_model(tmp_path / "m")
    assert [np.asarray(model.predict(given)).tolist() for _ in range(2)] == 2 * [
        np.asarray(model.predict(given)).tolist()
    ]


def test_a_model_is_named_by_its_directory_or_by_its_mlmodel(tmp_path: Path) -> None:
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Bare())
    assert spark_models.load_model(tmp_path / "m" / "MLmodel").predict(5) == 5
    for other in ("python_model.pkl", "absent"):
        with pytest.raises((errors.InvalidYamlError, errors.ModelNotFoundError, errors.InvalidMLmodelError)):
            spark_models.load_model(tmp_path / "m" / other)


def test_loading_leaves_the_package_as_it_was_saved(tmp_path: Path, clean_imports: None) -> None:
    package = _carried(tmp_path, "package", "1")
    spark_models.load_model(package)
    spark_models.load_model(package)
    with pytest.raises(errors.CodeNotAllowedError, match="import path"):
        spark_models.load_model(package, allow_code=False)


def test_a_loader_with_data_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("seven")
    (tmp_path / "word_loader.py").write_text(
        "class Words:\n"
        "    def __init__(self, text): self.text = text\n"
        "    def predict(self, data): return [self.text] * len(data)\n"
        "def _load_pyfunc(path): return Words(open(path).read())\n"
    )
    spark_models.pyfunc.save_model(
        tmp_path / "m",
        loader_module="word_loader",
        data_path=tmp_path / "words.txt",
        code_path=[tmp_path / "word_loader.py"],
    )
    (tmp_path / "words.txt").unlink()
    code = f"import spark_models; print(spark_models.load_model({str(tmp_path / 'm')!r}).predict([1, 2]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "['seven', 'seven']"


def test_an_older_python_is_warned_of(tmp_path: Path) -> None:
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Bare())
    file = tmp_path / "m" / "MLmodel"
    running = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    assert running in file.read_text()
    file.write_text(file.read_text().replace(running, "3.6.1"))
    (tmp_path / "m" / "manifest.sha256").unlink()
    with pytest.warns(UserWarning, match=r"saved with Python 3\.6\.1"):
        spark_models.load_model(tmp_path / "m")


def test_defaults_of_params_stay_away_from_a_model_that_takes_none(tmp_path: Path) -> None:
    class Plain(spark_models.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            return model_input["x"] * 2

    signature = spark_models.infer_signature(pd.DataFrame({"x": [1.5]}), params={"threshold": 0.5})
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Plain(), signature=signature)
    model = spark_models.pyfunc.load_model(tmp_path / "m")
    assert model.predict(pd.DataFrame({"x": [1.5]})).tolist() == [3.0]
    with pytest.raises(errors.InvalidArgumentError, match="takes no params"):
        model.predict(pd.DataFrame({"x": [1.5]}), params={"threshold": 0.1})

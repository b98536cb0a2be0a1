"""`serialization_format="joblib"`: arrays in the pages of the file, and the same answers as by a pickle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import spark_models
import spark_models.sklearn as flavor
from spark_models.errors import CodeNotAllowedError
from spark_models.flavors.sklearn import CAPABILITIES
from spark_models.package.reader import open_package

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 4)), columns=list("abcd"))
LABELS = np.where(FRAME["a"] > 0, "yes", "no")
NUMBERS = (FRAME["a"] > 0).astype("int64").to_numpy()


def maps_of(path: Path) -> list[str]:
    """The mappings of this process that are of a file: their permissions."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split()[1] for line in lines if line.endswith(str(path))]


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    def saved(model: Any, **options: Any) -> Path:
        path = tmp_path / "model"
        flavor.save_model(model, path, serialization_format="joblib", **options)
        return path

    return saved


def test_the_package_says_how_it_was_written(saved: Any) -> None:
    package = open_package(saved(LinearRegression().fit(FRAME, NUMBERS)))
    assert package.flavor("sklearn")["serialization_format"] == "joblib"
    assert package.flavor("sklearn")["pickled_model"] == "model.joblib"
    assert package.pyfunc["loader_module"] == "spark_models.sklearn"
    assert package.pyfunc["model_path"] == "model.joblib"
    assert f"joblib=={joblib.__version__}" in (package.root / "requirements.txt").read_text()
    assert "cloudpickle" not in (package.root / "requirements.txt").read_text()
    assert CAPABILITIES.memory_mapped


def test_joblib_itself_reads_the_file(saved: Any) -> None:
    fitted = LinearRegression().fit(FRAME, NUMBERS)
    assert joblib.load(saved(fitted) / "model.joblib").coef_.tolist() == fitted.coef_.tolist()


@pytest.mark.parametrize("load", [flavor.load_model, spark_models.load_model])
def test_arrays_are_mapped_from_the_file_and_private_only_where_they_are_written(saved: Any, load: Any) -> None:
    path = saved(KNeighborsClassifier().fit(FRAME, NUMBERS))
    model = load(path)
    maps = maps_of(path / "model.joblib")
    assert set(maps) == {"rw-p"}
    assert model is not None


def test_a_model_that_writes_to_its_arrays_changes_its_own_copy_and_not_the_file(saved: Any) -> None:
    path = saved(LinearRegression().fit(FRAME, NUMBERS))
    before = (path / "model.joblib").read_bytes()
    model = flavor.load_model(path)
    kept = model.coef_.copy()
    model.coef_[:] = 0
    assert (path / "model.joblib").read_bytes() == before
    assert flavor.load_model(path).coef_.tolist() == kept.tolist()


MODELS = [
    LinearRegression(),
    LogisticRegression(),
    KNeighborsClassifier(algorithm="kd_tree"),
    KNeighborsClassifier(algorithm="ball_tree"),
    SVC(),
    RandomForestClassifier(n_estimators=5, random_state=0),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_answers_are_those_of_the_model_itself(saved: Any, model: Any, labels: bool) -> None:
    fitted = model.fit(FRAME, LABELS if labels and is_classifier(model) else NUMBERS)
    found = spark_models.load_model(saved(fitted)).predict(FRAME)
    assert type(found) is np.ndarray
    assert found.tolist() == fitted.predict(FRAME).tolist()


def test_the_example_settles_the_matrix_as_it_does_for_a_pickle(saved: Any) -> None:
    package = open_package(saved(LogisticRegression().fit(FRAME, NUMBERS), input_example=FRAME.head(3)))
    assert package.pyfunc["matrix_input"] is True


def test_it_is_code_all_the_same(saved: Any) -> None:
    path = saved(LinearRegression().fit(FRAME, NUMBERS))
    with pytest.raises(CodeNotAllowedError, match=r"'model.joblib' is a pickle"):
        spark_models.load_model(path, allow_code=False)


MANY = """
import resource, sys
import numpy as np
import spark_models.sklearn as flavor

class Arrays:
    def __init__(self, count):
        self.arrays = [np.full(10, number) for number in range(count)]

    def predict(self, data):
        return data

flavor.save_model(Arrays(300), sys.argv[1], serialization_format="joblib")
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
model = flavor.load_model(sys.argv[1])
print(len(model.arrays), sum(int(array[0]) for array in model.arrays))
"""


def test_more_arrays_than_a_process_may_open_files_are_read_into_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MANY, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == f"300 {sum(range(300))}\n", done.stderr

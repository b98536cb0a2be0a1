"""Flavors of other packages: found by their entry points, and never in the place of a built-in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spark_models.pyfunc
import spark_models.sklearn
from spark_models.errors import InvalidArgumentError
from spark_models.flavors.registry import BUILT_IN, flavor_module, flavor_names

ROOT = Path(__file__).parent.parent.parent

PLUGIN = '''
"""A flavor whose model is a number."""
from pathlib import Path

from spark_models.package.reader import open_package
from spark_models.package.writer import PackageWriter


def save_model(model, path, **options):
    with PackageWriter(path, requirements=["tiny-flavor==1.0"], **options) as package:
        (package.root / "number.txt").write_text(str(model))
        package.add_flavor("tiny", file="number.txt")
        package.add_pyfunc("tiny_flavor", data="number.txt")


def load_model(model_uri):
    package = open_package(model_uri)
    return float(package.path(package.flavor("tiny")["file"]).read_text())


class Adds:
    def __init__(self, number):
        self.number = number

    def predict(self, data):
        return data + self.number


def _load_pyfunc(path):
    return Adds(float(Path(path).read_text()))
'''

USE = """
import json, sys
import numpy as np
import spark_models
from spark_models.errors import SparkModelsError
from spark_models.flavors.registry import flavor_module, flavor_names

facts = {"names": flavor_names(), "imported": "tiny_flavor" in sys.modules}
tiny = flavor_module("tiny")
tiny.save_model(2.5, sys.argv[1])
facts["native"] = tiny.load_model(sys.argv[1])
facts["pyfunc"] = spark_models.load_model(sys.argv[1]).predict(np.array([1.0, 2.0])).tolist()
facts["sklearn"] = flavor_module("sklearn").__name__
for name in ("broken", "value"):
    try:
        flavor_module(name)
    except SparkModelsError as error:
        facts[name] = str(error)
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What another process sees with a plugin that is installed as pip would: a module and its dist-info."""
    site = tmp_path_factory.mktemp("site")
    (site / "tiny_flavor.py").write_text(PLUGIN)
    (site / "tiny_flavor-1.0.dist-info").mkdir()
    (site / "tiny_flavor-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny-flavor\nVersion: 1.0\n"
    )
    (site / "tiny_flavor-1.0.dist-info" / "entry_points.txt").write_text(
        "[spark_models.flavors]\ntiny = tiny_flavor\nsklearn = tiny_flavor\n"
        "broken = not_there\nvalue = tiny_flavor:PLAIN\n"
    )
    (site / "tiny_flavor.py").write_text(PLUGIN + "\nPLAIN = 5\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-c", USE, str(site / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_plugin_is_listed_before_it_is_imported(facts: Any) -> None:
    assert facts["names"] == sorted({*BUILT_IN, "tiny", "broken", "value"})
    assert facts["imported"] is False


def test_a_plugin_saves_and_loads(facts: Any) -> None:
    assert facts["native"] == 2.5
    assert facts["pyfunc"] == [3.5, 4.5]


def test_a_plugin_never_replaces_a_built_in_flavor(facts: Any) -> None:
    assert facts["sklearn"] == "spark_models.sklearn"


def test_a_broken_plugin_says_where_it_comes_from(facts: Any) -> None:
    assert facts["broken"].splitlines()[:2] == [
        "[LOADER_NOT_FOUND] The loader module 'not_there' can't be used: No module named 'not_there'.",
        "Where: entry point 'broken' of spark_models.flavors",
    ]
    assert "it is no module" in facts["value"]


def test_an_unknown_flavor_lists_the_known() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        flavor_module("catboots")
    assert all(name in str(caught.value) for name in flavor_names())


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_built_in_flavor_has_the_documents_functions(name: str) -> None:
    module = flavor_module(name)
    assert all(callable(getattr(module, function)) for function in ("save_model", "log_model", "load_model"))


@pytest.mark.parametrize("form", ["pickle", "cloudpickle"])
def test_sklearn_in_either_format(tmp_path: Path, form: str) -> None:
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    spark_models.sklearn.save_model(fitted, tmp_path / "m", serialization_format=form)
    assert spark_models.sklearn.load_model(tmp_path / "m").predict([[2.0]]).tolist() == pytest.approx([4.0])
    requirements = (tmp_path / "m" / "requirements.txt").read_text()
    assert ("cloudpickle" in requirements) == (form == "cloudpickle")


def test_what_sklearn_refuses_to_save(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import StandardScaler

    with pytest.raises(Exception, match="pyfunc_predict_fn='transform'"):
        spark_models.sklearn.save_model(StandardScaler(), tmp_path / "m")
    with pytest.raises(InvalidArgumentError, match="dill"):
        spark_models.sklearn.save_model(LinearRegression(), tmp_path / "m", serialization_format="dill")
    with pytest.raises(InvalidArgumentError, match="fit"):
        spark_models.sklearn.save_model(LinearRegression(), tmp_path / "m", pyfunc_predict_fn="fit")
    assert list(tmp_path.iterdir()) == []

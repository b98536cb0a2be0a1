"""The commands that work on a package's own environment. They install packages from an index, as uv is configured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import Server

import spark_models
from spark_models.models import infer_signature
from spark_models.package.reader import open_package
from spark_models.scoring.isolation.interpreters import find_uv

ROOT = Path(__file__).parents[2]
MANAGER = "virtualenv" if find_uv() is None else "uv"
COMMAND = [sys.executable, "-m", "spark_models"]


class Version(spark_models.pyfunc.PythonModel):
    """The version of a library where it runs, beside each row."""

    def predict(self, context: Any, model_input: Any) -> Any:
        import packaging

        return pd.DataFrame({"x": model_input["x"], "packaging": packaging.__version__})


@pytest.fixture(scope="module")
def versioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("environments") / "versioned"
    example = pd.DataFrame({"x": [1.0]})
    signature = infer_signature(example, pd.DataFrame({"x": [1.0], "packaging": ["1"]}))
    requirements = ["packaging==23.0"]
    spark_models.pyfunc.save_model(
        path, python_model=Version(), signature=signature, extra_pip_requirements=requirements
    )
    return path


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of commands that share one cache."""
    cache = tmp_path_factory.mktemp("cache")
    return {**os.environ, "PYTHONPATH": str(ROOT), "SPARK_MODELS_CACHE": str(cache / "packages")}


def call(variables: dict[str, str], *arguments: object, given: str | None = None) -> str:
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(command, env=variables, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


ROWS = '{"columns": ["x"], "data": [[1.5]]}'
FOUND = [{"x": 1.5, "packaging": "23.0"}]


def test_prepare_env_makes_an_environment_and_prints_its_python(versioned: Path, variables: dict[str, str]) -> None:
    printed = call(variables, "models", "prepare-env", "-m", versioned, "--env-manager", MANAGER)
    python = Path(printed.strip())
    code = "import packaging, spark_models; print(packaging.__version__, spark_models.__version__)"
    said = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["23.0", spark_models.__version__]
    assert call(variables, "models", "prepare-env", "-m", versioned, "--env-manager", MANAGER) == printed


def test_predict_scores_in_the_environment_of_the_package(versioned: Path, variables: dict[str, str]) -> None:
    assert metadata.version("packaging") != "23.0"
    found = call(variables, "models", "predict", "-m", versioned, "--env-manager", MANAGER, given=ROWS)
    assert json.loads(found) == FOUND
    here = json.loads(call(variables, "predict", "-m", versioned, "--env-manager", MANAGER, "--no-conda", given=ROWS))
    assert here[0]["packaging"] == metadata.version("packaging")


def test_serve_serves_in_the_environment_of_the_package(
    versioned: Path, variables: dict[str, str], start: Callable[..., Server]
) -> None:
    server = start("--env-manager", MANAGER, model=versioned, environment=variables)
    assert server.client.post("/invocations", json=json.loads(ROWS)).json() == FOUND
    assert server.end() == 0


def test_code_that_may_not_run_is_not_installed(versioned: Path, variables: dict[str, str]) -> None:
    command = [*COMMAND, "serve", "-m", str(versioned), "--env-manager", MANAGER, "--no-code"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("[CODE_NOT_ALLOWED] ")
    pinned = [*COMMAND, "predict", "-m", str(versioned), "--env-manager", MANAGER, "--expected-hash", "0" * 64]
    done = subprocess.run(pinned, env=variables, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("[HASH_MISMATCH] ")


def test_changed_requirements_are_those_of_the_next_environment(variables: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "changed"
    spark_models.pyfunc.save_model(path, python_model=Version(), extra_pip_requirements=["packaging==23.0"])
    before = open_package(path).content_hash()
    said = call(variables, "models", "update-requirements", "-m", path, "packaging==23.1", "six")
    assert open_package(path).verify() != before
    assert open_package(path).content_hash()[:12] in said
    found = call(variables, "predict", "-m", path, "--env-manager", MANAGER, given='[{"x": 2}]')
    assert json.loads(found) == [{"x": 2, "packaging": "23.1"}]


@pytest.mark.slow
def test_a_virtual_environment_by_pip(versioned: Path, variables: dict[str, str]) -> None:
    found = call(variables, "predict", "-m", versioned, "--env-manager", "virtualenv", given=ROWS)
    assert json.loads(found) == FOUND

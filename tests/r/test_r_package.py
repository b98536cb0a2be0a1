"""The R package of `r/`: its own tests, and a crate that it saved, scored from Python as in R."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spark_models.pyfunc
from spark_models.models import Model
from spark_models.package.reader import open_package
from spark_models.types.schema import ColSpec, Schema

ROOT = Path(__file__).parents[2] / "r"
RSCRIPT = shutil.which("Rscript")
pytestmark = pytest.mark.needs("r")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of R's that holds the package, installed from its source."""
    folder = tmp_path_factory.mktemp("library")
    source = shutil.copytree(ROOT, tmp_path_factory.mktemp("source") / "sparkmodels")
    command = ["R", "CMD", "INSTALL", "--no-docs", f"--library={folder}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def run(library: Path, *arguments: str) -> str:
    environment = {**os.environ, "R_LIBS": str(library)}
    done = subprocess.run(
        [str(RSCRIPT), *arguments], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_own_tests(library: Path) -> None:
    assert run(library, "tests/packages.R").splitlines()[-1] == "packages.R: all as it should be"


SAVE = """
library(sparkmodels)
rows <- data.frame(speed = c(10, 4.5, 21), kind = c("a", NA, "c"), n = 1:3, at = as.POSIXct("2020-01-31", tz = "UTC"))
fit <- lm(dist ~ speed, cars)
model <- crate(function(rows) data.frame(dist = unname(stats::predict(fit, rows)), kind = rows$kind), fit = fit)
save_model(model, commandArgs(TRUE)[[1]], input_example = rows)
cat(sprintf("%.17g", model(rows)$dist))
"""


@pytest.fixture(scope="module")
def saved(library: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A package that R saved, and what the function gives in R."""
    path = tmp_path_factory.mktemp("crates") / "model"
    script = path.parent / "save.R"
    script.write_text(SAVE)
    return path, [float(number) for number in run(library, str(script), str(path)).split()]


def test_the_package_is_of_our_format(saved: tuple[Path, list[float]]) -> None:
    path, _ = saved
    package = open_package(path)
    assert package.verify() == package.content_hash()
    assert (package.model.flavors["crate"]["model"], package.model.flavors["crate"]["version"]) == (
        "crate.bin",
        "0.1.0",
    )
    assert package.model.signature is not None
    names = [("double", "speed"), ("string", "kind"), ("integer", "n"), ("datetime", "at")]
    assert package.model.signature.inputs == Schema([ColSpec(kind, name) for kind, name in names])
    assert package.model.get_output_schema() == Schema([ColSpec("double", "dist"), ColSpec("string", "kind")])
    example = package.model.load_input_example(path)
    assert example["speed"].tolist() == [10, 4.5, 21]
    assert example["kind"].tolist() == ["a", None, "c"]
    assert str(example["at"][0]) == "2020-01-31 00:00:00"


def test_python_scores_it_as_r_does(saved: tuple[Path, list[float]]) -> None:
    pytest.importorskip("spark_models.flavors.crate")
    path, expected = saved
    rows = Model.load(path).load_input_example(path)
    found = spark_models.pyfunc.load_model(path).predict(rows)
    np.testing.assert_array_equal(found["dist"], expected)
    assert [None if pd.isna(kind) else kind for kind in found["kind"]] == ["a", None, "c"]

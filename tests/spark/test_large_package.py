"""Large arrays: every worker of a host reads them from the cache's own file, one copy in memory."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spark_models
import spark_models.sklearn
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

MB = 1 << 20
NUMBERS = 2 * MB
"""As many doubles: 16 MB."""

SIGNATURE = ModelSignature(Schema([ColSpec("double", "x")]))


@pytest.fixture
def models(spark: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the models, which Spark's workers find as well."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("large_models")


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture(params=["artifact", "joblib", "cloudpickle"])
def large(request: pytest.FixtureRequest, models: Any, marks: Path, tmp_path: Path) -> tuple[Path, str]:
    """A package with an array of ones, and the file in it that has the array."""
    path, weights = tmp_path / "model", np.ones(NUMBERS)
    if request.param == "artifact":
        np.save(tmp_path / "weights.npy", weights)
        artifacts = {"weights": str(tmp_path / "weights.npy")}
        spark_models.pyfunc.save_model(
            path, python_model=models.Lookup(marks), artifacts=artifacts, signature=SIGNATURE
        )
        return path, "artifacts/weights.npy"
    spark_models.sklearn.save_model(
        models.Table(weights, marks), path, serialization_format=request.param, signature=SIGNATURE
    )
    return path, f"model.{'joblib' if request.param == 'joblib' else 'pkl'}"


def kilobytes(pid: int, file: Path, figure: str) -> int:
    """A figure of all mappings of a file in a process, as /proc/<pid>/smaps says."""
    total, counts = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            counts = line.endswith(str(file))
        elif counts and name == f"{figure}:":
            total += int(rest[0])
    return total


def test_two_workers_share_the_pages_of_a_file_in_the_cache(spark: Any, large: tuple[Path, str], marks: Path) -> None:
    package, name = large
    predict = spark_models.pyfunc.spark_udf(spark, package, "double")
    shutil.rmtree(package)
    rows = spark.range(0, 4, 1, 2).selectExpr("cast(id as double) as x")
    assert [row[0] for row in rows.select(predict("x")).collect()] == [NUMBERS + x for x in range(4)]

    workers = [int(mark.name) for mark in marks.iterdir()]
    assert len(workers) == 2
    file = Path(predict.scorer.package.driver_root) / name
    size = NUMBERS * 8 / 1024
    mapped = [kilobytes(pid, file, "Rss") for pid in workers]
    if name == "model.pkl":  # a plain pickle is read into memory: nothing is mapped
        assert mapped == [0, 0]
        return
    assert all(size <= found <= size + 64 for found in mapped)
    assert sum(kilobytes(pid, file, "Pss") for pid in workers) <= size + 128
    assert [kilobytes(pid, file, "Private_Dirty") for pid in workers] == [0, 0]

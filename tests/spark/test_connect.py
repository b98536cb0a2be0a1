"""Spark Connect: no SparkContext, no JVM to call, and every answer the same."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
ROWS = 40

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("grpc") is None or importlib.util.find_spec("grpc_status") is None,
    reason="Spark Connect needs grpcio and grpcio-status: pip install 'pyspark[connect]'",
)


@pytest.fixture(scope="module")
def seen(spark_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a client process with a server of its own saw; one process for all tests of this module."""
    folder = tmp_path_factory.mktemp("connect")
    environment = dict(os.environ, PYTHONPATH=str(ROOT), SPARK_MODELS_CACHE=str(folder / "cache"))
    # A session that is remote by its variables would be another one.
    for name in ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_LOCAL_REMOTE"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "connect_driver.py"), str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_session_is_one_of_connect(seen: Any) -> None:
    assert seen["session"]["module"] == "pyspark.sql.connect.session"
    assert seen["session"]["classic"] == []


@pytest.mark.parametrize(
    "kind",
    [
        "double",
        "string",
        "boolean",
        "array<double>",
        "map<string,double>",
        "timestamp",
        "struct<x:double,y:string>",
    ],
)
def test_a_result_is_the_local_models(seen: Any, kind: str) -> None:
    assert seen["results"][kind] == {"rows": ROWS, "equal": True}


@pytest.mark.parametrize("way", ["none", "names", "columns", "struct", "sql", "score", "map"])
def test_every_way_of_calling(seen: Any, way: str) -> None:
    assert seen["calls"][way] == [2.0 * row for row in range(ROWS)]


@pytest.mark.parametrize(
    ("mistake", "code"),
    [
        ("ambiguous", "[AMBIGUOUS_BINDING] "),
        ("type", "[COLUMN_TYPE] "),
        ("missing", "[MISSING_COLUMNS] "),
        ("stats", "[INVALID_ARGUMENT] A UDF has stats only where there is a SparkContext."),
    ],
)
def test_errors_of_binding(seen: Any, mistake: str, code: str) -> None:
    assert code in seen["calls"][mistake]


def test_quarantine_and_an_optional_input(seen: Any) -> None:
    def row(number: int) -> list[Any]:
        if number == 7:
            return [7, None, None, "MODEL_ERROR", None]
        return [number, 2.0 * number, "-1" if number == 3 else str(number), None, None]

    assert seen["quarantine"]["rows"] == [row(number) for number in range(ROWS)]


def test_observed_stats_are_exact(seen: Any) -> None:
    found = seen["quarantine"]
    loads = found["loads"]
    assert found["stats"] == {"rows": ROWS, "batches": 4, "nulls": 1, "failed": 1, "loads": len(loads)}
    assert len(loads) == len(set(loads)) <= 2


def test_vectors(seen: Any) -> None:
    assert seen["vectors"] == [row + 1.0 for row in range(ROWS)]


def test_a_package_that_has_gone_since(seen: Any) -> None:
    assert seen["unplaced"] == sum(range(ROWS)) / 2


def test_the_package_is_shipped_by_its_hash(seen: Any) -> None:
    assert seen["shipped"]["total"] == sum(range(ROWS)) / 2
    (name,) = seen["shipped"]["entries"]
    assert len(name) == 64


@pytest.mark.parametrize("way", ["one pass", "held"])
def test_a_job_is_run_once_though_it_is_run_twice(seen: Any, way: str) -> None:
    found = seen["job"][way]
    assert found["outcomes"] == ["written", "already written"]
    assert found["counts"] == [ROWS, ROWS - 1, 1]
    assert found["scores"] == [ROWS, 1, 0.0, (ROWS - 1) / 2]
    assert found["rows"] == [row for row in range(ROWS) if row != 7]
    assert found["bad"] == [[7, "MODEL_ERROR"]]
    assert found["log"] == ["already written", "written"]


def test_a_job_on_connect_is_one_on_delta(seen: Any) -> None:
    if importlib.util.find_spec("delta") is None:
        pytest.skip("delta-spark is not installed for this Spark: the job above was one of Parquet files")
    assert seen["job"]["kind"] == "delta"

"""What all tests share: caches and runs of their own, one Spark session, and the tests on Spark last."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

ROOT = Path(__file__).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is quick to fail runs first; the order is otherwise the collected one."""
    items.sort(key=lambda item: item.get_closest_marker("spark") is not None)


@pytest.fixture(scope="session", autouse=True)
def private_directories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package cache and the runs of this test session, in a directory of its own."""
    base = tmp_path_factory.mktemp("spark-models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_MODELS_CACHE", str(base / "cache"))
        patch.setenv("SPARK_MODELS_HOME", str(base / "runs"))
        yield base


@pytest.fixture(scope="module", autouse=True)
def pickled_by_value(request: pytest.FixtureRequest) -> Iterator[None]:
    """Models that are defined in a test are pickled whole: Spark's workers and other processes import no test."""
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two packages for the tests of deployment targets: times two and times three."""
    import spark_models

    class Times(spark_models.pyfunc.PythonModel):
        def __init__(self, factor: int) -> None:
            self.factor = factor

        def predict(self, context: Any, model_input: Any) -> Any:
            return model_input * self.factor

    found = []
    for factor in (2, 3):
        path = tmp_path_factory.mktemp("models") / f"times{factor}"
        spark_models.pyfunc.save_model(path, python_model=Times(factor))
        found.append(str(path))
    return found


@pytest.fixture(scope="session")
def spark_environment() -> Iterator[None]:
    """The environment that a JVM and its Python workers inherit."""
    with pytest.MonkeyPatch.context() as patch:
        # Without them Spark would start another Python, or another Spark.
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_DRIVER_PYTHON", sys.executable)
        patch.delenv("SPARK_HOME", raising=False)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        folders = [str(ROOT), str(ROOT / "tests" / "spark"), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(folders))
        # collect() shows instants in the zone of the driver's Python.
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def delta_settings() -> dict[str, str]:
    """Delta for the one session, where its Python package is installed for this Spark; Maven has its jars."""
    if importlib.util.find_spec("delta") is None:
        return {}
    from spark_models.jobs.session import DELTA, delta_package

    # A snapshot of a table of a few files would be computed by 50 tasks.
    quick = {"spark.databricks.delta.snapshotPartitions": "1"}
    return {**DELTA, **quick, "spark.jars.packages": delta_package()}


@pytest.fixture(scope="session")
def spark(spark_environment: None, private_directories: Path) -> Iterator[Any]:
    """The Spark session of all tests: two cores of this host, in UTC, silent."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("spark-models tests")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        # Every shuffle of a small table would start 200 tasks.
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(private_directories / "warehouse"),
        "spark.local.dir": str(private_directories / "local"),
        # A query that fails ends its Python workers, and here many are made to fail.
        "spark.python.daemon.module": "warm_daemon",
        **delta_settings(),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    # Tests that make jobs fail would print each failure's stack.
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()

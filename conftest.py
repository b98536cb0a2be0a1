"""What every test run needs to know: which tests start a JVM or another program, and what happens without it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

SPARK_FIXTURES = frozenset({"spark", "spark_context", "spark_session"})


@cache
def java_missing() -> str:
    """What to install, in one line; '' where Spark finds its Java."""
    script = Path(__file__).parent / "scripts" / "java"
    return subprocess.run([script], capture_output=True, text=True, check=False).stderr.strip()


@cache
def missing(need: str) -> str:
    """What to install, in one line; '' where this host has what a test is marked to need."""
    script = Path(__file__).parent / "scripts" / "needs"
    return subprocess.run([script, need], capture_output=True, text=True, check=False).stderr.strip()


@pytest.fixture(scope="session", autouse=True)
def tested_versions(record_testsuite_property: Callable[[str, object], None]) -> None:
    """The versions that a run tested, in its JUnit file: scripts/matrix_report.py reads them."""
    record_testsuite_property("python", platform.python_version())
    for name in ("pyspark", "delta-spark", "pandas", "numpy", "pyarrow", "scikit-learn"):
        try:
            record_testsuite_property(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            record_testsuite_property(name, "")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SPARK_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("spark")


def pytest_runtest_setup(item: pytest.Item) -> None:
    absent = [missing(need) for marker in item.iter_markers("needs") for need in marker.args]
    if item.get_closest_marker("spark") is not None:
        absent.append(java_missing())
    reason = next(filter(None, absent), "")
    if reason != "":
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

"""What every test run needs to know: which tests start a JVM, and what happens where there is no Java."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

SPARK_FIXTURES = frozenset({"spark", "spark_context", "spark_session"})


@cache
def java_missing() -> str:
    """What to install, in one line; '' where Spark finds its Java."""
    script = Path(__file__).parent / "scripts" / "java"
    return subprocess.run([script], capture_output=True, text=True, check=False).stderr.strip()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SPARK_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("spark")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("spark") is not None and java_missing():
        if os.environ.get("CI") == "true":
            pytest.fail(java_missing(), pytrace=False)
        pytest.skip(java_missing())

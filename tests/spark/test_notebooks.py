"""The notebooks run, each from its first cell to its last, in the session of the tests."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]_*.py"))


def test_there_are_five() -> None:
    assert [path.name[0] for path in NOTEBOOKS] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_runs(spark: Any, notebook: Path) -> None:
    if "delta" in notebook.read_text() and importlib.util.find_spec("delta") is None:
        pytest.skip("delta-spark is not installed for this Spark")
    # As in a notebook, what the cells define is of no module that a worker could import.
    found = runpy.run_path(str(notebook), run_name="__main__")
    assert "folder" in found

"""What the documents say of the code is what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script", ["error_codes.py", "bundle_table.py"])
def test_a_generated_table_is_up_to_date(script: str) -> None:
    run = subprocess.run(
        [sys.executable, f"scripts/{script}", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_pages_of_the_notebooks_have_their_cells() -> None:
    run = subprocess.run(
        [sys.executable, "scripts/render_notebooks.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_tables_of_flavors_are_up_to_date() -> None:
    run = subprocess.run(
        [sys.executable, "scripts/flavor_table.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("document", [*ROOT.glob("docs/**/*.md"), ROOT / "README.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_readme_names_targets_that_make_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^ {4}make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named != set()
    assert named <= targets

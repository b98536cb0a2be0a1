"""Runs the notebooks and writes each with what its cells print to docs/notebooks, as Markdown.

python scripts/render_notebooks.py           runs them; needs Spark, Delta and scikit-learn
python scripts/render_notebooks.py --check   runs nothing: whether the pages have the cells that the notebooks have
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]_*.py"))
DOCS = ROOT / "docs" / "notebooks"
CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)
OUTPUT = "```text\n"
"""What a cell has printed is in a block of this language, and nothing else is."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: Markdown without its comment signs, or code."""

    text: str
    markdown: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        sys.stdout.write(rendered(arguments.one, run=True))
        return 0
    if arguments.check:
        return check()
    DOCS.mkdir(parents=True, exist_ok=True)
    for notebook in NOTEBOOKS:
        # A session of its own each: what a JVM logs is on the other stream.
        command = [sys.executable, __file__, "--one", str(notebook)]
        # Workers must be of this Python, whatever python3 is on the path; pages show instants in one zone.
        environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "TZ": "UTC"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            sys.exit(f"{notebook.name}:\n{done.stderr[-3000:]}")
        page(notebook).write_text(done.stdout)
        print(page(notebook).relative_to(ROOT))
    return 0


def check() -> int:
    """1 where a page is of other cells than its notebook."""
    old = [path.name for path in NOTEBOOKS if cells_of_page(page(path)) != rendered(path, run=False)]
    if old != []:
        sys.stderr.write(f"docs/notebooks is not that of {old}: run scripts/render_notebooks.py\n")
    return 1 if old != [] else 0


def page(notebook: Path) -> Path:
    """The page of a notebook."""
    return DOCS / f"{notebook.stem}.md"


def cells(text: str) -> list[Cell]:
    """The cells of a notebook in the percent format."""
    parts = CELL.split(text)
    found = []
    for about, body in zip(parts[1::2], parts[2::2], strict=True):
        markdown = about.strip() == "[markdown]"
        lines = [re.sub(r"^# ?", "", line) if markdown else line for line in body.strip().splitlines()]
        found.append(Cell("\n".join(lines), markdown))
    return found


def rendered(notebook: Path, *, run: bool) -> str:
    """The notebook as Markdown, with what it prints where it is run."""
    source = notebook.read_text()
    module = ModuleType("__main__")
    sys.modules["__main__"] = module if run else sys.modules["__main__"]
    parts = [f"<!-- made of notebooks/{notebook.name} by scripts/render_notebooks.py -->"]
    for cell in cells(source):
        parts.append(cell.text if cell.markdown else f"```python\n{cell.text}\n```")
        if run and not cell.markdown:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(cell.text, notebook.name, "exec"), module.__dict__)
            text = without_places(printed.getvalue(), str(module.__dict__.get("folder", "")))
            if text != "":
                parts.append(f"{OUTPUT}{text}\n```")
    return "\n\n".join(parts) + "\n"


def without_places(text: str, folder: str) -> str:
    """The text without the folder of this run, and without spaces that no one sees."""
    plain = text.replace(folder, "/tmp/demo") if folder != "" else text
    return "\n".join(
        line.rstrip() for line in plain.replace(tempfile.gettempdir() + "/tmp", "/tmp").splitlines()
    ).strip("\n")


def cells_of_page(path: Path) -> str:
    """A page without what its cells have printed; '' where there is none."""
    return (
        re.sub(r"```text\n.*?\n```\n\n?", "", path.read_text(), flags=re.DOTALL).rstrip() + "\n"
        if path.exists()
        else ""
    )


if __name__ == "__main__":
    sys.exit(main())

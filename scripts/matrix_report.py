"""Writes docs/matrix.md and docs/matrix.json: what was tested with which versions, from the JUnit files of test runs.

python scripts/matrix_report.py build/junit  # every file in it: NAME.xml is the run NAME
"""

from __future__ import annotations

import argparse
import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
HEAD = """# Tested versions

`make full` runs every test on the Spark versions below and writes this page. A cell has the tests that passed, and
those that were skipped; the reasons are at the end. [matrix.json](matrix.json) has the seconds of each file too.
"""
OUTCOMES = ("failure", "error", "skipped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of JUnit files")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder to write (docs)")
    arguments = parser.parse_args()
    runs = {file.stem: read(file) for file in sorted(arguments.folder.glob("*.xml"))}
    if runs == {}:
        raise SystemExit(f"{arguments.folder} has no JUnit file: `make full` writes them")
    (arguments.out / "matrix.json").write_text(json.dumps(runs, indent=1) + "\n")
    (arguments.out / "matrix.md").write_text(page(runs))
    print(arguments.out / "matrix.md")


def read(file: Path) -> dict[str, Any]:
    """The versions of a run, its counts and seconds a file, and its skipped and failed tests with their reasons."""
    root = ElementTree.parse(file).getroot()
    files: dict[str, Counter[str]] = {}
    reasons: dict[str, str] = {}
    for suite in root.iter("testsuite"):
        for case, outcome, reason in outcomes(suite):
            name = case.get("classname", "").replace(".", "/")
            count = files.setdefault(name, Counter())
            count[outcome] += 1
            count["seconds"] += float(case.get("time", "0"))
            if outcome != "passed":
                reasons[f"{name}::{case.get('name')}"] = f"{outcome}: {reason}"
    named = {item.get("name", ""): item.get("value", "") for item in root.iter("property")}
    versions = {name: value for name, value in named.items() if "::" not in name}  # Hypothesis adds its own
    rounded = {name: {key: round(value, 1) for key, value in count.items()} for name, count in sorted(files.items())}
    return {"versions": versions, "files": rounded, "not_passed": reasons}


def outcomes(suite: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, str, str]]:
    for case in suite.iter("testcase"):
        found = next((item for item in case if item.tag in OUTCOMES), None)
        if found is None:
            yield case, "passed", ""
        else:
            yield case, found.tag, (found.get("message") or "").splitlines()[0]


def page(runs: dict[str, dict[str, Any]]) -> str:
    """The text of docs/matrix.md."""
    names = list(runs)
    packages = sorted({package for run in runs.values() for package in run["versions"]})
    lines = [HEAD, f"| | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    for package in packages:
        lines.append(f"| {package} | {' | '.join(runs[name]['versions'].get(package, '') for name in names)} |")
    for file in sorted({file for run in runs.values() for file in run["files"]}):
        lines.append(f"| {file} | {' | '.join(cell(runs[name]['files'].get(file)) for name in names)} |")
    totals = [sum((Counter(count) for count in runs[name]["files"].values()), Counter()) for name in names]
    lines.append(f"| **all** | {' | '.join(f'**{cell(total)}**' for total in totals)} |")
    minutes = [f"{total['seconds'] / 60:.0f}" for total in totals]
    lines.append(f"| minutes | {' | '.join(minutes)} |")
    reasons = Counter((name, why) for name in names for why in runs[name]["not_passed"].values())
    lines.extend(["", "What did not run or pass:", ""])
    lines.extend(f"- {name}: {count} × {why}" for (name, why), count in sorted(reasons.items()))
    return "\n".join(lines) + "\n"


def cell(count: dict[str, float] | None) -> str:
    if count is None:
        return ""
    more = [f"{count[outcome]:.0f} {outcome}" for outcome in OUTCOMES if count.get(outcome)]
    return ", ".join([f"{count.get('passed', 0):.0f}", *more])


if __name__ == "__main__":
    main()

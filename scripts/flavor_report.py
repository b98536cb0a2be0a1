"""Prints which law each flavor was seen to keep, from the JUnit files that scripts/flavors leaves.

python scripts/flavor_report.py build/flavors                          # NAME.xml is the run in the environment NAME
python scripts/flavor_report.py build/flavors --out docs/flavor-laws.md  # writes it as well
"""

from __future__ import annotations

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HEAD = """# Flavors and laws

`make flavors` runs the contract suite on every flavor with the real library, and prints this. A cell has the number of
models of the flavor that keep the law. spark, mleap and crate have tests of their own: a session, a JVM or R is their
oracle (tests/spark, tests/parity, tests/r).
"""
TESTS = ("test_flavors", "test_native_flavors", "test_native_everywhere", "test_in_mlflow")
ABSENT = "is not installed"

Kept = dict[tuple[str, str], dict[str, bool]]
"""By law and flavor: whether each model keeps the law, in every environment that has its library."""
Reasons = dict[tuple[str, str, str], set[str]]
"""The models of a flavor that a law was not tried with, by flavor, law and reason."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of JUnit files, and of NAME.absent where one was not made")
    parser.add_argument("--out", type=Path, help="a Markdown file to write")
    arguments = parser.parse_args()
    kept: Kept = {}
    reasons: Reasons = {}
    for file in sorted(arguments.folder.glob("*.xml")):
        read(file, kept, reasons)
    absent = {file.stem: file.read_text().strip() for file in sorted(arguments.folder.glob("*.absent"))}
    text = page(kept, reasons, absent)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text)
    sys.exit(0 if kept != {} and all(all(models.values()) for models in kept.values()) else 1)


def read(file: Path, kept: Kept, reasons: Reasons) -> None:
    """Adds the outcomes of a run by law and flavor, and why something did not run."""
    for case in ElementTree.parse(file).getroot().iter("testcase"):
        law, _, model = case.get("name", "").partition("[")
        if model == "" or not any(name in case.get("classname", "").split(".") for name in TESTS):
            continue
        model = model.rstrip("]")
        flavor = model.split(" ")[0]
        law = law.removeprefix("test_").replace("_", " ")
        skipped = case.find("skipped")
        if skipped is not None:
            why = (skipped.get("message") or "").splitlines()[0]
            if ABSENT not in why:
                reasons.setdefault((flavor, law, why), set()).add(model)
            continue
        passed = case.find("failure") is None and case.find("error") is None
        models = kept.setdefault((law, flavor), {})
        models[model] = models.get(model, True) and passed


def page(kept: Kept, reasons: Reasons, absent: dict[str, str]) -> str:
    """The text: the table, and what did not run."""
    from spark_models.flavors.registry import BUILT_IN

    flavors = sorted({flavor for _, flavor in kept})
    laws = list(dict.fromkeys(law for law, _ in kept))
    lines = [HEAD, f"| law | {' | '.join(flavors)} |", f"| --- |{' --- |' * len(flavors)}"]
    lines.extend(f"| {law} | {' | '.join(cell(kept.get((law, one))) for one in flavors)} |" for law in laws)
    lines.extend(["", "What did not run:", ""])
    notes = [f"- {flavor}, {law}: {len(models)} × {why}" for (flavor, law, why), models in sorted(reasons.items())]
    notes += [f"- the environment {name} could not be made: {why.splitlines()[-1]}" for name, why in absent.items()]
    elsewhere = {"crate", "mleap", "spark"}
    missing = sorted(set(BUILT_IN) - set(flavors) - elsewhere)
    if missing != []:
        notes.append(f"- {', '.join(missing)}: not in this run; `make flavors` runs all")
    return "\n".join([*lines, *(notes or ["- nothing"])]) + "\n"


def cell(models: dict[str, bool] | None) -> str:
    if models is None:
        return "–"
    failed = list(models.values()).count(False)
    return str(len(models)) if failed == 0 else f"**{failed} failed**"


if __name__ == "__main__":
    main()

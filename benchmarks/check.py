"""The kept samples against the figures that are asked for: pass or miss for each, exit 1 on a miss.

python benchmarks/check.py                  what docs/benchmarks holds
python benchmarks/check.py --folder DIR     another folder
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paths
from measure import DOCS, shown, table


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that is asked for: at most `limit`, found as `found`."""

    name: str
    source: str
    limit: float
    found: float
    unit: str = "×"

    @property
    def passes(self) -> bool:
        return self.found <= self.limit

    def row(self) -> list[str]:
        """The figure as a table shows it."""
        text = (lambda value: f"{value:.2f}×") if self.unit == "×" else shown
        return [self.name, self.source, f"≤ {text(self.limit)}", text(self.found), "pass" if self.passes else "MISS"]


def overheads(folder: Path) -> Iterator[Figure]:
    """What stands around a score: importing, the command, saving, and enforcement."""
    file = folder / "overheads.json"
    if not file.exists():
        return
    medians = {sample["name"]: statistics.median(sample["seconds"]) for sample in read(file)}
    bare = medians["bare Python"]
    over_bare = medians["import spark_models"] - bare
    yield Figure("import spark_models, CPU over bare Python", file.name, 0.050, over_bare, "s")
    if "spark-models --help" in medians:
        yield Figure("spark-models --help, CPU", file.name, 0.200, medians["spark-models --help"], "s")
    for name, median in medians.items():
        if name.startswith("save_model: "):
            hand = medians[name.replace("save_model: ", "pickle and hash: ")]
            yield Figure(f"{name} over pickle and hash", file.name, 3.0, median / hand)
    limits = {"1 × 20 doubles": 60e-6, "1 × 500 doubles": 1e-3, "100,000 × 20 doubles": 0.2e-3}
    for name, limit in limits.items():
        yield Figure(f"enforce {name}", file.name, limit, medians[f"enforce {name}"], "s")


def udf(file: Path) -> Iterator[Figure]:
    """spark_udf on one Spark version, against what is written by hand in the same run."""
    found = {(sample["case"], sample["way"]): sample for sample in read(file)}

    def ratio(case: str, way: str, other: str, kind: str) -> float | None:
        one, two = found.get((case, way)), found.get((case, other))
        if one is None or two is None or not one[kind] or not two[kind]:
            return None
        return statistics.median(one[kind]) / statistics.median(two[kind])

    has_packed = ("linear-20", paths.PACKED) in found
    asked = [
        ("spark_udf on 20 doubles over pandas_udf by hand, Python CPU", 1.1, paths.PANDAS, "python"),
        ("spark_udf on 20 doubles over arrow_udf of one array by hand, Python CPU", 1.15, paths.PACKED, "python"),
        ("spark_udf on 20 doubles over passing the columns, wall", 1.0, paths.PASSED_ARROW, "wall"),
    ]
    for name, limit, other, kind in asked if has_packed else asked[:1]:
        value = ratio("linear-20", paths.OURS, other, kind)
        if value is not None:
            yield Figure(name, file.name, limit, value)
    # What MLflow costs in the same run, where it was installed.
    for case, limit in {"linear-20": 0.4, "batch-1000": 0.2, "outputs-10": 0.15, "texts-10": 0.55}.items():
        value = ratio(case, paths.OURS, paths.MLFLOW, "python")
        if value is not None:
            yield Figure(f"spark_udf over MLflow's, {case}, Python CPU", file.name, limit, value)


def read(file: Path) -> list[dict[str, Any]]:
    """The samples of a file."""
    samples: list[dict[str, Any]] = json.loads(file.read_text())["samples"]
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=DOCS, help="folder of the samples (docs/benchmarks)")
    folder: Path = parser.parse_args().folder
    figures = list(overheads(folder))
    for file in sorted(folder.glob("udf-spark-*.json")):
        figures.extend(udf(file))
    if figures == []:
        print(f"There are no samples in {folder}: run `make bench` first.", file=sys.stderr)
        return 1
    print(table(["figure", "samples", "asked", "found", ""], [figure.row() for figure in figures]))
    missed = [figure for figure in figures if not figure.passes]
    print(f"\n{len(figures) - len(missed)} pass, {len(missed)} miss")
    return 1 if missed != [] else 0


if __name__ == "__main__":
    sys.exit(main())

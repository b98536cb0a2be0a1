"""The kept samples against the figures that are asked for: pass or miss for each, exit 1 on a miss.

python benchmarks/check.py                  what docs/benchmarks holds
python benchmarks/check.py --folder DIR     another folder
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paths
import serve
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
        text = shown if self.unit == "s" else (lambda value: f"{value:.2f}{self.unit}")
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
    copied = {sample["name"]: float(sample["copied"]) for sample in read(file) if sample["copied"] is not None}
    yield Figure("enforce 100,000 × 20 doubles, copies", file.name, 0.0, copied["enforce 100,000 × 20 doubles"], "")


OVER_MLFLOW = {
    ("linear-20", "python"): 0.4,
    ("linear-20", "wall"): 0.6,
    ("batch-1000", "python"): 0.2,
    ("outputs-10", "python"): 0.15,
    ("texts-10", "python"): 0.55,
    ("lists-20", "python"): 0.1,
    ("objects-2", "python"): 0.1,
    ("named-20", "python"): 0.8,
    ("mixed", "python"): 0.8,
}
"""What is asked of Arrow's transport where MLflow was measured in the same run."""
LABELS = {"python": "Python CPU", "wall": "wall"}


class Samples:
    """The medians of one file of benchmarks/udf.py."""

    def __init__(self, file: Path) -> None:
        self.name = file.name
        self.found = {(sample["case"], sample["way"]): sample for sample in read(file)}

    def has(self, case: str, *ways: str) -> bool:
        return all((case, way) in self.found for way in ways)

    def median(self, case: str, way: str, kind: str) -> float:
        return statistics.median(self.found[case, way][kind])

    def ratio(self, case: str, way: str, other: str, kind: str) -> float:
        """The ratio of two ways: of Python CPU by row, without what the tasks cost before the first one; else whole."""
        one, two, fixed = (self.median(case, name, kind) for name in (way, other, paths.TASKS))
        return (one - fixed) / (two - fixed) if kind == "python" else one / two

    def per_value(self, case: str, way: str) -> float:
        """Python CPU seconds of one value, without what the tasks cost before the first row."""
        sample = self.found[case, way]
        seconds = self.median(case, way, "python") - self.median(case, paths.TASKS, "python")
        return seconds / (sample["rows"] * sample["columns"])


def udf(file: Path) -> Iterator[Figure]:
    """spark_udf on one Spark version, against what is written by hand, and MLflow's, in the same run."""
    samples = Samples(file)
    asked = [
        ("linear-20", paths.PANDAS, "python", 1.1),
        ("linear-20", paths.PACKED, "python", 1.15),
        ("linear-20", paths.PASSED_ARROW, "wall", 1.0),
    ]
    for case, other, kind, limit in asked:
        if samples.has(case, paths.OURS, other, paths.TASKS):
            found = samples.ratio(case, paths.OURS, other, kind)
            yield Figure(f"{case}: spark_udf over {other}, {LABELS[kind]}", file.name, limit, found)
    wide = all(samples.has(case, paths.OURS, paths.PACKED) for case in ("linear-20", "linear-500"))
    if wide:  # without Arrow UDFs, as Spark 3.5 and 4.0 are, it is not asked
        found = samples.per_value("linear-500", paths.OURS) / samples.per_value("linear-20", paths.OURS)
        yield Figure("a value of 500 columns over one of 20, Python CPU", file.name, 1.3, found)
    for (case, kind), limit in OVER_MLFLOW.items():
        if samples.has(case, paths.OURS, paths.ARROW, paths.MLFLOW):
            found = samples.ratio(case, paths.OURS, paths.MLFLOW, kind)
            yield Figure(f"{case}: spark_udf over {paths.MLFLOW}, {LABELS[kind]}", file.name, limit, found)


def server(file: Path) -> Iterator[Figure]:
    """The server beside a bare application, and MLflow's, in the same run."""
    found = {(item["server"], item["case"], item["figure"]): statistics.median(item["values"]) for item in read(file)}
    rates = {(server, case): value for (server, case, figure), value in found.items() if figure == serve.RATE}
    for case, limit in (("1x1", 0.6), ("1x8", 0.6), ("1000x1", 0.75), ("1000x8", 0.75), ("1x64", 1.0)):
        if (serve.BARE, case) in rates:
            name = f"{case} rows x connections: requests/s of {serve.BARE} over {serve.SERVE}"
            yield Figure(name, file.name, 1 / limit, rates[serve.BARE, case] / rates[serve.SERVE, case])
    for case, limit in (("1x1", 10), ("1x8", 20)):
        if (serve.MLFLOW, case) in rates:
            name = f"{case}: requests/s of {serve.MLFLOW} over {serve.SERVE}"
            yield Figure(name, file.name, 1 / limit, rates[serve.MLFLOW, case] / rates[serve.SERVE, case], "")
    ours = [rates[serve.SERVE, case] for case in ("1x1", "1x8", "1x64", "1x256") if (serve.SERVE, case) in rates]
    for fewer, more in itertools.pairwise(ours):
        # Two medians of one load differ by a few percent.
        yield Figure(
            f"requests/s of {serve.SERVE}: {fewer:,.0f} before more connections", file.name, 1.05, fewer / more
        )
    if (serve.SERVE, "half", serve.P99) in found:
        tail = found[serve.SERVE, "half", serve.P99] / found[serve.SERVE, "half", serve.P50]
        yield Figure(f"{serve.SERVE}: p99 over p50 at half load", file.name, 3.0, tail)
    own = found[serve.BARE, "", serve.OWN]
    yield Figure(
        f"{serve.SERVE}: ready after the model", file.name, 0.5, found[serve.SERVE, "", serve.READY] - own, "s"
    )
    memory = found[serve.SERVE, "", serve.MEMORY] / found[serve.BARE, "", serve.MEMORY]
    yield Figure(f"{serve.SERVE}: resident memory over {serve.BARE}", file.name, 1.3, memory)


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
    if (folder / "serve.json").exists():
        figures.extend(server(folder / "serve.json"))
    if figures == []:
        print(f"There are no samples in {folder}: run `make bench` first.", file=sys.stderr)
        return 1
    print(table(["figure", "samples", "asked", "found", ""], [figure.row() for figure in figures]))
    missed = [figure for figure in figures if not figure.passes]
    print(f"\n{len(figures) - len(missed)} pass, {len(missed)} miss")
    return 1 if missed != [] else 0


if __name__ == "__main__":
    sys.exit(main())

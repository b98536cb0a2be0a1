"""Draws the samples of benchmarks/udf.py: python benchmarks/plot.py docs/benchmarks/udf-spark-*.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure
from measure import summarize

OURS, BY_HAND, FLOOR = "tab:blue", "tab:orange", "lightgray"


def draw(raw: Path) -> Path:
    """Writes the picture beside the samples: a row a case, wall time to the left, Python workers' CPU to the right."""
    content = json.loads(raw.read_text())
    cases: dict[str, list[dict]] = {}
    for sample in content["samples"]:
        cases.setdefault(sample["case"], []).append(sample)
    heights = [len(samples) for samples in cases.values()]
    figure = Figure(figsize=(11, 1 + 0.28 * sum(heights) + 0.5 * len(heights)), layout="constrained")
    grid = figure.subplots(len(cases), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, samples in zip(grid, cases.values(), strict=True):
        bars(axes[0], samples, "wall", "wall seconds")
        bars(axes[1], samples, "python", "CPU seconds of the Python workers")
        axes[0].set_title(f"{samples[0]['case']}: {samples[0]['about']}, {samples[0]['rows']:,} rows", loc="left")
        axes[1].set_yticklabels([])
    figure.suptitle(f"spark_udf on Spark {content['versions'].get('pyspark')}: medians and quartiles")
    picture = raw.with_suffix(".png")
    figure.savefig(picture, dpi=100)
    return picture


def bars(axes, samples: list[dict], measure: str, label: str) -> None:
    ways = [sample["way"] for sample in samples]
    found = [summarize(sample[measure]) for sample in samples]
    middles = [summary.median for summary in found]
    errors = [[item.median - item.low for item in found], [item.high - item.median for item in found]]
    axes.barh(ways, middles, xerr=errors, color=[colour(way) for way in ways], ecolor="gray")
    axes.invert_yaxis()
    axes.set_xlabel(label)


def colour(way: str) -> str:
    if way.startswith("spark_udf"):
        return OURS
    return FLOOR if "only" in way else BY_HAND


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(draw(Path(argument)))

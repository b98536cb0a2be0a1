"""A large forest as Bundle.ML: how long writing it takes, and loading it in the JVM.

100 trees of depth 10 on 20 columns. Writing is `mleap.save_model` of the fitted pipeline; the nodes come from Spark's
own files. Loading is the companion's `Scorer.open`, the check of every file's sum among it: once in a fresh JVM, whose
first bundle also reads MLeap's registry of ops, and then again in the same one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import DOCS, document, facts_text, shown, summarize, table, write

import spark_models.mleap
from spark_models.bundle.companion import find_companion

EXAMPLES = """\
examples:
  python benchmarks/bundle.py            writes docs/benchmarks/bundle.*; needs the jar (make jvm)
  python benchmarks/bundle.py --short    10 trees, one run; writes into build/benchmarks
"""
COLUMNS = [f"x{at}" for at in range(20)]
ROWS = 5000


@dataclass(slots=True)
class Forest:
    """Seconds of each run, and the size of what was written."""

    trees: int
    depth: int
    nodes: int
    mb: float = 0.0
    written: list[float] = field(default_factory=list)
    first_loaded: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)


def start_spark(folder: Path) -> Any:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": str(folder / "local"),
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def measured(trees: int, depth: int, repeat: int, folder: Path) -> Forest:
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import RandomForestClassifier
    from pyspark.ml.feature import VectorAssembler

    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(ROWS, len(COLUMNS))), columns=COLUMNS)
    frame["label"] = (frame["x0"] * frame["x1"] + random.normal(size=ROWS) > 0).astype(float)
    spark = start_spark(folder)
    sample = spark.createDataFrame(frame).cache()
    stages = [
        VectorAssembler(inputCols=COLUMNS, outputCol="features"),
        RandomForestClassifier(numTrees=trees, maxDepth=depth, seed=1),
    ]
    model = Pipeline(stages=stages).fit(sample)
    found = Forest(trees, depth, model.stages[-1].totalNumNodes)
    java, jar = find_companion()
    source = str(Path(__file__).parent / "LoadTimes.java")
    for run in range(repeat):
        package = folder / f"forest-{run}"
        start = time.perf_counter()
        spark_models.mleap.save_model(spark_model=model, sample_input=sample.limit(10), path=package)
        found.written.append(time.perf_counter() - start)
        found.mb = sum(file.stat().st_size for file in package.rglob("*") if file.is_file()) / 1e6
        command = [java, "-cp", str(jar), source, *[str(package)] * 4]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        seconds = [float(line) / 1000 for line in printed]
        found.first_loaded.append(seconds[0])
        found.loaded += seconds[1:]
    spark.stop()
    return found


def report(content: dict[str, Any], forest: Forest) -> str:
    text = (
        f"{forest.trees} trees of depth {forest.depth}, {forest.nodes:,} nodes, {forest.mb:.1f} MB as Bundle.ML. "
        "Written by `mleap.save_model` of the fitted pipeline; loaded by the companion's `Scorer.open`."
    )
    rows = []
    for name, seconds, limit in (
        ("write", forest.written, 10.0),
        ("load, the first bundle of a JVM", forest.first_loaded, 2.0),
        ("load, again", forest.loaded, 2.0),
    ):
        found = summarize(seconds)
        rows.append(
            [name, shown(found.median), f"{shown(found.low)} – {shown(found.high)}", str(found.n), shown(limit)]
        )
    headers = ["what", "median", "quartiles", "n", "asked for, at most"]
    return "\n\n".join(["# A large forest as a bundle", facts_text(content), text, table(headers, rows)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs (5; with --short 1)")
    parser.add_argument("--short", action="store_true", help="10 trees, one run")
    parser.add_argument("--out", type=Path, help="folder to write (docs/benchmarks; with --short build/benchmarks)")
    arguments = parser.parse_args()
    trees, repeat = (10, 1) if arguments.short else (100, arguments.repeat)
    out = arguments.out or (DOCS.parent.parent / "build" / "benchmarks" if arguments.short else DOCS)
    warnings.simplefilter("ignore", UserWarning)
    with tempfile.TemporaryDirectory() as folder:
        forest = measured(trees, 10, repeat, Path(folder))
    content = document("bundle", {"rows": ROWS, "columns": len(COLUMNS), "repeat": repeat}, [forest])
    text = report(content, forest)
    write(out, "bundle", content, text)
    print(text)


if __name__ == "__main__":
    main()

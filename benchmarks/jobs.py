"""What a job costs over the same read, spark_udf and write by hand: wall time in one process, and the driver's memory.

The job has a quarantine, a run log and measured scores besides. Both read a Delta table of 20 columns of doubles and
write a new one of all columns and the prediction. Before the runs that count, both run over a small table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import DOCS, descendants, document, facts_text, processes, table, write
from sklearn.linear_model import LogisticRegression

import spark_models.sklearn
from spark_models.jobs import job_session, run_job
from spark_models.jobs.job import Job
from spark_models.jobs.reading import parse_job

EXAMPLES = """\
examples:
  python benchmarks/jobs.py                        two million rows, three times; writes into build/benchmarks
  python benchmarks/jobs.py --rows 50000000 --repeat 1 --out docs/benchmarks
  python benchmarks/jobs.py --folder /data/bench …   the source table is kept there for the next run
"""
COLUMNS = [f"x{at}" for at in range(20)]
WARM_ROWS = 400_000
MB = 1 << 20


@dataclass(slots=True)
class Sample:
    """One run: its seconds, of a job those of its steps, and MB of resident memory at ten moments of it."""

    way: str
    rows: int
    seconds: float
    steps: dict[str, float] = field(default_factory=dict)
    python_mb: list[int] = field(default_factory=list)
    jvm_mb: list[int] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the tables lie (a temporary folder)")
    parser.add_argument("--out", type=Path, default=DOCS.parent.parent / "build" / "benchmarks")
    parser.add_argument("--no-run", action="store_true", help="only the source table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) if arguments.folder is None else arguments.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        save_model(folder / "model")
        with job_session(job_of(folder, folder / "x", folder / "y")) as spark:
            source, small = (made(spark, folder, rows) for rows in (arguments.rows, WARM_ROWS))
            if arguments.no_run:
                return
            for _ in range(3):
                for way in WAYS:
                    run(spark, folder, small, way, WARM_ROWS)
            samples = [run(spark, folder, source, way, arguments.rows) for _ in range(arguments.repeat) for way in WAYS]
    content = document("jobs", {"rows": arguments.rows, "repeat": arguments.repeat}, samples)
    text = text_of(content, samples)
    print(text)
    print(*write(arguments.out, "jobs", content, text), sep="\n")


def save_model(path: Path) -> None:
    if path.exists():
        return
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(-0.5, 0.5, size=(1000, 20)), columns=COLUMNS)
    model = LogisticRegression().fit(frame, (frame["x0"] > 0).astype("int64"))
    signature = spark_models.infer_signature(frame, model.predict(frame))
    spark_models.sklearn.save_model(model, str(path), signature=signature, input_example=frame.head(3))


def made(spark: Any, folder: Path, rows: int) -> Path:
    """A table of so many rows, made where it is not there yet."""
    path = folder / f"source-{rows}"
    if not path.exists():
        values = [f"rand({at}) - 0.5 AS {column}" for at, column in enumerate(COLUMNS)]
        numbers = spark.range(0, rows, 1, max(2, rows // 1_500_000)).selectExpr("id", *values)
        numbers.write.format("delta").save(str(path))
    return path


def run(spark: Any, folder: Path, source: Path, way: str, rows: int) -> Sample:
    """One run of one way, its tables removed after it."""
    place = folder / "run"
    shutil.rmtree(place, ignore_errors=True)
    os.sync()  # what an earlier run left to be written is not this run's
    with watched() as memory:
        began = time.monotonic()
        steps = WAYS[way](spark, folder, source, place)
        seconds = time.monotonic() - began
    written = spark.read.format("delta").load(str(place / "out")).count()
    if written != rows:
        raise SystemExit(f"{way} has written {written} rows of {rows}")
    shutil.rmtree(place)
    print(f"{way:8} {rows:>12,} rows {seconds:8.2f} s  {steps}", flush=True)
    return Sample(way, rows, seconds, steps, *memory)


def by_hand(spark: Any, folder: Path, source: Path, place: Path) -> dict[str, float]:
    udf = spark_models.pyfunc.spark_udf(spark, str(folder / "model"), "double")
    scored = spark.read.format("delta").load(str(source)).withColumn("prediction", udf())
    scored.write.format("delta").mode("overwrite").save(str(place / "out"))
    return {}


def by_job(spark: Any, folder: Path, source: Path, place: Path) -> dict[str, float]:
    result = run_job(spark, job_of(folder, source, place))
    return {name: round(seconds, 2) for name, seconds in result.seconds.items()}


WAYS: dict[str, Callable[[Any, Path, Path, Path], dict[str, float]]] = {"by hand": by_hand, "job": by_job}


def job_of(folder: Path, source: Path, place: Path) -> Job:
    """A job that writes what `by_hand` writes, with quarantine, run log and drift besides."""
    return parse_job(f"""\
version: 1
name: benchmark
source: {{path: {source}}}
model: {{uri: {folder}/model, result_type: double, output: prediction}}
keys: [id]
sink: {{path: {place}/out, mode: overwrite}}
quarantine: {{path: {place}/quarantine}}
run_log: {{path: {place}/runs}}
spark: {{spark.driver.memory: 4g, spark.ui.enabled: false, spark.driver.host: 127.0.0.1}}
""")


@contextmanager
def watched() -> Iterator[tuple[list[int], list[int]]]:
    """MB of resident memory of this process and of its JVM, at ten moments of the block in order."""
    seen: list[tuple[int, int]] = []
    shown: tuple[list[int], list[int]] = ([], [])
    over = threading.Event()
    java = [process.pid for process in descendants(processes(), os.getpid()) if process.name == "java"]

    def look() -> None:
        while True:
            seen.append((resident(os.getpid()), sum(resident(pid) for pid in java)))
            if over.wait(0.5):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield shown
    finally:
        over.set()
        thread.join()
        for at in np.linspace(0, len(seen) - 1, 10).astype(int):
            for found, value in zip(shown, seen[at], strict=True):
                found.append(value)


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // MB


def text_of(content: dict[str, Any], samples: list[Sample]) -> str:
    rows = samples[0].rows
    medians = {way: statistics.median(sample.seconds for sample in samples if sample.way == way) for way in WAYS}
    lines = []
    for sample in samples:
        steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sample.steps.items())
        memory = " ".join(map(str, sample.python_mb)), " ".join(map(str, sample.jvm_mb))
        lines.append([sample.way, f"{sample.seconds:.1f} s", f"{rows / sample.seconds:,.0f}", steps, *memory])
    headers = ["way", "wall", "rows a second", "seconds by step", "driver's Python, MB", "JVM, MB"]
    about = (
        f"{rows:,} rows of 20 doubles and a key, Delta to Delta, a logistic regression; all on one host, whose JVM is "
        "driver and executor. The job also has a quarantine, a run log and measured scores. Memory is resident, at ten "
        "moments of each run."
    )
    found = f"The job takes **{(medians['job'] / medians['by hand'] - 1) * 100:+.1f} %** over the way by hand."
    return "\n\n".join(["# A job and the same by hand", facts_text(content), about, table(headers, lines), found])


if __name__ == "__main__":
    main()

"""A large package: the time to its first row against copying and hashing it once, and the memory of two workers.

The first row is that of a package which no cache has, in a session whose workers have started: from the call of
`spark_udf` to the row. What a small package takes for the same is shown beside it. Memory is the proportional set size
(PSS) of the Python workers, in which a page that n processes share counts as 1/n for each.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measure import DOCS, document, facts_text, ratio, shown, summarize, table, write

import spark_models.pyfunc
import spark_models.sklearn
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

EXAMPLES = """\
examples:
  python benchmarks/large_package.py                    500 MB; writes docs/benchmarks/large-package.*
  python benchmarks/large_package.py --short            50 MB and 20 MB, one run; writes into build/benchmarks
  python benchmarks/large_package.py --mb 2000          a larger package
"""
MB = 1 << 20
ROWS = 100
"""Few enough that the last row is there with the first."""
SIGNATURE = ModelSignature(Schema([ColSpec("double", "x")]))
PLACES = {
    "local[2]": "local[2]: workers read the driver's copy",
    "shared": "cluster of 2 executors on the driver's host: they read its copy",
    "shipped": "cluster of 2 executors, the driver's copy out of their reach: they unpack the archive",
}
FORMS = {
    "joblib": "scikit-learn, joblib: mapped",
    "artifact": "PythonModel, .npy artifact, numpy.load(mmap_mode='r'): mapped",
    "cloudpickle": "scikit-learn, cloudpickle: a copy a worker",
}


@dataclass(slots=True)
class FirstRow:
    """Seconds of each run: copying and hashing the package once, and to the first row of it and of a small one.

    `transfer` is what Spark takes to send one file of that size to the executors, where they need one.
    """

    place: str
    mb: int
    copy_and_hash: list[float] = field(default_factory=list)
    transfer: list[float] = field(default_factory=list)
    small: list[float] = field(default_factory=list)
    large: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Memory:
    """Bytes of PSS of all workers of each run, once they have used the whole model."""

    form: str
    mb: int
    workers: int
    pss: list[int] = field(default_factory=list)


class Weights(spark_models.pyfunc.PythonModel):
    """A model of one large array; scoring looks at `every`-th value of it."""

    def __init__(self, every: int, marks: str | None = None) -> None:
        self.every = every
        self.marks = marks

    def load_context(self, context: Any) -> None:
        self.weights = np.load(context.artifacts["weights"], mmap_mode="r")

    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input["x"] + used(float(self.weights[:: self.every].sum()), self.marks)


class Table:
    """The same as an object for the sklearn flavor, which pickles the array itself."""

    def __init__(self, weights: np.ndarray, marks: str) -> None:
        self.weights = weights
        self.marks = marks

    def predict(self, data: Any) -> Any:
        return data["x"] + used(float(self.weights.sum()), self.marks)


def used(total: float, marks: str | None) -> float:
    """Notes the process, and gives the other workers the time to take a task of their own."""
    if marks is not None:
        Path(marks, str(os.getpid())).touch()
        time.sleep(1.0)
    return total


def main() -> None:
    arguments = parse_arguments()
    if arguments.child is not None:
        print(json.dumps(CHILDREN[arguments.child[0]](*arguments.child[1:])))
        return
    samples: list[FirstRow | Memory] = []
    for place in PLACES:
        samples.append(FirstRow(**child("first-row", place, str(arguments.mb), str(arguments.repeat))))
        print(first_row_line(samples[-1]), flush=True)
    for mb, form, workers in itertools.product(arguments.arrays, FORMS, (1, 2)):
        runs = [child("memory", form, str(mb), str(workers)) for _ in range(arguments.repeat)]
        samples.append(Memory(form, mb, workers, runs))
        print(mb, form, workers, runs, flush=True)
    settings = {"mb": arguments.mb, "arrays_mb": arguments.arrays, "repeat": arguments.repeat}
    content = document("large package", settings, samples)
    for file in write(arguments.out, "large-package", content, report(content, samples)):
        print(file)


def child(*arguments: str) -> Any:
    """What a process of its own, with a session of its own, found."""
    command = [sys.executable, __file__, "--child", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# --- the first row


def first_rows(place: str, mb: str, repeat: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
        folder = Path(scratch)
        os.environ["SPARK_MODELS_CACHE"] = str(folder / "cache")
        executors = folder / ("cache" if place == "shared" else "executors")
        master = place if place == "local[2]" else "local-cluster[2,1,1024]"
        ship = "always" if place == "shipped" else "auto"
        options = {"spark.executorEnv.SPARK_MODELS_CACHE": str(executors), "spark.sparkModels.ship": ship}
        spark = start_spark(master, folder, options)
        rows = spark.range(0, ROWS, 1, 2).selectExpr("cast(id as double) as x")
        sample = FirstRow(place, int(mb))
        for _ in range(2):  # both workers have started
            first_row(spark, rows, weights_package(folder, 1024), hidden=place == "shipped")
        for _ in range(int(repeat)):
            small = weights_package(folder, 1024)
            sample.small.append(first_row(spark, rows, small, hidden=place == "shipped"))
            large = weights_package(folder, int(mb) * MB)
            sample.copy_and_hash.append(timed(lambda large=large: copied(large, folder / "copy")))
            shutil.rmtree(folder / "copy")
            if place == "shipped":
                sample.transfer.append(transferred(spark, folder, int(mb) * MB))
            os.sync()
            sample.large.append(first_row(spark, rows, large, hidden=place == "shipped"))
            for done in (large, *folder.glob("hidden-*")):
                shutil.rmtree(done)
        spark.stop()
    return {name: getattr(sample, name) for name in FirstRow.__slots__}


def weights_package(folder: Path, size: int) -> Path:
    """A package that no other has the content of."""
    weights = np.tile(np.frombuffer(os.urandom(1024), dtype="uint8"), size // 1024)
    np.save(folder / "weights.npy", weights)
    package = folder / f"package-{os.urandom(8).hex()}"
    model = Weights(every=MB)
    artifacts = {"weights": str(folder / "weights.npy")}
    spark_models.pyfunc.save_model(package, python_model=model, artifacts=artifacts, signature=SIGNATURE)
    os.sync()
    return package


def first_row(spark: Any, rows: Any, package: Path, hidden: bool) -> float:
    def run() -> None:
        predict = spark_models.pyfunc.spark_udf(spark, package, "double")
        if hidden:
            cache = Path(os.environ["SPARK_MODELS_CACHE"])
            cache.rename(cache.with_name(f"hidden-{os.urandom(8).hex()}"))
        # Not first(): where Spark stops within a partition it ends the Python worker, and the next one starts cold.
        assert len(rows.select(predict("x")).collect()) == ROWS

    return timed(run)


def transferred(spark: Any, folder: Path, size: int) -> float:
    """Seconds in which Spark alone brings one file to both executors: nothing is packed, unpacked or compared."""
    file = folder / f"file-{os.urandom(8).hex()}"
    file.write_bytes(os.urandom(MB) * (size // MB))
    os.sync()

    def run() -> None:
        spark.sparkContext.addFile(str(file))
        spark.sparkContext.parallelize(range(2), 2).map(lambda _: time.sleep(0.05)).collect()

    seconds = timed(run)
    file.unlink()
    return seconds


def copied(package: Path, target: Path) -> None:
    """The package copied and hashed in one pass, as one would do it by hand."""
    for source in sorted(path for path in package.rglob("*") if path.is_file()):
        destination = target / source.relative_to(package)
        destination.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with open(source, "rb") as reader, open(destination, "wb") as writer:
            while chunk := reader.read(MB):
                digest.update(chunk)
                writer.write(chunk)


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


# --- memory


def workers_memory(form: str, mb: str, workers: str) -> int:
    """The PSS of that many workers together, after each of them has scored with the whole model."""
    count = int(workers)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
        folder = Path(scratch)
        os.environ["SPARK_MODELS_CACHE"] = str(folder / "cache")
        marks = folder / "marks"
        marks.mkdir()
        package = array_package(form, folder, int(mb) * MB, str(marks))
        spark = start_spark(f"local[{count}]", folder, {})
        rows = spark.range(0, 2 * count, 1, count).selectExpr("cast(id as double) as x")
        predict = spark_models.pyfunc.spark_udf(spark, package, "double")
        rows.select(predict("x")).collect()
        pids = [int(mark.name) for mark in marks.iterdir()]
        if len(pids) != count:
            raise SystemExit(f"{len(pids)} workers took the {count} tasks: run it again")
        total = sum(proportional_set_size(pid) for pid in pids)
        spark.stop()
    return total


def array_package(form: str, folder: Path, size: int, marks: str) -> Path:
    weights = np.random.default_rng(0).random(size // 8)
    package = folder / "package"
    if form == "artifact":
        np.save(folder / "weights.npy", weights)
        model = Weights(1, marks)
        artifacts = {"weights": str(folder / "weights.npy")}
        spark_models.pyfunc.save_model(package, python_model=model, artifacts=artifacts, signature=SIGNATURE)
    else:
        spark_models.sklearn.save_model(Table(weights, marks), package, serialization_format=form, signature=SIGNATURE)
    return package


def proportional_set_size(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


# --- what both share


def start_spark(master: str, folder: Path, options: dict[str, str]) -> Any:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["SPARK_WORKER_DIR"] = str(folder / "work")  # else executors leave their files beside pyspark
    # The workers unpickle models whose classes are in this module, under its name.
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.memory": "1g",
        "spark.executor.memory": "1g",
        "spark.local.dir": str(folder / "local"),
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
        **options,
    }
    builder = SparkSession.builder.master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


CHILDREN: dict[str, Callable[..., Any]] = {"first-row": first_rows, "memory": workers_memory}


def report(content: dict[str, Any], samples: list[FirstRow | Memory]) -> str:
    rows = [first_row_line(sample) for sample in samples if isinstance(sample, FirstRow)]
    memory = [sample for sample in samples if isinstance(sample, Memory)]
    about = content["settings"]
    headers = [
        "workers",
        "copy and hash",
        "Spark sends one file",
        "first row, small package",
        "first row",
        "÷ copy and hash",
        "without the small one's",
        "÷ Spark sends one file",
    ]
    first = (
        f"{about['mb']} MB, which no cache had; medians of {about['repeat']}. “Without the small one's” leaves out "
        "what the first row of a small package takes. “Spark sends one file” is `SparkContext.addFile` of a file "
        "of that size and a job that does nothing: what an archive costs before it is looked into."
    )
    second = (
        f"Memory (PSS) of the Python workers when they have used all of a model's arrays; medians of {about['repeat']}."
        " Python with pandas, and scikit-learn where it is used, are in each worker's own memory: they are not shared."
    )
    lines = [memory_line(memory, form, mb) for mb in about["arrays_mb"] for form in FORMS]
    shares = table(["arrays", "form", "one worker", "two workers", "two ÷ one"], lines)
    return "\n\n".join(["# A large package", facts_text(content), first, table(headers, rows), second, shares])


def first_row_line(sample: FirstRow) -> list[str]:
    parts = (sample.copy_and_hash, sample.transfer, sample.small, sample.large)
    seconds = [shown(summarize(values).median) if values else "" for values in parts]
    whole = ratio(sample.large, sample.copy_and_hash)
    without = (statistics.median(sample.large) - statistics.median(sample.small)) / statistics.median(
        sample.copy_and_hash
    )
    over = f"{ratio(sample.large, sample.transfer):.2f}×" if sample.transfer else ""
    return [PLACES[sample.place], *seconds, f"{whole:.2f}×", f"{without:.2f}×", over]


def memory_line(samples: list[Memory], form: str, mb: int) -> list[str]:
    found = {item.workers: item.pss for item in samples if (item.form, item.mb) == (form, mb)}
    medians = [f"{summarize(found[count]).median / MB:.0f} MB" for count in (1, 2)]
    return [f"{mb} MB", FORMS[form], *medians, f"{ratio(found[2], found[1]):.2f}×"]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mb", type=int, help="of the package (500; with --short 50)")
    parser.add_argument(
        "--arrays",
        type=lambda text: [int(item) for item in text.split(",")],
        help="MB of the arrays whose memory is looked at (200,500; with --short 20)",
    )
    parser.add_argument("--repeat", type=int, help="runs (5; with --short 1)")
    parser.add_argument("--short", action="store_true", help="small sizes, one run")
    parser.add_argument("--out", type=Path, help="folder to write (docs/benchmarks; with --short build/benchmarks)")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    short = (50, [20], 1, DOCS.parent.parent / "build" / "benchmarks")
    defaults = short if arguments.short else (500, [200, 500], 5, DOCS)
    for name, value in zip(("mb", "arrays", "repeat", "out"), defaults, strict=True):
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


if __name__ == "__main__":
    # Under its own name, so that models of its classes unpickle in the workers.
    import large_package

    large_package.main()

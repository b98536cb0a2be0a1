"""`spark_udf()` against the same scoring written by hand, against moving the columns for nothing, and the model alone.

Each case is run in turns over its ways, so that a busy moment of the machine meets all of them. Wall time, and CPU
seconds of the Python workers and of the JVM, are kept as samples (JSON) and shown as a table (Markdown) and a plot.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paths
from cases import Case, cases
from measure import DOCS, Usage, document, facts_text, measure_spark, ratio, summarize, table, with_others, write
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

EXAMPLES = """\
examples:
  python benchmarks/udf.py                              all cases; writes docs/benchmarks/udf-spark-<version>.*
  python benchmarks/udf.py --short                      two cases, a minute or two; writes into build/benchmarks
  python benchmarks/udf.py --cases linear-20,linear-500 these anew, the file's other cases kept
  python benchmarks/udf.py --mlflow                     MLflow's spark_udf too (it has to be installed, and skops)
"""
PARTITIONS = 2
"""As many as cores: on Python 3.11 each task reads pyspark.zip's directory anew, which costs its worker 0.1 s."""


@dataclass(slots=True)
class Sample:
    """The runs of one way of one case; `rows`, `columns` and `batch` as they were."""

    case: str
    about: str
    way: str
    rows: int
    columns: int
    batch: int
    wall: list[float] = field(default_factory=list)
    python: list[float] = field(default_factory=list)
    jvm: list[float] = field(default_factory=list)

    def add(self, usage: Usage) -> None:
        self.wall.append(usage.wall)
        self.python.append(usage.python)
        self.jvm.append(usage.jvm)


def main() -> None:
    arguments = parse_arguments()
    warnings.simplefilter("ignore")
    spark = start_spark()
    chosen = [case for case in cases() if wanted(case, arguments)]
    samples: list[Sample] = []
    for case in chosen:
        samples += run_case(spark, case, arguments)
    stem = f"udf-spark-{spark.version}"
    settings = {"master": spark.sparkContext.master, "sink": "noop", "partitions": PARTITIONS}
    spark.stop()
    content = with_others(arguments.out / f"{stem}.json", document("udf", settings, samples), ["case"])
    order = [case.name for case in cases()]
    content["samples"].sort(key=lambda sample: order.index(sample["case"]))
    raw, readable = write(arguments.out, stem, content, text_of(content))
    print(f"\n{readable.read_text()}\n{raw}\n{readable}")
    plot(raw)


def run_case(spark: Any, case: Case, arguments: argparse.Namespace) -> list[Sample]:
    rows = case.rows if arguments.rows is None else arguments.rows
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(case.batch))
    with tempfile.TemporaryDirectory() as scratch:
        frame = spark.range(2_000).selectExpr(*[f"{sql} as {name}" for name, sql in case.columns.items()]).toPandas()
        model = case.fit(frame)
        case.save(model, frame, Path(scratch, "package"))
        ways = dict(paths.scoring(spark, case, model, Path(scratch, "package")))
        if arguments.mlflow:
            name, way = paths.mlflow_udf(spark, case, model, frame, Path(scratch, "mlflow"))
            ways[name] = way
        ways |= dict(paths.passing(case))
        ways = {name: with_own_workers(spark, name, way) for name, way in ways.items()}
        check_same(spark, case, {name: way for name, way in ways.items() if name not in paths.PASSING})
        runs: dict[str, Callable[[], Usage]] = {
            name: lambda way=way: measure_spark(lambda: to_nothing(way(case.source(spark, rows, PARTITIONS))))
            for name, way in ways.items()
        }
        by_hand = ways[paths.PANDAS]
        runs[paths.TASKS] = lambda: measure_spark(
            lambda: to_nothing(by_hand(case.source(spark, PARTITIONS, PARTITIONS)))
        )
        runs[paths.ALONE] = lambda: model_alone(model, frame, case, rows)
        samples = {name: Sample(case.name, case.about, name, rows, len(case.columns), case.batch) for name in runs}
        names = list(runs)
        for turn in range(arguments.repeat + 1):
            # Each turn starts elsewhere: what runs after a pause, or after a long run, is not always the same.
            start = turn * len(names) // (arguments.repeat + 1)
            for name in names[start:] + names[:start]:
                usage = runs[name]()
                if turn > 0:  # the first one imports and compiles
                    samples[name].add(usage)
            print(f"{case.name}: {turn} of {arguments.repeat}", end="\r" if sys.stdout.isatty() else "\n", flush=True)
        return list(samples.values())


def with_own_workers(spark: Any, name: str, way: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A way that shares no Python worker with the others.

    What one of them sets in its process, as `spark_udf` has the C library keep the memory that a batch has freed, would
    serve the others too. Spark keeps workers by their environment variables.
    """

    def scored(df: Any) -> Any:
        spark.sparkContext.environment["SPARK_MODELS_BENCHMARK"] = name
        return way(df)

    return scored


def to_nothing(df: Any) -> None:
    """Computes every row and writes none."""
    df.write.format("noop").mode("overwrite").save()


def model_alone(model: Any, frame: Any, case: Case, rows: int) -> Usage:
    """The model in this process, on one core, in batches of the case's size."""
    given = frame if case.form == "frame" else frame.to_numpy()
    repeated = [given] * max(1, case.batch // len(frame))
    batch = given if len(repeated) == 1 else _concatenated(repeated)
    with threadpool_limits(1):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(rows // len(batch)):
            model.predict(batch)
        return Usage(time.perf_counter() - wall, time.process_time() - cpu)


def _concatenated(parts: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    return pd.concat(parts, ignore_index=True) if isinstance(parts[0], pd.DataFrame) else np.concatenate(parts)


def check_same(spark: Any, case: Case, ways: dict[str, Callable[[Any], Any]]) -> None:
    """Ways that are compared must give the same."""
    answer = F.expr("aggregate(p, 0D, (a, b) -> a + b)") if case.result.startswith("array") else F.col("p")
    sums = {
        name: way(case.source(spark, 3_000, PARTITIONS)).select(F.sum(answer)).first()[0] for name, way in ways.items()
    }
    if any(abs(found - sums[paths.PANDAS]) > 1e-6 * abs(found) for found in sums.values()):
        raise SystemExit(f"{case.name}: the answers differ, {sums}")


def text_of(content: dict[str, Any]) -> str:
    """The samples as a Markdown page: medians, spread, and ratios to what is written by hand."""
    by_case: dict[str, list[Sample]] = {}
    for raw in content["samples"]:
        sample = Sample(**raw)
        by_case.setdefault(sample.case, []).append(sample)
    headers = ["way", "wall s", "Python CPU s", "JVM CPU s", "wall", "Python CPU", "quartiles of wall", "n"]
    parts = [f"# spark_udf on Spark {content['versions'].get('pyspark')}", facts_text(content)]
    parts.append(
        f"Medians; {content['settings']['master']}, sink `{content['settings']['sink']}`. The two ratios are to "
        f"“{paths.PANDAS}” of the same case, without “{paths.TASKS}”, which is in all of them; ways were run in turns."
    )
    for samples in by_case.values():
        first = samples[0]
        parts.append(f"## {first.case}: {first.about}\n\n{first.rows:,} rows, Arrow batches of {first.batch:,}.")
        base, fixed = (find(samples, way) for way in (paths.PANDAS, paths.TASKS))
        parts.append(table(headers, [row_of(sample, base, fixed) for sample in samples]))
    return "\n\n".join(parts)


def find(samples: list[Sample], way: str) -> Sample:
    return next(sample for sample in samples if sample.way == way)


def row_of(sample: Sample, base: Sample, fixed: Sample) -> list[str]:
    wall = summarize(sample.wall)
    seconds = [f"{wall.median:.2f}", *(f"{summarize(values).median:.2f}" for values in (sample.python, sample.jvm))]
    measures = [(sample.wall, base.wall, fixed.wall), (sample.python, base.python, fixed.python)]
    on_spark = sample.way not in (paths.ALONE, paths.TASKS, paths.TABLE)
    ratios = [f"{ratio(*measure):.2f}×" if on_spark else "" for measure in measures]
    return [sample.way, *seconds, *ratios, f"{wall.low:.2f} – {wall.high:.2f}", str(wall.n)]


def plot(raw: Path) -> None:
    try:
        import plot
    except ImportError:
        print("(no plot: matplotlib is not installed)")
        return
    print(plot.draw(raw))


def start_spark() -> Any:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # The workers unpickle models whose classes are in these modules.
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.python.worker.reuse", "true")
        .getOrCreate()
    )


def wanted(case: Case, arguments: argparse.Namespace) -> bool:
    if arguments.cases is not None:
        return case.name in arguments.cases
    return case.short or not arguments.short


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [case.name for case in cases()]
    parser.add_argument("--cases", type=lambda text: text.split(","), help=f"of {', '.join(names)}")
    parser.add_argument("--short", action="store_true", help="two cases, 3 turns")
    parser.add_argument("--rows", type=int, help="rows of every case, instead of its own number")
    parser.add_argument("--repeat", type=int, help="turns (5; with --short 3)")
    parser.add_argument("--mlflow", action="store_true", help="with MLflow's spark_udf")
    parser.add_argument("--out", type=Path, help="folder to write (docs/benchmarks; with --short build/benchmarks)")
    arguments = parser.parse_args()
    unknown = set(arguments.cases or ()) - set(names)
    if unknown:
        parser.error(f"no such cases: {', '.join(sorted(unknown))}")
    if arguments.repeat is None:
        arguments.repeat = 3 if arguments.short else 5
    if arguments.out is None:
        arguments.out = DOCS.parent.parent / "build" / "benchmarks" if arguments.short else DOCS
    return arguments


if __name__ == "__main__":
    main()

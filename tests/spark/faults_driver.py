"""The driver of the jobs of `test_faults.py`, on two executors of their own: prints what it saw as JSON.

    python faults_driver.py FOLDER [SMALL_DISK]

A task may fail three times. SMALL_DISK is the executors' cache: two megabytes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from standalone import driver_session

import spark_models
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

ROWS = 200
ATTEMPTS = 3


class Mortal(spark_models.pyfunc.PythonModel):
    """Doubles x. Its process is killed at `where` ("load"; "predict": in its second batch) until `lives` have gone."""

    def __init__(self, marks: Path, where: str, lives: int, weight: int = 0) -> None:
        self.marks = str(marks)
        self.where = where
        self.lives = lives
        self.weight = np.zeros(weight, dtype="uint8")

    def _may_die(self) -> None:
        with open(self.marks, "a") as stream:
            stream.write(f"{os.getpid()}\n")
        with open(self.marks) as stream:
            deaths = len(stream.readlines())
        if deaths <= self.lives:
            os.kill(os.getpid(), signal.SIGKILL)

    def load_context(self, context: Any) -> None:
        self.batches = 0
        if self.where == "load":
            self._may_die()

    def predict(self, context: Any, model_input: Any) -> Any:
        self.batches += 1
        if self.where == "predict" and self.batches == 2:
            self._may_die()
        return model_input["x"] * 2


class Driver:
    """A session on two executors of this host, each with its own copy of the packages' cache."""

    def __init__(self, folder: Path, executor_cache: str) -> None:
        self.folder = folder
        self.session = driver_session(
            "local-cluster[2,1,512]",
            **{
                "spark.executor.memory": "512m",
                "spark.local.dir": str(folder / "local"),
                "spark.task.maxFailures": str(ATTEMPTS),
                "spark.executorEnv.SPARK_MODELS_CACHE": executor_cache,
                "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
                "spark.sql.execution.arrow.maxRecordsPerBatch": "10",
            },
        )

    def model(self, name: str, *arguments: Any) -> str:
        path = str(self.folder / name)
        signature = ModelSignature(Schema([ColSpec("double", "x")]))
        model = Mortal(self.folder / f"{name}.deaths", *arguments)
        spark_models.pyfunc.save_model(path, python_model=model, signature=signature)
        return path

    def scored(self, path: str, moved: bool = False) -> Any:
        """The rows that a job gives more or less than once or wrong, and what the UDF counted; or the job's error."""
        predict = spark_models.spark_udf(self.session, path)
        if moved:
            shutil.rmtree(os.environ["SPARK_MODELS_CACHE"])
        numbers = self.session.range(0, ROWS, 1, 4).selectExpr("id", "cast(id as double) as x")
        try:
            rows = numbers.select("id", predict("x").alias("p")).collect()
        except Exception as error:  # noqa: BLE001 - its text is what is looked at
            return {"error": str(error)}
        counts = Counter(row.id for row in rows)
        wrong = [row.id for row in rows if row.p != 2.0 * row.id]
        repeated = [number for number in range(ROWS) if counts[number] != 1]
        return {"wrong": wrong, "repeated": repeated, "counted": predict.stats.rows}

    def deaths(self, name: str) -> int:
        """How often a model was asked whether it dies."""
        return len((self.folder / f"{name}.deaths").read_text().splitlines())


def killed_in_a_batch(driver: Driver) -> Any:
    """A worker is killed in its second batch, after ten rows were scored."""
    return {**driver.scored(driver.model("batch", "predict", 1)), "asked": driver.deaths("batch")}


def killed_on_loading(driver: Driver) -> Any:
    """A worker is killed while it loads the model."""
    return {**driver.scored(driver.model("load", "load", 1)), "asked": driver.deaths("load")}


def killed_always(driver: Driver) -> Any:
    """A model that no worker survives."""
    return {**driver.scored(driver.model("always", "predict", 1000)), "asked": driver.deaths("always")}


def full_disk(driver: Driver) -> Any:
    """The package does not fit into the executors' cache; the next one, which does, is scored."""
    seen = {"large": driver.scored(driver.model("large", "never", 0, 4_000_000), moved=True)}
    return {**seen, "small": driver.scored(driver.model("small", "never", 0, 1_000), moved=True)}


SCENARIOS: tuple[Callable[[Driver], Any], ...] = (killed_in_a_batch, killed_on_loading, killed_always)


def main(folder: str, *small_disk: str) -> None:
    driver = Driver(Path(folder), *(small_disk or [f"{folder}/executors"]))
    scenarios = [*SCENARIOS, full_disk] if small_disk != () else SCENARIOS
    seen = {scenario.__name__: scenario(driver) for scenario in scenarios}
    driver.session.stop()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

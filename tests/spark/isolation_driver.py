"""The driver of `test_isolation.py` on a cluster or with Spark Connect: prints what it saw as JSON.

python isolation_driver.py MASTER FOLDER

The driver's copies are moved away once the UDF is made: what an executor has, it has from the archives.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import spark_models
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

ROWS = 200


class Telling(spark_models.pyfunc.PythonModel):
    """Tells which library and process scored a row; ends the process at row -1."""

    def predict(self, context: Any, model_input: Any) -> Any:
        import packaging

        if (model_input["a"] == -1).any():
            os._exit(3)
        facts = json.dumps([packaging.__version__, os.getpid(), os.getppid(), sys.prefix])
        return [facts] * len(model_input)


def session(master: str, folder: Path) -> Any:
    """A classic session of a cluster, or one of Connect for "connect"."""
    builder = SparkSession.builder
    builder = builder.remote("local[2]") if master == "connect" else builder.master(master)
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "600m",
        "spark.executorEnv.SPARK_MODELS_CACHE": str(folder / "executors"),
        # Both executors are there before the first task.
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def text_of_failure(frame: Any) -> str:
    """The text of the error that a query ends with; "" where it does not."""
    try:
        frame.collect()
    except Exception as error:  # noqa: BLE001 - its text is what is looked at
        return str(error)
    return ""


def main(master: str, folder: str) -> None:
    spark = session(master, Path(folder))
    path = str(Path(folder, "model"))
    signature = ModelSignature(Schema([ColSpec("double", "a")]))
    spark_models.pyfunc.save_model(
        path, python_model=Telling(), signature=signature, extra_pip_requirements=["packaging==23.0"]
    )
    predict = spark_models.spark_udf(spark, path, "string", env_manager="uv")
    cache = Path(os.environ["SPARK_MODELS_CACHE"])
    cache.rename(cache.with_name("hidden"))

    rows = spark.range(0, ROWS, 1, 20).selectExpr("cast(id as double) as a")
    answers = [row[0] for row in rows.select(predict()).collect()]
    # A crash is tried again four times, as every failure.
    crash = text_of_failure(rows.selectExpr("if(a = 150, -1D, a) as a").select(predict()))
    again = [row[0] for row in rows.select(predict()).collect()]
    spark.stop()
    seen = {"answers": list(map(json.loads, answers)), "crash": crash, "again": list(map(json.loads, again))}
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

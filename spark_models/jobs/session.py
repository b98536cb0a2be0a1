"""The Spark session of a job: the active one, or one with the job's settings and, where it needs it, Delta."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from spark_models.errors import MissingExtraError
from spark_models.jobs.job import Job, revealed

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
DELTA_PACKAGE = "io.delta:delta-spark_{scala}:{version}"


@contextlib.contextmanager
def job_session(job: Job) -> Iterator[Any]:
    """The active session, left as it is; else a new one of this process that ends with the block.

    Under spark-submit the master, the jars and their settings are those of spark-submit. A process of its own uses all
    cores of this host unless `spark.master` says otherwise, and fetches Delta's jars where the job needs them and the
    job's settings name none.

    Raises:
        MissingExtraError: [MISSING_EXTRA] the job needs Delta, and delta-spark is not installed.
    """
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    # Workers must be of this Python, whatever python3 is on the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        # The platform has made the session, with Delta, and ends it.
        yield SparkSession.builder.getOrCreate()
        return
    settings = {**(DELTA if job.uses_delta else {}), **revealed(job.spark)}
    builder: Any = SparkSession.builder.appName(f"spark-models {job.name}")
    if not is_submitted():
        settings = {"spark.master": "local[*]", "spark.ui.showConsoleProgress": "false", **settings}
        if job.uses_delta and "spark.jars" not in settings:
            packages = [text for text in [settings.get("spark.jars.packages")] if text]
            if not any("io.delta:" in text for text in packages):
                settings["spark.jars.packages"] = ",".join([*packages, delta_package()])
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    if "spark.log.level" not in settings and not is_submitted():
        # What goes wrong is told as one error; Spark would print its stack, and with it what a model said of a row.
        session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()


def is_submitted() -> bool:
    """Whether spark-submit has started this process, or a Connect server is named: they have settings of their own."""
    return any(name in os.environ for name in ("PYSPARK_GATEWAY_PORT", "SPARK_REMOTE"))


def delta_package() -> str:
    """The Maven coordinates of Delta's jar for the installed delta-spark and pyspark.

    Raises:
        MissingExtraError: [MISSING_EXTRA] delta-spark is not installed.
    """
    from importlib import metadata

    import pyspark

    try:
        version = metadata.version("delta-spark")
    except metadata.PackageNotFoundError:
        raise MissingExtraError("delta-spark", "delta", "A Delta table") from None
    scala = "2.12" if pyspark.__version__.startswith("3.") else "2.13"
    return DELTA_PACKAGE.format(scala=scala, version=version)

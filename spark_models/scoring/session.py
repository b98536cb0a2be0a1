"""A Spark session for a few rows: the active one, or a small one of this host that is stopped again."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spark_models.errors import SparkUnavailableError

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    # Every shuffle of a small table would start 200 tasks.
    "spark.sql.shuffle.partitions": "2",
}


@contextlib.contextmanager
def session_or_local() -> Iterator[Any]:
    """The active session, left as it is; where there is none, one on two cores that ends with the block.

    What the JVM of the latter writes to standard error goes to a file that is removed with it.

    Raises:
        SparkUnavailableError: [SPARK_UNAVAILABLE] no session can be started, as without Java.
    """
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    # Workers must be of this Python, whatever python3 is on the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory(prefix="spark-models-session-", ignore_cleanup_errors=True) as folder:
        builder = SparkSession.builder.master("local[2]").appName("spark-models")
        folders = {"spark.sql.warehouse.dir": f"{folder}/warehouse", "spark.local.dir": f"{folder}/local"}
        for name, value in {**SETTINGS, **folders}.items():
            builder = builder.config(name, value)
        session = _started(builder, Path(folder, "stderr"))
        try:
            yield session
        finally:
            session.stop()


def _started(builder: Any, log: Path) -> Any:
    """The builder's session; its JVM has `log` as its standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(log, "wb") as stream:
            os.dup2(stream.fileno(), 2)
            session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
    except Exception as error:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip() != ""]
        problem = lines[-1].strip().rstrip(".") if lines != [] else type(error).__name__
        raise SparkUnavailableError(problem) from error
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    return session

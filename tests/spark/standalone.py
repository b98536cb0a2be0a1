"""A real standalone cluster: a master and two workers as processes of their own, nothing shared but Spark itself.

The drivers of its jobs are scripts of their own, which import this by its name.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyspark

SPARK_HOME = Path(pyspark.__file__).parent
WORKERS = 2
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.executor.memory": "600m",
    # All executors are there before the first task, and a task that fails is not tried again.
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
    "spark.task.maxFailures": "1",
}
"""The session of a job's driver."""


def driver_session(master: str, **settings: str) -> Any:
    """The session of a job's driver, silent; `settings`, by their whole names, go before `SETTINGS`."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("spark-models tests")
    for name, value in {**SETTINGS, **settings}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    # Jobs that are made to fail would print each failure's stack.
    session.sparkContext.setLogLevel("OFF")
    return session


class Daemon:
    """A process of the cluster that writes a log."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.log = folder / f"{name}.log"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"SPARK_HOME": str(SPARK_HOME), "SPARK_DAEMON_MEMORY": "512m", "SPARK_LOCAL_DIRS": str(folder)}
        with open(self.log, "wb") as stream:
            command = [str(SPARK_HOME / "bin" / "spark-class"), *arguments]
            self.process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)

    def until(self, pattern: str) -> str:
        """The first group of the pattern, as soon as the log has it."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace")
            found = re.search(pattern, text)
            if found is not None:
                return found.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"{pattern} is not in the log:\n{self.log.read_text(errors='replace')}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[str]:
    """The master's URL, while it runs; workers of one core and 1 GB each."""
    deploy = "org.apache.spark.deploy"
    local = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    daemons = [Daemon(folder, "master", f"{deploy}.master.Master", *local)]
    try:
        url = daemons[0].until(r"Starting Spark master at (spark://\S+)")
        # It takes its port before it says so; a worker may then register.
        daemons[0].until(r"(New state: ALIVE|I have been elected leader)")
        for number in range(WORKERS):
            limits = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work-{number}")]
            daemons.append(Daemon(folder, f"worker-{number}", f"{deploy}.worker.Worker", *local, *limits, url))
        for worker in daemons[1:]:
            worker.until(r"(Successfully registered) with master")
        yield url
    finally:
        for daemon in reversed(daemons):
            daemon.stop()

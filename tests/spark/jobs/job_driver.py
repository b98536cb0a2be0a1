"""A process that runs a job file, and dies where it is told to: python job_driver.py JOB_FILE STEP [MARKS]

After the step it kills its process group, the JVM in it, as a machine that loses power would; 'never' lets it end.
It adds each step to the file MARKS; then it may be the application of spark-submit, which has the group.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from spark_models.jobs.reading import read_job
from spark_models.jobs.runner import run_job
from spark_models.jobs.session import job_session


def die() -> None:
    """Ends this process and its JVM at once."""
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Runs the job."""
    path, when, *marks = sys.argv[1:]
    if marks == []:
        os.setpgid(0, 0)
    job = read_job(path)

    def on_step(name: str) -> None:
        if name == when:
            die()
        for file in marks:
            with Path(file).open("a") as stream:
                stream.write(f"{name} {time.time()}\n")

    with job_session(job) as spark:
        result = run_job(spark, job, on_step=on_step)
    sys.stdout.write(f"{result.outcome.value}\n")


if __name__ == "__main__":
    main()

"""The GPUs that Spark has given a task, for the libraries that would take them all."""

from __future__ import annotations

import os
import sys

VARIABLE = "CUDA_VISIBLE_DEVICES"


def take_gpus() -> None:
    """Shows this process the GPUs of its task alone; before a library of networks is loaded, which looks but once.

    Without GPUs among the task's resources (`spark.task.resource.gpu.amount`), and where the variable is set already,
    all stays as it is. So it does in the process of a package's own environment: its worker has set the variable.
    """
    if "pyspark" not in sys.modules:
        return
    from pyspark import TaskContext

    context = TaskContext.get()
    found = None if context is None else context.resources().get("gpu")
    if found is not None and VARIABLE not in os.environ:
        os.environ[VARIABLE] = ",".join(found.addresses)

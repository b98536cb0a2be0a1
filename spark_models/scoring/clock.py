"""What this worker process knows of time: model loads that no batch has counted yet, and when the last batch ended."""

from __future__ import annotations

import time

_loads: list[float] = []
_last: list[tuple[int, float]] = []


def loaded(seconds: float) -> None:
    """Notes a model load, for the batch that caused it."""
    _loads.append(seconds)


def take_loads() -> tuple[int, float]:
    """How many loads there were since the last call, and their seconds."""
    if _loads == []:
        return 0, 0.0
    count, seconds = len(_loads), sum(_loads)
    _loads.clear()
    return count, seconds


def batch_done() -> None:
    """Notes that the task's batch is on its way back."""
    _last[:] = [(_task(), time.perf_counter())]


def waited(until: float) -> float:
    """Seconds from the end of this task's last batch until `until`; 0.0 for its first."""
    if _last == [] or _last[0][0] != _task():
        return 0.0
    return max(0.0, until - _last[0][1])


def _task() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    return -1 if context is None else int(context.taskAttemptId())

"""What the workers of a server count, in one piece of shared memory, and its form for Prometheus."""

from __future__ import annotations

import mmap
import tempfile
from typing import IO

STATUSES = (200, 204, 400, 401, 404, 405, 406, 408, 413, 415, 421, 429, 431, 500, 503, 504)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_OTHER = len(STATUSES)
_BUCKET = _OTHER + 1
_SECONDS = _BUCKET + len(BUCKETS) + 1
_ROWS, _PREDICTIONS, _MODEL_SECONDS, _WAITING, _STARTS = range(_SECONDS + 1, _SECONDS + 6)
_CELLS = _STARTS + 1
_BYTES = 8

STATUS_CELLS = {status: cell for cell, status in enumerate(STATUSES)}


def shared_file(workers: int) -> IO[bytes]:
    """A file without a name that holds the counts of so many workers, all zero."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
    file.truncate(workers * _CELLS * _BYTES)
    return file


class Metrics:
    """The counts of one worker, and a view of all workers'. A worker that is replaced is counted on in its place."""

    def __init__(self, fd: int | None = None, worker: int = 0, workers: int = 1) -> None:
        length = workers * _CELLS * _BYTES
        self._all = memoryview(mmap.mmap(-1 if fd is None else fd, length)).cast("d")
        self._workers = workers
        self._own = self._all[worker * _CELLS : (worker + 1) * _CELLS]
        self._own[_STARTS] += 1
        self._own[_WAITING] = 0

    def answered(self, status: int, seconds: float) -> None:
        """Counts an answer of a request to the model."""
        own = self._own
        own[STATUS_CELLS.get(status, _OTHER)] += 1
        for cell, bound in enumerate(BUCKETS, _BUCKET):
            if seconds <= bound:
                own[cell] += 1
                break
        else:
            own[_BUCKET + len(BUCKETS)] += 1
        own[_SECONDS] += seconds

    def predicted(self, rows: int, seconds: float) -> None:
        """Counts a prediction, of one request or of several together."""
        own = self._own
        own[_ROWS] += rows
        own[_PREDICTIONS] += 1
        own[_MODEL_SECONDS] += seconds

    def waiting(self, requests: int) -> None:
        """Says how many requests wait for the model in this worker."""
        self._own[_WAITING] = requests

    def text(self) -> str:
        """All workers' counts in Prometheus' text format."""
        total = [sum(self._all[cell::_CELLS]) for cell in range(_CELLS)]
        name = "spark_models_requests"
        lines = [f"# HELP {name}_total Answers to requests for predictions.", f"# TYPE {name}_total counter"]
        named = [*((str(status), cell) for status, cell in STATUS_CELLS.items()), ("other", _OTHER)]
        lines += [f'{name}_total{{status="{status}"}} {total[cell]:.0f}' for status, cell in named if total[cell] > 0]
        name = "spark_models_request_seconds"
        lines += [f"# HELP {name} From the request's head to its answer.", f"# TYPE {name} histogram"]
        count = 0.0
        for cell, bound in enumerate((*map(str, BUCKETS), "+Inf"), _BUCKET):
            count += total[cell]
            lines.append(f'{name}_bucket{{le="{bound}"}} {count:.0f}')
        lines += [f"{name}_sum {total[_SECONDS]:.6f}", f"{name}_count {count:.0f}"]
        for name, kind, cell, said in (
            ("spark_models_rows_total", "counter", _ROWS, "Rows that were scored."),
            ("spark_models_predictions_total", "counter", _PREDICTIONS, "Calls of the model."),
            ("spark_models_model_seconds_total", "counter", _MODEL_SECONDS, "Time in the model."),
            ("spark_models_waiting_requests", "gauge", _WAITING, "Requests that wait for the model."),
            ("spark_models_worker_starts_total", "counter", _STARTS, "Workers that were started."),
        ):
            lines += [
                f"# HELP {name} {said}",
                f"# TYPE {name} {kind}",
                f"{name} {total[cell]:.6f}".rstrip("0").rstrip("."),
            ]
        return "\n".join(lines) + "\n"

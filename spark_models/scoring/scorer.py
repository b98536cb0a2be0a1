"""`BatchScorer`: what a worker does with one batch, whichever transport brought it."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from spark_models.coerce.coerce import coerce_output
from spark_models.coerce.result_type import ResultType
from spark_models.pyfunc.loading import PyFuncModel
from spark_models.scoring import clock
from spark_models.scoring.envelope import envelope_type, sealed
from spark_models.scoring.failures import Failure, score_around
from spark_models.scoring.place import PackageRef
from spark_models.scoring.plan import BindPlan
from spark_models.scoring.resident import resident_model
from spark_models.scoring.stats import ScoreStats

if TYPE_CHECKING:
    from spark_models.scoring.isolation.delivery import EnvironmentRef
    from spark_models.scoring.meter import BatchMeter

_log = logging.getLogger(__name__)

LOG_LEVEL = "SPARK_MODELS_LOG"
"""The environment variable of executors that names the level of their log, as INFO."""

SESSION_ZONE = "spark.sql.session.timeZone"
"""The session's setting; a query brings it to its tasks."""

Bind = Callable[[int, int], Any]
"""Gives the model's input for rows start to stop of a batch."""

Times = tuple[float, float, float]
"""The seconds of binding, predicting and coercing."""

ScoreRows = Callable[[int, int], tuple[pa.Array, Times]]
"""Gives the predictions for rows start to stop of a batch, and what they took."""


def is_new(output: Any) -> bool:
    """Whether nothing but the caller's variable holds a model's output and its values: no later call changes them."""
    if type(output) is list:
        return True  # Arrow arrays of its items are copies
    return type(output) is np.ndarray and output.base is None and sys.getrefcount(output) <= _references_of_new()


@functools.cache
def _references_of_new() -> int:
    """What a function counts of an argument that its caller's variable alone holds: Python 3.10 counts one more."""

    def counted(value: object) -> int:
        return sys.getrefcount(value)

    new = object()
    return counted(new)


@functools.cache
def log_as_asked() -> None:
    """Logs at the level that `LOG_LEVEL` names; a worker's standard error is the executor's log."""
    level = os.environ.get(LOG_LEVEL, "")
    if level == "":
        return
    logger = logging.getLogger("spark_models")
    logger.setLevel(level.upper())
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())


def session_zone() -> str | None:
    """The time zone of the session whose query runs here; None where it was never set, or outside of a task."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return None if context is None else context.getLocalProperty(SESSION_ZONE)


class Batch(Protocol):
    """The columns of one batch from Spark, in the form of their transport."""

    @property
    def rows(self) -> int:
        """How many rows it has."""

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes."""

    def bind(self, plan: BindPlan, timezone: str) -> Bind:
        """How the model's input is made of it."""


@dataclass(frozen=True, slots=True)
class BatchScorer:
    """A score of one batch: bind by the plan, predict with the resident model, coerce to the result type.

    Small and picklable: it names the package by its hash, and the model itself stays in the worker process.

    `batch_rows` and `batch_bytes` bound what the model gets in one call; a batch from Spark is sliced to fit. By
    `on_error` "null" a row that can't be scored is null, by "fail" the job fails. With `envelope` each row is a struct
    of the value, the error and, with `observed`, on its first row the batch's stats; `accumulator` takes these too, and
    the executor's log where the logger `spark_models` is at INFO. `meter` takes them with the predictions' tally. With
    `environment` the three steps happen in a process of that environment.
    """

    package: PackageRef
    plan: BindPlan
    result_type: ResultType
    method: str | None = None
    params: tuple[tuple[str, Any], ...] = ()
    timezone: str = "UTC"
    batch_rows: int | None = None
    batch_bytes: int | None = None
    on_error: str = "fail"
    splittable: bool = False
    envelope: bool = False
    observed: bool = True
    meter: BatchMeter | None = None
    accumulator: Any = field(default=None, compare=False)
    environment: EnvironmentRef | None = None

    @property
    def sent_type(self) -> ResultType:
        """The type of what `run` gives: the result type, or the envelope around it."""
        return envelope_type(self.result_type, self.observed) if self.envelope else self.result_type

    @property
    def ddl(self) -> str:
        """The Spark type of what `run` gives, as SQL writes it."""
        return self.sent_type.ddl

    def run(self, batch: Batch) -> pa.Array:
        """The predictions for a batch, in order: an Arrow array of `ddl`."""
        zone = session_zone()
        if zone not in (None, self.timezone):
            # The session's zone was changed after the UDF was made, and Spark shows instants in the new one.
            return replace(self, timezone=zone, result_type=self.result_type.in_zone(zone)).run(batch)
        log_as_asked()
        rows = batch.rows
        if rows == 0:
            return self._enveloped(pa.array([], type=self.result_type.arrow), [], ScoreStats())
        began = time.perf_counter()
        seconds = [0.0, 0.0, 0.0]
        with self._opened(batch) as score_rows:
            loads, load_seconds = clock.take_loads()

            def score(start: int, stop: int) -> pa.Array:
                values, times = score_rows(start, stop)
                for step, taken in enumerate(times):
                    seconds[step] += taken
                return values

            values, failures = self._in_slices(score, rows, self.slice_rows(batch))
        told = self.accumulator is not None or self.meter is not None or _log.isEnabledFor(logging.INFO)
        if not told and not self.envelope:
            return values
        stats = ScoreStats(
            rows=rows,
            batches=1,
            nulls=values.null_count,
            failed=sum(failure.stop - failure.start for failure in failures),
            loads=loads,
            load_seconds=load_seconds,
            bind_seconds=seconds[0],
            predict_seconds=seconds[1],
            coerce_seconds=seconds[2],
            transfer_seconds=clock.waited(began),
        )
        if self.accumulator is not None:
            self.accumulator.add(stats)
        if self.meter is not None:
            self.meter.add(values, stats)
        _log.info("scored a batch: %s", stats.to_dict())
        clock.batch_done()
        return self._enveloped(values, failures, stats)

    @contextlib.contextmanager
    def _opened(self, batch: Batch) -> Iterator[ScoreRows]:
        """What scores rows of the batch: this process' resident model, or the process of the package's environment."""
        if self.environment is None:
            model = resident_model(self.package, self.method)
            yield partial(self.score_rows, model, batch.bind(self.plan, self.timezone))
            return
        from spark_models.scoring.isolation.process import resident_process

        with resident_process(self.environment).opened(self, batch) as score_rows:
            yield score_rows

    def score_rows(self, model: PyFuncModel, bind: Bind, start: int, stop: int) -> tuple[pa.Array, Times]:
        """The predictions for rows start to stop, and the time of each step."""
        params = dict(self.params) if self.params != () else None
        began = time.perf_counter()
        bound = bind(start, stop)
        has_bound = time.perf_counter()
        output = model.predict_bound(bound, params)
        has_output = time.perf_counter()
        values = coerce_output(output, self.result_type, stop - start)
        if not is_new(output):
            # They may be a view of what the model fills again for its next rows, or for another column of the query.
            values = pa.concat_arrays([values, values.slice(0, 0)])
        return values, (has_bound - began, has_output - has_bound, time.perf_counter() - has_output)

    def slice_rows(self, batch: Batch) -> int:
        """How many rows of a batch the model gets in one call, at least 1."""
        rows = batch.rows
        size = batch.nbytes if self.batch_bytes is not None else 0
        by_rows = rows if self.batch_rows is None else self.batch_rows
        by_bytes = rows if self.batch_bytes is None or size == 0 else self.batch_bytes * rows // size
        return max(1, min(rows, by_rows, by_bytes))

    def _in_slices(self, score: Callable[[int, int], pa.Array], rows: int, step: int) -> tuple[pa.Array, list[Failure]]:
        if step >= rows and self.on_error == "fail":
            return score(0, rows), []
        parts: list[pa.Array] = []
        failures: list[Failure] = []
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            if self.on_error == "fail":
                parts.append(score(start, stop))
                continue
            arrays, failed = score_around(score, start, stop, self.result_type.arrow, self.splittable)
            parts.extend(arrays)
            failures.extend(failed)
        return (parts[0] if len(parts) == 1 else pa.concat_arrays(parts)), failures

    def _enveloped(self, values: pa.Array, failures: list[Failure], stats: ScoreStats) -> pa.Array:
        if not self.envelope:
            return values
        return sealed(values, self.result_type, failures, stats if self.observed else None)

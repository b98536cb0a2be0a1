"""`BatchScorer`: what a worker does with one batch, whichever transport brought it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

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

Bind = Callable[[int, int], Any]
"""Gives the model's input for rows start to stop of a batch."""


@dataclass(frozen=True, slots=True)
class BatchScorer:
    """A score of one batch: bind by the plan, predict with the resident model, coerce to the result type.

    Small and picklable: it names the package by its hash, and the model itself stays in the worker process.

    `batch_rows` and `batch_bytes` bound what the model gets in one call; a batch from Spark is sliced to fit. By
    `on_error` "null" a row that can't be scored is null, by "fail" the job fails. With `envelope` each row is a struct
    of the value, the error and, on its first row, the batch's stats; `accumulator` takes these too.
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
    accumulator: Any = field(default=None, compare=False)

    @property
    def sent_type(self) -> ResultType:
        """The type of what `run` gives: the result type, or the envelope around it."""
        return envelope_type(self.result_type) if self.envelope else self.result_type

    @property
    def ddl(self) -> str:
        """The Spark type of what `run` gives, as SQL writes it."""
        return self.sent_type.ddl

    def run(self, bind: Bind, rows: int, size: int = 0) -> pa.Array:
        """The predictions for a batch of `rows` rows and about `size` bytes, in order: an Arrow array of `ddl`."""
        if rows == 0:
            return self._enveloped(pa.array([], type=self.result_type.arrow), [], ScoreStats())
        began = time.perf_counter()
        model = resident_model(self.package, self.method)
        loads, load_seconds = clock.take_loads()
        seconds = [0.0, 0.0, 0.0]

        def score(start: int, stop: int) -> pa.Array:
            return self._score(model, bind, start, stop, seconds)

        values, failures = self._in_slices(score, rows, size)
        if self.accumulator is None and not self.envelope:
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
        clock.batch_done()
        return self._enveloped(values, failures, stats)

    def _score(self, model: PyFuncModel, bind: Bind, start: int, stop: int, seconds: list[float]) -> pa.Array:
        """Rows start to stop, with the time of each step added to `seconds`."""
        params = dict(self.params) if self.params != () else None
        times = [time.perf_counter()]
        bound = bind(start, stop)
        times.append(time.perf_counter())
        output = model.predict_bound(bound, params)
        times.append(time.perf_counter())
        values = coerce_output(output, self.result_type, stop - start)
        times.append(time.perf_counter())
        for step in range(3):
            seconds[step] += times[step + 1] - times[step]
        return values

    def _in_slices(self, score: Callable[[int, int], pa.Array], rows: int, size: int) -> tuple[pa.Array, list[Failure]]:
        step = self._rows_of_slice(rows, size)
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

    def _rows_of_slice(self, rows: int, size: int) -> int:
        by_rows = rows if self.batch_rows is None else self.batch_rows
        by_bytes = rows if self.batch_bytes is None or size == 0 else self.batch_bytes * rows // size
        return max(1, min(rows, by_rows, by_bytes))

    def _enveloped(self, values: pa.Array, failures: list[Failure], stats: ScoreStats) -> pa.Array:
        if not self.envelope:
            return values
        return sealed(values, self.result_type, failures, stats)

"""An incremental job by a stream: each micro-batch is a small run of its own, under an identity of its own.

A batch that was written before the checkpoint knew of it is offered again, and its identity, the query and the batch's
number, is found in the output's log. The package has no part in it: whichever model came first has scored the batch.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spark_models.errors import SparkModelsError
from spark_models.jobs import measures
from spark_models.jobs.outcome import Outcome, RunResult
from spark_models.jobs.plan import Plan, earlier, plan_job
from spark_models.jobs.sources import Read
from spark_models.scoring.stats import ScoreStats
from spark_models.sink.target import Written

if TYPE_CHECKING:
    from spark_models.jobs.runner import Run


def run_stream(run: Run, plan: Plan) -> RunResult:
    """Scores and writes what is new to the checkpoint, and ends."""
    parts: list[tuple[RunResult, measures.Measured, ScoreStats]] = []
    caught: list[SparkModelsError] = []
    begun = threading.Event()
    query: Any = None

    def take(batch: Any, number: int) -> None:
        begun.wait()
        try:
            parts.append(_scored(run, plan, batch, f"{query.id}/{number}"))
        except SparkModelsError as error:
            caught.append(error)
            raise

    writer = plan.read.frame.writeStream.foreachBatch(take).trigger(availableNow=True)
    with run.shown(plan):
        query = writer.option("checkpointLocation", run.job.source.checkpoint).start()
        begun.set()
        try:
            query.awaitTermination()
        except Exception:
            if caught != []:
                # The stream's own error would tell of it only as text.
                raise caught[0] from None
            raise
    return _together(run, plan, parts)


def _scored(run: Run, plan: Plan, batch: Any, name: str) -> tuple[RunResult, measures.Measured, ScoreStats]:
    # What the batch reads is fixed by the checkpoint, and reading it again gives the same rows.
    read = Read(batch, {"batch": name}, about=f"batch {name}")
    small = plan_job(batch.sparkSession, run.job, batch=read)
    identity = batch_identity(small.stream, name)
    small = replace(small, identity=identity, earlier=earlier(batch.sparkSession, run.job, small.target, identity))
    session, run.spark = run.spark, batch.sparkSession
    run.found, run.stats = measures.Measured(), ScoreStats()
    try:
        result = run.carry_out(small)
    finally:
        run.spark = session
    return result, run.found, run.stats


def batch_identity(stream: str, batch: str) -> str:
    """The identity of a micro-batch."""
    return hashlib.sha256(f"{stream}/{batch}".encode()).hexdigest()[:40]


def _together(run: Run, plan: Plan, parts: list[tuple[RunResult, measures.Measured, ScoreStats]]) -> RunResult:
    """The batches as one result."""
    if parts == []:
        return run.result(plan, Outcome.NOTHING_NEW, Written(), count=0, quarantined=0)
    run.found = measures.Measured()
    run.stats = ScoreStats()
    for _, found, stats in parts:
        run.found = measures.added(run.found, found)
        run.stats = run.stats + stats
    results = [result for result, _, _ in parts]
    wrote = [result for result in results if result.outcome is Outcome.WRITTEN]
    outcome = Outcome.WRITTEN if wrote != [] else Outcome.ALREADY_WRITTEN
    last = Written(outcome is Outcome.ALREADY_WRITTEN, results[-1].version, None, results[-1].earlier_run)
    written = sum(result.written or 0 for result in wrote)
    quarantined = sum(result.quarantined or 0 for result in wrote)
    made = run.result(plan, outcome, last, count=written, quarantined=quarantined)
    return replace(made, source={"batches": len(parts), "last": dict(results[-1].source or {}).get("batch")})

"""`run_job`: a plan carried out. A run commits up to three times; the next run makes good what is missing.

1. The output: on Delta one commit under the run's identity. Nothing is written before the expectations hold.
2. The quarantined rows, under the same identity. A Delta quarantine gets a commit even without rows, so that its log
   says that the run is done.
3. The run's row in the run log.

A run that was killed before 1 has left nothing that counts. Killed after 1, the next run finds its identity in the
output's log and writes no row twice; it finds what is missing of 2 and 3 in the same way and adds it.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark.sql import functions as F

from spark_models.bridge.sql import quoted
from spark_models.errors import ExpectationError, JobFailedError, SparkModelsError
from spark_models.jobs import measures, run_log
from spark_models.jobs.expectations import unmet, unmet_rows
from spark_models.jobs.job import Job
from spark_models.jobs.outcome import Outcome, RunResult
from spark_models.jobs.plan import Plan, plan_job, quarantine_target
from spark_models.scoring.envelope import ERROR_CODE, ERROR_COLUMN
from spark_models.scoring.meter import ScoreMeter, can_meter
from spark_models.scoring.observe import StatsObservation
from spark_models.scoring.progress import progress
from spark_models.scoring.stats import ScoreStats
from spark_models.sink import delta, writers
from spark_models.sink.target import MERGE, Stamp, Written

Step = Callable[[str], None]
CODED = re.compile(r"^(?:[\w.]+: )?(\[[A-Z][A-Z0-9_.]+\] )")
JAVA = re.compile(r"^: ([\w.$]+)", re.MULTILINE)
"""What Py4J puts before an error of Java that pyspark has no class for."""


def run_job(spark: Any, job: Job, *, on_step: Step | None = None, plan: Plan | None = None) -> RunResult:
    """Plans the job, unless its plan is given, runs it, logs and reports it.

    `on_step(name)` is called after each step: planned, scored, output, quarantine, log, report.

    Raises:
        JobPlanError: [JOB_PLAN], InputError: the job does not fit; nothing was written.
        ExpectationError: [EXPECTATION_FAILED] what the job expects does not hold; nothing was written.
        WriteConflictError: [WRITE_CONFLICT] other writers were faster each time.
        JobFailedError: [JOB_FAILED] Spark or a database failed.
    """
    run = Run(spark, job, (lambda name: None) if on_step is None else on_step)
    try:
        return run.go(plan)
    except SparkModelsError as error:
        run.log_failure(
            error.code, Outcome.EXPECTATION_FAILED if isinstance(error, ExpectationError) else Outcome.FAILED
        )
        raise
    except Exception as error:  # noqa: BLE001 - whatever Spark raises is told without secrets
        run.log_failure("JOB_FAILED", Outcome.FAILED)
        raise failure(job, run.step, error) from None


def failure(job: Job, step: str, error: Exception) -> JobFailedError:
    """An error of Spark as ours: its text may hold a password that was part of a URL."""
    text = job.redacted(str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip() != ""]
    # The text of a model's own exception may hold a row: what is told is a line with a code, of Spark or of ours.
    coded = [line[found.start(1) :] for line in lines if (found := CODED.search(line)) is not None]
    java = JAVA.search(text)
    kind = type(error).__name__ if java is None else java.group(1)
    return JobFailedError(step, kind, (coded or lines or [kind])[0][:600])


@dataclass
class Run:
    """One run: its clock, and what it has found out so far."""

    spark: Any
    job: Job
    on_step: Step
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.timezone.utc))
    seconds: dict[str, float] = field(default_factory=dict)
    step: str = "planned"
    plan: Plan | None = None
    found: measures.Measured = field(default_factory=measures.Measured)
    stats: ScoreStats = field(default_factory=ScoreStats)

    def go(self, plan: Plan | None) -> RunResult:
        """The run from the plan to the report."""
        with self.timed("plan"):
            self.plan = plan_job(self.spark, self.job) if plan is None else plan
        self.on_step("planned")
        if self.job.source.incremental == "stream":
            from spark_models.jobs.stream import run_stream

            return self.finish(run_stream(self, self.plan))
        return self.finish(self.carry_out(self.plan))

    def carry_out(self, plan: Plan) -> RunResult:
        """Output and quarantine of one plan."""
        if plan.read.empty:
            return self.result(plan, Outcome.NOTHING_NEW, Written(), count=0, quarantined=0)
        if plan.earlier is not None:
            repaired = self.repair(plan)
            earlier = Written(True, plan.earlier.version, plan.earlier.rows, plan.earlier.run_id)
            return self.result(plan, Outcome.ALREADY_WRITTEN, earlier, quarantined=repaired)
        self.check_rows(plan)
        return self.held(plan) if plan.held else self.direct(plan)

    # --- one pass

    def direct(self, plan: Plan) -> RunResult:
        """Scores and writes in one pass; bad rows, if there were any, in a second one."""
        passes: list[Callable[[], tuple[measures.Measured, ScoreStats]]] = []

        def frame() -> Any:
            scored, found = (
                self.metered(plan) if can_meter(self.spark) and not is_pipeline(plan) else self.observed(plan)
            )
            passes.append(found)
            return self.output_of(plan, scored)

        with self.timed("score and write", "scored and wrote the output"), self.shown(plan):
            written = writers.write(self.spark, plan.target, self.stamp(plan), frame)
        self.on_step("output")
        if written.already:
            return self.result(plan, Outcome.ALREADY_WRITTEN, written, quarantined=self.repair(plan))
        self.found, self.stats = passes[-1]()
        bad = None if self.found.failed == 0 else self.bad_rows(plan, plan.scored(plan.read.frame))
        quarantined = self.quarantine(plan, bad, self.found.failed)
        return self.result(plan, Outcome.WRITTEN, written, quarantined=quarantined)

    def metered(self, plan: Plan) -> tuple[Any, Callable[[], tuple[measures.Measured, ScoreStats]]]:
        """The scored rows, and what gives what the workers have gathered of them."""
        edges = {name: measures.edges_of(plan.baseline.get(name)) for name in plan.score_names}
        meter = ScoreMeter(self.spark, edges)
        scored = plan.scored(plan.read.frame, meter=meter)
        return scored, lambda: (measures.of_tally(meter.tally, edges), meter.tally.stats)

    def observed(self, plan: Plan) -> tuple[Any, Callable[[], tuple[measures.Measured, ScoreStats]]]:
        """The same by aggregates of Spark: Connect has no accumulators, and a pipeline no Python workers."""
        from pyspark.sql import Observation

        stats, observation = StatsObservation(), Observation("spark_models_scores")
        scored = plan.scored(plan.read.frame, None if is_pipeline(plan) else stats)

        def found() -> tuple[measures.Measured, ScoreStats]:
            counted = measures.measured(observation.get, plan.score_names, plan.baseline)
            return counted, ScoreStats() if is_pipeline(plan) else stats.get

        return scored.observe(observation, *self.aggregates(plan)), found

    # --- all rows scored before the first is written

    def held(self, plan: Plan) -> RunResult:
        """Scores all rows into Spark's storage, checks them, and writes from there."""
        scored = stored(plan.scored(plan.read.frame))
        try:
            with self.timed("score", "scored the rows"), self.shown(plan):
                row = scored.agg(*self.aggregates(plan)).collect()[0].asDict()
                self.found = measures.measured(row, plan.score_names, plan.baseline)
                problems = unmet(self.job.expect, self.found, self.drift(plan))
                if plan.target.mode == MERGE and self.doubled(plan, scored):
                    problems.append("a key names several rows, and merge takes one of each")
            self.on_step("scored")
            if problems != []:
                raise ExpectationError(tuple(problems))
            with self.timed("write", "wrote the output"):
                written = writers.write(self.spark, plan.target, self.stamp(plan), lambda: self.output_of(plan, scored))
            self.on_step("output")
            bad = None if self.found.failed == 0 else self.bad_rows(plan, scored)
            quarantined = self.quarantine(plan, bad, self.found.failed)
        finally:
            with contextlib.suppress(Exception):
                scored.unpersist()
        outcome = Outcome.ALREADY_WRITTEN if written.already else Outcome.WRITTEN
        return self.result(plan, outcome, written, quarantined=quarantined)

    def doubled(self, plan: Plan, scored: Any) -> bool:
        """Whether two good rows have the same key."""
        keys = [F.col(quoted(key)) for key in self.job.keys]
        return bool(self.good(plan, scored).groupBy(*keys).count().where("count > 1").limit(1).count() > 0)

    # --- rows

    def aggregates(self, plan: Plan) -> list[Any]:
        """The aggregates of a pass."""
        return measures.expressions(plan.score_names, plan.error_column, plan.baseline)

    def good(self, plan: Plan, scored: Any) -> Any:
        """The rows that the model could score."""
        return scored if plan.error_column is None else scored.where(F.col(quoted(plan.error_column)).isNull())

    def output_of(self, plan: Plan, scored: Any) -> Any:
        """The rows as they are written: good ones, the kept columns, the predictions, the lineage."""
        kept = plan.read.frame.columns if self.job.keep is None else self.job.keep
        names = [*kept, *(name for name, _ in plan.predictions)]
        columns = [F.col(quoted(name)) for name in names]
        if self.job.lineage is not None:
            values = [F.lit(self.job.redacted(self.job.model.uri)), F.lit(plan.package_hash), F.lit(self.run_id)]
            stamped = zip([*values, F.lit(self.started)], self.job.lineage.names(), strict=True)
            columns += [value.alias(name) for value, name in stamped]
        return self.good(plan, scored).select(*columns)

    def bad_rows(self, plan: Plan, scored: Any) -> Any:
        """The rows that the model could not score: key, code and column; the row itself where it is asked for."""
        failed = scored.where(F.col(quoted(plan.error_column)).isNotNull())
        columns = [F.col(quoted(key)) for key in self.job.keys]
        columns += [F.col(quoted(f"{self.job.model.output}_{name}")).alias(name) for name in (ERROR_CODE, ERROR_COLUMN)]
        if self.job.quarantine is not None and self.job.quarantine.raw:
            source = [F.col(quoted(name)) for name in plan.read.frame.columns]
            columns.append(F.to_json(F.struct(*source)).alias("raw"))
        else:
            columns.append(F.lit(None).cast("string").alias("raw"))
        facts = {
            "job": self.job.name,
            "run_id": self.run_id,
            "run_identity": plan.identity,
            "model_uri": self.job.redacted(self.job.model.uri),
            "model_hash": plan.package_hash,
        }
        columns += [F.lit(value).alias(name) for name, value in facts.items()]
        return failed.select(*columns, F.lit(self.started).alias("scored_at"))

    def quarantine(self, plan: Plan, bad: Any, count: int) -> int:
        """Commits the bad rows; without any, a Delta quarantine gets an empty commit that says so."""
        if self.job.quarantine is None or plan.error_column is None:
            return count
        target = quarantine_target(self.job)
        rows = bad
        if rows is None:
            if target.format != "delta":
                return count
            rows = self.bad_rows(plan, self.spark.createDataFrame([], plan.scored_schema))
        with self.timed("quarantine", "wrote the quarantined rows"):
            writers.write(self.spark, target, self.stamp(plan), lambda: rows)
        self.on_step("quarantine")
        return count

    def repair(self, plan: Plan) -> int | None:
        """Writes the quarantined rows of a run that was stopped after its output; how many, None if they were there."""
        if self.job.quarantine is None or plan.error_column is None:
            return None
        target = quarantine_target(self.job)
        if target.format == "delta":
            if delta.found(self.spark, target, plan.identity) is not None:
                return None
        elif self.job.run_log is not None and run_log.finished(
            self.spark, self.job.run_log, plan.target, plan.identity
        ):
            return None
        bad = self.bad_rows(plan, plan.scored(plan.read.frame))
        with self.timed("quarantine", "wrote the quarantined rows"), self.shown(plan):
            written = writers.write(self.spark, target, self.stamp(plan), lambda: bad)
        self.on_step("quarantine")
        return written.rows

    # --- what is told

    def stamp(self, plan: Plan) -> Stamp:
        """What each commit of the run says of it."""
        facts = {
            "job": self.job.name,
            "stream": plan.stream,
            "model_uri": self.job.redacted(self.job.model.uri),
            "model_hash": plan.package_hash,
            "source": dict(plan.read.range or {}),
            "end": dict(plan.read.end),
        }
        return Stamp(plan.identity, self.run_id, facts)

    def check_rows(self, plan: Plan) -> None:
        """Raises ExpectationError [EXPECTATION_FAILED] where there are too few rows or too many."""
        expect = self.job.expect
        if expect.min_rows is None and expect.max_rows is None:
            return
        rows = plan.read.rows
        if rows is None and not plan.held:
            with self.timed("count", "counted the rows"):
                rows = plan.read.frame.count()
        problems = [] if rows is None else unmet_rows(expect, rows)
        if problems != []:
            raise ExpectationError(tuple(problems))

    def drift(self, plan: Plan) -> dict[str, measures.Drift]:
        """How far each score has moved from the baseline."""
        found = {}
        for name, scores in self.found.scores.items():
            if name in plan.baseline:
                moved = measures.drift(plan.baseline[name], scores, plan.baseline_of)
                if moved is not None:
                    found[name] = moved
        return found

    def result(
        self, plan: Plan, outcome: Outcome, output: Written, *, quarantined: int | None, count: int | None = None
    ) -> RunResult:
        """The run as it is known now."""
        done = outcome is Outcome.WRITTEN
        known = self.found if done else measures.Measured()
        counted = known.rows - known.failed if done else None
        written = next((number for number in (count, output.rows, counted) if number is not None), None)
        return RunResult(
            job=self.job.name,
            run_id=self.run_id,
            outcome=outcome,
            identity=plan.identity,
            model_uri=self.job.redacted(self.job.model.uri),
            model_hash=plan.package_hash,
            started_at=self.started.isoformat(),
            target=plan.target.name,
            rows=known.rows if done else plan.read.rows,
            written=written,
            quarantined=quarantined,
            nulls=sum_of_nulls(known) if done else None,
            version=output.version,
            source=plan.read.range,
            worker_seconds=self.stats.steps() if self.stats.rows > 0 else {},
            scores={name: scores.to_dict() for name, scores in known.scores.items()},
            drift={name: vars_of(moved) for name, moved in self.drift(plan).items()} if done else {},
            earlier_run=output.run_id if output.already else None,
            notes=plan.notes,
        )

    def finish(self, result: RunResult) -> RunResult:
        """The run log and the report."""
        with self.timed("log", "wrote the run log"):
            run_log.append(self.spark, self.job, replace(result, seconds=dict(self.seconds)))
        self.on_step("log")
        result = replace(result, seconds=dict(self.seconds))
        if self.job.report is not None:
            from spark_models.jobs.report import write_report

            self.step = "wrote the report"
            result = write_report(self.job, result, {} if self.plan is None else self.plan.baseline)
            self.on_step("report")
        return result

    def log_failure(self, code: str, outcome: Outcome) -> None:
        """Adds a row on a run that failed to the run log, where that can be."""
        if self.plan is None or self.job.run_log is None:
            return
        with contextlib.suppress(Exception):
            result = self.result(self.plan, outcome, Written(), quarantined=None)
            run_log.append(self.spark, self.job, replace(result, seconds=dict(self.seconds)), code)

    @contextlib.contextmanager
    def timed(self, name: str, step: str = "planned the run") -> Iterator[None]:
        """Adds the block's seconds to those of a step."""
        self.step = step
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    def shown(self, plan: Plan) -> Any:
        """A progress bar around the block, where somebody looks."""
        return progress(self.spark, plan.read.rows)


def stored(scored: Any) -> Any:
    """The rows, kept on the executors' disks once they are computed; as they are where the platform keeps none.

    Databricks' serverless compute stores nothing: there the rows are scored for the check, and again to be written.
    """
    from pyspark import StorageLevel

    try:
        return scored.persist(StorageLevel.DISK_ONLY)
    except Exception as error:
        if "NOT_SUPPORTED" not in str(error):
            raise
        return scored


def is_pipeline(plan: Plan) -> bool:
    """Whether Spark itself is the model: then no Python worker has a clock."""
    return plan.error_column is None and "spark" in plan.package.model.flavors


def sum_of_nulls(found: measures.Measured) -> int | None:
    """The rows without a prediction in the first score column; those that failed among them."""
    first = next(iter(found.scores.values()), None)
    return None if first is None else first.nulls


def vars_of(moved: measures.Drift) -> Mapping[str, Any]:
    """Drift as plain values."""
    return {"psi": moved.psi, "ks": moved.ks, "bins": moved.bins, "against": moved.against}

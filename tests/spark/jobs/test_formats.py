"""Sources and sinks that are no Delta tables: what each promises is what it does."""

from __future__ import annotations

from typing import Any

import pyspark
import pytest

from spark_models.errors import JobFailedError
from spark_models.jobs.outcome import Outcome
from spark_models.jobs.plan import plan_job

GOOD = [at for at in range(20) if at != 13]
# Spark 3.5 ships Derby 10.14, where the class has another place.
DERBY = f"org.apache.derby.{'' if pyspark.__version__.startswith('3.') else 'iapi.'}jdbc.AutoloadedDriver"


def ids(frame: Any) -> list[int]:
    return sorted(int(row.id) for row in frame.select("id").collect())


@pytest.mark.parametrize(
    "kind", ["parquet", *[pytest.param(kind, marks=pytest.mark.slow) for kind in ("csv", "json", "orc")]]
)
def test_files_are_read_and_their_count_is_known_where_their_footers_tell(world: Any, kind: str) -> None:
    writer = world.table("source").write.format(kind)
    (writer.option("header", "true") if kind == "csv" else writer).save(world.path("files"))
    source = {"format": kind, "path": world.path("files")}
    if kind in ("csv", "json"):
        source["schema"] = "id bigint, x double, day string"
    job = world.job(source=source)
    plan = plan_job(world.spark, job)
    assert plan.read.rows == (20 if kind == "parquet" else None)
    result = world.run(source=source)
    assert (result.outcome, result.rows, result.written) == (Outcome.WRITTEN, 20, 19)
    assert world.run(source=source).outcome is Outcome.ALREADY_WRITTEN
    assert ids(world.table()) == GOOD


@pytest.mark.slow
def test_a_new_file_makes_another_run(world: Any) -> None:
    source = {"format": "parquet", "path": world.path("files")}
    world.table("source").write.parquet(world.path("files"))
    sink = {"path": world.path("out"), "mode": "overwrite"}
    world.run(source=source, sink=sink)
    world.spark.range(20, 21).selectExpr("id", "1D x", "'a' day").write.mode("append").parquet(world.path("files"))
    assert world.run(source=source, sink=sink).written == 20


def test_a_query_has_no_versions_and_is_written_once_by_its_run_key(world: Any) -> None:
    source = {"query": f"SELECT * FROM delta.`{world.path('source')}` WHERE id < 5"}
    assert "run_key" in str(plan_job(world.spark, world.job(source=source)))
    assert world.run(source=source, run_key="2026-01-31").written == 5
    assert world.run(source=source, run_key="2026-01-31").outcome is Outcome.ALREADY_WRITTEN
    assert world.run(source=source, run_key="2026-02-01").outcome is Outcome.WRITTEN
    assert world.table().count() == 10


def test_parquet_partitions_are_replaced(world: Any) -> None:
    sink = {"format": "parquet", "path": world.path("files"), "mode": "partitions", "partition_by": ["day"]}
    first = {"path": world.path("source"), "where": "day = '0'"}
    second = {"path": world.path("source"), "where": "day = '1'"}
    world.run(sink=sink, source=first, run_log=None)
    world.run(sink=sink, source=second, run_log=None)
    world.run(sink=sink, source=second, run_log=None)
    found = world.spark.read.parquet(world.path("files"))
    assert ids(found) == GOOD
    assert sorted(folder.name for folder in (world.folder / "files").glob("day=*")) == ["day=0", "day=1"]


@pytest.mark.slow
def test_parquet_that_is_appended_is_written_once_as_far_as_the_run_log_knows(world: Any) -> None:
    sink = {"format": "parquet", "path": world.path("files")}
    quarantine = {"format": "parquet", "path": world.path("side")}
    assert "at least once" in str(plan_job(world.spark, world.job(sink=sink)))
    world.run(sink=sink, quarantine=quarantine)
    assert world.run(sink=sink, quarantine=quarantine).outcome is Outcome.ALREADY_WRITTEN
    assert ids(world.spark.read.parquet(world.path("files"))) == GOOD
    assert ids(world.spark.read.parquet(world.path("side"))) == [13]
    world.run(sink=sink, quarantine=quarantine, run_log=None)
    assert world.spark.read.parquet(world.path("files")).count() == 38
    # The same run's quarantined rows are replaced.
    assert ids(world.spark.read.parquet(world.path("side"))) == [13]


def test_csv_has_a_header(world: Any) -> None:
    sink = {"format": "csv", "path": world.path("text"), "mode": "overwrite", "partitions": 1}
    world.run(sink=sink, keep=["id"], lineage=None)
    (file,) = (world.folder / "text").glob("part-*.csv")
    lines = file.read_text().splitlines()
    assert lines[0] == "id,prediction"
    assert sorted(lines[1:])[:2] == ["0,0.0", "1,0.001"]


@pytest.fixture
def database(world: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A database of its own in this JVM: Spark ships Derby."""
    monkeypatch.setenv("JOBS_PASSWORD", "s3cret-of-the-database")
    return {
        "url": f"jdbc:derby:{world.path('database')};create=true",
        "driver": DERBY,
        "user": "app",
        "password": "${env:JOBS_PASSWORD}",
    }


def test_a_database_is_written_and_read(world: Any, database: Any) -> None:
    sink = {"format": "jdbc", "table": "SCORES", "jdbc": database}
    result = world.run(sink=sink, keep=["id", "x"], lineage=None)
    assert (result.outcome, result.written, result.target) == (Outcome.WRITTEN, 19, "jdbc SCORES")
    assert world.run(sink=sink, keep=["id", "x"], lineage=None).outcome is Outcome.ALREADY_WRITTEN
    ranges = {"partition_column": '"id"', "lower": 0, "upper": 20, "partitions": 2}
    source = {"format": "jdbc", "table": "SCORES", "jdbc": {**database, **ranges}}
    back = world.run(source=source, model={"uri": world.path("model"), "output": "again"}, run_key="1")
    assert (back.outcome, back.written) == (Outcome.WRITTEN, 19)
    assert ids(world.table()) == GOOD


def test_a_password_is_in_no_text(world: Any, database: Any, caplog: pytest.LogCaptureFixture) -> None:
    sink = {"format": "jdbc", "table": "A B'C", "jdbc": database}
    job = world.job(sink=sink, keep=["id"], lineage=None)
    with pytest.raises(JobFailedError) as caught:
        world.run(sink={**sink, "jdbc": {**database, "url": "jdbc:derby:/nowhere/at/all"}}, keep=["id"], lineage=None)
    shown = f"{caught.value} {caught.value!r} {job!r} {plan_job(world.spark, job)} {caplog.text}"
    assert "s3cret" not in shown
    # Py4J says no more than which object was called.
    assert caught.value.kind.startswith("java.sql.SQL")

"""A run: what it writes, that it writes once, and what it tells of itself."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from spark_models.errors import ColumnTypeError, ExpectationError, JobFailedError, JobPlanError, MissingColumnsError
from spark_models.jobs.outcome import Outcome
from spark_models.jobs.plan import plan_job
from spark_models.jobs.runner import run_job

GOOD = [at for at in range(20) if at != 13]


def test_a_run_writes_rows_with_their_origin_bad_rows_without_values_and_a_log(world: Any) -> None:
    result = world.run(tags={"team": "crm"})
    assert (result.outcome, result.rows, result.written, result.quarantined) == (Outcome.WRITTEN, 20, 19, 1)
    rows = world.table().orderBy("id").collect()
    assert [(row.id, row.prediction) for row in rows] == [(at, at / 1000) for at in GOOD]
    assert {row.run_id for row in rows} == {result.run_id}
    assert {row.model_hash for row in rows} == {result.model_hash}
    assert {row.model_uri for row in rows} == {world.path("model")}
    assert {row.scored_at.isoformat() for row in rows} == {result.started_at.partition("+")[0]}
    (row,) = world.table("bad").collect()
    assert (row.id, row.error_code, row.raw, row.run_id) == (13, "MODEL_ERROR", None, result.run_id)
    assert "x" not in row.asDict()
    logged = world.table("log").first()
    assert (logged.job, logged.status, logged.rows, logged.written, logged.quarantined) == (
        "nightly",
        "written",
        20,
        19,
        1,
    )
    assert (logged.run_id, logged.target_version, logged.tags) == (result.run_id, 0, {"team": "crm"})
    assert set(logged.steps) == {"plan", "score and write", "quarantine"}


def test_the_raw_row_is_kept_on_request(world: Any) -> None:
    world.run(quarantine={"path": world.path("bad"), "raw": True})
    (row,) = world.table("bad").collect()
    assert json.loads(row.raw) == {"id": 13, "x": 13.0, "day": "1"}


def test_without_quarantine_a_bad_row_ends_the_run_and_nothing_is_written(world: Any) -> None:
    with pytest.raises(JobFailedError) as caught:
        world.run(quarantine=None)
    assert caught.value.code == "JOB_FAILED"
    assert world.spark.read.format("delta").load(world.path("log")).first().status == "failed"
    assert list((world.folder / "out").glob("_delta_log/*.json")) == []


@pytest.mark.parametrize(
    "sink",
    [
        pytest.param({"mode": "append"}, id="append"),
        pytest.param({"mode": "overwrite"}, id="overwrite", marks=pytest.mark.slow),
        pytest.param({"mode": "replaceWhere", "where": "id >= 0"}, id="replaceWhere", marks=pytest.mark.slow),
        pytest.param({"mode": "merge"}, id="merge", marks=pytest.mark.slow),
    ],
)
def test_the_same_run_twice_writes_once_and_says_so(world: Any, sink: Any) -> None:
    sink = {"path": world.path("out"), **sink}
    first = world.run(sink=sink)
    assert (first.outcome, first.rows, first.written, first.quarantined) == (Outcome.WRITTEN, 20, 19, 1)
    rows, commits = world.rows(), world.history()
    second = world.run(sink=sink)
    assert (second.outcome, second.earlier_run, second.version) == (
        Outcome.ALREADY_WRITTEN,
        first.run_id,
        first.version,
    )
    assert (world.rows(), world.history()) == (rows, commits)
    assert world.table("bad").count() == 1
    statuses = [row.status for row in world.table("log").orderBy("started_at").collect()]
    assert statuses == ["written", "already written"]


@pytest.mark.slow
def test_a_new_version_of_the_source_is_another_run(world: Any) -> None:
    world.run()
    world.add(20, 22)
    result = world.run(sink={"path": world.path("out"), "mode": "overwrite"})
    assert (result.outcome, result.written) == (Outcome.WRITTEN, 21)
    assert world.table().count() == 21


@pytest.mark.slow
def test_another_model_is_another_run_and_the_first_one_after_it_too(world: Any) -> None:
    """A version that rolls would be skipped here, in silence, after the model was rolled back."""
    world.model("other", lambda frame: frame["x"] * 0 + 7)
    sink = {"path": world.path("out"), "mode": "overwrite"}
    world.run(sink=sink)
    expected = world.rows()
    other = world.run(sink=sink, model={"uri": world.path("other")}, quarantine=None)
    assert other.outcome is Outcome.WRITTEN
    assert {row.prediction for row in world.table().collect()} == {7.0}
    back = world.run(sink=sink)
    assert back.outcome is Outcome.WRITTEN
    assert world.rows() == expected
    assert world.run(sink=sink).outcome is Outcome.ALREADY_WRITTEN


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "merge"])
def test_rows_that_a_restore_took_away_are_written_again(world: Any, mode: str) -> None:
    sink = {"path": world.path("out"), "mode": mode}
    world.run(sink=sink)
    expected = world.rows()
    version = len(world.history()) - 1
    world.table().limit(1).write.format("delta").mode("append").save(world.path("out"))
    world.spark.sql(f"DELETE FROM delta.`{world.path('out')}`")
    if mode == "append":
        # Rows that a user has deleted stay deleted: the run has appended them once.
        assert world.run(sink=sink).outcome is Outcome.ALREADY_WRITTEN
        world.spark.sql(f"RESTORE delta.`{world.path('out')}` TO VERSION AS OF {version}")
        assert world.run(sink=sink).outcome is Outcome.ALREADY_WRITTEN
        assert world.rows() == expected
        return
    assert world.run(sink=sink).outcome is Outcome.WRITTEN
    assert world.rows() == expected


@pytest.mark.slow
def test_an_append_that_was_rolled_back_is_appended_again(world: Any) -> None:
    world.table("source").where("id < 0").selectExpr("*", "0D prediction").drop("prediction").write.format(
        "delta"
    ).save(world.path("out"))
    sink = {"path": world.path("out"), "merge_schema": True}
    world.run(sink=sink)
    expected = world.rows()
    world.spark.sql(f"RESTORE delta.`{world.path('out')}` TO VERSION AS OF 0")
    assert world.table().count() == 0
    assert world.run(sink=sink).outcome is Outcome.WRITTEN
    assert world.rows() == expected
    assert world.run(sink=sink).outcome is Outcome.ALREADY_WRITTEN


@pytest.mark.slow
def test_maintenance_of_a_table_does_not_make_a_run_write_again(world: Any) -> None:
    sink = {"path": world.path("out"), "mode": "overwrite"}
    world.run(sink=sink)
    world.spark.sql(f"OPTIMIZE delta.`{world.path('out')}`")
    assert world.run(sink=sink).outcome is Outcome.ALREADY_WRITTEN


def test_a_merge_updates_rows_by_key_and_adds_new_ones(world: Any) -> None:
    sink = {"path": world.path("out"), "mode": "merge"}
    world.run(sink=sink)
    world.spark.sql(f"UPDATE delta.`{world.path('source')}` SET x = 500 WHERE id = 3")
    world.add(20, 21)
    result = world.run(sink=sink)
    assert result.outcome is Outcome.WRITTEN
    found = {row.id: row.prediction for row in world.table().collect()}
    assert (found[3], found[20], len(found)) == (0.5, 0.02, 20)
    assert world.table().count() == 20


def test_a_merge_of_a_key_twice_is_refused(world: Any) -> None:
    world.add(0, 1)
    with pytest.raises(ExpectationError, match="a key names several rows"):
        world.run(sink={"path": world.path("out"), "mode": "merge"})


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({"rows": {"min": 21}}, "20 rows, at least 21 are expected"),
        ({"rows": {"max": 19}}, "20 rows, at most 19 are expected"),
        ({"scores": {"prediction": {"max": 0.01}}}, "the largest prediction is above 0.01"),
        ({"scores": {"prediction": {"min": 0.001}}}, "the least prediction is below 0.001"),
        ({"max_quarantined_share": 0.04}, "5.00% of the rows can't be scored, at most 4.00% may"),
    ],
)
def test_an_expectation_that_does_not_hold_leaves_nothing(world: Any, expect: Any, problem: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        world.run(expect=expect)
    assert caught.value.problems == (problem,)
    assert not (world.folder / "out").exists()
    assert not (world.folder / "bad").exists()
    assert world.table("log").first().status == "expectation failed"


@pytest.mark.slow
def test_expectations_that_hold_change_nothing(world: Any) -> None:
    expect = {"rows": {"min": 20, "max": 20}, "max_null_share": 0, "scores": {"prediction": {"min": 0, "max": 0.019}}}
    assert world.run(expect=expect).written == 19


def test_a_share_of_nulls_is_not_that_of_bad_rows(world: Any) -> None:
    world.model("holes", lambda frame: frame["x"].where(frame["x"] > 4))
    with pytest.raises(ExpectationError, match=r"25\.00% of prediction is null, at most 10\.00% may be"):
        world.run(model={"uri": world.path("holes")}, expect={"max_null_share": 0.1})


def test_a_plan_tells_what_will_happen_and_reads_no_row(world: Any) -> None:
    plan = plan_job(world.spark, world.job())
    text = str(plan)
    assert "rows        20" in text
    assert "x      double       double" in text
    assert "scored_at       timestamp" in text
    assert "once: the commit carries the run's identity" in text
    assert not (world.folder / "out").exists()
    assert "<td>prediction</td><td>double</td>" in plan._repr_html_()
    run_job(world.spark, world.job())
    assert "has written these rows" in str(plan_job(world.spark, world.job()))


@pytest.mark.parametrize(
    ("sections", "error", "text"),
    [
        ({"keys": ["ID2"]}, JobPlanError, "the source has no columns ['ID2']"),
        ({"source": {"path": "{}/nothing"}}, JobPlanError, "is no Delta table"),
        ({"source": {"path": "{}/source", "version": 7}}, JobPlanError, "has no version 7; its newest is 0"),
        ({"source": {"path": "{}/source", "where": "nope = 1"}}, JobPlanError, "can't be read"),
        ({"source": {"path": "{}/source", "changes": {"from": 0}}}, JobPlanError, "has no change feed"),
        ({"source": {"query": "SELECT id, day FROM delta.`{}/source`"}}, MissingColumnsError, "['x']"),
        ({"source": {"query": "SELECT id, 'a' x FROM delta.`{}/source`"}}, ColumnTypeError, "'x' is string"),
        ({"model": {"uri": "{}/model", "output": "day"}}, Exception, "day"),
        ({"lineage": {"run_id": "day"}}, JobPlanError, "columns ['day'] would be written twice"),
        ({"sink": {"path": "{}/source2"}}, JobPlanError, "the target has no columns"),
        ({"expect": {"scores": {"score": {"min": 0}}}}, JobPlanError, "no numeric prediction columns"),
    ],
)
def test_what_does_not_fit_is_told_before_a_row_is_read(world: Any, sections: Any, error: Any, text: str) -> None:
    world.add(0, 1, "source2")
    filled = json.loads(json.dumps(sections).replace("{}", str(world.folder)))
    with pytest.raises(error) as caught:
        plan_job(world.spark, world.job(filled))
    assert text in str(caught.value)
    assert not (world.folder / "out").exists()


def test_a_package_that_is_not_the_pinned_one_is_refused(world: Any) -> None:
    with pytest.raises(ValueError, match="HASH_MISMATCH"):
        world.run(model={"uri": world.path("model"), "expected_hash": "0" * 64})


def test_a_report_tells_of_scores_and_of_their_drift(world: Any) -> None:
    report = {"path": world.path("reports")}
    first = world.run(report=report)
    assert first.drift == {}
    world.spark.sql(f"UPDATE delta.`{world.path('source')}` SET x = x + 10")
    second = world.run(report=report)
    assert second.drift["prediction"]["psi"] > 0.25
    assert second.drift["prediction"]["ks"] == pytest.approx(10 / 19, abs=0.08)
    page = Path(str(second.report)).read_text()
    plotted = importlib.util.find_spec("matplotlib") is not None
    assert ("data:image/png;base64," in page, "adds plots to this page" in page) == (plotted, not plotted)
    assert "<td>moved</td>" in page
    text = Path(str(second.report)).with_suffix(".md").read_text()
    assert "| rows written | 19 |" in text
    scores = second.scores["prediction"]
    assert (scores["rows"], scores["nulls"], scores["min"]) == (20, 1, 0.01)


def test_a_run_scores_each_row_once(world: Any) -> None:
    result = world.run(quarantine=None, source={"path": world.path("source"), "where": "id <> 13"})
    assert result.worker_seconds["predict"] > 0
    assert result.rows == 19
    assert result.scores["prediction"]["rows"] == 19

"""Only what is new since the last success: by Delta's change feed, and by a stream."""

from __future__ import annotations

from typing import Any

import pytest

from spark_models.errors import ExpectationError, JobPlanError
from spark_models.jobs.outcome import Outcome


@pytest.fixture
def changing(world: Any) -> Any:
    """The world with a change feed from its next version on."""
    name = f"delta.`{world.path('source')}`"
    world.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    return world


def run(world: Any, **sections: Any) -> Any:
    return world.run(source={"path": world.path("source"), "incremental": "changes"}, **sections)


def test_the_first_run_takes_all_and_the_next_what_is_new(changing: Any) -> None:
    first = run(changing)
    assert (first.outcome, first.rows, first.source["version"]) == (Outcome.WRITTEN, 20, 1)
    assert run(changing).outcome is Outcome.NOTHING_NEW
    changing.add(20, 23)
    changing.add(23, 24)
    second = run(changing)
    assert (second.outcome, second.rows, second.source["from"], second.source["version"]) == (Outcome.WRITTEN, 4, 2, 3)
    assert run(changing).outcome is Outcome.NOTHING_NEW
    assert sorted(row.id for row in changing.table().collect()) == [at for at in range(24) if at != 13]


@pytest.mark.slow
def test_a_new_model_goes_on_where_the_last_one_ended(changing: Any) -> None:
    run(changing)
    changing.model("other", lambda frame: frame["x"] * 0 + 7)
    changing.add(20, 21)
    run(changing, model={"uri": changing.path("other")}, quarantine=None)
    assert [row.id for row in changing.table().where("prediction = 7").collect()] == [20]
    assert changing.table().count() == 20


@pytest.mark.slow
def test_a_merge_takes_the_last_change_of_each_key_and_no_deleted_row(changing: Any) -> None:
    sink = {"path": changing.path("out"), "mode": "merge"}
    run(changing, sink=sink)
    name = f"delta.`{changing.path('source')}`"
    changing.spark.sql(f"UPDATE {name} SET x = 100 WHERE id = 1")
    changing.spark.sql(f"UPDATE {name} SET x = 200 WHERE id = 1")
    changing.add(30, 31)
    changing.spark.sql(f"DELETE FROM {name} WHERE id = 30")
    result = run(changing, sink=sink)
    assert result.rows == 1
    assert [row.prediction for row in changing.table().where("id = 1").collect()] == [0.2]
    assert changing.table().where("id = 30").count() == 0


@pytest.mark.slow
def test_a_range_of_changes_is_written_once(changing: Any) -> None:
    changing.add(20, 22)
    source = {"path": changing.path("source"), "changes": {"from": 2, "to": 2}}
    assert changing.run(source=source).written == 2
    assert changing.run(source=source).outcome is Outcome.ALREADY_WRITTEN
    assert sorted(row.id for row in changing.table().collect()) == [20, 21]


@pytest.mark.slow
def test_what_a_restore_took_away_is_new_again(changing: Any) -> None:
    run(changing)
    changing.add(20, 22)
    run(changing)
    expected = changing.rows()
    changing.spark.sql(f"RESTORE delta.`{changing.path('out')}` TO VERSION AS OF 0")
    run(changing)
    assert changing.rows() == expected


@pytest.mark.slow
def test_a_source_that_was_made_anew_is_told(changing: Any) -> None:
    run(changing)
    frame = changing.table("source").limit(3).toPandas()
    import shutil

    shutil.rmtree(changing.path("source"))
    changing.spark.createDataFrame(frame).write.format("delta").option("delta.enableChangeDataFeed", "true").save(
        changing.path("source")
    )
    with pytest.raises(JobPlanError, match="is another table than the one that the job has read before"):
        run(changing)


def stream(world: Any, **sections: Any) -> Any:
    source = {"path": world.path("source"), "incremental": "stream", "checkpoint": world.path("checkpoint")}
    return world.run(source=source, **sections)


@pytest.mark.slow
def test_a_stream_writes_each_row_once_over_several_runs(world: Any) -> None:
    first = stream(world)
    assert (first.outcome, first.rows, first.written, first.quarantined) == (Outcome.WRITTEN, 20, 19, 1)
    assert stream(world).outcome is Outcome.NOTHING_NEW
    world.add(20, 23)
    second = stream(world)
    assert (second.outcome, second.rows) == (Outcome.WRITTEN, 3)
    assert sorted(row.id for row in world.table().collect()) == [at for at in range(23) if at != 13]
    assert world.table("bad").count() == 1


def test_a_batch_that_the_checkpoint_forgot_is_not_written_again(world: Any) -> None:
    """As after a kill between the output's commit and the checkpoint's."""
    stream(world)
    expected = world.rows()
    for name in ("0", ".0.crc"):
        (world.folder / "checkpoint" / "commits" / name).unlink(missing_ok=True)
    again = stream(world)
    assert again.outcome is Outcome.ALREADY_WRITTEN
    assert world.rows() == expected
    assert world.table("bad").count() == 1


@pytest.mark.slow
def test_an_expectation_stops_a_stream_before_its_batch_is_written(world: Any) -> None:
    with pytest.raises(ExpectationError):
        stream(world, expect={"scores": {"prediction": {"max": 0.001}}})
    assert not (world.folder / "out").exists()
    assert stream(world).written == 19

"""A run that is killed, driver and JVM at once, and the run after it: the tables are those of an undisturbed run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from spark_models.jobs.outcome import Outcome
from spark_models.jobs.session import delta_package

DRIVER = Path(__file__).parent / "job_driver.py"
ROOT = Path(__file__).parents[3]
MODES = {"append": {}, "merge": {"mode": "merge"}, "overwrite": {"mode": "overwrite"}}


def settings() -> dict[str, str]:
    """The session of a driver of its own."""
    return {
        "spark.master": "local[2]",
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.jars.packages": delta_package(),
    }


def start(world: Any, when: str, **sections: Any) -> subprocess.Popen[bytes]:
    """A driver of the world's job that dies after that step."""
    file = world.folder / "job.yaml"
    file.write_text(world.text(spark=settings(), **sections))
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, str(DRIVER), str(file), when]
    with open(world.folder / "driver.log", "wb") as log:
        return subprocess.Popen(command, cwd=world.folder, env=environment, stdout=log, stderr=log)


def killed(world: Any, when: str, **sections: Any) -> None:
    """Runs the job until it dies; that it died by the kill is looked at."""
    status = start(world, when, **sections).wait(240)
    assert status == -9, (world.folder / "driver.log").read_text()


def expected_rows(world: Any, **sections: Any) -> tuple[Any, Any]:
    """Output and quarantine of a run that nobody disturbs, on tables of its own."""
    calm = {
        "sink": {**sections.get("sink", {}), "path": world.path("calm-out")},
        "quarantine": {"path": world.path("calm-bad")},
        "run_log": None,
    }
    world.run(**calm)
    return world.rows("calm-out"), without_identity(world, "calm-bad")


def without_identity(world: Any, name: str) -> list[tuple[Any, ...]]:
    frame = world.table(name).drop("run_id", "run_identity", "scored_at")
    return sorted(tuple(row) for row in frame.collect())


def check(world: Any, **sections: Any) -> Any:
    """Runs the job again, twice, and compares its tables with those of an undisturbed run."""
    result = world.run(**sections)
    found = (world.rows(), without_identity(world, "bad"))
    assert found == expected_rows(world, **sections)
    assert len(world.table().select("id").distinct().collect()) == world.table().count() == 19
    assert world.run(**sections).outcome is Outcome.ALREADY_WRITTEN
    assert (world.rows(), without_identity(world, "bad")) == found
    return result


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        ("output", Outcome.ALREADY_WRITTEN),
        pytest.param("quarantine", Outcome.ALREADY_WRITTEN, marks=pytest.mark.slow),
    ],
)
def test_the_next_run_makes_good_what_a_killed_one_has_left_undone(world: Any, step: str, outcome: Outcome) -> None:
    killed(world, step)
    assert not (world.folder / "log").exists()
    assert (world.folder / "bad").exists() == (step == "quarantine")
    assert check(world).outcome is outcome
    statuses = [row.status for row in world.table("log").orderBy("started_at").collect()]
    assert statuses == ["already written", "already written"]


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_writes_leaves_nothing_that_counts(world: Any) -> None:
    """It is killed when files of rows are there and no commit is."""
    world.model("slow", slow)
    sections = {"model": {"uri": world.path("slow"), "batch_rows": 1}}
    process = start(world, "never", **sections)
    out = world.folder / "out"
    deadline = time.monotonic() + 200
    while not list(out.glob("*.parquet")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, 9)
    process.wait(60)
    assert list(out.glob("*.parquet")) != [], (world.folder / "driver.log").read_text()
    assert list((out / "_delta_log").glob("*.json")) == []
    assert world.run(**sections).outcome is Outcome.WRITTEN
    assert sorted(row.id for row in world.table().collect()) == [at for at in range(20) if at != 13]


def slow(frame: Any) -> Any:
    import time

    time.sleep(0.05)
    if bool((frame["x"] == 13).any()):
        raise ValueError("no")
    return frame["x"] / 1000


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", ["planned", "scored", "output", "quarantine", "log"])
def test_every_step_of_every_mode(world: Any, mode: str, step: str) -> None:
    if step == "scored" and mode != "merge":
        return
    sink = {"path": world.path("out"), **MODES[mode]}
    killed(world, step, sink=sink)
    done = step in ("output", "quarantine", "log")
    result = check(world, sink=sink)
    assert result.outcome is (Outcome.ALREADY_WRITTEN if done else Outcome.WRITTEN)


@pytest.mark.parametrize("mode", ["append", pytest.param("merge", marks=pytest.mark.slow)])
def test_two_runs_at_once_write_once(world: Any, mode: str) -> None:
    """Two threads of one session: the second to commit finds the first one's identity."""
    import threading

    sink = {"path": world.path("out"), **MODES[mode]}
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(world.run(sink=sink))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    outcomes = sorted(result.outcome.value for result in results)
    assert outcomes == ["already written", "written"]
    assert world.table().count() == 19
    assert world.table("bad").count() == 1

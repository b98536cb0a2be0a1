"""A job by the real spark-submit on a standalone cluster of two workers, its driver or an executor killed meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyspark
import pytest

from spark_models.jobs.outcome import Outcome
from spark_models.jobs.session import DELTA, delta_package

ROOT = Path(__file__).parents[3]
APPLICATION = ROOT / "conf" / "score_job.py"
MARKED = Path(__file__).parent / "job_driver.py"
MODES = {"append": {}, "merge": {"mode": "merge"}, "overwrite": {"mode": "overwrite"}}
GOOD = [(at, f"{at % 2}", at / 1000, float(at)) for at in range(20) if at != 13]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Submitted:
    """A job on the cluster: spark-submit, its driver in a process group of its own, and the driver's marks."""

    world: Any
    process: subprocess.Popen[bytes]
    name: str = "submit"

    @property
    def log(self) -> str:
        """What spark-submit and the driver have written."""
        return str((self.world.folder / f"{self.name}.log").read_text(errors="replace"))

    def ended(self) -> int:
        """The exit status."""
        return self.process.wait(240)

    def marks(self, name: str = "marks") -> dict[str, float]:
        """When each step was over."""
        file = self.world.folder / name
        lines = file.read_text().splitlines() if file.exists() else []
        return {name: float(at) for name, _, at in (line.partition(" ") for line in lines)}

    def until(self, reached: Callable[[], Any]) -> None:
        """Waits until something is so, or the process has ended."""
        deadline = time.monotonic() + 200
        while not reached() and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def kill_driver(self) -> None:
        """Ends Python and JVM at once, as a machine that loses power would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


@pytest.fixture
def submit(world: Any, cluster: str) -> Any:
    """submit(arguments…, application=…, name=…, cores=…): a `Submitted` of the world; its log has the name."""
    started: list[Submitted] = []

    def submit(*arguments: str, application: Path = APPLICATION, name: str = "submit", cores: int = 2) -> Submitted:
        command = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", cluster]
        settings = {
            **DELTA,
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.executor.memory": "600m",
            # These JVMs live for seconds: what the second compiler takes of them it never gives back.
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.cores.max": str(cores),
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.session.timeZone": "UTC",
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.executorEnv.SPARK_MODELS_CACHE": world.path("executors"),
            "spark.task.maxFailures": "8",
        }
        command += [part for setting in settings.items() for part in ("--conf", "=".join(setting))]
        command += ["--packages", delta_package(), str(application), *arguments]
        environment = dict(os.environ, PYTHONPATH=str(ROOT), PYSPARK_PYTHON=sys.executable)
        environment["PYSPARK_DRIVER_PYTHON"] = sys.executable
        with open(world.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                command, cwd=world.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        started.append(Submitted(world, process, name))
        return started[-1]

    yield submit
    for one in started:
        if one.process.poll() is None:
            one.kill_driver()


def executors(driver: int) -> list[int]:
    """The executors of the driver in a process group; they are children of the cluster's workers."""
    groups, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            groups[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
            commands[int(folder.name)] = (folder / "cmdline").read_text()
        except (OSError, ValueError):
            continue
    ports = listening([pid for pid, group in groups.items() if group == driver])
    return [
        pid
        for pid, command in commands.items()
        if "CoarseGrainedExecutorBackend" in command
        and any(f"CoarseGrainedScheduler@127.0.0.1:{port}\0" in command for port in ports)
    ]


def listening(pids: list[int]) -> set[int]:
    """The TCP ports on which processes listen."""
    sockets = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(os.readlink(entry).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def check_tables(world: Any) -> None:
    """Output and quarantine are those of a run that nobody has disturbed: every row, and every row once."""
    columns = ("id", "day", "prediction", "x")
    assert sorted(tuple(row) for row in world.table().select(*columns).collect()) == GOOD
    assert [row.id for row in world.table("bad").collect()] == [13]


def test_a_job_is_submitted_and_submitted_again(world: Any, submit: Any) -> None:
    file = world.folder / "job.yaml"
    file.write_text(world.text(sink={"path": world.path("out"), "mode": "merge"}))
    first = submit(str(file))
    assert first.ended() == 0, first.log
    assert "rows written             19" in first.log
    check_tables(world)
    again = submit(str(file))
    assert again.ended() == 0, again.log
    assert "already written" in again.log
    check_tables(world)


def test_the_status_tells_of_an_expectation(world: Any, submit: Any) -> None:
    file = world.folder / "job.yaml"
    file.write_text(world.text())
    run = submit(str(file), "--set", "expect.rows.min=21")
    assert run.ended() == 3, run.log
    assert "[EXPECTATION_FAILED]" in run.log


def test_an_executor_that_is_killed_while_it_writes_changes_nothing(world: Any, submit: Any) -> None:
    world.model("slow", slow(0.02))
    world.add(20, 200)
    sections = {"model": {"uri": world.path("slow"), "batch_rows": 1}}
    file = world.folder / "job.yaml"
    file.write_text(world.text(**sections))
    run = submit(str(file))
    run.until(lambda: list((world.folder / "out").glob("*.parquet")))
    victims = executors(run.process.pid)
    assert victims != [], run.log
    os.kill(victims[0], signal.SIGKILL)
    assert run.ended() == 0, run.log
    assert sorted(row.id for row in world.table().collect()) == [at for at in range(200) if at != 13]
    assert world.history() == ["WRITE"]
    assert [row.id for row in world.table("bad").collect()] == [13]
    logged = world.table("log").first()
    assert (logged.rows, logged.written, logged.quarantined) == (200, 199, 1)


def slow(seconds: float) -> Callable[[Any], Any]:
    """The jobs' model, which takes so long for a batch."""

    def predict(frame: Any) -> Any:
        time.sleep(seconds)
        if bool((frame["x"] == 13).any()):
            raise ValueError("no")
        return frame["x"] / 1000

    return predict


def test_rows_that_a_lost_executor_had_scored_for_a_shuffle_count_once(world: Any, submit: Any) -> None:
    """The executor that has scored the source's first file is lost with them while the other scores the second file."""
    marks = world.folder / "scored"

    def predict(frame: Any) -> Any:
        if bool((frame["x"] == 19).any()):
            with marks.open("a") as stream:
                stream.write(f"{os.getppid()}\n")
        time.sleep(0.06)
        return frame["x"] / 1000

    world.model("slow", predict)
    world.add(20, 200)
    file = world.folder / "job.yaml"
    sections = {"model": {"uri": world.path("slow"), "batch_rows": 1}, "quarantine": None}
    file.write_text(world.text(sink={"path": world.path("out"), "partitions": 2}, **sections))
    run = submit(str(file))
    run.until(lambda: marks.exists() and marks.read_text().endswith("\n"))
    time.sleep(2)
    # Executor, the daemon of its Python workers, worker.
    daemon = marks.read_text().split()[0]
    victim = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    assert victim in executors(run.process.pid), run.log
    os.kill(victim, signal.SIGKILL)
    assert run.ended() == 0, run.log
    assert len(marks.read_text().split()) == 2
    assert sorted(row.id for row in world.table().collect()) == list(range(200))
    logged = world.table("log").first()
    assert (logged.rows, logged.written) == (200, 200)


@pytest.mark.parametrize("mode", MODES)
def test_two_submitted_runs_at_once_write_once(world: Any, submit: Any, mode: str) -> None:
    """Two drivers, each with an executor: both have planned to write before either has written."""
    world.model("slow", slow(0.4))
    file = world.folder / "job.yaml"
    sections = {
        "model": {"uri": world.path("slow"), "batch_rows": 1},
        "sink": {"path": world.path("out"), **MODES[mode]},
    }
    file.write_text(world.text(**sections))
    runs = [
        submit(str(file), "never", world.path(name), application=MARKED, name=f"run-{name}", cores=1)
        for name in ("first", "second")
    ]
    assert [run.ended() for run in runs] == [0, 0], "\n".join(run.log for run in runs)
    marks = [run.marks(name) for run, name in zip(runs, ("first", "second"), strict=True)]
    assert max(each["planned"] for each in marks) < min(each["output"] for each in marks)
    check_tables(world)
    outcomes = sorted(row.status for row in world.table("log").collect())
    assert outcomes == ["already written", "written"]
    assert world.run(**sections).outcome is Outcome.ALREADY_WRITTEN
    check_tables(world)


@pytest.fixture(scope="module")
def run_seconds() -> list[float]:
    """How long undisturbed runs of this module took from their plan to their log; the first one tells the others."""
    return []


@pytest.mark.parametrize(("seed", "victim"), [(at, ("driver", "executor")[at % 2]) for at in range(20)])
def test_at_any_moment(world: Any, submit: Any, run_seconds: list[float], seed: int, victim: str) -> None:
    """Twenty moments between the plan and the log, half of them the driver's and half an executor's last."""
    chance = random.Random(seed)
    mode = chance.choice(list(MODES))
    sink = {"path": world.path("out"), **MODES[mode]}
    file = world.folder / "job.yaml"
    file.write_text(world.text(sink=sink))
    arguments = (str(file), "never", world.path("marks"))
    if run_seconds == []:
        calm = submit(*arguments, application=MARKED)
        assert calm.ended() == 0, calm.log
        check_tables(world)
        run_seconds.append(calm.marks()["log"] - calm.marks()["planned"])
        for name in ("out", "bad", "log", "marks"):
            (world.folder / name).rename(world.folder / f"calm-{name}")
    run = submit(*arguments, application=MARKED)
    run.until(lambda: "planned" in run.marks())
    time.sleep(chance.uniform(0, run_seconds[0]))
    steps = list(run.marks())
    if victim == "driver":
        run.kill_driver()
    else:
        for pid in executors(run.process.pid)[:1]:
            os.kill(pid, signal.SIGKILL)
        assert run.ended() == 0, run.log
    sys.stdout.write(f"seed {seed}: {mode}, {victim} killed after {steps}, status {run.process.poll()}\n")
    result = world.run(sink=sink)
    if victim == "executor" or "output" in steps:
        assert result.outcome is Outcome.ALREADY_WRITTEN
    check_tables(world)
    assert world.run(sink=sink).outcome is Outcome.ALREADY_WRITTEN
    check_tables(world)

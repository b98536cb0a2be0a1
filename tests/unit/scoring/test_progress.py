"""The progress bar: what it says, where it is seen, and what it counts."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import sys
import termios
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from spark_models.scoring.progress import JobWatch, Tasks, Terminal, html_of, progress, text_of


class Screen(io.StringIO):
    """A terminal that remembers what it was sent."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation("no file")

    def lines(self) -> list[str]:
        """Each state of the line, without the blanks that wipe the one before."""
        return [line.strip() for line in self.getvalue().replace("\n", "\r").split("\r") if line.strip() != ""]


@dataclass
class Tracker:
    """Spark's status tracker with jobs as the test sets them."""

    jobs: dict[int, Any] = field(default_factory=dict)
    stages: dict[int, Any] = field(default_factory=dict)

    def getActiveJobsIds(self) -> list[int]:  # noqa: N802
        return [job for job, info in self.jobs.items() if info is not None and info.status == "RUNNING"]

    def getJobInfo(self, job: int) -> Any:  # noqa: N802
        return self.jobs[job]

    def getStageInfo(self, stage: int) -> Any:  # noqa: N802
        return self.stages.get(stage)

    def job(self, number: int, status: str, **stages: tuple[int, int]) -> None:
        """A job with stages `s1=(done, total)`."""
        ids = [int(name[1:]) for name in stages]
        self.jobs[number] = SimpleNamespace(stageIds=ids, status=status)
        for stage, (done, total) in zip(ids, stages.values(), strict=True):
            counts = {"numCompletedTasks": done, "numTasks": total, "numActiveTasks": 1, "numFailedTasks": 0}
            self.stages[stage] = SimpleNamespace(**counts)

    def session(self) -> Any:
        context = SimpleNamespace(statusTracker=lambda: self)
        return SimpleNamespace(_sc=context, sparkContext=context)


def until(happens: Callable[[], bool]) -> None:
    """Waits for another thread."""
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# --- the text


@pytest.mark.parametrize(
    ("tasks", "seconds", "outcome", "text"),
    [
        (Tasks(), 5, "", "0:05"),
        (None, 3725, "", "1:02:05"),
        (None, 5, "done", "done in 0:05"),
        (Tasks(0, 8, 2), 1, "", f"[{'-' * 24}]   0% 0/8 tasks, 2 running, 0:01"),
        (Tasks(2, 8, 2, 1), 10, "", f"[######{'-' * 18}]  25% 2/8 tasks, 2 running, 1 failed, 0:10, about 0:30 left"),
        (Tasks(8, 8), 10, "", f"[{'#' * 24}] 100% 8/8 tasks, 0:10"),
        (Tasks(2, 8, 2), 9, "stopped", f"[######{'-' * 18}]  25% 2/8 tasks, stopped after 0:09"),
        (Tasks(1999, 2000), 1, "done", f"[{'#' * 23}-]  99% 1,999/2,000 tasks, done in 0:01"),
    ],
)
def test_the_text(tasks: Any, seconds: float, outcome: str, text: str) -> None:
    assert text_of(tasks, seconds, outcome=outcome) == text


def test_rows_are_about_as_many_as_the_tasks_let_expect() -> None:
    assert "about 250 of 1,000 rows" in text_of(Tasks(1, 4), 1, total_rows=1000)
    assert ", 1,000 rows, done" in text_of(Tasks(4, 4), 1, total_rows=1000, outcome="done")


def test_html_has_no_bar_of_characters() -> None:
    tasks = Tasks(1, 4, 1)
    assert html_of(tasks, text_of(tasks, 1)) == (
        '<progress value="1" max="4"></progress> 25% 1/4 tasks, 1 running, 0:01, about 0:03 left'
    )
    assert html_of(None, "0:05") == "0:05"


# --- the counts


def test_the_tasks_of_a_job_are_those_of_all_its_stages() -> None:
    tracker = Tracker()
    watch = JobWatch(tracker)
    assert watch.look() == Tasks()
    tracker.job(1, "RUNNING", s1=(3, 4), s2=(0, 10))
    assert watch.look() == Tasks(3, 14, 2)


def test_jobs_that_ran_before_are_somebody_elses() -> None:
    tracker = Tracker()
    tracker.job(1, "RUNNING", s1=(0, 4))
    watch = JobWatch(tracker)
    tracker.job(2, "RUNNING", s2=(1, 2))
    assert watch.look() == Tasks(1, 2, 1)


def test_stages_that_a_job_skipped_do_not_count_when_it_has_ended() -> None:
    tracker = Tracker()
    watch = JobWatch(tracker)
    tracker.job(1, "RUNNING", s1=(0, 4), s2=(0, 6))
    assert watch.look().total == 10
    tracker.job(1, "SUCCEEDED", s1=(0, 4), s2=(6, 6))
    assert watch.look() == Tasks(6, 6)
    tracker.job(2, "RUNNING", s3=(1, 4))
    assert watch.look() == Tasks(7, 10, 1)


def test_a_job_and_a_stage_that_spark_has_forgotten() -> None:
    tracker = Tracker()
    watch = JobWatch(tracker)
    tracker.job(1, "RUNNING", s1=(0, 4), s2=(1, 2))
    del tracker.stages[1]
    assert watch.look() == Tasks(1, 2, 1)
    tracker.jobs[1] = None
    assert watch.look() == Tasks()


# --- where it is seen


def clock() -> Any:
    """A clock that a second passes on at each look."""
    times = iter(range(10_000))
    return lambda: float(next(times))


def test_a_terminal_sees_the_tasks_and_how_it_ended() -> None:
    screen, tracker = Screen(), Tracker()
    with progress(tracker.session(), 100, stream=screen, interval=0.001, clock=clock()):
        tracker.job(1, "RUNNING", s1=(2, 4))
        until(lambda: "50%" in screen.getvalue())
        tracker.job(1, "SUCCEEDED", s1=(4, 4))
    lines = screen.lines()
    assert any("2/4 tasks, 1 running, about 50 of 100 rows" in line for line in lines)
    assert lines[-1].startswith(f"[{'#' * 24}] 100% 4/4 tasks, 100 rows, done in ")
    assert screen.getvalue().endswith("\n")


def test_an_error_goes_on_and_the_bar_says_where_it_stopped() -> None:
    screen, tracker = Screen(), Tracker()
    with pytest.raises(ZeroDivisionError), progress(tracker.session(), stream=screen, interval=0.001, clock=clock()):
        tracker.job(1, "RUNNING", s1=(1, 4))
        until(lambda: "25%" in screen.getvalue())
        _ = 1 / 0
    assert "1/4 tasks, stopped after " in screen.lines()[-1]


def test_a_session_that_is_stopped_in_the_block_is_no_error() -> None:
    class Stopped(Tracker):
        def getActiveJobsIds(self) -> list[int]:  # noqa: N802
            if self.stages != {}:
                raise ConnectionError("the JVM has gone")
            return []

    tracker = Stopped()
    with progress(tracker.session(), stream=Screen(), interval=0.001):
        tracker.job(1, "RUNNING", s1=(1, 4))


def test_a_file_gets_nothing() -> None:
    stream = io.StringIO()
    with progress(Tracker().session(), stream=stream, interval=0.001):
        pass
    assert stream.getvalue() == ""


def test_over_connect_it_is_the_time_alone() -> None:
    screen = Screen()
    with progress(SimpleNamespace(), stream=screen, interval=0.001, clock=clock()):
        until(lambda: "0:02" in screen.getvalue())
    assert screen.lines()[0] == "0:01"
    assert screen.lines()[-1].startswith("done in 0:")


def test_a_shorter_line_wipes_the_longer_one_before() -> None:
    screen = Screen()
    terminal = Terminal(screen)
    for text in ("a long line", "short"):
        terminal.show(None, text)
    assert screen.getvalue() == "\ra long line\rshort      "


def test_a_line_is_cut_to_the_terminal() -> None:
    leader, follower = pty.openpty()
    os.set_inheritable(follower, False)
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with open(follower, "w") as stream:
        Terminal(stream).show(None, "x" * 200)
        assert os.read(leader, 1000) == b"\r" + b"x" * 39
    os.close(leader)


def test_a_notebook_gets_one_element_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython stands for itself as the few names that are used of it: it is no dependency."""
    shown: list[str] = []

    class Handle:
        def update(self, element: Any) -> None:
            shown.append(element)

    def display(element: Any, display_id: bool) -> Handle:
        shown.append(f"new {element}")
        return Handle()

    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    shows: Any = types.ModuleType("IPython.display")
    shows.HTML, shows.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shows)
    tracker, stream = Tracker(), io.StringIO()
    with progress(tracker.session(), stream=stream, interval=0.001):
        tracker.job(1, "RUNNING", s1=(2, 4))
        until(lambda: len(shown) >= 2)
        tracker.job(1, "SUCCEEDED", s1=(4, 4))
    assert shown[0].startswith("new ")
    assert [text for text in shown[1:] if text.startswith("new ")] == []
    assert shown[-1].startswith('<progress value="4" max="4"></progress> 100% 4/4 tasks, done in ')
    assert stream.getvalue() == ""


def test_a_shell_without_a_notebook_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    screen = Screen()
    with progress(SimpleNamespace(), stream=screen):
        pass
    assert screen.lines() == ["done in 0:00"]

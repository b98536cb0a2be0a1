"""`progress`: a bar in the terminal or notebook while Spark works, fed by what its status tracker says of tasks."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from spark_models.bridge.sql import is_connect

INTERVAL = 0.2
"""Seconds between two looks at Spark; each costs a few calls into the JVM."""

BAR = 24


@dataclass(frozen=True, slots=True)
class Tasks:
    """Counts of the tasks of a block's jobs; `total` of those that are known of so far."""

    done: int = 0
    total: int = 0
    running: int = 0
    failed: int = 0

    def __add__(self, other: Tasks) -> Tasks:
        return Tasks(
            self.done + other.done,
            self.total + other.total,
            self.running + other.running,
            self.failed + other.failed,
        )

    @property
    def share(self) -> float:
        """How much of the known work is done, 0 to 1."""
        return self.done / self.total if self.total > 0 else 0.0


class Display(Protocol):
    """Where a bar is seen."""

    def show(self, tasks: Tasks | None, text: str) -> None:
        """Replaces what was shown."""

    def close(self) -> None:
        """Leaves what was shown last."""


@contextlib.contextmanager
def progress(
    spark: Any,
    total_rows: int | None = None,
    *,
    stream: TextIO | None = None,
    interval: float = INTERVAL,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Shows the progress of the Spark jobs that run inside the block; nothing where nobody looks.

    with progress(spark, total_rows=1_000_000):
        spark_models.score(df, model_uri).write.parquet(path)

    It is seen in a notebook, and in a terminal that standard error, or `stream`, is. `total_rows` adds about how many
    of them are done, by the share of the tasks. With Spark Connect, which tells nothing of tasks, it is the time alone.
    Jobs that other threads start meanwhile count as well.
    """
    display = _display(sys.stderr if stream is None else stream)
    if display is None:
        yield
        return
    watch = JobWatch.of(spark)
    began = clock()
    over = threading.Event()

    def show(outcome: str = "") -> None:
        tasks = None if watch is None else watch.look()
        display.show(tasks, text_of(tasks, clock() - began, total_rows, outcome))

    def keep_showing() -> None:
        # The session may be stopped under our feet; a bar is no reason to fail.
        with contextlib.suppress(Exception):
            while not over.wait(interval):
                show()

    thread = threading.Thread(target=keep_showing, name="spark-models progress", daemon=True)
    thread.start()
    outcome = "stopped"
    try:
        yield
        outcome = "done"
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(Exception):
            show(outcome)
            display.close()


class JobWatch:
    """The tasks of the jobs that have started since it was made."""

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker
        self._earlier = set(tracker.getActiveJobsIds())
        self._running: set[int] = set()
        self._ended: dict[int, Tasks] = {}

    @staticmethod
    def of(spark: Any) -> JobWatch | None:
        """The watch of a session; None with Spark Connect, which has no status tracker."""
        return None if is_connect(spark) else JobWatch(spark.sparkContext.statusTracker())

    def look(self) -> Tasks:
        """The counts as they are now. Of a job that has ended only what was done counts: stages may be skipped."""
        self._running |= set(self._tracker.getActiveJobsIds()) - self._earlier
        counts = Tasks()
        for job in sorted(self._running):
            info = self._tracker.getJobInfo(job)
            tasks = Tasks() if info is None else self._of_stages(info.stageIds)
            if info is None or info.status != "RUNNING":
                self._ended[job] = Tasks(tasks.done, tasks.done, 0, tasks.failed)
            else:
                counts += tasks
        self._running -= self._ended.keys()
        return sum(self._ended.values(), counts)

    def _of_stages(self, stages: Any) -> Tasks:
        infos = [self._tracker.getStageInfo(stage) for stage in stages]
        return sum(
            (
                Tasks(info.numCompletedTasks, info.numTasks, info.numActiveTasks, info.numFailedTasks)
                for info in infos
                if info is not None
            ),
            Tasks(),
        )


def text_of(tasks: Tasks | None, seconds: float, total_rows: int | None = None, outcome: str = "") -> str:
    """A bar, the tasks and the time as one line; `outcome` is "done" or "stopped" where the block has ended.

    >>> text_of(Tasks(done=50, total=200, running=4), 30)
    '[######------------------]  25% 50/200 tasks, 4 running, 0:30, about 1:30 left'
    >>> text_of(Tasks(done=200, total=200), 125, total_rows=1_000_000, outcome="done")
    '[########################] 100% 200/200 tasks, 1,000,000 rows, done in 2:05'
    >>> text_of(None, 61)
    '1:01'
    """
    parts = [] if tasks is None or tasks.total == 0 else _counts(tasks, seconds, total_rows, outcome)
    if outcome != "":
        parts.append(f"{outcome} in {_time(seconds)}" if outcome == "done" else f"{outcome} after {_time(seconds)}")
    elif parts == []:
        parts.append(_time(seconds))
    return ", ".join(parts)


def _counts(tasks: Tasks, seconds: float, total_rows: int | None, outcome: str) -> list[str]:
    filled = int(BAR * tasks.share)
    bar = "#" * filled + "-" * (BAR - filled)
    parts = [f"[{bar}] {int(100 * tasks.share):3d}% {tasks.done:,}/{tasks.total:,} tasks"]
    if tasks.running > 0 and outcome == "":
        parts.append(f"{tasks.running:,} running")
    if tasks.failed > 0:
        parts.append(f"{tasks.failed:,} failed")
    if total_rows is not None:
        rows = int(total_rows * tasks.share)
        parts.append(f"{rows:,} rows" if rows == total_rows else f"about {rows:,} of {total_rows:,} rows")
    if outcome == "":
        parts.append(_time(seconds))
        if 0 < tasks.done < tasks.total:
            parts.append(f"about {_time(seconds * (tasks.total - tasks.done) / tasks.done)} left")
    return parts


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours > 0 else f"{minutes}:{rest:02d}"


# --- where it is shown


def _display(stream: TextIO) -> Display | None:
    shell = _notebook_shell()
    if shell is not None:
        return Notebook()
    return Terminal(stream) if stream.isatty() else None


def _notebook_shell() -> Any:
    """The IPython shell of a notebook that runs this process; None elsewhere. Nothing is imported to find out."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell if shell is not None and hasattr(shell, "kernel") else None


class Terminal:
    """One line of a terminal, written over and over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = 0

    def show(self, tasks: Tasks | None, text: str) -> None:
        """Replaces the line, cut to the terminal's width."""
        line = text[: self._width() - 1]
        self._stream.write("\r" + line + " " * (self._shown - len(line)))
        self._stream.flush()
        self._shown = len(line)

    def close(self) -> None:
        """Ends the line."""
        self._stream.write("\n")
        self._stream.flush()

    def _width(self) -> int:
        try:
            return max(20, os.get_terminal_size(self._stream.fileno()).columns)
        except (OSError, ValueError):
            return 80


class Notebook:
    """An element below a notebook's cell."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, tasks: Tasks | None, text: str) -> None:
        """Replaces the element."""
        from IPython.display import HTML, display

        element = HTML(html_of(tasks, text))
        if self._handle is None:
            self._handle = display(element, display_id=True)
        else:
            self._handle.update(element)

    def close(self) -> None:
        """The element stays."""


def html_of(tasks: Tasks | None, text: str) -> str:
    """The line as HTML, the bar as an element of its own.

    >>> html_of(Tasks(done=1, total=4), "[#---]  25% 1/4 tasks")
    '<progress value="1" max="4"></progress> 25% 1/4 tasks'
    """
    if tasks is None or tasks.total == 0:
        return text
    return f'<progress value="{tasks.done}" max="{tasks.total}"></progress> {text.partition("]")[2].strip()}'

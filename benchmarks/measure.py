"""What the benchmarks share: CPU and wall time of a run, medians, tables, and the files that keep the samples."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
TICKS = os.sysconf("SC_CLK_TCK")
SETTLE = 0.05
"""A worker is still busy for some milliseconds when the job has all its rows."""
PACKAGES = ("numpy", "pandas", "pyarrow", "pyspark", "scikit-learn", "mlflow", "mlflow-skinny")


@dataclass(frozen=True, slots=True)
class Process:
    """A process as /proc shows it: CPU seconds of its own, and of its children that have ended and were waited for."""

    pid: int
    parent: int
    name: str
    own: float
    ended_children: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of one run: wall time, CPU of the Python workers, CPU of the JVM."""

    wall: float
    python: float = 0.0
    jvm: float = 0.0

    def __sub__(self, earlier: Usage) -> Usage:
        return Usage(self.wall - earlier.wall, self.python - earlier.python, self.jvm - earlier.jvm)


@dataclass(frozen=True, slots=True)
class Summary:
    """The median of n samples, and their quartiles."""

    n: int
    median: float
    low: float
    high: float


def parse_stat(text: str, ticks: int = TICKS) -> Process:
    """The process that a /proc/<pid>/stat describes; its name may hold spaces and brackets.

    >>> parse_stat("7 (a (b) c) S 1 7 7 0 -1 0 0 0 0 0 150 50 20 10 20 0 1", ticks=100)
    Process(pid=7, parent=1, name='a (b) c', own=2.0, ended_children=0.3)
    """
    before, _, after = text.rpartition(")")
    pid, _, name = before.partition(" (")
    fields = after.split()
    user, system, children_user, children_system = (int(field) for field in fields[11:15])
    return Process(int(pid), int(fields[1]), name, (user + system) / ticks, (children_user + children_system) / ticks)


def processes() -> dict[int, Process]:
    """All processes of this machine, by pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                process = parse_stat((entry / "stat").read_text())
            except (OSError, ValueError):
                continue  # it has ended meanwhile
            found[process.pid] = process
    return found


def descendants(found: dict[int, Process], pid: int) -> list[Process]:
    """The children of a process, their children, and so on."""
    children = [process for process in found.values() if process.parent == pid]
    return children + [deeper for child in children for deeper in descendants(found, child.pid)]


def spark_usage(found: dict[int, Process], driver: int, now: float) -> Usage:
    """What the Spark session of the driver process has used until now.

    The JVM is the driver's child, pyspark's daemon the JVM's, the workers are the daemon's. A worker that has ended is
    in the daemon's ended children.
    """
    jvms = [process for process in descendants(found, driver) if process.name == "java"]
    python = [process for jvm in jvms for process in descendants(found, jvm.pid)]
    worker_seconds = sum(process.own + process.ended_children for process in python)
    return Usage(now, worker_seconds, sum(jvm.own for jvm in jvms))


def measure_spark(run: Callable[[], object]) -> Usage:
    """The wall and CPU time of a run on the Spark session of this process."""
    before = spark_usage(processes(), os.getpid(), time.perf_counter())
    run()
    ended = time.perf_counter()
    time.sleep(SETTLE)
    return spark_usage(processes(), os.getpid(), ended) - before


def measure_call(call: Callable[[], object], seconds: float = 0.2, samples: int = 15) -> list[float]:
    """CPU seconds of one call in this process, as `samples` means over loops that take `seconds` together."""
    call()
    start = time.process_time()
    call()
    once = max(time.process_time() - start, 1e-7)
    loops = max(1, round(seconds / samples / once))
    means = []
    for _ in range(samples):
        start = time.process_time()
        for _ in range(loops):
            call()
        means.append((time.process_time() - start) / loops)
    return means


def summarize(samples: Sequence[float]) -> Summary:
    """The median and quartiles of samples.

    >>> summarize([3.0, 1.0, 2.0])
    Summary(n=3, median=2.0, low=1.5, high=2.5)
    """
    if len(samples) == 1:
        return Summary(1, samples[0], samples[0], samples[0])
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Summary(len(samples), middle, low, high)


def ratio(samples: Sequence[float], others: Sequence[float], fixed: Sequence[float] = (0.0,)) -> float:
    """The ratio of two medians, each without the median of what is in both; infinite over nothing."""
    within = statistics.median(fixed)
    below = statistics.median(others) - within
    return (statistics.median(samples) - within) / below if below > 0 else float("inf")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(["path", "s"], [["ours", "1.0"]]))
    | path | s |
    | --- | --- |
    | ours | 1.0 |
    """
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(seconds: float) -> str:
    """Seconds in the unit that suits them.

    >>> [shown(value) for value in (2.5, 0.0123, 0.00004567)]
    ['2.50 s', '12.3 ms', '45.7 µs']
    """
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def versions() -> dict[str, str]:
    """Python, and the packages that matter, as they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """What kind of machine this is; nothing that names it."""
    cpus = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.partition(":")[2].strip() for line in facts if line.startswith("model name")}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": cpus,
        "cpu": ", ".join(sorted(models)),
        "memory_gb": round(memory),
    }


def document(name: str, settings: dict[str, Any], samples: list[Any]) -> dict[str, Any]:
    """A benchmark's samples with what they were taken on; `samples` are dataclasses."""
    return {
        "benchmark": name,
        "versions": versions(),
        "machine": machine(),
        "settings": settings,
        "samples": [asdict(sample) for sample in samples],
    }


def with_others(file: Path, content: dict[str, Any], key: Sequence[str]) -> dict[str, Any]:
    """The new samples, then those of the file at hand that none of them replaces, by the fields `key`.

    Samples of other versions, or of another machine, are not kept.
    """
    if not file.is_file():
        return content
    old = json.loads(file.read_text())
    if (old.get("versions"), old.get("machine")) != (content["versions"], content["machine"]):
        return content
    new = {tuple(sample[name] for name in key) for sample in content["samples"]}
    others = [sample for sample in old["samples"] if tuple(sample[name] for name in key) not in new]
    return {**content, "settings": {**old["settings"], **content["settings"]}, "samples": content["samples"] + others}


def write(folder: Path, stem: str, content: dict[str, Any], text: str) -> tuple[Path, Path]:
    """Writes the samples as JSON and the text as Markdown; gives both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    raw, readable = folder / f"{stem}.json", folder / f"{stem}.md"
    raw.write_text(json.dumps(content, indent=1) + "\n")
    readable.write_text(text.rstrip() + "\n")
    return raw, readable


def facts_text(content: dict[str, Any]) -> str:
    """The versions and the machine in two lines."""
    about = content["machine"]
    named = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return f"{about['cpus']} CPUs ({about['cpu']}), {about['memory_gb']} GB, {about['system']}.\n{named}."

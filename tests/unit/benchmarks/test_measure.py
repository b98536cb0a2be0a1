"""The arithmetic of the benchmarks: whose CPU seconds count, and what is made of them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import measure
from benchmarks.measure import Process, Usage


def process(pid: int, parent: int, name: str, own: float, ended: float = 0.0) -> Process:
    return Process(pid, parent, name, own, ended)


DRIVER, JVM, DAEMON, WORKER = 10, 20, 30, 40


def session(*more: Process) -> dict[int, Process]:
    found = [
        process(DRIVER, 1, "python", 100.0),
        process(JVM, DRIVER, "java", 5.0, ended=77.0),
        process(DAEMON, JVM, "python", 0.25, ended=2.0),
        process(WORKER, DAEMON, "python", 1.5),
        process(99, 1, "java", 1000.0),
        *more,
    ]
    return {item.pid: item for item in found}


def test_the_daemon_its_workers_and_those_that_have_ended_count_as_python() -> None:
    assert measure.spark_usage(session(), DRIVER, now=3.0) == Usage(3.0, python=3.75, jvm=5.0)


def test_a_worker_of_a_worker_counts_too() -> None:
    deeper = process(50, WORKER, "python", 4.0)
    assert measure.spark_usage(session(deeper), DRIVER, now=0.0).python == 7.75


def test_the_jvm_may_be_a_grandchild_of_the_driver() -> None:
    found = session()
    found[15] = process(15, DRIVER, "bash", 9.0)
    found[JVM] = process(JVM, 15, "java", 5.0)
    assert measure.spark_usage(found, DRIVER, now=0.0) == Usage(0.0, python=3.75, jvm=5.0)


def test_without_a_session_nothing_is_used() -> None:
    assert measure.spark_usage({}, DRIVER, now=1.0) == Usage(1.0)


def test_usage_of_a_run_is_the_difference() -> None:
    assert Usage(5.0, 3.0, 2.0) - Usage(1.0, 0.5, 0.25) == Usage(4.0, 2.5, 1.75)


def test_this_process_is_found_with_the_cpu_time_that_it_has_used() -> None:
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    found = measure.processes()[os.getpid()]
    assert found.parent == os.getppid()
    assert abs(found.own - time.process_time()) < 0.1


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([2.0], (1, 2.0, 2.0, 2.0)),
        ([1.0, 3.0], (2, 2.0, 1.5, 2.5)),
        ([5.0, 1.0, 4.0, 2.0, 3.0], (5, 3.0, 2.0, 4.0)),
    ],
)
def test_summary(samples: list[float], expected: tuple[int, float, float, float]) -> None:
    found = measure.summarize(samples)
    assert (found.n, found.median, found.low, found.high) == expected


def test_ratio_of_medians() -> None:
    assert measure.ratio([3.0, 1.0, 2.0], [4.0]) == 0.5
    assert measure.ratio([3.0, 1.0, 2.0], [4.0], fixed=[1.0]) == 1 / 3
    assert measure.ratio([1.0], [0.0]) == float("inf")


def test_a_call_is_measured_as_many_times_as_asked() -> None:
    calls = []
    samples = measure.measure_call(lambda: calls.append(sum(range(10_000))), seconds=0.01, samples=5)
    assert len(samples) == 5
    assert all(sample > 0 for sample in samples)
    assert len(calls) >= 7


def test_what_is_written_is_read_back(tmp_path) -> None:
    content = measure.document("udf", {"rows": 3}, [measure.summarize([1.0])])
    raw, readable = measure.write(tmp_path / "new", "udf-1", content, "text\n\n")
    assert measure.json.loads(raw.read_text()) == content
    assert readable.read_text() == "text\n"
    assert content["samples"] == [{"n": 1, "median": 1.0, "low": 1.0, "high": 1.0}]


def test_samples_of_other_cases_are_kept_where_they_are_of_the_same_versions(tmp_path: Path) -> None:
    def content(version: str, *samples: dict[str, Any]) -> dict[str, Any]:
        return {"versions": {"numpy": version}, "machine": {}, "settings": {version: 1}, "samples": list(samples)}

    old = content("2", {"case": "a", "value": 1}, {"case": "b", "value": 1})
    file, _ = measure.write(tmp_path, "some", old, "")
    new = {"case": "b", "value": 2}
    found = measure.with_others(file, content("2", new), ["case"])
    assert found["samples"] == [new, {"case": "a", "value": 1}]
    assert measure.with_others(file, content("3", new), ["case"]) == content("3", new)
    assert measure.with_others(tmp_path / "none.json", content("2", new), ["case"]) == content("2", new)

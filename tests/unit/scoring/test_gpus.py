"""A process sees the GPUs of its task alone."""

from __future__ import annotations

import os

import pytest
from pyspark import TaskContext
from pyspark.resource import ResourceInformation

from spark_models.scoring.gpus import VARIABLE, take_gpus


@pytest.fixture
def in_task(monkeypatch: pytest.MonkeyPatch) -> TaskContext:
    """A task's context as a worker makes it, here without a worker; no variable is set."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(TaskContext, "_taskContext", None)
    context = TaskContext._getOrCreate()
    context._resources = {}
    return context


def test_the_addresses_of_the_task_are_taken(in_task: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    in_task._resources = {"gpu": ResourceInformation("gpu", ["2", "3"])}
    monkeypatch.setenv("UNRELATED", "1")
    take_gpus()
    assert os.environ.pop(VARIABLE) == "2,3"


def test_without_gpus_or_a_task_nothing_is_set(in_task: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    take_gpus()
    monkeypatch.setattr(TaskContext, "_taskContext", None)
    take_gpus()
    assert VARIABLE not in os.environ


def test_what_is_set_already_stays(in_task: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    in_task._resources = {"gpu": ResourceInformation("gpu", ["2"])}
    monkeypatch.setenv(VARIABLE, "0")
    take_gpus()
    assert os.environ[VARIABLE] == "0"

"""A job's world: a folder with a source table, a model and the job files that read the one with the other."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import spark_models
from spark_models.jobs.job import Job
from spark_models.jobs.outcome import RunResult
from spark_models.jobs.reading import parse_job
from spark_models.jobs.runner import run_job
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

cloudpickle.register_pickle_by_value(sys.modules[__name__])

BAD = 13.0
"""The value of x that the model can't score."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Delta's Python package there is no Delta table to test on."""
    if importlib.util.find_spec("delta") is not None:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="delta-spark is not installed for this Spark"))


def predict(frame: Any) -> Any:
    if bool((frame["x"] == BAD).any()):
        raise ValueError("no")
    return frame["x"] / 1000


@dataclass(frozen=True)
class World:
    """A folder, and the session that works in it."""

    spark: Any
    folder: Path

    def path(self, name: str) -> str:
        """A path in the folder."""
        return str(self.folder / name)

    def model(self, name: str, function: Callable[[Any], Any] = predict) -> None:
        """Saves a model of one double, x, whose prediction has no name."""

        class Model(spark_models.pyfunc.PythonModel):
            def predict(self, context: Any, model_input: Any) -> Any:
                return function(model_input)

        signature = ModelSignature(Schema([ColSpec("double", "x")]), Schema([ColSpec("double")]))
        spark_models.pyfunc.save_model(self.path(name), python_model=Model(), signature=signature, split_invariant=True)

    def add(self, first: int, last: int, name: str = "source") -> None:
        """Appends rows with id and x from `first` up to `last` to a Delta table of two columns and a day."""
        rows = self.spark.range(first, last).selectExpr("id", "cast(id as double) x", "cast(id % 2 as string) day")
        rows.coalesce(1).write.format("delta").mode("append").save(self.path(name))

    def job(self, changed: Mapping[str, Any] | None = None, **sections: Any) -> Job:
        """A job from the source to a Delta table, its sections replaced by what is given; None leaves one out."""
        return parse_job(self.text(changed, **sections))

    def text(self, changed: Mapping[str, Any] | None = None, **sections: Any) -> str:
        """The text of the job file."""
        from spark_models.package.yaml_file import dump_yaml

        found: dict[str, Any] = {
            "version": 1,
            "name": "nightly",
            "source": {"path": self.path("source")},
            "model": {"uri": self.path("model")},
            "keys": ["id"],
            "sink": {"path": self.path("out")},
            "quarantine": {"path": self.path("bad")},
            "lineage": True,
            "run_log": {"path": self.path("log")},
            **sections,
            **(changed or {}),
        }
        return dump_yaml({name: section for name, section in found.items() if section is not None})

    def run(self, changed: Mapping[str, Any] | None = None, **sections: Any) -> RunResult:
        """The result of such a job."""
        return run_job(self.spark, self.job(changed, **sections))

    def table(self, name: str = "out") -> Any:
        """A Delta table of the folder."""
        return self.spark.read.format("delta").load(self.path(name))

    def rows(self, name: str = "out") -> list[tuple[Any, ...]]:
        """The rows of a table without run and time."""
        frame = self.table(name).drop("run_id", "scored_at")
        return sorted(tuple(row) for row in frame.select(*sorted(frame.columns)).collect())

    def history(self, name: str = "out") -> list[str]:
        """The operations of a table, oldest first."""
        rows = self.spark.sql(f"DESCRIBE HISTORY delta.`{self.path(name)}`").select("version", "operation").collect()
        return [row[1] for row in sorted(rows)]


@pytest.fixture(scope="session")
def first_world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world that each test gets a copy of: writing a table takes a second, copying it none."""
    made = World(spark, tmp_path_factory.mktemp("world"))
    made.model("model")
    made.add(0, 20)
    return made


@pytest.fixture
def world(first_world: World, tmp_path: Path) -> World:
    """A source of 20 rows, one of which the model can't score."""
    for name in ("model", "source"):
        shutil.copytree(first_world.path(name), tmp_path / name)
    return World(first_world.spark, tmp_path)

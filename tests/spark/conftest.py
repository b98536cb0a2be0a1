"""Models that leave marks of what they were given, and what else the tests on Spark share."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from pyspark.sql import functions as F

import spark_models
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

# The tests are imported by path, so a module that they share is found only here.
sys.path.insert(0, str(Path(__file__).parent))

from standalone import standalone_cluster

cloudpickle.register_pickle_by_value(sys.modules[__name__])

TRANSPORTS = ["pandas", "arrow"] if hasattr(F, "arrow_udf") else ["pandas"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder runs on Spark, the tests that start a session of their own too."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("spark")


class Marked(spark_models.pyfunc.PythonModel):
    """A model of any function that notes, in files, which process loaded it and which called it."""

    def __init__(self, function: Callable[[Any], Any], marks: Path) -> None:
        self.function = function
        self.marks = str(marks)

    def load_context(self, context: Any) -> None:
        self._mark("loads")

    def predict(self, context: Any, model_input: Any) -> Any:
        self._mark("calls")
        return self.function(model_input)

    def _mark(self, name: str) -> None:
        with open(os.path.join(self.marks, name), "a") as stream:
            stream.write(f"{os.getpid()}\n")


@dataclass(frozen=True)
class Saved:
    """A saved `Marked` model: where it is, and its marks."""

    uri: str
    marks: Path

    def loads(self) -> list[int]:
        """The process of each load."""
        return self._pids("loads")

    def calls(self) -> list[int]:
        """The process of each call of predict."""
        return self._pids("calls")

    def _pids(self, name: str) -> list[int]:
        file = self.marks / name
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def forget(self) -> None:
        """Removes the marks."""
        for file in self.marks.iterdir():
            file.unlink()


def schema(types: Mapping[str, Any]) -> Schema:
    """The schema of columns by name, each a type's name or a spec."""
    return Schema([ColSpec(kind, name) if isinstance(kind, str) else kind for name, kind in types.items()])


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Saved]:
    """save(function, {"a": "long"}): a saved model of a function, whose signature has these inputs."""
    base = tmp_path_factory.mktemp("models")
    numbers = itertools.count()

    def save(
        function: Callable[[Any], Any],
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        signature: ModelSignature | None = None,
        **options: Any,
    ) -> Saved:
        folder = base / str(next(numbers))
        saved = Saved(str(folder / "model"), folder / "marks")
        saved.marks.mkdir(parents=True)
        if inputs is not None:
            signature = ModelSignature(schema(inputs), None if outputs is None else schema(outputs))
        spark_models.pyfunc.save_model(
            saved.uri, python_model=Marked(function, saved.marks), signature=signature, **options
        )
        saved.forget()
        return saved

    return save


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Each way of batches to Python that this pyspark has."""
    return str(request.param)


@pytest.fixture
def udf(spark: Any, transport: str) -> Callable[..., Any]:
    """udf(saved, result_type): the UDF of a saved model over each transport."""

    def make(saved: Any, result_type: Any = "string", **options: Any) -> Any:
        uri = saved.uri if isinstance(saved, Saved) else saved
        return spark_models.pyfunc.spark_udf(spark, uri, result_type, transport=transport, **options)

    return make


def failed(frame: Any) -> str:
    """The text of the error that a query ends with."""
    with pytest.raises(Exception) as caught:
        frame.collect()
    return str(caught.value)


@pytest.fixture
def failure() -> Callable[[Any], str]:
    """failure(frame): the text of the error that a query ends with."""
    return failed


@pytest.fixture
def configured(spark: Any) -> Any:
    """A context manager that sets Spark options and sets them back."""

    @contextmanager
    def configured(options: Mapping[str, str]) -> Iterator[None]:
        before = {name: spark.conf.get(name, None) for name in options}
        for name, value in options.items():
            spark.conf.set(name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                spark.conf.unset(name) if value is None else spark.conf.set(name, value)

    return configured


# --- a real standalone cluster: a master and two workers as processes of their own, nothing shared but Spark itself


@pytest.fixture(scope="module")
def cluster(spark_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The master's URL; workers of one core and 1 GB each."""
    with standalone_cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url

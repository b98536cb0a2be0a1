"""The queue and the batches before a model, without HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
from spark_models.errors import QueueFullError
from spark_models.flavors.capabilities import split_invariant
from spark_models.package.mlmodel import Model
from spark_models.schema.schema import Schema
from spark_models.schema.signature import ModelSignature
from spark_models.schema.specs import ColSpec
from spark_models.serve import DataPlane
from spark_models.serve.dataplane import Answer
from spark_models.serve.http.engine import Engine
from spark_models.serve.http.metrics import Metrics

JSON = "application/json"


class Logged(spark_models.pyfunc.PythonModel):
    """Doubles x and refuses negative values; the first call waits, so that others queue up behind it."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, context: Any, model_input: pd.DataFrame) -> np.ndarray[Any, Any]:
        import time

        self.calls.append(len(model_input))
        if len(self.calls) == 1:
            time.sleep(0.3)
        if (model_input["x"] < 0).any():
            raise ValueError("negative")
        return model_input["x"].to_numpy() * 2


@pytest.fixture
def plane(tmp_path: Path) -> DataPlane:
    signature = ModelSignature(Schema([ColSpec("double", "x")]))
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Logged(), signature=signature)
    return DataPlane(spark_models.pyfunc.load_model(tmp_path / "m"))


def calls(plane: DataPlane) -> list[int]:
    found: list[int] = plane.model.unwrap_python_model().calls
    return found


def ask(plane: DataPlane, rows: list[list[float]], **options: Any) -> list[Answer]:
    """The answers to requests that come at once: one of each list of values, behind a first one that takes its time."""

    def reader(values: list[float]) -> Callable[[], Any]:
        body = json.dumps({"data": [[value] for value in values], "columns": ["x"]}).encode()
        return lambda: plane.read(body, JSON)

    async def run() -> list[Answer]:
        engine = Engine(plane, Metrics(), **options)
        engine.start(asyncio.get_running_loop())
        first = engine.submit(reader([0.0]))
        await asyncio.sleep(0.1)
        answers = await asyncio.gather(*[engine.submit(reader(values)) for values in rows])
        await first
        engine.stop()
        return list(answers)

    return asyncio.run(run())


def test_requests_that_wait_together_are_scored_together(plane: DataPlane) -> None:
    answers = ask(plane, [[1.0], [2.0, 3.0], [], [4.0]], batch_rows=100)
    assert [json.loads(answer.content) for answer in answers] == [[2.0], [4.0, 6.0], [], [8.0]]
    assert calls(plane) == [1, 4]


def test_no_more_rows_than_may_be_are_put_together(plane: DataPlane) -> None:
    ask(plane, [[1.0]] * 5, batch_rows=2)
    assert calls(plane) == [1, 2, 2, 1]


def test_without_batches_each_request_is_a_call(plane: DataPlane) -> None:
    ask(plane, [[1.0]] * 3, batch_rows=1)
    assert calls(plane) == [1, 1, 1, 1]


def test_a_request_that_fails_fails_alone(plane: DataPlane) -> None:
    answers = ask(plane, [[1.0], [-1.0], [2.0]], batch_rows=100)
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert json.loads(answers[2].content) == [4.0]


def test_a_body_that_is_wrong_fails_alone(plane: DataPlane) -> None:
    answers = ask(plane, [[1.0], ["text"], [2.0]], batch_rows=100)  # type: ignore[list-item]
    assert [answer.status for answer in answers] == [200, 400, 200]


def test_a_full_queue_is_said(plane: DataPlane) -> None:
    with pytest.raises(QueueFullError):
        ask(plane, [[1.0]] * 4, most_waiting=2)


def test_what_is_too_late_is_never_scored(plane: DataPlane) -> None:
    answers = ask(plane, [[1.0]] * 2, timeout=0.15)
    assert [answer.status for answer in answers] == [504, 504]
    assert calls(plane) == [1]


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"loader_module": "spark_models.sklearn"}, True),
        ({"loader_module": "mlflow.sklearn"}, True),
        ({"loader_module": "spark_models.pyfunc.model"}, False),
        ({"loader_module": "spark_models.pyfunc.model", "split_invariant": True}, True),
        ({"loader_module": "spark_models.sklearn", "split_invariant": False}, False),
        ({"loader_module": "somebody_elses"}, False),
    ],
)
def test_only_what_is_said_to_be_split_invariant_is(conf: dict[str, Any], said: bool) -> None:
    assert split_invariant(Model(flavors={"python_function": conf})) is said

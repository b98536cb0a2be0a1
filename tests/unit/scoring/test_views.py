"""What a model gets and gives without a copy, and where a copy keeps rows apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import spark_models
from spark_models.coerce.result_type import parse_result_type
from spark_models.models import ModelSignature
from spark_models.package.reader import open_package
from spark_models.scoring.incoming import ArrowBatch, PandasBatch
from spark_models.scoring.place import PackageRef
from spark_models.scoring.plan import BindPlan, plan_for
from spark_models.scoring.scorer import BatchScorer
from spark_models.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

DOUBLES = Schema([ColSpec("double", "x"), ColSpec("double", "y")])
MIXED = Schema([ColSpec("double", "x"), ColSpec("long", "n")])
ONE = Schema([ColSpec("double", "x")])
TENSOR = Schema([TensorSpec(np.dtype("float64"), (-1, 2))])
VALUES = np.array([[1.5, 2.5], [3.5, 4.5]])

Score = Callable[..., list[Any]]


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """score(model, schema, batch, **options): the model's answers for one batch."""
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(tmp_path / "cache"))

    def score(model: Any, schema: Schema | None, batch: Any, plan: BindPlan | None = None, **options: Any) -> list[Any]:
        path = tmp_path / "model"
        signature = None if schema is None else ModelSignature(schema)
        spark_models.pyfunc.save_model(path, python_model=model, signature=signature)
        ref = PackageRef(open_package(path).content_hash(), str(path))
        names = ["0", "1"] if schema is None else schema.input_names()
        used = plan_for(schema, names, matrix=False) if plan is None else plan
        return BatchScorer(ref, used, parse_result_type("double"), **options).run(batch).to_pylist()

    return score


class WritesToItsFrame(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        model_input.loc[model_input.iloc[:, 0] > 2, model_input.columns[0]] = 0.0
        return model_input.iloc[:, 0]


class WritesToItsArray(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        model_input *= 2
        return model_input[:, 0]


class UsesOneArrayForAllAnswers(spark_models.pyfunc.PythonModel):
    def __init__(self) -> None:
        self.answers = np.zeros(1)

    def predict(self, context: Any, model_input: Any) -> Any:
        self.answers[:] = model_input["x"]
        return self.answers


def columns(*kinds: pa.DataType) -> list[pa.Array]:
    return [pa.array(VALUES[:, at], kind) for at, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("schema", "batch"),
    [
        (ONE, ArrowBatch(columns(pa.float64()))),
        (DOUBLES, ArrowBatch(columns(pa.float64(), pa.float64()))),
        (MIXED, ArrowBatch([pa.array(VALUES[:, 0]), pa.array([1, 2])])),
        (None, ArrowBatch(columns(pa.float64(), pa.float64()))),
        (DOUBLES, PandasBatch([pd.Series(VALUES[:, 0]), pd.Series(VALUES[:, 1])])),
    ],
    ids=["one column", "doubles", "mixed", "no signature", "pandas"],
)
def test_a_model_may_write_to_its_frame(score: Score, schema: Schema | None, batch: Any) -> None:
    assert score(WritesToItsFrame(), schema, batch) == [1.5, 0.0]


def test_a_model_may_write_to_the_frame_of_a_packed_array(score: Score) -> None:
    plan = replace(plan_for(DOUBLES, ["x", "y"], matrix=False), packed=True)
    batch = ArrowBatch([pa.array(VALUES.tolist())])
    assert score(WritesToItsFrame(), DOUBLES, batch, plan) == [1.5, 0.0]
    assert batch.columns[0].to_pylist() == VALUES.tolist()


def test_a_model_may_write_to_its_tensor(score: Score) -> None:
    batch = ArrowBatch([pa.array(VALUES.tolist())])
    assert score(WritesToItsArray(), TENSOR, batch) == [3.0, 7.0]
    assert batch.columns[0].to_pylist() == VALUES.tolist()


@pytest.mark.parametrize("on_error", ["fail", "null"])
def test_a_model_may_use_its_answer_again(score: Score, on_error: str) -> None:
    batch = ArrowBatch([pa.array([1.5, 2.5, 3.5])])
    assert score(UsesOneArrayForAllAnswers(), ONE, batch, batch_rows=1, on_error=on_error) == [1.5, 2.5, 3.5]


def test_a_matrix_reaches_a_model_that_takes_it_as_a_view() -> None:
    plan = replace(plan_for(DOUBLES, ["x", "y"], matrix=True), packed=True)
    column = pa.array(VALUES.tolist())
    bound = ArrowBatch([column]).bind(plan, "UTC")(0, 2)
    assert bound.__array_interface__["data"][0] == column.values.buffers()[1].address


# --- columns that are not looked at again

TEXTS = Schema([ColSpec("string", "s")])


def test_guarded_texts_of_pandas_are_taken_as_they_are() -> None:
    values = pd.Series(["a", None, "b"])
    plan = replace(plan_for(TEXTS, ["s"], matrix=False), guarded=True)
    assert PandasBatch([values]).bind(plan, "UTC")(0, 3)["s"].tolist() == ["a", None, "b"]


def test_texts_that_nobody_has_looked_at_are_looked_at() -> None:
    plan = plan_for(TEXTS, ["s"], matrix=False)
    with pytest.raises(spark_models.errors.ColumnTypeError):
        PandasBatch([pd.Series([b"a", b"b"])]).bind(plan, "UTC")(0, 2)


@pytest.mark.parametrize("kind", [pa.binary(), pa.int64()])
def test_other_arrow_columns_are_no_texts(kind: pa.DataType) -> None:
    plan = plan_for(TEXTS, ["s"], matrix=False)
    column = pa.array([1], kind) if kind == pa.int64() else pa.array([b"a"], kind)
    with pytest.raises(spark_models.errors.ColumnTypeError):
        ArrowBatch([column]).bind(plan, "UTC")(0, 1)


LISTS = {
    "whole": ([[1.5, 2.5], [], [3.5]], pa.float64()),
    "narrower": ([[1.5], [2.5]], pa.float32()),
    "with a null inside": ([[1.5, None]], pa.float64()),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_reach_a_model_as_lists(name: str) -> None:
    rows, kind = LISTS[name]
    schema = Schema([ColSpec(Array(DataType.double), "a")])
    column = pa.array(rows, pa.list_(kind))
    bound = ArrowBatch([column]).bind(plan_for(schema, ["a"], matrix=False), "UTC")(0, len(rows))
    cells = bound["a"].tolist()
    assert all(type(cell) is list for cell in cells)
    np.testing.assert_equal(cells, [[np.nan if item is None else item for item in row] for row in rows])


def test_a_null_list_is_refused_where_it_is_required() -> None:
    schema = Schema([ColSpec(Array(DataType.double), "a")])
    bind = ArrowBatch([pa.array([[1.5], None])]).bind(plan_for(schema, ["a"], matrix=False), "UTC")
    with pytest.raises(spark_models.errors.NullColumnError):
        bind(0, 2)

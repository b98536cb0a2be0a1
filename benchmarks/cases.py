"""What the benchmark scores: tables of some shape, and models that take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import spark_models.pyfunc
import spark_models.sklearn
from spark_models.models import ModelSignature, infer_signature
from spark_models.types.schema import ColSpec, DataType, Object, Property, Schema


@dataclass(frozen=True, slots=True)
class Case:
    """A table of `rows` rows whose columns are Spark SQL of `id`, and how a model is made for it.

    `form` is what the model takes, and how its input travels:

    | form | columns | model.predict gets |
    | --- | --- | --- |
    | matrix | one an input | matrix of doubles |
    | frame | one an input | DataFrame with their names |
    | tensor | one, array<double> | matrix of doubles |
    | lists | one, array<double> | DataFrame whose cells are lists |
    | struct | one, a struct of the inputs | matrix of doubles |
    | objects | one, a struct that is the one input | DataFrame whose cells are dicts |

    The ways by hand make a matrix of lists and objects too.
    """

    name: str
    about: str
    rows: int
    columns: dict[str, str]
    fit: Callable[[pd.DataFrame], Any]
    result: str = "double"
    form: str = "matrix"
    batch: int = 10_000
    short: bool = False
    example: bool = True

    def source(self, spark: Any, rows: int, partitions: int) -> Any:
        """The table as a DataFrame, made row by row as it is read."""
        flat = spark.range(0, rows, 1, partitions).selectExpr(
            *[f"{expression} as {name}" for name, expression in self.columns.items()]
        )
        if self.form in ("tensor", "lists"):
            return flat.selectExpr(f"array({', '.join(self.columns)}) as packed")
        if self.form in ("struct", "objects"):
            return flat.selectExpr(f"struct({', '.join(self.columns)}) as packed")
        return flat

    @property
    def is_packed(self) -> bool:
        """Whether the table has one column that holds all inputs."""
        return self.form not in ("matrix", "frame")

    def inputs(self, frame: pd.DataFrame) -> Any:
        """The rows of the flat frame as the package takes them."""
        if self.form == "tensor":
            return frame.to_numpy()
        if self.form == "lists":
            return pd.DataFrame({"packed": pd.Series(frame.to_numpy().tolist())})
        if self.form == "objects":
            return pd.DataFrame({"packed": frame.to_dict("records")})
        return frame

    def packaged(self, model: Any) -> Any:
        """The model that is packaged: the one that the ways by hand call, or its like that takes lists or dicts."""
        return FirstOfCell() if isinstance(model, FirstValue) else model

    def save(self, model: Any, frame: pd.DataFrame, package: Path) -> None:
        """Saves the model with a signature, as a user of spark-models does."""
        inputs, packaged = self.inputs(frame), self.packaged(model)
        output = packaged.predict(frame.to_numpy() if self.form == "matrix" else inputs)
        signature = infer_signature(frame if self.form == "objects" else inputs, output)
        if self.form == "objects":  # which is declared: it is not guessed from dicts
            fields = Object(tuple(Property(name, DataType.double) for name in frame))
            signature = ModelSignature(Schema([ColSpec(fields, "packed")]), signature.outputs)
        example = inputs[:5] if self.example else None
        if hasattr(packaged, "fit"):
            spark_models.sklearn.save_model(packaged, package, signature=signature, input_example=example)
        else:
            spark_models.pyfunc.save_model(
                package, python_model=ByName(packaged), signature=signature, input_example=example
            )


class FirstValue:
    """A model that is hardly more than the way to it: the first input, of a matrix."""

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return matrix[:, 0]


class FirstOfCell:
    """The same of a column of lists or dicts."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return np.array([next(iter(cell.values() if isinstance(cell, dict) else cell)) for cell in frame["packed"]])


class HasText:
    """A model that is hardly more than the way to it: whether a row has its first text."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return frame["s0"].notna().to_numpy("float64")


class NamedColumns:
    """A model that asks for columns by their names."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return (frame["d0"] + 2 * frame["d1"]).to_numpy()


class ByName(spark_models.pyfunc.PythonModel):
    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, context: Any, model_input: pd.DataFrame) -> np.ndarray:
        return self.model.predict(model_input)


def doubles(count: int) -> dict[str, str]:
    """Columns that cost the JVM next to nothing to make."""
    return {f"d{at}": f"cast((id % 1000) * {0.001 * (at + 1)}D as double)" for at in range(count)}


def texts(count: int) -> dict[str, str]:
    """Texts of which there are many: a batch hardly has one twice."""
    return {f"s{at}": f"concat('customer ', id % {100_003 + at})" for at in range(count)}


def kinds(count: int) -> dict[str, str]:
    """Texts of which there are few."""
    return {f"s{at}": f"cast(id % {50 + at} as string)" for at in range(count)}


def logistic(frame: pd.DataFrame) -> Any:
    return LogisticRegression().fit(frame.to_numpy(), above_middle(frame))


def named_logistic(frame: pd.DataFrame) -> Any:
    return LogisticRegression().fit(frame, above_middle(frame))


def boosting(frame: pd.DataFrame) -> Any:
    return HistGradientBoostingClassifier(max_iter=50).fit(frame.to_numpy(), above_middle(frame))


def ten_outputs(frame: pd.DataFrame) -> Any:
    values = frame.to_numpy()
    return LinearRegression().fit(values, values[:, :10] * 2)


def pipeline(frame: pd.DataFrame) -> Any:
    names = [name for name in frame.columns if name.startswith("s")]
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), names), remainder="passthrough")
    return make_pipeline(encode, LogisticRegression()).fit(frame, above_middle(frame))


def above_middle(frame: pd.DataFrame) -> np.ndarray:
    """A target of doubles, so that a prediction is one."""
    values = frame.iloc[:, -1].astype("float64")
    return (values > values.median()).to_numpy("float64")


def first_value(frame: pd.DataFrame) -> Any:
    return FirstValue()


def has_text(frame: pd.DataFrame) -> Any:
    return HasText()


def named_columns(frame: pd.DataFrame) -> Any:
    return NamedColumns()


def cases() -> Iterator[Case]:
    """The grid, its first cases first."""
    yield Case("linear-20", "logistic regression, 20 doubles", 8_000_000, doubles(20), logistic, short=True)
    yield Case("pipeline", "one-hot pipeline, 10 texts", 500_000, kinds(10), pipeline, form="frame", short=True)
    yield Case(
        "linear-20-bare", "as linear-20, saved without an example", 4_000_000, doubles(20), logistic, example=False
    )
    yield Case("linear-20-named", "as linear-20, fitted on a DataFrame", 4_000_000, doubles(20), named_logistic)
    yield Case("linear-200", "logistic regression, 200 doubles", 400_000, doubles(200), logistic)
    yield Case("linear-500", "logistic regression, 500 doubles", 160_000, doubles(500), logistic)
    yield Case("boosting-20", "gradient boosting, 20 doubles", 500_000, doubles(20), boosting)
    yield Case("outputs-10", "10 outputs as array<double>", 1_000_000, doubles(20), ten_outputs, result="array<double>")
    yield Case("texts-10", "hardly a model, 10 texts", 1_000_000, texts(10), has_text, form="frame")
    yield Case("named-20", "hardly a model, 20 doubles by name", 1_000_000, doubles(20), named_columns, form="frame")
    yield Case(
        "mixed", "one-hot pipeline, 5 texts and 10 doubles", 500_000, kinds(5) | doubles(10), pipeline, form="frame"
    )
    yield Case("tensor-20", "a tensor of 20 from one array<double>", 1_000_000, doubles(20), logistic, form="tensor")
    yield Case(
        "lists-20", "a column of lists from one array<double> of 20", 500_000, doubles(20), first_value, form="lists"
    )
    yield Case("struct-20", "20 doubles from one struct", 1_000_000, doubles(20), logistic, form="struct")
    yield Case(
        "objects-2", "a column of dicts from one struct of 2 doubles", 500_000, doubles(2), first_value, form="objects"
    )
    yield Case("batch-1000", "as linear-20, Arrow batches of 1,000", 1_000_000, doubles(20), logistic, batch=1_000)
    yield Case(
        "batch-100000", "as linear-20, Arrow batches of 100,000", 4_000_000, doubles(20), logistic, batch=100_000
    )

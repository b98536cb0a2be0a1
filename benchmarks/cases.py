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
from spark_models.models import infer_signature


@dataclass(frozen=True, slots=True)
class Case:
    """A table of `rows` rows whose columns are Spark SQL of `id`, and how a model is made for it.

    `form` is what the model takes, and how its input travels:

    | form | columns | model.predict gets |
    | --- | --- | --- |
    | matrix | one an input | matrix of doubles |
    | frame | one an input | DataFrame with their names |
    | array | one, array<double> | matrix of doubles |
    | struct | one, a struct | matrix of doubles |
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
        if self.form == "array":
            return flat.selectExpr(f"array({', '.join(self.columns)}) as packed")
        if self.form == "struct":
            return flat.selectExpr(f"struct({', '.join(self.columns)}) as packed")
        return flat

    def save(self, model: Any, frame: pd.DataFrame, package: Path) -> None:
        """Saves the model with a signature, as a user of spark-models does."""
        inputs: Any = frame.to_numpy() if self.form == "array" else frame
        output = model.predict(frame.to_numpy() if self.form in ("matrix", "array") else frame)
        signature = infer_signature(inputs, output)
        example = inputs[:5] if self.example else None
        if isinstance(model, HasText | NamedColumns):
            spark_models.pyfunc.save_model(
                package, python_model=ByName(model), signature=signature, input_example=example
            )
        else:
            spark_models.sklearn.save_model(model, package, signature=signature, input_example=example)


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


def has_text(frame: pd.DataFrame) -> Any:
    return HasText()


def named_columns(frame: pd.DataFrame) -> Any:
    return NamedColumns()


def cases() -> Iterator[Case]:
    """The grid, its first cases first."""
    yield Case("linear-20", "logistic regression, 20 doubles", 4_000_000, doubles(20), logistic, short=True)
    yield Case("pipeline", "one-hot pipeline, 10 texts", 500_000, texts(10), pipeline, form="frame", short=True)
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
        "mixed", "one-hot pipeline, 5 texts and 10 doubles", 500_000, texts(5) | doubles(10), pipeline, form="frame"
    )
    yield Case("array-20", "one array<double> of 20", 1_000_000, doubles(20), logistic, form="array")
    yield Case("struct-20", "one struct of 20 doubles", 1_000_000, doubles(20), logistic, form="struct")
    yield Case("batch-1000", "as linear-20, Arrow batches of 1,000", 1_000_000, doubles(20), logistic, batch=1_000)
    yield Case(
        "batch-100000", "as linear-20, Arrow batches of 100,000", 4_000_000, doubles(20), logistic, batch=100_000
    )

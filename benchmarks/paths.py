"""The ways from a table to predictions: spark-models, the same written by hand, and columns moved for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from cases import Case
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

import spark_models.pyfunc

Scored = Callable[[Any], Any]
"""The table with its predictions in a column `p`, from the table."""

OURS = "spark_udf"
OURS_PANDAS = "spark_udf, pandas transport"
PANDAS = "pandas_udf by hand"
ARROW = "arrow_udf by hand"
PACKED = "arrow_udf by hand, one array"
PASSED_PANDAS = "columns only, pandas_udf"
PASSED_ARROW = "columns only, arrow_udf"
PASSED_MAP = "columns only, mapInArrow"
MLFLOW = "mlflow spark_udf"
TABLE = "table only"
TASKS = "no rows, pandas_udf by hand"
"""What Spark's Python workers spend on two tasks before the first row: every way has it."""
ALONE = "model only, one process"
PASSING = (TABLE, PASSED_PANDAS, PASSED_ARROW, PASSED_MAP)
HAS_ARROW = hasattr(F, "arrow_udf")


def scoring(spark: Any, case: Case, model: Any, package: Path) -> Iterator[tuple[str, Scored]]:
    """The ways that give the model's predictions."""
    call = ["packed"] if case.is_packed else []
    ours = spark_models.pyfunc.spark_udf(spark, package, result_type=case.result)
    yield OURS, lambda df: df.select(ours(*map(F.col, call)).alias("p"))
    if HAS_ARROW:
        plain = spark_models.pyfunc.spark_udf(spark, package, result_type=case.result, transport="pandas")
        yield OURS_PANDAS, lambda df: df.select(plain(*map(F.col, call)).alias("p"))
    by_hand = pandas_by_hand(case, model)
    yield PANDAS, lambda df: df.select(by_hand(*df.columns).alias("p"))
    if HAS_ARROW:
        arrow = arrow_by_hand(case, model)
        yield ARROW, lambda df: df.select(arrow(*df.columns).alias("p"))
    if HAS_ARROW and case.form == "matrix":
        packed = packed_by_hand(case, model)
        yield PACKED, lambda df: df.select(packed(F.array(*df.columns)).alias("p"))


def passing(case: Case) -> Iterator[tuple[str, Scored]]:
    """The ways that only move the columns to Python, and the first of them back."""
    yield TABLE, lambda df: df
    if case.is_packed:
        return
    kind = "string" if next(iter(case.columns)).startswith("s") else "double"

    def first_series(*columns: pd.Series) -> pd.Series:
        return columns[0]

    passed = pandas_udf(first_series, kind)
    yield PASSED_PANDAS, lambda df: df.select(passed(*df.columns).alias("p"))

    def first_of_each(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_arrays([batch.column(0)], names=["p"])

    yield PASSED_MAP, lambda df: df.mapInArrow(first_of_each, f"p {kind}")
    if HAS_ARROW:

        def first_array(*columns: pa.Array) -> pa.Array:
            return columns[0]

        arrow = F.arrow_udf(first_array, kind)
        yield PASSED_ARROW, lambda df: df.select(arrow(*df.columns).alias("p"))


def pandas_by_hand(case: Case, model: Any) -> Any:
    """What one writes without a toolkit: the columns to numpy, the model, a Series."""
    names = list(case.columns)

    def from_columns(*columns: pd.Series) -> pd.Series:
        return pd.Series(model.predict(np.column_stack(columns)))

    def from_columns_to_lists(*columns: pd.Series) -> pd.Series:
        return pd.Series(list(model.predict(np.column_stack(columns))))

    def from_frame(*columns: pd.Series) -> pd.Series:
        return pd.Series(model.predict(pd.DataFrame(dict(zip(names, columns, strict=True)))))

    def from_array(column: pd.Series) -> pd.Series:
        return pd.Series(model.predict(np.stack(column.to_numpy())))

    def from_struct(struct: pd.DataFrame) -> pd.Series:
        return pd.Series(model.predict(struct.to_numpy()))

    matrix = from_columns_to_lists if case.result.startswith("array") else from_columns
    by_form = {"matrix": matrix, "frame": from_frame}
    by_form |= dict.fromkeys(("tensor", "lists"), from_array) | dict.fromkeys(("struct", "objects"), from_struct)
    return pandas_udf(by_form[case.form], case.result)


def arrow_by_hand(case: Case, model: Any) -> Any:
    """The same on Arrow arrays, which Spark has since 4.1."""
    names = list(case.columns)

    def from_columns(*columns: pa.Array) -> pa.Array:
        matrix = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
        return pa.array(model.predict(matrix))

    def from_columns_to_lists(*columns: pa.Array) -> pa.Array:
        matrix = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
        output = model.predict(matrix)
        offsets = np.arange(0, output.size + 1, output.shape[1], dtype="int32")
        return pa.ListArray.from_arrays(offsets, output.reshape(-1))

    def from_frame(*columns: pa.Array) -> pa.Array:
        frame = pa.RecordBatch.from_arrays(list(columns), names=names).to_pandas()
        return pa.array(model.predict(frame))

    def from_array(column: pa.Array) -> pa.Array:
        matrix = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        return pa.array(model.predict(matrix))

    def from_struct(struct: pa.Array) -> pa.Array:
        matrix = np.column_stack([field.to_numpy(zero_copy_only=False) for field in struct.flatten()])
        return pa.array(model.predict(matrix))

    matrix = from_columns_to_lists if case.result.startswith("array") else from_columns
    by_form = {"matrix": matrix, "frame": from_frame}
    by_form |= dict.fromkeys(("tensor", "lists"), from_array) | dict.fromkeys(("struct", "objects"), from_struct)
    return F.arrow_udf(by_form[case.form], case.result)


def packed_by_hand(case: Case, model: Any) -> Any:
    """As fast as one knows how, and still careful: one array of all columns, its type and nulls looked at."""
    width = len(case.columns)

    def matrix_of(column: pa.Array) -> np.ndarray:
        if not pa.types.is_list(column.type) or column.type.value_type != pa.float64() or column.null_count > 0:
            raise TypeError(f"an array of doubles is expected, not {column.type}")
        # A null inside becomes NaN here; without one this is a view of Arrow's buffer.
        return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), width)

    def predict(column: pa.Array) -> pa.Array:
        return pa.array(model.predict(matrix_of(column)), pa.float64(), from_pandas=True)

    def predict_lists(column: pa.Array) -> pa.Array:
        output = model.predict(matrix_of(column))
        offsets = np.arange(0, output.size + 1, output.shape[1], dtype="int32")
        return pa.ListArray.from_arrays(offsets, pa.array(output.reshape(-1), pa.float64(), from_pandas=True))

    return F.arrow_udf(predict_lists if case.result.startswith("array") else predict, case.result)


def mlflow_udf(spark: Any, case: Case, model: Any, frame: pd.DataFrame, folder: Path) -> tuple[str, Scored]:
    """MLflow's own, with what it needs installed beside us."""
    import mlflow

    inputs, packaged = case.inputs(frame), case.packaged(model)
    output = packaged.predict(frame.to_numpy() if case.form == "matrix" else inputs)
    signature = mlflow.models.infer_signature(inputs, output)
    if hasattr(packaged, "fit"):
        mlflow.sklearn.save_model(packaged, folder, signature=signature)
    else:
        mlflow.pyfunc.save_model(
            folder, python_model=_for_mlflow(mlflow.pyfunc.PythonModel, packaged), signature=signature
        )
    udf = mlflow.pyfunc.spark_udf(spark, str(folder), result_type=case.result, env_manager="local")
    call = [F.col("packed")] if case.is_packed else []
    if case.form == "objects":  # a struct alone would be taken for the frame itself
        call = [F.struct("packed")]
    return MLFLOW, lambda df: df.select(udf(*call).alias("p"))


def _for_mlflow(base: type, model: Any) -> Any:
    class Wrapped(base):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model.predict(model_input)

    return Wrapped()

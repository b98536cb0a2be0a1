"""Spark ML pipelines that score pandas input, and the session that they run in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from spark_models.bridge.sql import quoted
from spark_models.bundle.writer import inputs_of
from spark_models.errors import InvalidArgumentError, InvalidModelError, MissingExtraError, listed
from spark_models.flavors.hadoop import scratch_folder
from spark_models.package.mlmodel import Model

FLAVOR = "spark"
PREDICTION = "prediction"
ROW = "_spark_models_row"
"""The column that brings rows back in their order."""


class SparkPredictor:
    """A pipeline that scores pandas input in a Spark session."""

    __slots__ = ("columns", "model")
    keeps_input = True

    def __init__(self, model: Any, columns: tuple[str, ...] | None = None) -> None:
        self.model = model
        self.columns = columns

    def predict(self, data: Any) -> Any:
        """The signature's output columns as a DataFrame, else the column `prediction`; a row a row of `data`.

        Raises:
            InvalidModelError: [INVALID_MODEL] the pipeline gives no such column, or drops rows or columns.
        """
        if not isinstance(data, pd.DataFrame):
            raise InvalidArgumentError(f"The spark flavor scores a DataFrame, not {type(data).__name__}")
        frame = data.reset_index(drop=True).rename(columns=str)
        frame[ROW] = np.arange(len(frame))
        wanted = self.columns or (PREDICTION,)
        scored = self.model.transform(with_vectors(spark_frame(get_session(), frame), self.model))
        require_kept(scored, [ROW])
        rows = scored.select(*outputs(scored, wanted), ROW).toPandas().sort_values(ROW)
        if len(rows) != len(frame):
            raise InvalidModelError(FLAVOR, "one that drops rows (handleInvalid 'skip')", "a pipeline that keeps them")
        answer = rows[list(wanted)].reset_index(drop=True)
        return answer if self.columns is not None else answer[PREDICTION].to_numpy()


@contextmanager
def as_saved(pipeline: Any, spark: Any, dfs_tmpdir: str | None = None) -> Iterator[Any]:
    """A PipelineModel as Spark reads it back from its own files, which are there meanwhile.

    It is what a package holds; and a fitted one holds the session by its training summaries, which Spark 4.0 can't send
    to its tasks once somebody has observed a frame.
    """
    with scratch_folder(spark, dfs_tmpdir) as folder:
        pipeline.write().save(f"{folder}/pipeline")
        yield type(pipeline).load(f"{folder}/pipeline")


def spark_frame(spark: Any, frame: pd.DataFrame) -> Any:
    """The Spark DataFrame of a pandas one; whatever is missing is null.

    Spark itself keeps NaN or makes it null, by the session's settings and kind: one package would give two answers.
    A column without any value is one of text.
    """
    import pyarrow as pa
    from pyspark.sql import types as T
    from pyspark.sql.pandas.types import from_arrow_type

    fields = []
    columns = {}
    for name in frame.columns:
        column = frame[name]
        kind = T.LongType() if column.dtype.kind == "u" else from_arrow_type(pa.Array.from_pandas(column).type)
        fields.append(T.StructField(name, T.StringType() if isinstance(kind, T.NullType) else kind))
        plain = column.dtype.kind == "M" or not column.isna().any()
        columns[name] = column if plain else column.astype(object).where(column.notna(), None)
    return spark.createDataFrame(pd.DataFrame(columns), T.StructType(fields))


def array_inputs(frame: Any, model: Any) -> list[str]:
    """The columns of numbers in arrays that stages take: as vectors, for no stage takes such arrays."""
    taken = {name for stage in getattr(model, "stages", [model]) for name in inputs_of(stage)}
    arrays = ("array<double>", "array<float>")
    return [name for name in frame.columns if name in taken and frame.schema[name].dataType.simpleString() in arrays]


def with_vectors(frame: Any, model: Any) -> Any:
    """The DataFrame with vectors in place of the arrays that stages of the model take."""
    names = array_inputs(frame, model)
    if names == []:
        return frame
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F

    doubles = {name: F.col(quoted(name)).cast("array<double>") for name in names}
    return frame.withColumns({name: array_to_vector(column) for name, column in doubles.items()})


def outputs(scored: Any, wanted: Sequence[str]) -> list[Any]:
    """The wanted columns of a scored DataFrame, vectors as arrays of doubles."""
    from spark_models.bridge.spark import plain_column

    missing = [name for name in wanted if name not in scored.columns]
    if missing != []:
        raise InvalidModelError(FLAVOR, f"one without the columns {missing}", "a pipeline that gives them")
    return [plain_column(name, scored.schema[name].dataType.simpleString()) for name in wanted]


def require_kept(scored: Any, columns: Sequence[str]) -> None:
    """Raises where a scored DataFrame lacks columns that it was given.

    Raises:
        InvalidModelError: [INVALID_MODEL] with all of them.
    """
    lost = [name for name in columns if name not in scored.columns]
    if lost != []:
        raise InvalidModelError(
            FLAVOR,
            f"one that drops the columns {listed(lost)}, as an SQLTransformer without '*' does",
            "a pipeline that keeps the columns of its input",
        )


def output_columns(model: Model) -> tuple[str, ...] | None:
    """The names of the signature's outputs; None without any."""
    schema = model.get_output_schema()
    names = None if schema is None else schema.input_names()
    return None if not names or not all(isinstance(name, str) for name in names) else tuple(names)


def get_session() -> Any:
    """The active session, else a local one: in a worker of Spark as well.

    Raises:
        MissingExtraError: [MISSING_EXTRA] pyspark is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError("pyspark", "spark", "to score Spark ML pipelines") from error
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    return (
        SparkSession.builder.config("spark.executor.allowSparkContext", "true")
        .config("spark.ui.enabled", "false")
        .master("local[1]")
        .getOrCreate()
    )

"""Which rows of a batch a model can't score: a failing batch is halved until the bad rows stand alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from spark_models.errors import (
    ColumnTypeError,
    InvalidArgumentError,
    InvalidInputError,
    InvalidParamsError,
    LoaderNotFoundError,
    MissingColumnsError,
    MissingExtraError,
    ModelProcessError,
    ModuleConflictError,
    NoMatchingOutputError,
    RowCountError,
    ShipError,
    SparkModelsError,
    TensorTypeError,
    UnsupportedOutputError,
)

MODEL_ERROR = "MODEL_ERROR"
"""The code of a row on which the model itself raised; what it said may hold values, so it stays behind."""

FATAL = (
    ColumnTypeError,
    TensorTypeError,
    MissingColumnsError,
    InvalidArgumentError,
    InvalidParamsError,
    NoMatchingOutputError,
    RowCountError,
    UnsupportedOutputError,
    ShipError,
    ModelProcessError,
    LoaderNotFoundError,
    ModuleConflictError,
    MissingExtraError,
    MemoryError,
)
"""What no row is to blame for: the job fails, whatever `on_error` says."""


def is_fatal(error: Exception) -> bool:
    """Whether no row is to blame for an error, or for one of those that it holds."""
    problems = error.errors if isinstance(error, InvalidInputError) else ()
    return isinstance(error, FATAL) or any(map(is_fatal, problems))


@dataclass(frozen=True, slots=True)
class Failure:
    """Rows `start` to `stop` of a batch that were not scored, the error's code and, where it names one, its column."""

    start: int
    stop: int
    code: str
    column: str | None


def score_around(
    score: Callable[[int, int], pa.Array], start: int, stop: int, kind: pa.DataType, splittable: bool
) -> tuple[list[pa.Array], list[Failure]]:
    """The predictions for rows `start` to `stop`, null where they fail, and the failures.

    `score(a, b)` gives the predictions for rows a to b, or raises. A model that is not splittable fails whole batches.
    One bad row among n costs about 2·log2(n) further calls.

    Raises:
        SparkModelsError: the error is of no row's making (`FATAL`).
    """
    try:
        return [score(start, stop)], []
    except Exception as error:  # a model may raise anything; its code is kept with the row
        if is_fatal(error):
            raise
        if stop - start == 1 or not splittable:
            code, column = blame(error)
            return [pa.nulls(stop - start, kind)], [Failure(start, stop, code, column)]
    middle = (start + stop) // 2
    left, left_failures = score_around(score, start, middle, kind, splittable)
    right, right_failures = score_around(score, middle, stop, kind, splittable)
    return [*left, *right], [*left_failures, *right_failures]


def blame(error: Exception) -> tuple[str, str | None]:
    """The code of an error and the column it names, without its text: that may hold a row's values."""
    if not isinstance(error, SparkModelsError):
        return MODEL_ERROR, None
    named = getattr(error, "column", None)
    return error.code, None if named is None else str(named)

"""Several requests as one input of the model, and its output as one of each. For models that are split-invariant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spark_models.schema.schema import Schema


def may_batch(schema: Schema | None) -> bool:
    """Whether rows of several requests may be put together: no tensor's first axis is fixed."""
    return schema is not None and len(schema) > 0 and not schema.has_fixed_axis()


def combined(inputs: Sequence[Any]) -> Any:
    """The rows of all inputs, one after the other; None where they are not of one kind, dtype and shape of a row."""
    first = inputs[0]
    if isinstance(first, pd.DataFrame):
        return _frames(inputs, first)
    if type(first) is np.ndarray:
        alike = all(type(item) is np.ndarray and _row(item) == _row(first) for item in inputs)
        return np.concatenate(inputs) if alike else None
    return None


def _row(array: Any) -> tuple[Any, ...]:
    return (array.dtype, array.shape[1:])


def _frames(frames: Sequence[Any], first: pd.DataFrame) -> Any:
    for frame in frames[1:]:
        if type(frame) is not pd.DataFrame or not (
            frame.columns is first.columns or frame.columns.equals(first.columns)
        ):
            return None
        if not bool((frame.dtypes.to_numpy() == first.dtypes.to_numpy()).all()):
            return None
    if first.shape[1] > 0 and len(set(first.dtypes)) == 1 and first.dtypes.iloc[0].kind in "fib":
        together = pd.DataFrame(np.concatenate([frame.to_numpy() for frame in frames]), copy=False)
        together.columns = first.columns
        return together
    return pd.concat(frames, ignore_index=True)


def parts(output: Any, sizes: Sequence[int]) -> list[Any] | None:
    """The output cut into pieces of these rows; None where it has not as many rows, or is no sequence of them."""
    sized = isinstance(output, (np.ndarray, pd.DataFrame, pd.Series, list))
    if not sized or (isinstance(output, np.ndarray) and output.ndim == 0) or len(output) != sum(sizes):
        return None
    cut = output.iloc if isinstance(output, (pd.DataFrame, pd.Series)) else output
    pieces = []
    start = 0
    for size in sizes:
        pieces.append(cut[start : start + size])
        start += size
    return pieces

"""The answer to a batch without rows, as a signature's outputs tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from spark_models.schema.datatypes import DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec


def is_empty(data: Any) -> bool:
    """Whether a model's input is a table or tensors, and has no rows.

    >>> is_empty(pd.DataFrame({"x": []})), is_empty({"x": np.zeros((0, 2))}), is_empty([])
    (True, True, False)
    """
    if isinstance(data, Mapping):
        return len(data) > 0 and all(is_empty(value) for value in data.values())
    return isinstance(data, (pd.DataFrame, np.ndarray)) and data.shape[:1] == (0,)


def empty_output(outputs: Schema) -> Any:
    """No predictions, in the form of the outputs.

    | outputs | form |
    | --- | --- |
    | one unnamed tensor | array |
    | named tensors | dict of arrays |
    | one unnamed column | Series |
    | columns | DataFrame |

    An axis whose length the signature leaves open, other than the first, has length 0.

    >>> from spark_models.schema.specs import TensorSpec
    >>> empty_output(Schema([TensorSpec(np.dtype("float32"), (-1, 2))])).shape
    (0, 2)
    """
    if outputs.is_tensor_spec():
        arrays = {
            spec.name: np.empty((0, *(max(axis, 0) for axis in spec.shape[1:])), dtype=spec.type)
            for spec in outputs.tensors
        }
        return arrays if outputs.has_input_names() else next(iter(arrays.values()))
    if len(outputs) == 1 and not outputs.has_input_names():
        return pd.Series([], dtype=_dtype(outputs.columns[0]))
    names = outputs.input_names()
    return pd.DataFrame(
        {name: pd.Series([], dtype=_dtype(spec)) for name, spec in zip(names, outputs.columns, strict=True)}
    )


def _dtype(spec: ColSpec) -> Any:
    if spec.type is DataType.datetime:
        return "datetime64[ns]"
    if not isinstance(spec.type, DataType) or spec.type in (DataType.string, DataType.binary):
        return object
    return spec.type.to_numpy()

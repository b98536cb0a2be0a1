"""numpy dtypes as column types, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from spark_models.schema.datatypes import DataType

COLUMN_TYPE: dict[str, DataType] = {
    "bool": DataType.boolean,
    "int8": DataType.integer,
    "int16": DataType.integer,
    "int32": DataType.integer,
    "uint8": DataType.integer,
    "uint16": DataType.integer,
    "int64": DataType.long,
    "uint32": DataType.long,
    "float16": DataType.float,
    "float32": DataType.float,
    "float64": DataType.double,
}
"""The narrowest column type that holds every value of a dtype."""


def column_type(dtype: np.dtype[Any]) -> DataType | None:
    """The column type of a dtype; None where the format has none, or where the values decide (`object`).

    >>> column_type(np.dtype("uint32"))
    long
    """
    if dtype.kind == "M":
        return DataType.datetime
    if dtype.kind == "U":
        return DataType.string
    if dtype.kind == "S":
        return DataType.binary
    return COLUMN_TYPE.get(dtype.name)


def tensor_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that a tensor signature declares: text and bytes without their length.

    >>> tensor_dtype(np.dtype("<U7"))
    dtype('<U')
    """
    return np.dtype(dtype.kind) if dtype.kind in "US" else dtype

"""`Enforcer`: a schema compiled into the check and cast of one batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spark_models.bind.casts import cast_column
from spark_models.bind.columns import bind_columns
from spark_models.bind.tensors import bind_tensors
from spark_models.bridge.pandas import column_array
from spark_models.errors import InputError, InvalidInputError, UnsupportedInputError
from spark_models.schema.datatypes import DataType
from spark_models.schema.schema import Schema

_EXACT = (DataType.boolean, DataType.integer, DataType.long, DataType.float, DataType.double)
"""The types whose numpy dtype says all: a column of that very dtype needs no look at its values."""


class Enforcer:
    """Checks data against a schema and gives what the model's predict takes.

    A frame that fits already (same labels in order, same dtypes) is passed on as a shallow copy: its values are not
    copied, and a column that the model adds does not reach the caller.

    >>> from spark_models.schema.specs import ColSpec
    >>> enforce = Enforcer(Schema([ColSpec("double", "x")]))
    >>> enforce(pd.DataFrame({"y": [1], "x": [0.5]}))
         x
    0  0.5
    """

    __slots__ = ("_dtypes", "_index", "_place", "schema")

    def __init__(self, schema: Schema, place: str = "") -> None:
        self.schema = schema
        self._place = place
        self._index = pd.Index(schema.input_names()) if schema.has_input_names() else None
        exact = len(schema) > 0 and all(spec.type in _EXACT for spec in schema.columns)
        self._dtypes = np.fromiter(schema.numpy_types(), dtype=object) if exact else None

    def __call__(self, data: Any) -> Any:
        """The model's input, in schema order.

        Raises:
            InputError: its subclasses say what does not fit; several at once come as InvalidInputError.
        """
        if self.schema.is_tensor_spec():
            return bind_tensors(_arrow_frame(data), self.schema, self._place)
        frame = as_frame(data, self.schema)
        return frame.copy(deep=False) if self._fits(frame) else self._cast(frame)

    def _fits(self, frame: pd.DataFrame) -> bool:
        if self._dtypes is None or frame.shape[1] != len(self._dtypes):
            return False
        if self._index is not None and not frame.columns.equals(self._index):
            return False
        return bool((frame.dtypes.to_numpy() == self._dtypes).all())

    def _cast(self, frame: pd.DataFrame) -> pd.DataFrame:
        labels = list(frame.columns)
        positions = bind_columns(labels, self.schema, self._place)
        names = self.schema.input_names()
        columns: list[Any] = []
        kept: list[Any] = []
        problems: list[InputError] = []
        for spec, name, position in zip(self.schema.columns, names, positions, strict=True):
            if position is None:
                continue
            kept.append(name if self._index is not None else labels[position])
            try:
                values = column_array(frame.iloc[:, position])
                columns.append(cast_column(values, spec.type, labels[position], spec.required))
            except InputError as error:
                problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        if problems != []:
            raise InvalidInputError(tuple(problems))
        return frame_of(columns, kept, frame.index)


def frame_of(columns: list[Any], labels: list[Any], index: Any = None) -> pd.DataFrame:
    """A DataFrame of these columns; columns of one numpy dtype become one block, as models read it fastest."""
    dtypes = {column.dtype for column in columns}
    if len(columns) > 1 and len(dtypes) == 1 and isinstance(columns[0], np.ndarray) and columns[0].dtype.kind in "fiub":
        frame = pd.DataFrame(np.stack(columns).T, index=index, copy=False)
    else:
        frame = pd.DataFrame(dict(enumerate(columns)), index=index, copy=False)
    frame.columns = pd.Index(labels, dtype=None if len(labels) > 0 else object)
    return frame


def as_frame(data: Any, schema: Schema) -> pd.DataFrame:
    """The data as a DataFrame, where its kind goes with the schema; a DataFrame is returned as it is.

    Raises:
        UnsupportedInputError: [UNSUPPORTED_INPUT] the data is no table.
    """
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        return data.to_frame()
    tabular = _arrow_frame(data)
    if isinstance(tabular, pd.DataFrame):
        return tabular
    if not isinstance(data, (dict, list, tuple, np.ndarray)):
        raise UnsupportedInputError(f"a {type(data).__name__}", "a pandas DataFrame, or what becomes one,")
    try:
        return pd.DataFrame(list(data) if isinstance(data, tuple) else data)
    except (ValueError, TypeError, AttributeError) as error:  # pandas looks for `keys` in each row
        expected = "a DataFrame, or columns of one length" if isinstance(data, dict) else "a DataFrame, or rows of it,"
        described = f"a {type(data).__name__} that makes no table"
        raise UnsupportedInputError(described, expected) from error


def _arrow_frame(data: Any) -> Any:
    """An Arrow table or record batch as a DataFrame by the bridge's table; anything else as it is."""
    if type(data).__module__.partition(".")[0] != "pyarrow" or not hasattr(data, "schema"):
        return data
    from spark_models.bridge.arrow import column_values

    columns = [column_values(data.column(position)) for position in range(data.num_columns)]
    return frame_of(columns, list(data.schema.names))

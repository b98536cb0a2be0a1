"""Input for a tensor signature: arrays of exactly the declared dtype, shapes that match."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spark_models.errors import (
    InputError,
    InvalidInputError,
    MissingColumnsError,
    TensorShapeError,
    TensorTypeError,
    UnsupportedInputError,
)
from spark_models.schema.schema import Schema
from spark_models.schema.specs import TensorSpec


def bind_tensors(data: Any, schema: Schema, place: str = "") -> Any:
    """The tensors that the model takes: one array for an unnamed schema, else a dict in schema order.

    | schema | data |
    | --- | --- |
    | one unnamed tensor | array; DataFrame, as its matrix |
    | one named tensor | array, put under the name; or as below |
    | named tensors | dict of arrays; DataFrame, a tensor per column, cast to the dtype within its kind |

    Arrays are never cast. A DataFrame column whose cells are arrays is stacked along the first axis.

    Raises:
        TensorTypeError: [TENSOR_TYPE] another dtype.
        TensorShapeError: [TENSOR_SHAPE] another rank or length of a fixed axis.
        MissingColumnsError: [MISSING_COLUMNS] named tensors are absent.
        UnsupportedInputError: [UNSUPPORTED_INPUT] data of another kind.
    Source: the Models document, "Input Type Enforcement": tensors are checked strictly.
    """
    specs = schema.tensors
    if not schema.has_input_names():
        return _unnamed(data, specs[0])
    given = {specs[0].name: data} if isinstance(data, np.ndarray) and len(specs) == 1 else data
    if isinstance(given, np.ndarray):
        raise MissingColumnsError(tuple(spec.name for spec in specs), (), len(specs), place)
    if not isinstance(given, dict) and not _is_frame(given):
        raise UnsupportedInputError(f"a {type(data).__name__}", "a dict of numpy arrays or a pandas DataFrame")
    names = tuple(given.keys())
    missing = tuple(spec.name for spec in specs if spec.name not in given)
    if missing != ():
        raise MissingColumnsError(missing, names, len(specs), place)
    return _checked(given, specs)


def _checked(given: Any, specs: tuple[TensorSpec, ...]) -> dict[str | None, Any]:
    bound: dict[str | None, Any] = {}
    problems: list[InputError] = []
    framed = not isinstance(given, dict)
    for spec in specs:
        try:
            values = given[spec.name]
            bound[spec.name] = check_tensor(column_tensor(values, spec) if framed else values, spec)
        except InputError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems != []:
        raise InvalidInputError(tuple(problems))
    return bound


def _unnamed(data: Any, spec: TensorSpec) -> Any:
    if isinstance(data, np.ndarray):
        return check_tensor(data, spec)
    if not _is_frame(data):
        raise UnsupportedInputError(f"a {type(data).__name__}", "a numpy array, as the unnamed tensor signature says")
    if data.shape[1] == 1 and data.dtypes.iloc[0] == object and len(spec.shape) > 1:
        return check_tensor(column_tensor(data.iloc[:, 0], spec), spec)
    return check_tensor(data.to_numpy(), spec)


def column_tensor(column: Any, spec: TensorSpec) -> Any:
    """A DataFrame's column as a tensor of the spec's dtype; cells that are lists or arrays are stacked.

    Flat cells that have as many values as the declared shape take that shape, row by row: an image of (28, 28, 1) may
    stand in a table as an array of 784.

    Raises:
        TensorTypeError: [TENSOR_TYPE] the values are of another kind: a float never becomes an integer.
        TensorShapeError: [TENSOR_SHAPE] the cells are of different lengths.
    """
    values = np.asarray(column)
    if values.dtype == object and len(values) > 0 and isinstance(values[0], (list, np.ndarray)):
        try:
            values = _stacked(values)
        except ValueError:
            raise TensorShapeError(spec.name, (len(values),), spec.shape) from None
    inner = spec.shape[1:]
    if values.ndim == 2 and len(inner) > 1 and min(inner) > 0 and values.shape[1] == math.prod(inner):
        values = values.reshape(-1, *inner)
    if values.dtype == spec.type or spec.type == object:
        return values
    if len(values) == 0:
        # Without a row the width of a list column is unknown; an empty tensor of the declared shape is right.
        return np.zeros((0, *(max(axis, 0) for axis in spec.shape[1:])), spec.type)
    if values.dtype == object or not np.can_cast(values.dtype, spec.type, "same_kind"):
        raise TensorTypeError(spec.name, str(values.dtype), str(spec.type))
    return values.astype(spec.type)


def _stacked(cells: Any) -> Any:
    """Cells of one shape as one array; ValueError where they are of several. np.stack takes half as long again."""
    arrays = [_cell(cell) for cell in cells]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"cells of shapes {sorted(shapes)}")
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


def _cell(cell: Any) -> Any:
    """A cell as an array of its own axes: Arrow and pandas give a list of lists as an array of arrays."""
    array = np.asarray(cell)
    nested = array.dtype == object and array.ndim > 0 and len(array) > 0 and isinstance(array[0], (list, np.ndarray))
    return _stacked(array) if nested else array


def check_tensor(values: Any, spec: TensorSpec) -> Any:
    """The values themselves, if their dtype and shape are the spec's."""
    if not isinstance(values, np.ndarray):
        raise UnsupportedInputError(f"a {type(values).__name__} for tensor {spec.name!r}", "a numpy array")
    text = spec.type.kind in "US" and values.dtype.kind == spec.type.kind
    if values.dtype != spec.type and not text:
        raise TensorTypeError(spec.name, str(values.dtype), str(spec.type))
    fits = len(values.shape) == len(spec.shape) and all(
        wanted in (-1, got) for got, wanted in zip(values.shape, spec.shape, strict=True)
    )
    if not fits:
        raise TensorShapeError(spec.name, values.shape, spec.shape)
    return values


def _is_frame(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns")

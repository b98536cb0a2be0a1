"""Input for a tensor signature: arrays of exactly the declared dtype, shapes that match."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spark_models.bridge.pandas import is_missing
from spark_models.errors import (
    InputError,
    InvalidInputError,
    MissingColumnsError,
    NullColumnError,
    TensorShapeError,
    TensorTypeError,
    TensorValueError,
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
    | named tensors | dict of arrays; DataFrame, a tensor per column, cast as `column_tensor` says |

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


def column_tensor(column: Any, spec: TensorSpec, gaps: bool = False) -> Any:
    """A DataFrame's column as a tensor of the spec's dtype; cells that are lists or arrays are stacked.

    Integers become any integers or floats that hold their values, doubles the nearest floats. Flat cells that have as
    many values as the declared shape take that shape, row by row: an image of (28, 28, 1) may stand in a table as an
    array of 784. `gaps` says that floats may be integers which missing values in other rows have made floats.

    Raises:
        TensorTypeError: [TENSOR_TYPE] the values are of another kind: a float never becomes an integer.
        TensorValueError: [TENSOR_VALUE] a value is too large for the dtype.
        TensorShapeError: [TENSOR_SHAPE] the cells are of different lengths.
        NullColumnError: [NULLS_IN_COLUMN] a value is missing, and the dtype has none for it.
    """
    values = _numpy(column)
    if values.dtype == object and len(values) > 0 and isinstance(_first_cell(values), (list, np.ndarray)):
        try:
            values = _stacked(values)
        except ValueError:
            if any(is_missing(cell) for cell in values):
                raise NullColumnError(_named(spec), str(spec.type)) from None
            raise TensorShapeError(spec.name, (len(values),), spec.shape) from None
    inner = spec.shape[1:]
    if values.ndim == 2 and len(inner) > 1 and min(inner) > 0 and values.shape[1] == math.prod(inner):
        values = values.reshape(-1, *inner)
    if values.dtype == spec.type or spec.type == object:
        return values
    if len(values) == 0:
        # Without a row the width of a list column is unknown; an empty tensor of the declared shape is right.
        return np.zeros((0, *(max(axis, 0) for axis in spec.shape[1:])), spec.type)
    return _cast(values, spec, gaps)


def _numpy(column: Any) -> Any:
    """The column as a numpy array; pandas' nullable numbers keep their type where none is missing."""
    values = getattr(column, "array", column)
    width = getattr(getattr(values, "dtype", None), "numpy_dtype", None)
    if width is not None and isinstance(width, np.dtype) and width.kind in "biuf" and not bool(values.isna().any()):
        return values.to_numpy(dtype=width)
    return np.asarray(column)


def _cast(values: Any, spec: TensorSpec, gaps: bool) -> Any:
    source, target = values.dtype, spec.type
    if source == object:
        if any(is_missing(value) for value in values.flat):
            raise NullColumnError(_named(spec), str(target))
        texts = target.kind == "U" and all(isinstance(value, str) for value in values.flat)
        if not texts:
            raise TensorTypeError(spec.name, str(source), str(target))
        return values.astype(str)
    # numpy calls it safe, but a double holds no more than 53 bits.
    long_to_float = source.kind in "iu" and source.itemsize == 8 and target.kind == "f"
    if np.can_cast(source, target, "safe") and not long_to_float:
        return values.astype(target)
    if source.kind in "iu" and target.kind in "iuf":
        limits = np.iinfo(target) if target.kind in "iu" else None
        most = 2 ** (np.finfo(target).nmant + 1) if limits is None else limits.max
        least = -most if limits is None else limits.min
        if values.size > 0 and (int(values.max()) > most or int(values.min()) < least):
            raise TensorValueError(spec.name, str(source), str(target))
        return values.astype(target)
    if source.kind == "f" and target.kind == "f":
        with np.errstate(over="raise"):
            try:
                return values.astype(target)
            except FloatingPointError:
                raise TensorValueError(spec.name, str(source), str(target)) from None
    if source.kind == "f" and target.kind in "iu":
        if bool(np.isnan(values).any()):
            raise NullColumnError(_named(spec), str(target), str(source))
        whole = values.astype("int64") if gaps and bool((np.abs(values) < 2.0**53).all()) else None
        if whole is not None and bool((whole == values).all()):
            return _cast(whole, spec, gaps) if whole.dtype != target else whole
    if not np.can_cast(source, target, "same_kind"):
        raise TensorTypeError(spec.name, str(source), str(target))
    return values.astype(target)


def _named(spec: TensorSpec) -> object:
    return 0 if spec.name is None else spec.name


def _first_cell(values: Any) -> Any:
    return next((cell for cell in values if not is_missing(cell)), None)


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

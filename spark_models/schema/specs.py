"""One input or output of a model: a column or a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from spark_models.errors import InvalidSchemaError, InvalidSpecTypeError
from spark_models.schema.datatypes import (
    AnyType,
    Array,
    ColumnType,
    Map,
    Object,
    datatype,
    type_from_dict,
    type_to_dict,
)


@dataclass(frozen=True, slots=True, init=False)
class ColSpec:
    """A column: its type, its name (None in an unnamed schema), and whether a null is refused.

    Raises:
        InvalidSchemaError: [INVALID_SCHEMA] the type is not one of the format's.
        InvalidSpecTypeError: [INVALID_SPEC_TYPE] the name is not text.

    >>> ColSpec("double", "sepal length (cm)")
    'sepal length (cm)': double
    """

    type: ColumnType
    name: str | None
    required: bool

    def __init__(self, type: ColumnType | str, name: str | None = None, required: bool = True) -> None:  # noqa: A002 - the document's own argument name
        if name is not None and not isinstance(name, str):
            raise InvalidSpecTypeError("ColSpec", "name", "str or None", _typename(name))
        nested = isinstance(type, (Array, Map, Object, AnyType))
        object.__setattr__(self, "type", type if nested else datatype(type, "ColSpec"))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "required", bool(required))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `name` only where there is one, `required` only where it is false."""
        spec: dict[str, Any] = {} if self.name is None else {"name": self.name}
        spec.update(type_to_dict(self.type))
        return spec if self.required else {**spec, "required": False}

    def __repr__(self) -> str:
        named = "" if self.name is None else f"{self.name!r}: "
        return f"{named}{self.type!r}{'' if self.required else ' (optional)'}"


@dataclass(frozen=True, slots=True, init=False)
class TensorSpec:
    """A tensor: its numpy dtype, its shape (-1 for an axis of any length) and its name.

    Raises:
        InvalidSpecTypeError: [INVALID_SPEC_TYPE] the type is no numpy dtype, or the shape no tuple of integers.

    >>> TensorSpec(np.dtype("uint8"), (-1, 28, 28, 1), "images")
    'images': uint8 (-1, 28, 28, 1)
    """

    type: np.dtype[Any]
    shape: tuple[int, ...]
    name: str | None

    def __init__(self, type: np.dtype[Any], shape: Sequence[int], name: str | None = None) -> None:  # noqa: A002 - the document's own argument name
        if not isinstance(type, np.dtype):
            raise InvalidSpecTypeError(
                "TensorSpec", "type", "a numpy dtype such as np.dtype('float32')", _typename(type)
            )
        if not isinstance(shape, (tuple, list)):
            raise InvalidSpecTypeError("TensorSpec", "shape", "a tuple or list of integers", _typename(shape))
        for axis in shape:
            if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
                raise InvalidSpecTypeError(
                    "TensorSpec", "shape", "a tuple or list of integers", f"one with {_typename(axis)}"
                )
        if name is not None and not isinstance(name, str):
            raise InvalidSpecTypeError("TensorSpec", "name", "str or None", _typename(name))
        object.__setattr__(self, "type", type)
        object.__setattr__(self, "shape", tuple(int(axis) for axis in shape))
        object.__setattr__(self, "name", name)

    @property
    def required(self) -> bool:
        """Always true: a tensor input has no default."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that MLflow reads: `{"type": "tensor", "tensor-spec": {…}}`."""
        spec: dict[str, Any] = {} if self.name is None else {"name": self.name}
        return {**spec, "type": "tensor", "tensor-spec": {"dtype": _dtype_text(self.type), "shape": list(self.shape)}}

    def __repr__(self) -> str:
        named = "" if self.name is None else f"{self.name!r}: "
        return f"{named}{self.type.name} {self.shape}"


Spec: TypeAlias = ColSpec | TensorSpec

_KINDS = frozenset("biufcSUMmO")
"""The kinds of numpy dtypes that an array of values has; records and raw memory are none."""


def _dtype_text(dtype: np.dtype[Any]) -> str:
    """The dtype's name, as MLflow writes it; where numpy does not read the name back (`str224`), its code (`<U7`)."""
    bare = dtype.kind in "US" and dtype.itemsize == 0
    text: str = dtype.name if bare or dtype.kind not in "US" and dtype.isnative else dtype.str
    return text


def spec_from_dict(spec: object, where: str = "signature") -> Spec:
    """The column or tensor that a JSON form describes, in MLflow's nested form or the document's flat one.

    Raises:
        InvalidSchemaError: [INVALID_SCHEMA] it is neither.

    >>> spec_from_dict({"name": "images", "dtype": "uint8", "shape": [-1, 28]})
    'images': uint8 (-1, 28)
    """
    if not isinstance(spec, Mapping):
        raise InvalidSchemaError(f"an input must be an object, not {type(spec).__name__}", where)
    name = spec.get("name")
    if name is not None and not isinstance(name, str):
        raise InvalidSchemaError(f"'name' must be text, not {type(name).__name__}", where)
    if spec.get("type") == "tensor":
        return _tensor(spec.get("tensor-spec"), name, f"{where}.tensor-spec")
    if "dtype" in spec:
        return _tensor(spec, name, where)
    required = spec.get("required", not spec.get("optional", False))
    return ColSpec(type_from_dict(spec, where), name, bool(required))


def _tensor(spec: object, name: str | None, where: str) -> TensorSpec:
    if not isinstance(spec, Mapping) or "dtype" not in spec or "shape" not in spec:
        raise InvalidSchemaError("a tensor needs 'dtype' and 'shape'", where)
    try:
        dtype = np.dtype(str(spec["dtype"]))
    except (TypeError, ValueError, SyntaxError, OverflowError):  # numpy parses a small language of its own here
        raise InvalidSchemaError(f"unsupported dtype {spec['dtype']!r}", where) from None
    if dtype.kind not in _KINDS:
        raise InvalidSchemaError(f"unsupported dtype {spec['dtype']!r}", where)
    try:
        return TensorSpec(dtype, spec["shape"], name)
    except InvalidSpecTypeError as error:
        raise InvalidSchemaError(error.what, where) from error


def _typename(value: object) -> str:
    return type(value).__name__

"""A schema: the inputs or the outputs of a model, all columns or all tensors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from spark_models.errors import InvalidSchemaError, listed
from spark_models.schema.datatypes import DataType
from spark_models.schema.specs import ColSpec, Spec, TensorSpec, spec_from_dict

MAX_JSON = 10 * 1024 * 1024
"""Bytes of one signature's JSON; a table of 100,000 columns stays below it."""


class Schema:
    """An immutable sequence of columns or of tensors, with or without names.

    Names are unique, and either every column has one or none. Several tensors need names.

    Raises:
        InvalidSchemaError: [INVALID_SCHEMA] the specs mix kinds, or names are partial or repeated.

    >>> Schema([ColSpec("double", "x"), ColSpec("string", "y")])
    ['x': double, 'y': string]
    """

    __slots__ = ("_specs",)
    _specs: tuple[Spec, ...]

    def __init__(self, inputs: Iterable[Spec]) -> None:
        specs = tuple(inputs)
        columns = tuple(spec for spec in specs if isinstance(spec, ColSpec))
        tensors = tuple(spec for spec in specs if isinstance(spec, TensorSpec))
        if len(columns) not in (0, len(specs)) or len(columns) + len(tensors) != len(specs):
            raise InvalidSchemaError("a schema is either all ColSpec or all TensorSpec", "Schema")
        named = [spec.name for spec in specs if spec.name is not None]
        if len(named) not in (0, len(specs)):
            raise InvalidSchemaError("either every input has a name or none", "Schema")
        if len(tensors) > 1 and named == []:
            raise InvalidSchemaError("several tensors need names", "Schema")
        repeated = [name for name, times in Counter(named).items() if times > 1]
        if repeated != []:
            raise InvalidSchemaError(f"names must be unique; repeated: {listed(repeated)}", "Schema")
        self._specs = specs

    @property
    def inputs(self) -> list[Spec]:
        """The specs, in order, as a new list."""
        return list(self._specs)

    @property
    def columns(self) -> tuple[ColSpec, ...]:
        """The columns, in order; empty for a tensor schema."""
        return tuple(spec for spec in self._specs if isinstance(spec, ColSpec))

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """The tensors, in order; empty for a column schema."""
        return tuple(spec for spec in self._specs if isinstance(spec, TensorSpec))

    def has_fixed_axis(self) -> bool:
        """Whether a tensor has no first axis of any length, so that its rows can't be cut or put together."""
        return any(spec.shape[:1] != (-1,) for spec in self.tensors)

    def is_tensor_spec(self) -> bool:
        """Whether the schema is of tensors."""
        return len(self._specs) > 0 and isinstance(self._specs[0], TensorSpec)

    def has_input_names(self) -> bool:
        """Whether the inputs have names."""
        return len(self._specs) > 0 and self._specs[0].name is not None

    def input_names(self) -> list[Any]:
        """The names in order; positions 0…n-1 in an unnamed schema."""
        return [position if spec.name is None else spec.name for position, spec in enumerate(self._specs)]

    def required_input_names(self) -> list[Any]:
        """The names, or positions, of the inputs that must be given."""
        return [name for name, spec in zip(self.input_names(), self._specs, strict=True) if spec.required]

    def optional_input_names(self) -> list[Any]:
        """The names, or positions, of the inputs that may be absent or null."""
        return [name for name, spec in zip(self.input_names(), self._specs, strict=True) if not spec.required]

    def input_types(self) -> list[Any]:
        """The column types, or numpy dtypes of a tensor schema, in order."""
        return [spec.type for spec in self._specs]

    def input_dict(self) -> dict[Any, Spec]:
        """The specs by name or position."""
        return dict(zip(self.input_names(), self._specs, strict=True))

    def numpy_types(self) -> list[np.dtype[Any]]:
        """The numpy dtypes of the inputs, in order; `object` for a nested column."""
        return [spec.type if isinstance(spec, TensorSpec) else _numpy_type(spec) for spec in self._specs]

    def as_spark_schema(self) -> Any:
        """The `pyspark` type of one row: a struct, or the bare type of a single unnamed column. Needs pyspark.

        Raises:
            InvalidSchemaError: [INVALID_SCHEMA] a tensor schema has no Spark form.
        """
        from spark_models.bridge.spark import spark_schema

        return spark_schema(self)

    def to_dict(self) -> list[dict[str, Any]]:
        """The JSON form as Python values."""
        return [spec.to_dict() for spec in self._specs]

    def to_json(self) -> str:
        """The JSON form as text, as it stands in `MLmodel`."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str = "signature") -> Schema:
        """The schema that JSON text describes, in either form.

        Raises:
            InvalidSchemaError: [INVALID_SCHEMA] the text is no JSON list of inputs.

        >>> Schema.from_json('[{"type": "integer"}]')
        [integer]
        """
        if not isinstance(text, str):
            raise InvalidSchemaError(f"JSON text is expected, not {type(text).__name__}", where)
        if len(text) > MAX_JSON:
            raise InvalidSchemaError(f"the JSON is longer than {MAX_JSON} characters", where)
        try:
            specs = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidSchemaError(f"not JSON: {error}", where) from error
        if not isinstance(specs, list):
            raise InvalidSchemaError("a JSON list of inputs is expected", where)
        return cls(spec_from_dict(spec, f"{where}[{position}]") for position, spec in enumerate(specs))

    def __iter__(self) -> Iterator[Spec]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self._specs == other._specs

    def __hash__(self) -> int:
        return hash(self._specs)

    def __repr__(self) -> str:
        return "[" + ", ".join(map(repr, self._specs)) + "]"


def _numpy_type(spec: ColSpec) -> np.dtype[Any]:
    return spec.type.to_numpy() if isinstance(spec.type, DataType) else np.dtype(object)


def unnamed(types: Sequence[str]) -> Schema:
    """A schema of unnamed columns of these types.

    >>> unnamed(["double", "double"])
    [double, double]
    """
    return Schema(ColSpec(kind) for kind in types)

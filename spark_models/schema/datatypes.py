"""The eight column types of the format, the nested ones of MLflow 3, and what widens into what without loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

from spark_models.errors import InvalidSchemaError, listed

MAX_DEPTH = 32
"""How deep nested types may go: a schema comes from outside, so its recursion is bounded."""


class DataType(Enum):
    """The type of one scalar column.

    | type | values | numpy |
    | --- | --- | --- |
    | boolean | true, false | bool |
    | integer, long | 32 and 64 bit signed | int32, int64 |
    | float, double | 32 and 64 bit IEEE 754 | float32, float64 |
    | string, binary | text, bytes | object |
    | datetime | an instant without time zone | datetime64 |

    >>> DataType.integer.to_numpy()
    dtype('int32')
    >>> DataType("long") is DataType.long
    True
    """

    boolean = "boolean"
    integer = "integer"
    long = "long"
    float = "float"
    double = "double"
    string = "string"
    binary = "binary"
    datetime = "datetime"

    def to_numpy(self) -> np.dtype[Any]:
        """The numpy dtype of the type; of `binary`, `string` and `datetime` the kind without a size or precision."""
        return np.dtype(_NUMPY[self])

    def to_pandas(self) -> Any:
        """The dtype of a pandas column of the type: numpy's, `object` for bytes and pandas' own for text."""
        if self is DataType.string:
            import pandas as pd

            return pd.StringDtype()
        return object if self is DataType.binary else self.to_numpy()

    def __repr__(self) -> str:
        return self.value

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers: integer, long, float or double."""
        return self in _NUMERIC


_NUMPY: dict[DataType, str] = {
    DataType.boolean: "bool",
    DataType.integer: "int32",
    DataType.long: "int64",
    DataType.float: "float32",
    DataType.double: "float64",
    DataType.string: "str",
    DataType.binary: "bytes",
    DataType.datetime: "datetime64",
}
_NUMERIC = frozenset({DataType.integer, DataType.long, DataType.float, DataType.double})

WIDENS: Mapping[DataType, frozenset[str]] = {
    DataType.boolean: frozenset({"bool"}),
    DataType.integer: frozenset({"int8", "int16", "int32", "uint8", "uint16"}),
    DataType.long: frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"}),
    DataType.float: frozenset({"float16", "float32"}),
    DataType.double: frozenset(
        {"float16", "float32", "float64", "int8", "int16", "int32", "uint8", "uint16", "uint32"}
    ),
}
"""Names of the numpy dtypes whose every value the type holds exactly. Integers never become `float`, as in the
releases of the document's time, although int8 and int16 would fit."""


@dataclass(frozen=True, slots=True)
class Array:
    """A list of values of one type in each row."""

    dtype: ColumnType

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: `{"type": "array", "items": {…}}`."""
        return {"type": "array", "items": type_to_dict(self.dtype)}

    def __repr__(self) -> str:
        return f"array({self.dtype!r})"


@dataclass(frozen=True, slots=True)
class Map:
    """A map from text to values of one type in each row."""

    value_type: ColumnType

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: `{"type": "map", "values": {…}}`."""
        return {"type": "map", "values": type_to_dict(self.value_type)}

    def __repr__(self) -> str:
        return f"map(string, {self.value_type!r})"


@dataclass(frozen=True, slots=True)
class Property:
    """One named value of an `Object`; absent or null only where it is not required."""

    name: str
    dtype: ColumnType
    required: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: `{name: {"type": …, "required": …}}`."""
        return {self.name: {**type_to_dict(self.dtype), "required": self.required}}

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype!r}{'' if self.required else '?'}"


@dataclass(frozen=True, slots=True)
class Object:
    """A record of named values in each row, like a Spark struct."""

    properties: tuple[Property, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: `{"type": "object", "properties": {…}}`."""
        merged: dict[str, Any] = {}
        for prop in self.properties:
            merged.update(prop.to_dict())
        return {"type": "object", "properties": merged}

    def __repr__(self) -> str:
        return "object{" + ", ".join(map(repr, self.properties)) + "}"


@dataclass(frozen=True, slots=True)
class AnyType:
    """Any value: it reaches the model unchecked."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: `{"type": "any"}`."""
        return {"type": "any"}

    def __repr__(self) -> str:
        return "any"


ColumnType: TypeAlias = DataType | Array | Map | Object | AnyType


def type_to_dict(dtype: ColumnType) -> dict[str, Any]:
    """The JSON form of a column type.

    >>> type_to_dict(Array(DataType.double))
    {'type': 'array', 'items': {'type': 'double'}}
    """
    return {"type": dtype.value} if isinstance(dtype, DataType) else dtype.to_dict()


def type_from_dict(spec: object, where: str = "signature", depth: int = 0) -> ColumnType:
    """The column type that a JSON form describes; the inverse of `type_to_dict`.

    Raises:
        InvalidSchemaError: [INVALID_SCHEMA] the form is not of a known type, or nested too deep.

    >>> type_from_dict({"type": "map", "values": {"type": "long"}})
    map(string, long)
    """
    if depth > MAX_DEPTH:
        raise InvalidSchemaError(f"types are nested more than {MAX_DEPTH} deep", where)
    if not isinstance(spec, Mapping):
        raise InvalidSchemaError(f"a type must be an object, not {type(spec).__name__}", where)
    name = spec.get("type")
    if name == "array":
        return Array(type_from_dict(spec.get("items"), f"{where}.items", depth + 1))
    if name == "map":
        return Map(type_from_dict(spec.get("values"), f"{where}.values", depth + 1))
    if name == "object":
        return Object(_properties(spec.get("properties"), where, depth))
    if name == "any":
        return AnyType()
    return datatype(name, where)


def _properties(spec: object, where: str, depth: int) -> tuple[Property, ...]:
    if not isinstance(spec, Mapping):
        raise InvalidSchemaError("an object type needs 'properties'", where)
    return tuple(
        Property(
            str(name),
            type_from_dict(value, f"{where}.properties.{name}", depth + 1),
            bool(value.get("required", True)),
        )
        for name, value in spec.items()
    )


def datatype(name: object, where: str = "signature") -> DataType:
    """The `DataType` of that name.

    Raises:
        InvalidSchemaError: [INVALID_SCHEMA] there is none.

    >>> datatype("double")
    double
    """
    if isinstance(name, DataType):
        return name
    try:
        return DataType(name)
    except ValueError:
        known = listed([member.value for member in DataType])
        raise InvalidSchemaError(f"unsupported type {name!r}; the types are {known}", where) from None

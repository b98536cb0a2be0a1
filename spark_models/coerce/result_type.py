"""The grammar of `result_type`: which type a prediction column has."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from spark_models.errors import UnsupportedResultTypeError
from spark_models.schema.datatypes import Array, ColumnType, DataType, Map, Object
from spark_models.schema.schema import Schema

MAX_DEPTH = 8

SCALARS: dict[str, str] = {
    "int": "int",
    "integer": "int",
    "long": "bigint",
    "bigint": "bigint",
    "float": "float",
    "real": "float",
    "double": "double",
    "string": "string",
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "binary": "binary",
}
"""The names that a scalar type goes by, and its Spark DDL."""

_ARROW: dict[str, pa.DataType] = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "binary": pa.binary(),
}


@dataclass(frozen=True, slots=True)
class ResultType:
    """A result type: `kind` is a scalar's DDL name, "decimal", "array", "map" or "struct".

    `items` is the element of an array or the value of a map, `fields` are a struct's; precision and scale a decimal's.
    `zone` is a timestamp's: in it a datetime without a zone is read.
    """

    kind: str
    items: ResultType | None = None
    fields: tuple[tuple[str, ResultType], ...] = ()
    precision: int = 0
    scale: int = 0
    zone: str = "UTC"

    @property
    def ddl(self) -> str:
        """The type as Spark SQL writes it.

        >>> parse_result_type("array<long>").ddl
        'array<bigint>'
        """
        if self.kind == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.kind == "array":
            return f"array<{self.element.ddl}>"
        if self.kind == "map":
            return f"map<string,{self.element.ddl}>"
        if self.kind == "struct":
            return "struct<" + ",".join(f"{_quoted(name)}:{kind.ddl}" for name, kind in self.fields) + ">"
        return self.kind

    @property
    def arrow(self) -> pa.DataType:
        """The type of the Arrow column."""
        if self.kind == "decimal":
            return pa.decimal128(self.precision, self.scale)
        if self.kind == "array":
            return pa.list_(self.element.arrow)
        if self.kind == "map":
            return pa.map_(pa.string(), self.element.arrow)
        if self.kind == "struct":
            return pa.struct([pa.field(name, kind.arrow) for name, kind in self.fields])
        return _ARROW[self.kind]

    @property
    def element(self) -> ResultType:
        """The element type of an array, or the value type of a map."""
        if self.items is None:
            raise UnsupportedResultTypeError(self.kind)
        return self.items

    def in_zone(self, zone: str) -> ResultType:
        """The same type, its timestamps those of another time zone."""
        items = None if self.items is None else self.items.in_zone(zone)
        fields = tuple((name, kind.in_zone(zone)) for name, kind in self.fields)
        return replace(self, items=items, fields=fields, zone=zone)

    def __str__(self) -> str:
        return self.ddl


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "`" + name.replace("`", "``") + "`"


def parse_result_type(given: Any) -> ResultType:
    """The result type of a name, a DDL string or a `pyspark.sql.types.DataType`.

    `short` and `tinyint` are not among them: no rule says which output fits.

    Raises:
        UnsupportedResultTypeError: [UNSUPPORTED_RESULT_TYPE] it is of none of the forms.

    >>> parse_result_type("struct<label:string,p:array<double>>").ddl
    'struct<label:string,p:array<double>>'
    """
    if isinstance(given, ResultType):
        return given
    text = given if isinstance(given, str) else _simple(given)
    parser = _Parser(text)
    parsed = parser.type(0)
    parser.end()
    return parsed


def _simple(given: Any) -> str:
    if not callable(getattr(given, "simpleString", None)):
        raise UnsupportedResultTypeError(f"a {type(given).__name__}")
    # simpleString leaves field names unquoted and cuts long structs; a struct is spelled out here.
    if type(given).__name__ == "StructType":
        fields = [f"{_quoted(field.name)}:{_simple(field.dataType)}" for field in given.fields]
        return "struct<" + ",".join(fields) + ">"
    if type(given).__name__ == "ArrayType":
        return f"array<{_simple(given.elementType)}>"
    return str(given.simpleString())


class _Parser:
    """A recursive descent over the few tokens of a DDL type."""

    _TOKEN = re.compile(r"\s*(?:(`(?:[^`]|``)*`)|(\w+)|([<>(),:]))")

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        position = 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = self._TOKEN.match(stripped, position)
            if match is None or len(self.tokens) > 10_000:
                raise UnsupportedResultTypeError(text)
            self.tokens.append(match.group(1) or match.group(2) or match.group(3))
            position = match.end()
        self.at = 0

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise UnsupportedResultTypeError(self.text)
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, token: str) -> None:
        if self.next() != token:
            raise UnsupportedResultTypeError(self.text)

    def end(self) -> None:
        if self.at != len(self.tokens):
            raise UnsupportedResultTypeError(self.text)

    def type(self, depth: int) -> ResultType:
        if depth > MAX_DEPTH:
            raise UnsupportedResultTypeError(self.text)
        name = self.next().lower()
        if name in SCALARS:
            return ResultType(SCALARS[name])
        if name == "decimal":
            return self.decimal()
        if name == "array":
            self.expect("<")
            items = self.type(depth + 1)
            self.expect(">")
            return ResultType("array", items)
        if name == "map":
            self.expect("<")
            if self.next().lower() != "string":
                raise UnsupportedResultTypeError(self.text)
            self.expect(",")
            items = self.type(depth + 1)
            self.expect(">")
            return ResultType("map", items)
        if name == "struct":
            return self.struct(depth)
        raise UnsupportedResultTypeError(self.text)

    def decimal(self) -> ResultType:
        if self.at >= len(self.tokens) or self.tokens[self.at] != "(":
            return ResultType("decimal", precision=10, scale=0)
        self.expect("(")
        precision, scale, after = self.digits(), 0, self.next()
        if after == ",":
            scale, after = self.digits(), self.next()
        if after != ")" or not 1 <= precision <= 38 or scale > precision:
            raise UnsupportedResultTypeError(self.text)
        return ResultType("decimal", precision=precision, scale=scale)

    def digits(self) -> int:
        token = self.next()
        if re.fullmatch(r"[0-9]{1,3}", token) is None:
            raise UnsupportedResultTypeError(self.text)
        return int(token)

    def struct(self, depth: int) -> ResultType:
        self.expect("<")
        fields = []
        while True:
            name = self.next()
            if name in ("<", ">", "(", ")", ",", ":"):
                raise UnsupportedResultTypeError(self.text)
            plain = name[1:-1].replace("``", "`") if name.startswith("`") else name
            self.expect(":")
            fields.append((plain, self.type(depth + 1)))
            after = self.next()
            if after == ">":
                break
            if after != ",":
                raise UnsupportedResultTypeError(self.text)
        if len({name for name, _ in fields}) != len(fields):
            raise UnsupportedResultTypeError(self.text)
        return ResultType("struct", fields=tuple(fields))


_COLUMN_KIND: dict[DataType, str] = {
    DataType.boolean: "boolean",
    DataType.integer: "int",
    DataType.long: "bigint",
    DataType.float: "float",
    DataType.double: "double",
    DataType.string: "string",
    DataType.binary: "binary",
    DataType.datetime: "timestamp",
}


def signature_result_type(outputs: Schema | None) -> ResultType:
    """The result type that a signature's outputs say: a struct of named columns, the type of one unnamed output.

    Several unnamed columns become an array where they are of one type. A tensor is a scalar column for shape (-1,) and
    (-1, 1), an array for (-1, n).

    Raises:
        UnsupportedResultTypeError: [UNSUPPORTED_RESULT_TYPE] nothing is said of outputs, or what has no type here.
    """
    if outputs is None or len(outputs) == 0:
        raise UnsupportedResultTypeError("signature", "the signature says nothing of outputs; name a type instead")
    kinds = [_tensor(spec.type, spec.shape) for spec in outputs.tensors]
    kinds += [_column(spec.type) for spec in outputs.columns]
    if outputs.has_input_names():
        return ResultType("struct", fields=tuple(zip(map(str, outputs.input_names()), kinds, strict=True)))
    if len(kinds) == 1:
        return kinds[0]
    if len(set(kinds)) == 1:
        return ResultType("array", kinds[0])
    raise UnsupportedResultTypeError("signature", "its outputs have no names and several types; name a type instead")


def _column(kind: ColumnType) -> ResultType:
    if isinstance(kind, DataType):
        return ResultType(_COLUMN_KIND[kind])
    if isinstance(kind, Array):
        return ResultType("array", _column(kind.dtype))
    if isinstance(kind, Map):
        return ResultType("map", _column(kind.value_type))
    if isinstance(kind, Object):
        return ResultType("struct", fields=tuple((prop.name, _column(prop.dtype)) for prop in kind.properties))
    raise UnsupportedResultTypeError("signature", f"an output of type {kind!r} has no Spark type")


def _tensor(dtype: Any, shape: tuple[int, ...]) -> ResultType:
    from spark_models.bridge.numpy import column_type

    found = column_type(dtype)
    if found is None:
        raise UnsupportedResultTypeError("signature", f"an output tensor of {dtype} has no Spark type")
    scalar = ResultType(_COLUMN_KIND[found])
    return scalar if len(shape) == 1 or tuple(shape[1:]) == (1,) else ResultType("array", scalar)

"""The arguments of a UDF call as the columns that the workers get, names and counts checked, types guarded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import functions as F

from spark_models.bind.columns import bind_columns
from spark_models.bridge.spark import ACCEPTS, spark_type
from spark_models.bridge.sql import quoted
from spark_models.errors import (
    AmbiguousBindingError,
    ColumnCountError,
    ColumnTypeError,
    NoSignatureError,
    StructNotAloneError,
    VectorColumnError,
)
from spark_models.schema.datatypes import Array, DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, Spec, TensorSpec

_MARK = "\x00"
VECTOR = "struct<type:tinyint,size:int,indices:array<int>,values:array<double>>"
"""What `typeof` says of a Spark ML vector: the struct that Spark stores it in."""


_SEPARATOR = "\x01"
"""Between texts that are one literal: 500 literals cost Spark's analyzer much more than one."""


@dataclass(frozen=True, slots=True)
class BoundColumns:
    """The columns of a call in schema order, as they were given, and which inputs they are: names, or positions.

    `sources` are the columns' own names. Where `columns` is None they are all there is, and the columns are written as
    SQL: put together by the functions of pyspark, what guards 500 columns takes seconds. `specs` is empty for a model
    without signature.
    """

    columns: list[Any] | None
    found: list[object]
    specs: tuple[Spec, ...]
    sources: list[str]

    def guarded(self) -> list[Any]:
        """Each column in a condition on its type that Spark's optimizer folds away where the type fits.

        Where it does not, the JVM raises [COLUMN_TYPE] or [VECTOR_COLUMN] before a row reaches Python: the first names
        the input, the second the column to convert.
        """
        if self.columns is None:
            pairs = zip(self.sources, self.specs, strict=True)
            return [F.expr(_guarded_sql(quoted(name), spec, name)) for name, spec in pairs]
        if self.specs == ():
            return [_without_vectors(column, name) for column, name in zip(self.columns, self.sources, strict=True)]
        each = zip(self.columns, self.specs, self.found, self.sources, strict=True)
        return [guard(column, spec, name, source) for column, spec, name, source in each]

    def doubles_array(self) -> Any:
        """All columns, of which the specs say double, as one array; in one condition on all their types."""
        if self.columns is None:
            names = [quoted(name) for name in self.sources]
            kinds = F.expr(f"concat_ws('{_SEPARATOR}', {', '.join(f'typeof({name})' for name in names)})")
            array = F.expr(f"array({', '.join(f'CAST({name} AS DOUBLE)' for name in names)})")
        else:
            kinds = F.concat_ws(_SEPARATOR, *[F.typeof(column) for column in self.columns])
            array = doubles_array(self.columns)
        one = f"({'|'.join(accepted_types(self.specs[0]))})"
        fit = kinds.rlike(f"^{one}({_SEPARATOR}{one})*$")
        return F.when(fit, array).otherwise(F.raise_error(self._first_misfit(kinds, one)))

    def _first_misfit(self, kinds: Any, accepted: str) -> Any:
        """The error's text for the first column whose kind is not accepted; `kinds` is one text of them all."""
        kind = F.split(kinds, _SEPARATOR)
        texts = [_wrong_type(spec, name) for spec, name in zip(self.specs, self.found, strict=True)]
        before, after = (_literals(part) for part in zip(*texts, strict=True))
        vector = _literals([str(VectorColumnError(source)) for source in self.sources])

        def text(at: Any) -> Any:
            wrong = F.concat(before[at], kind[at], after[at])
            fits = kind[at].rlike(f"^{accepted}$")
            return F.when(fits, F.lit(None)).when(kind[at] == F.lit(VECTOR), vector[at]).otherwise(wrong)

        positions = F.sequence(F.lit(0), F.lit(len(self.found) - 1))
        return F.filter(F.transform(positions, text), lambda found: found.isNotNull())[0]


def doubles_array(columns: Sequence[Any]) -> Any:
    """The columns as one array. Each is cast: of ints and floats it would be of floats, in which ints lose digits."""
    return F.array(*[column.cast("double") for column in columns])


def bind_arguments(arguments: Sequence[Any], schema: Schema | None, uri: str) -> BoundColumns:
    """The columns of a call, bound to the inputs of the signature.

    | call | binding |
    | --- | --- |
    | none | the signature's names |
    | strings | by name where the signature has names: extra ones ignored; else by position |
    | one struct | its fields by name |
    | columns | by position, exactly as many as the signature has |

    Raises:
        NoSignatureError: [NO_SIGNATURE] no arguments, and no signature that names any.
        MissingColumnsError: [MISSING_COLUMNS] strings or a written-out struct without inputs of the signature.
        ColumnCountError: [COLUMN_COUNT] another number of columns than the signature has.
        AmbiguousBindingError: [AMBIGUOUS_BINDING] columns whose names are the signature's in another order.
        StructNotAloneError: [STRUCT_NOT_ALONE] a struct beside other columns.

    A Spark ML vector raises [VECTOR_COLUMN] when the query runs, with or without a signature.
    """
    if schema is None:
        return _without_signature(arguments, uri)
    names = schema.input_names()
    if len(arguments) == 0:
        if not schema.has_input_names():
            raise NoSignatureError(uri)
        return _named(names, schema)
    if schema.has_input_names() and all(isinstance(item, str) for item in arguments):
        positions = bind_columns(arguments, schema, uri)
        return _named([name for name, position in zip(names, positions, strict=True) if position is not None], schema)
    columns = [F.col(item) if isinstance(item, str) else item for item in arguments]
    if any(_is_struct(column) for column in columns) and len(columns) > 1:
        raise StructNotAloneError(len(columns))
    if len(columns) == 1 and (len(schema) > 1 or _is_struct(columns[0])) and schema.has_input_names():
        return _fields(columns[0], schema, uri)
    return _by_position(columns, schema)


def _without_signature(arguments: Sequence[Any], uri: str) -> BoundColumns:
    if len(arguments) == 0:
        raise NoSignatureError(uri)
    columns = [F.col(item) if isinstance(item, str) else item for item in arguments]
    if any(_is_struct(column) for column in columns) and len(columns) > 1:
        raise StructNotAloneError(len(columns))
    return BoundColumns(columns, list(range(len(columns))), (), [column_name(column) for column in columns])


def _fields(struct: Any, schema: Schema, uri: str) -> BoundColumns:
    given = _struct_fields(struct)
    names = schema.input_names()
    if given is not None:
        positions = bind_columns(given, schema, uri)
        names = [name for name, position in zip(names, positions, strict=True) if position is not None]
    elif not _is_struct(struct) and len(schema) > 1 and column_name(struct) in names:
        # One plain column of several inputs: Spark would only say that it has no fields.
        raise ColumnCountError(len(schema), 1, (column_name(struct),), tuple(names))
    # The optimizer takes getField of struct(…) apart again: no struct is built.
    columns = [struct.getField(name) for name in names]
    return BoundColumns(columns, list(names), _specs(schema, names), [str(name) for name in names])


def _by_position(columns: list[Any], schema: Schema) -> BoundColumns:
    given = tuple(column_name(column) for column in columns)
    names = tuple(schema.input_names())
    if len(columns) != len(schema):
        raise ColumnCountError(len(schema), len(columns), given, names if schema.has_input_names() else ())
    if schema.has_input_names() and given != names and sorted(given) == sorted(names):
        raise AmbiguousBindingError(given, tuple(map(str, names)))
    return BoundColumns(columns, list(names), _specs(schema, names), list(given))


def _named(names: Sequence[object], schema: Schema) -> BoundColumns:
    return BoundColumns(None, list(names), _specs(schema, names), [str(name) for name in names])


def _specs(schema: Schema, names: Sequence[object]) -> tuple[Spec, ...]:
    specs = schema.input_dict()
    return tuple(specs[name] for name in names)


def _guarded_sql(column: str, spec: Spec, name: object) -> str:
    accepted = accepted_types(spec)
    kind = f"typeof({column})"
    vector = f"raise_error({_sql_text(str(VectorColumnError(str(name))))})"
    if accepted == ():
        return f"CASE WHEN contains({kind}, '{VECTOR}') THEN {vector} ELSE {column} END"
    before, after = (_sql_text(part) for part in _wrong_type(spec, name))
    kinds = ", ".join(f"'{item}'" for item in accepted)
    return (
        f"CASE WHEN {kind} IN ({kinds}) THEN {column} WHEN {kind} = '{VECTOR}' THEN {vector} "
        f"ELSE raise_error(concat({before}, {kind}, {after})) END"
    )


def _literals(texts: Sequence[str]) -> Any:
    """An array of these texts."""
    return F.split(F.lit(_SEPARATOR.join(texts)), _SEPARATOR)


def _sql_text(text: str) -> str:
    """A text as SQL that means the same whatever the session says of quotes and backslashes."""
    return f"CAST(X'{text.encode().hex()}' AS STRING)"


def guard(column: Any, spec: Spec, name: object, source: str) -> Any:
    """The column in a condition on its type, as `BoundColumns.guarded` says."""
    accepted = accepted_types(spec)
    if accepted == ():
        return _without_vectors(column, source)
    kind = F.typeof(column)
    before, after = _wrong_type(spec, name)
    wrong = F.raise_error(F.concat(F.lit(before), kind, F.lit(after)))
    fits = kind.rlike(f"^({'|'.join(accepted)})$")  # isin would make a call to the JVM for each of them
    return F.when(fits, column).when(kind == F.lit(VECTOR), _vector_error(source)).otherwise(wrong)


def _wrong_type(spec: Spec, name: object) -> tuple[str, str]:
    """The error's text before and after the type that the column has."""
    before, after = str(ColumnTypeError(name, _MARK, expected_type(spec), _advice(spec))).split(_MARK)
    return before, after


def expected_type(spec: Spec) -> str:
    """What an error calls the type of an input."""
    return repr(spec.type) if isinstance(spec, ColSpec) else f"tensor({spec.type})"


def _without_vectors(column: Any, name: str) -> Any:
    """The column, unless it is a vector or holds one: Python would see Spark's internal struct."""
    return F.when(F.typeof(column).contains(VECTOR), _vector_error(name)).otherwise(column)


def _vector_error(name: str) -> Any:
    return F.raise_error(F.lit(str(VectorColumnError(name))))


def accepted_types(spec: Spec) -> tuple[str, ...]:
    """`typeof` of the columns that a spec takes; empty where the worker has to look at the values."""
    if isinstance(spec, TensorSpec):
        return _accepted_numbers(spec)
    if isinstance(spec.type, DataType):
        return ACCEPTS[spec.type]
    if isinstance(spec.type, Array) and isinstance(spec.type.dtype, DataType):
        return tuple(f"array<{kind}>" for kind in ACCEPTS[spec.type.dtype])
    return ()


_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_NUMBERS = {"b": ("boolean",), "i": _INTEGERS, "u": _INTEGERS, "f": (*_INTEGERS, "float", "double")}
"""`typeof` of the columns for tensors of each kind of numpy dtype; the worker looks whether the values fit."""


def _accepted_numbers(spec: TensorSpec) -> tuple[str, ...]:
    """Numbers, and arrays of them, nested as deep as a row of the tensor has axes."""
    kinds = _NUMBERS.get(spec.type.kind, ())
    deepest = max(1, len(spec.shape) - 1)
    return tuple("array<" * depth + kind + ">" * depth for depth in range(deepest + 1) for kind in kinds)


def _advice(spec: Spec) -> str:
    if isinstance(spec, ColSpec) and isinstance(spec.type, DataType) and spec.type.is_numeric:
        return f"cast it yourself if no value is lost: col.cast('{spark_type(spec.type).simpleString()}')"
    return ""


def column_name(column: Any) -> str:
    """The name that a column expression resolves to, as far as its text tells."""
    text = str(column)
    inner = text[8:-2] if text.startswith("Column<'") and text.endswith("'>") else text
    return _last_name(inner)


def _last_name(text: str) -> str:
    aliased = re.search(r" AS (`[^`]+`|\S+)$", text)
    name = text if aliased is None else aliased.group(1)
    return name[1:-1].replace("``", "`") if name.startswith("`") and name.endswith("`") and len(name) > 2 else name


def _is_struct(column: Any) -> bool:
    return str(column).startswith(("Column<'struct(", "Column<'named_struct("))


def _struct_fields(column: Any) -> list[str] | None:
    """The names of the fields of a written-out `struct(a, b)`; None where its text leaves a doubt."""
    match = re.fullmatch(r"Column<'struct\((.*)\)'>", str(column))
    if match is None or "*" in match.group(1):
        return None
    parts = match.group(1).split(", ")
    simple = re.compile(r"(.+ AS )?([A-Za-z_]\w*|`[^`]+`)")
    return [_last_name(part) for part in parts] if all(simple.fullmatch(part) for part in parts) else None

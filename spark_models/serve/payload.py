"""From a body to the model's input, and from the model's output to an answer. No transport is known here.

    text ──parse_json, parse_csv──▶ Body ──PayloadBinder──▶ the model's input ──▶ … ──▶ output ──encode_answer──▶ JSON

JSON and CSV lose types, so they are cast by the signature further than data that has types: integers become float or
double, ISO 8601 text datetime, base64 text binary, and in CSV digits text. What has lost something already is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from spark_models.bind.casts import cast_column
from spark_models.bind.columns import bind_columns
from spark_models.bind.enforce import frame_of
from spark_models.bind.tensors import bind_tensors
from spark_models.bridge.json import column_from_json
from spark_models.errors import InputError, InvalidInputError, JsonValueError, MissingColumnsError
from spark_models.schema.datatypes import DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec
from spark_models.serve.answers import encode_answer
from spark_models.serve.body import Body, CsvTable, Data, Table, Tensors, field, parse_json
from spark_models.serve.csv_table import csv_column, parse_csv
from spark_models.serve.places import located
from spark_models.serve.strict_json import check_depth
from spark_models.serve.tensors import tensor

__all__ = ["Body", "PayloadBinder", "encode_answer", "parse_csv", "parse_json"]

_NONE = type(None)
_NUMBERS = frozenset({int, float})
_NUMBERS_OR_NULL = frozenset({int, float, _NONE})


class PayloadBinder:
    """A schema, or none, compiled into the cast of parsed bodies.

    What comes out is bound: it goes to `PyFuncModel.predict_bound`. Without a schema the values decide: a table becomes
    a DataFrame, tensors an array or a dict of arrays. With `matrix` columns that are all doubles come out as a matrix
    where that is quicker than their DataFrame: for a package that says `matrix_input`.

    >>> bind = PayloadBinder(Schema([ColSpec("double", "x")]))
    >>> bind(parse_json('[{"y": "extra", "x": 1}]').data)
         x
    0  1.0
    """

    __slots__ = ("_doubles", "_matrix", "_names", "_place", "schema")

    def __init__(self, schema: Schema | None, place: str = "", *, matrix: bool = False) -> None:
        self._matrix = matrix
        self.schema = None if schema is None or len(schema) == 0 else schema
        self._place = place
        columns = () if self.schema is None else self.schema.columns
        self._doubles = columns != () and all(spec.type is DataType.double for spec in columns)
        self._names = pd.Index(self.schema.input_names()) if self.schema is not None else None

    def __call__(self, data: Data) -> Any:
        """The model's input.

        Raises:
            JsonValueError: [JSON_VALUE] a value is not of the declared type; the place is that of the value.
            InputError: its other subclasses say what does not fit; several at once come as InvalidInputError.
        """
        if isinstance(data, Tensors):
            return self._tensors(data)
        if self.schema is None:
            return untyped_frame(data)
        if self.schema.is_tensor_spec():
            return bind_tensors(untyped_frame(data), self.schema, self._place)
        return self._table(data, self.schema)

    def _tensors(self, data: Tensors) -> Any:
        if self.schema is not None and not self.schema.is_tensor_spec():
            return self._table(_as_table(data), self.schema)
        specs = {} if self.schema is None else {spec.name: spec for spec in self.schema.tensors}
        if isinstance(data.values, dict):
            items = data.values.items()
            given = {name: tensor(values, specs.get(name), f"{data.place}{field(name)}") for name, values in items}
        else:
            alone = next(iter(specs.values())) if len(specs) == 1 else None
            given = tensor(data.values, alone, data.place)
        return given if self.schema is None else bind_tensors(given, self.schema, self._place)

    def _table(self, data: Table | CsvTable, schema: Schema) -> Any:
        if data.labels is None:
            # No row says which columns there are: no rows of all of them.
            return self._table(Table(tuple(schema.input_names()), (), data.place), schema)
        labels = list(data.labels)
        problems: list[InputError] = []
        try:
            positions = bind_columns(labels, schema, self._place)
        except MissingColumnsError as error:
            problems.append(error)
            where = {label: position for position, label in enumerate(labels)}
            positions = tuple(where.get(name) for name in schema.input_names())
        if self._doubles and problems == [] and None not in positions:
            matrix = (
                _matrix(data.rows, len(labels), data.numbers) if isinstance(data, Table) else _csv_matrix(data.frame)
            )
            if matrix is not None:
                return self._of_matrix(matrix, positions, labels)
        columns: list[Any] = []
        kept: list[Any] = []
        all_columns = data.columns
        for spec, position in zip(schema.columns, positions, strict=True):
            if position is None:
                continue
            label = labels[position]
            kept.append(label)
            try:
                columns.append(_cast(all_columns[position], spec, label, data))
            except InputError as error:
                problems.extend(located(all_columns[position], spec, label, data, error))
        if len(problems) == 1:
            raise problems[0]
        if problems != []:
            raise InvalidInputError(tuple(problems))
        return frame_of(columns, kept)

    def _of_matrix(self, matrix: np.ndarray[Any, Any], positions: tuple[Any, ...], labels: list[Any]) -> Any:
        ordered = matrix if positions == tuple(range(matrix.shape[1])) else matrix[:, list(positions)]
        if self._matrix:
            return ordered
        frame = pd.DataFrame(ordered, copy=False)
        named = self.schema is not None and self.schema.has_input_names()
        frame.columns = self._names if named else pd.Index([labels[position] for position in positions])
        return frame


def _as_table(data: Tensors) -> Table:
    """Tensors for a model that takes columns: a named one is a column, rows of an unnamed one are rows."""
    if isinstance(data.values, dict):
        return Table(tuple(data.values), list(zip(*data.values.values(), strict=True)), f"{data.place}[*]")
    rows = [value if isinstance(value, list) else [value] for value in data.values]
    widths = set(map(len, rows))
    if len(widths) > 1:
        raise JsonValueError(data.place, "A list of rows of different lengths", "table")
    return Table(None if widths == set() else tuple(range(widths.pop())), rows, f"{data.place}[*]")


def _matrix(rows: Sequence[Sequence[Any]], width: int, numbers: bool) -> Any:
    """The rows as one matrix of doubles; None where some value is no finite number or null."""
    if not numbers and not set(map(type, chain.from_iterable(rows))) <= _NUMBERS_OR_NULL:
        return None
    try:
        matrix = np.fromiter(chain.from_iterable(rows), "float64", len(rows) * width).reshape(len(rows), width)
    except (OverflowError, TypeError, ValueError):
        return None
    return None if bool(np.isinf(matrix).any()) else matrix


def _csv_matrix(frame: pd.DataFrame) -> Any:
    """The frame as one matrix of doubles; None where a column, wanted or not, is none of numbers."""
    return frame.to_numpy("float64") if all(dtype.kind in "fiu" for dtype in frame.dtypes) else None


def _cast(values: Any, spec: ColSpec, label: object, data: Table | CsvTable) -> Any:
    """A column's values as its declared type."""
    if isinstance(data, CsvTable):
        return cast_column(csv_column(values, spec.type, data.cell(label)), spec.type, label, spec.required)
    quick = _quick(values, spec.type)
    if quick is not None:
        return quick
    if not isinstance(spec.type, DataType):
        check_depth(list(values), data.cell(label))
    return cast_column(column_from_json(values, spec.type, data.cell(label)), spec.type, label, spec.required)


def _quick(values: Sequence[Any], kind: object) -> Any:
    """The column without a look at single values; None where one may not fit, or more than its Python type matters."""
    kinds = set(map(type, values))
    if kind in (DataType.double, DataType.float) and kinds <= _NUMBERS_OR_NULL:
        return _finite(values, "float64" if kind is DataType.double else "float32")
    if kind in (DataType.long, DataType.integer) and kinds == {int}:
        try:
            wide = np.array(values, dtype="int64")
        except OverflowError:
            return None
        narrow = wide.astype("int32") if kind is DataType.integer else wide
        return narrow if bool((narrow == wide).all()) else None
    if kind is DataType.boolean and kinds == {bool}:
        return np.array(values, dtype=bool)
    if kind is DataType.string and kinds <= {str, _NONE}:
        return _objects(values)
    return None


def _finite(values: Sequence[Any], dtype: str) -> Any:
    try:
        wide = np.fromiter(values, "float64", len(values))
    except OverflowError:
        return None
    with np.errstate(over="ignore"):
        made = wide.astype(dtype, copy=False)
    return None if bool(np.isinf(made).any()) else made


def _objects(values: Sequence[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def untyped_frame(data: Table | CsvTable) -> pd.DataFrame:
    """The table as a DataFrame whose dtypes the values decide, as pandas would: nothing is parsed or stringified.

    | values | dtype |
    | --- | --- |
    | integers | int64 |
    | numbers, or numbers and nulls | float64 |
    | booleans | bool |
    | anything else | object, null is None |

    Raises:
        JsonValueError: [JSON_VALUE] a number out of the range of a double.
    """
    if isinstance(data, CsvTable):
        return data.frame
    labels = list(data.labels or ())
    columns = [_untyped(values, label, data) for label, values in zip(labels, data.columns, strict=True)]
    return frame_of(columns, labels)


def _untyped(values: Sequence[Any], label: object, data: Table) -> Any:
    kinds = set(map(type, values))
    if kinds == {int}:
        try:
            return np.array(values, dtype="int64")
        except OverflowError:
            return _objects(values)
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    if kinds <= _NUMBERS_OR_NULL and kinds & _NUMBERS != set():
        made = _finite(values, "float64")
        # The slow reader says which value it is.
        return column_from_json(values, DataType.double, data.cell(label)) if made is None else made
    if list in kinds or dict in kinds:
        check_depth(list(values), data.cell(label))
    return _objects(values)

"""The forms of a body: which of them a JSON text has, and the rows or tensors in it. Nothing is cast here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

import pandas as pd

from spark_models.bridge.pandas import column_array
from spark_models.errors import DuplicateColumnsError, JsonBodyError, listed
from spark_models.serve.strict_json import loads, loads_numbers

ORIENTS = ("split", "records")
TENSOR_FORMS = ("instances", "inputs")
WRAPPED_FORMS = ("dataframe_split", "dataframe_records")
"""The forms of MLflow 2 and later, whose answer stands under "predictions"."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of JSON values, all as long as `labels`. `labels` is None where nothing says which columns there are.

    `place` is the place of a row, with `[*]` for its number, which counts from `first`. `numbers` says that the cells
    are known to be numbers, or lists: then nobody needs to look.
    """

    labels: tuple[Any, ...] | None
    rows: Sequence[Sequence[Any]]
    place: str
    first: int = 0
    numbers: bool = dataclass_field(default=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> list[Sequence[Any]]:
        """The values of each column."""
        if len(self.rows) == 0:
            return [()] * len(self.labels or ())
        return list(zip(*self.rows, strict=True))

    def cell(self, label: object) -> str:
        """The place of a column's cells.

        >>> Table(("age",), [[1]], "$.data[*]").cell("age")
        '$.data[*].age'
        """
        return f"{self.place}{field(label)}"

    def at(self, label: object, row: int) -> str:
        """The place of one cell, `row` counted in this table."""
        return self.cell(label).replace("[*]", f"[{row + self.first}]", 1)


@dataclass(frozen=True, slots=True)
class Tensors:
    """Nested lists, or a dict of them by name; all of one length."""

    values: Any
    place: str

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ())) if isinstance(self.values, dict) else len(self.values)


@dataclass(frozen=True, slots=True)
class CsvTable:
    """Rows of a CSV text, in columns that pandas made; its index counts them from the first row after the header."""

    frame: pd.DataFrame

    @property
    def labels(self) -> tuple[Any, ...]:
        """The names of the header; `Unnamed: 0` for an empty first one, as pandas calls it."""
        return tuple(self.frame.columns)

    @property
    def columns(self) -> list[Any]:
        """The values of each column."""
        return [column_array(self.frame.iloc[:, position]) for position in range(self.frame.shape[1])]

    def cell(self, label: object) -> str:
        """The place of a column's cells."""
        return f"csv[*]{field(label)}"

    def at(self, label: object, row: int) -> str:
        """The place of one cell, `row` counted in this table."""
        return f"csv[{self.frame.index[row]}]{field(label)}"

    def __len__(self) -> int:
        return len(self.frame)


Data: TypeAlias = Table | Tensors | CsvTable


@dataclass(frozen=True, slots=True)
class Body:
    """A body by its form ("split", "records", …, "instances", "inputs", "csv"), with the parameters of the call."""

    form: str
    data: Data
    params: Mapping[str, Any] | None = None


def field(label: object) -> str:
    """How a place names a field.

    >>> field("age") + field("sepal length (cm)") + field(0)
    ".age['sepal length (cm)'][0]"
    """
    return f".{label}" if isinstance(label, str) and label.isidentifier() else f"[{label!r}]"


def parse_json(text: str | bytes, orient: str | None = None, exact: bool = True) -> Body:
    """The body that a JSON text holds: of the orientation `orient`, else of the form that its keys say.

    | JSON | form |
    | --- | --- |
    | list of objects | records |
    | object with `data`, and `columns` or not | split |
    | object with one of `dataframe_split`, `dataframe_records` | the same in a wrapper, and `params` beside it |
    | object with one of `instances`, `inputs` | tensors, in TensorFlow Serving's two forms, and `params` beside it |

    A record without a key that others have gets null there. Without `exact` an integer beyond 64 bits may come out as
    a float: no type of a signature can tell them apart.

    Raises:
        JsonBodyError: [JSON_BODY] no strict JSON, of no form above, or rows of different lengths.
        DuplicateColumnsError: [DUPLICATE_COLUMNS] a column is named twice.
    Source: the Models document, "Deploy MLflow models".

    >>> parse_json('{"columns": ["a", "b"], "data": [[1, 2.5]]}').data
    Table(labels=('a', 'b'), rows=[[1, 2.5]], place='$.data[*]', first=0)
    """
    value = loads(text) if exact else loads_numbers(text)
    if orient == "split":
        return Body(orient, split_table(value, "$"))
    if orient == "records" or (orient is None and isinstance(value, list)):
        return Body("records", records_table(value, "$"))
    if not isinstance(value, dict):
        raise JsonBodyError(f"a table or tensors are expected, not {called(value)}", "$")
    found = [name for name in (*TENSOR_FORMS, *WRAPPED_FORMS) if name in value]
    if found == []:
        table = split_table(value, "$")
        return Body("split", replace(table, numbers=True) if not exact and _has_numbers(text) else table)
    if len(found) > 1:
        raise JsonBodyError(f"it has {' and '.join(map(repr, found))}; exactly one of them is expected", "$")
    return _keyed(value, found[0])


def _has_numbers(text: str | bytes) -> bool:
    """Whether a text in split orientation shows that its data are numbers or lists: seen without a look at the values.

    What follows the key "data" has no quote, so no text and no other key, and no letter of true, false and null.
    """
    if not isinstance(text, bytes):
        return False
    last = text.rfind(b'"')
    return text[max(last - 5, 0) : last + 1] == b'"data"' and text.find(b"u", last) < 0 and text.find(b"l", last) < 0


def _keyed(value: dict[str, Any], form: str) -> Body:
    others = [name for name in value if name not in (form, "params")]
    if others != []:
        raise JsonBodyError(f"it has keys {listed(others)} beside {form!r}", "$")
    params = value.get("params")
    if params is not None and not isinstance(params, dict):
        raise JsonBodyError(f"'params' must be an object, not {called(params)}", "$.params")
    content, place = value[form], f"$.{form}"
    if form == "dataframe_split":
        return Body(form, split_table(content, place), params)
    if form == "dataframe_records":
        return Body(form, records_table(content, place), params)
    return Body(form, _inputs(content, place) if form == "inputs" else _instances(content, place), params)


def split_table(value: Any, place: str) -> Table:
    """The table of the split orientation; an `index` is ignored.

    Raises:
        JsonBodyError: [JSON_BODY], DuplicateColumnsError: [DUPLICATE_COLUMNS] as of `parse_json`.
    """
    if not isinstance(value, dict):
        raise JsonBodyError(f"the split orientation is an object with 'columns' and 'data', not {called(value)}", place)
    if "data" not in value or not value.keys() <= {"columns", "index", "data"}:
        raise JsonBodyError(
            f"the split orientation has the keys 'columns', 'index' and 'data'; this has {listed(value)}", place
        )
    rows = value["data"]
    at = f"{place}.data"
    if not isinstance(rows, list):
        raise JsonBodyError(f"'data' must be a list of rows, not {called(rows)}", at)
    _all_of(rows, list, "a row of the split orientation must be a list", at)
    labels = _labels(value["columns"], f"{place}.columns") if value.get("columns") is not None else None
    if labels is None and rows != []:
        labels = tuple(range(len(rows[0])))
    if labels is not None:
        _same_width(rows, len(labels), at)
    return Table(labels, rows, f"{at}[*]")


def _labels(value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise JsonBodyError(f"'columns' must be a list of names, not {called(value)}", place)
    if not set(map(type, value)) <= {str, int}:
        wrong = next(at for at, label in enumerate(value) if type(label) not in (str, int))
        problem = f"a column's name must be text or an integer, not {called(value[wrong])}"
        raise JsonBodyError(problem, f"{place}[{wrong}]")
    if len(set(value)) != len(value):
        raise DuplicateColumnsError(tuple(name for name, times in Counter(value).items() if times > 1))
    return tuple(value)


def _same_width(rows: list[list[Any]], width: int, place: str) -> None:
    if not set(map(len, rows)) <= {width}:
        ragged = [at for at, row in enumerate(rows) if len(row) != width]
        raise JsonBodyError(f"rows {listed(ragged)} have not {width} values, one a column", place)


def _all_of(items: list[Any], kind: type, problem: str, place: str) -> None:
    if not set(map(type, items)) <= {kind}:
        wrong = next(at for at, item in enumerate(items) if type(item) is not kind)
        raise JsonBodyError(f"{problem}, not {called(items[wrong])}", f"{place}[{wrong}]")


def records_table(value: Any, place: str) -> Table:
    """The table of the records orientation: columns in the order in which the records name them first.

    Raises:
        JsonBodyError: [JSON_BODY] it is no list of objects.
    """
    if not isinstance(value, list):
        raise JsonBodyError(f"the records orientation is a list of objects, not {called(value)}", place)
    at = f"{place}[*]"
    if value == []:
        return Table(None, [], at)
    _all_of(value, dict, "a record must be an object", place)
    labels = tuple(dict.fromkeys(chain.from_iterable(value)))
    rows: list[Any]
    if set(map(len, value)) != {len(labels)}:
        rows = [[record.get(label) for label in labels] for record in value]
    elif len(labels) > 1:
        rows = list(map(itemgetter(*labels), value))
    else:
        rows = [tuple(record.values()) for record in value]
    return Table(labels, rows, at)


def _inputs(value: Any, place: str) -> Tensors:
    if isinstance(value, dict):
        for name, tensor in value.items():
            if not isinstance(tensor, list):
                raise JsonBodyError(f"a tensor must be a list, not {called(tensor)}", f"{place}{field(name)}")
        _same_length(value, place)
    elif not isinstance(value, list):
        raise JsonBodyError(f"'inputs' must be a list or an object of lists, not {called(value)}", place)
    return Tensors(value, place)


def _instances(value: Any, place: str) -> Tensors:
    if not isinstance(value, list):
        raise JsonBodyError(f"'instances' must be a list, not {called(value)}", place)
    if dict not in set(map(type, value)):
        return Tensors(value, place)
    _all_of(value, dict, "where one instance is an object, each must be one", place)
    names = dict.fromkeys(chain.from_iterable(value))
    tensors = {name: [instance[name] for instance in value if name in instance] for name in names}
    _same_length(tensors, place)
    return Tensors(tensors, f"{place}[*]")


def _same_length(tensors: dict[str, list[Any]], place: str) -> None:
    lengths = {name: len(tensor) for name, tensor in tensors.items()}
    if len(set(lengths.values())) > 1:
        each = ", ".join(f"{name!r}: {length}" for name, length in list(lengths.items())[:10])
        raise JsonBodyError(f"the tensors have different lengths ({each})", place)


def called(value: Any) -> str:
    """What an error calls a JSON value, without the value itself.

    >>> called([1]), called(True)
    ('a list', 'a boolean')
    """
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)

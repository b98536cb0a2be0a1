"""Where in a column of JSON or CSV the values stand that are none of its type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from spark_models.bind.casts import ISO_8601, cast_column
from spark_models.bridge.json import column_from_json
from spark_models.bridge.pandas import is_missing
from spark_models.errors import LISTED, InputError, JsonValueError, NullColumnError
from spark_models.schema.datatypes import DataType
from spark_models.schema.specs import ColSpec
from spark_models.serve.body import CsvTable, Table
from spark_models.serve.csv_table import csv_column


def located(values: Any, spec: ColSpec, label: object, data: Table | CsvTable, error: InputError) -> list[InputError]:
    """What is wrong with single values of a column that was refused with `error`, each with its place; at most ten.

    Missing values of a column that may have none are one error more. Where no single value is to blame, `error` itself.
    """
    if spec.type is DataType.datetime:
        wrong = _wrong_instants(values)
    elif isinstance(spec.type, DataType):
        wrong = _wrong_scalars(values, _reader(spec.type, data))
    else:
        wrong = _wrong_nested(values, spec)
    found: list[InputError] = [
        JsonValueError(data.at(label, row), problem, repr(spec.type)) for row, problem in wrong.items()
    ]
    if found == []:
        return [error]
    no_nulls = spec.required and spec.type in (DataType.boolean, DataType.integer, DataType.long)
    return [*found, NullColumnError(label, repr(spec.type))] if no_nulls and any(map(is_missing, values)) else found


def _reader(kind: DataType, data: Table | CsvTable) -> Callable[[Any], Any]:
    if isinstance(data, CsvTable):
        return lambda values: csv_column(values, kind, "[*]")
    return lambda values: column_from_json(values, kind, "[*]")


def _wrong_scalars(values: Any, read: Callable[[Any], Any]) -> dict[int, str]:
    """The problem of each wrong value by its row: a reader stops at the first one, so it is sent on from there."""
    wrong: dict[int, str] = {}
    start = 0
    while len(wrong) < LISTED:
        try:
            read(values[start:])
        except JsonValueError as error:
            row = start + int(error.place.strip("[]"))
            wrong[row] = error.got
            start = row + 1
        else:
            break
    return wrong


def _wrong_instants(values: Any) -> dict[int, str]:
    given = [None if is_missing(value) else value for value in values]
    texts = pd.Series([value if isinstance(value, str) else None for value in given], dtype=object)
    parsed = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce").isna().to_numpy()
    wrong: dict[int, str] = {}
    for row, value in enumerate(given):
        if value is not None and not isinstance(value, str):
            wrong[row] = "A value that is no text"
        elif isinstance(value, str) and (bool(parsed[row]) or ISO_8601.fullmatch(value) is None):
            wrong[row] = "Text that is no ISO 8601 date or time"
        if len(wrong) == LISTED:
            break
    return wrong


def _wrong_nested(values: Any, spec: ColSpec) -> dict[int, str]:
    wrong: dict[int, str] = {}
    for row, value in enumerate(values):
        cell = np.empty(1, dtype=object)
        cell[0] = value
        try:
            cast_column(cell, spec.type, "", required=False)
        except InputError:
            wrong[row] = "A nested value of another form"
        if len(wrong) == LISTED:
            break
    return wrong

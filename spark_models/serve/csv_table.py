"""CSV as tables: read by pandas, text as text where the signature says so, rows of the header's length only."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from spark_models.bridge.json import column_from_json
from spark_models.errors import DuplicateColumnsError, JsonBodyError, JsonValueError, listed
from spark_models.schema.datatypes import ColumnType, DataType
from spark_models.schema.schema import Schema
from spark_models.serve.body import Body, CsvTable

MISSING = frozenset(
    [
        *("", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan"),
        *("NULL", "null", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    ]
)
"""What stands for a missing value where the signature has a number, boolean or datetime: pandas' own list.
In a text column only the empty field does: 'NA' is a country, 'null' and 'None' are names."""

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?)", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d+")


def parse_csv(text: bytes, schema: Schema | None = None) -> Body:
    """The body of a CSV text with a header, in UTF-8; text, dates and bytes of the schema are left as text.

    Raises:
        JsonBodyError: [JSON_BODY] no header, no UTF-8, or rows that are not as long as the header.
        DuplicateColumnsError: [DUPLICATE_COLUMNS] the header names a column twice.

    >>> parse_csv(b"a,b\\n1,2.5\\n").data.labels
    ('a', 'b')
    """
    (table,) = csv_tables(lambda: io.BytesIO(text), schema, rows=None)
    return Body("csv", table)


def csv_tables(source: Callable[[], BinaryIO], schema: Schema | None, rows: int | None) -> Iterator[CsvTable]:
    """The tables of a CSV text, `rows` rows each, all of them for None; at least one, which may have no rows.

    `source` opens the text from its start. It is called again where rows may be too short: pandas fills these up.

    Raises:
        JsonBodyError: [JSON_BODY], DuplicateColumnsError: [DUPLICATE_COLUMNS] as of `parse_csv`.
    """
    checked = False
    try:
        with _text(source()) as stream:
            header = _header(csv.reader(stream))
            for frame in _frames(stream, header, schema, rows):
                # Rows longer than the header shift their first values into the index, shorter ones miss the last.
                shifted = not isinstance(frame.index, pd.RangeIndex)
                short = not checked and len(frame) > 0 and bool(frame.iloc[:, -1].isna().any())
                if shifted or short:
                    _check_widths(source)
                    checked = True
                yield CsvTable(frame)
    except pd.errors.ParserError as error:
        _check_widths(source)
        detail = "a quoted field has no end" if "EOF inside string" in str(error) else "pandas can't parse it"
        raise JsonBodyError(f"it is no CSV: {detail}", "csv") from None
    except UnicodeDecodeError as error:
        raise JsonBodyError(f"it is not UTF-8 (byte {error.start})", "csv") from None
    except csv.Error as error:
        raise JsonBodyError(f"it is no CSV: {error}", "csv") from None


def _text(stream: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _header(lines: Iterator[list[str]]) -> list[str]:
    names = next((line for line in lines if line != []), None)
    if names is None:
        raise JsonBodyError("the CSV is empty: a header line is expected", "csv")
    header = [name if name != "" else f"Unnamed: {position}" for position, name in enumerate(names)]
    repeated = tuple(name for name, times in Counter(header).items() if times > 1)
    if repeated != ():
        raise DuplicateColumnsError(repeated)
    return header


def _frames(stream: Any, header: list[str], schema: Schema | None, rows: int | None) -> Iterator[pd.DataFrame]:
    options: dict[str, Any] = {}
    if schema is not None and not schema.is_tensor_spec():
        kinds = _kinds(schema, header)
        texts = [name for name, kind in kinds.items() if not _is_number(kind)]
        options["dtype"] = dict.fromkeys(texts, str)
        strings = [name for name in texts if kinds[name] is DataType.string]
        if strings != []:
            # pandas has no way to keep its list for the other columns than to name them all.
            missing = {name: [""] if name in strings else list(MISSING) for name in header}
            options.update(na_values=missing, keep_default_na=False)
    frames = pd.read_csv(
        stream,
        header=None,
        names=header,
        low_memory=False,  # else it types a column piece by piece
        float_precision="round_trip",  # the default is a digit off at times
        chunksize=rows,
        **options,
    )
    if rows is None:
        yield frames
    else:
        yield from frames


def _kinds(schema: Schema, header: list[str]) -> dict[str, ColumnType]:
    names = schema.input_names() if schema.has_input_names() else header
    return {name: spec.type for name, spec in zip(names, schema.columns, strict=False) if name in header}


def _is_number(kind: ColumnType) -> bool:
    return isinstance(kind, DataType) and kind.is_numeric


def _check_widths(source: Callable[[], BinaryIO]) -> None:
    """Raises JsonBodyError [JSON_BODY] if rows have more or fewer fields than the header; names the first ones."""
    with _text(source()) as stream:
        lines = (line for line in csv.reader(stream) if line != [])
        width = len(next(lines, []))
        ragged = [row for row, line in enumerate(lines) if len(line) != width]
    if ragged != []:
        problem = f"rows {listed(ragged)} of the CSV have not {width} fields, one a column"
        raise JsonBodyError(problem, "csv, its rows counted from 0 after the header")


def csv_column(values: Any, kind: ColumnType, place: str) -> Any:
    """A column that pandas read, as what `bind.casts` takes for the declared type.

    Numbers are widened and narrowed as JSON's are; text, dates, bytes and booleans come as text and are read from it.

    Raises:
        JsonValueError: [JSON_VALUE] a value that is none of the type, or out of its range.
    """
    if _is_number(kind) and isinstance(kind, DataType):
        return _numbers(values, kind, place)
    texts = [None if value != value or value is None else value for value in values]  # noqa: PLR0124 - NaN is not itself
    if kind is DataType.boolean:
        texts = [text if text is None else _BOOLEANS.get(text, text) for text in texts]
    return column_from_json(texts, kind, place, text=True)


def _numbers(values: Any, kind: DataType, place: str) -> Any:
    if values.dtype == object:
        return _numbers(_parsed(values, kind, place), kind, place) if len(values) > 0 else values
    if kind in (DataType.double, DataType.float) and values.dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            made = values.astype(kind.to_numpy())
        _refuse_first(np.isinf(made) & np.isfinite(values), "A number out of range", kind, place)
        return made
    if values.dtype.kind in "iu":
        limit = np.iinfo(kind.to_numpy())
        _refuse_first((values < limit.min) | (values > limit.max), "An integer out of range", kind, place)
        return values.astype(kind.to_numpy())
    if values.dtype.kind == "f":
        # Integers with gaps are such a column too: whether gaps are allowed is for `cast_column` to say.
        _refuse_first(np.isfinite(values) & (values != np.floor(values)), "A number with a fraction", kind, place)
    return values


def _refuse_first(wrong: Any, problem: str, kind: DataType, place: str) -> None:
    if bool(wrong.any()):
        raise _wrong(problem, kind, place, int(wrong.argmax()))


def _wrong(problem: str, kind: DataType, place: str, row: int) -> JsonValueError:
    return JsonValueError(place.replace("[*]", f"[{row}]", 1), problem, kind.value)


def _parsed(values: Any, kind: DataType, place: str) -> Any:
    """Numbers of a column that pandas left as text: some of it is no number, or has more than 64 bits."""
    whole = kind in (DataType.integer, DataType.long)
    form, read = (_INTEGER, int) if whole else (_NUMBER, float)
    limit = np.iinfo("int64")
    numbers: list[Any] = []
    for row, value in enumerate(values):
        text = value.strip() if isinstance(value, str) else ""
        number = None if text == "" else read(text) if form.fullmatch(text) is not None else text
        if isinstance(number, str):
            problem = "A number with a fraction" if _NUMBER.fullmatch(text) is not None else "Text"
            raise _wrong(problem, kind, place, row)
        if whole and number is not None and not limit.min <= number <= limit.max:
            raise _wrong("An integer out of range", kind, place, row)
        numbers.append(number)
    if whole and None not in numbers:
        return np.array(numbers, dtype="int64")
    return np.array([np.nan if number is None else number for number in numbers], dtype="float64")

"""Whole files as batches of a model's input: CSV, JSON, JSON lines and Parquet."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO

from spark_models.bind.enforce import Enforcer, as_frame
from spark_models.errors import InvalidArgumentError, JsonBodyError, UnsupportedInputError
from spark_models.schema.schema import Schema
from spark_models.serve.body import TENSOR_FORMS, Table, parse_json, records_table
from spark_models.serve.csv_table import csv_tables
from spark_models.serve.payload import PayloadBinder
from spark_models.serve.strict_json import loads

BATCH_ROWS = 65_536

ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""The content type that a file's ending says."""

CONTENT_TYPES = ("csv", "json", "jsonl", "parquet")

_BLANK = (b"", b"\xef\xbb\xbf")

Source = str | os.PathLike[str] | BinaryIO
"""The path of a file, or an open binary stream such as standard input, which is read whole."""


def content_type_of(path: str | os.PathLike[str], default: str = "json") -> str:
    """The content type by a file's ending, upper or lower case; `default` where it says nothing.

    >>> content_type_of("rows.CSV"), content_type_of("-")
    ('csv', 'json')
    """
    return ENDINGS.get(os.path.splitext(os.fspath(path))[1].lower(), default)


def read_batches(
    source: Source,
    content_type: str,
    schema: Schema | None,
    *,
    orient: str | None = None,
    rows: int | None = BATCH_ROWS,
    place: str = "",
) -> Iterator[Any]:
    """The model's input, batch by batch and at least one: bound to `schema`, for `PyFuncModel.predict_bound`.

    | content type | batches |
    | --- | --- |
    | csv, jsonl | of `rows` rows; one where there is no schema, so that all of them get the same types |
    | json | one; in the orientation `orient`, or the one that it has; tensors, for a schema of tensors |
    | parquet | of at most `rows` rows, bound as data that has types: nothing is cast that may lose values |

    A tensor schema whose first axis is fixed gets all rows at once, as `rows=None` does for any. `place` names the
    model in errors.

    Raises:
        InputError: the data can't be read, does not fit, or holds tensors where the schema has columns, or none.
        InvalidArgumentError: [INVALID_ARGUMENT] the content type is unknown.
    """
    size = rows if schema is not None and len(schema) > 0 and not schema.has_fixed_axis() else None
    if content_type == "csv":
        yield from map(PayloadBinder(schema, place), csv_tables(_opener(source), schema, size))
    elif content_type == "jsonl":
        yield from map(PayloadBinder(schema, place), _line_tables(_opener(source)(), size))
    elif content_type == "json":
        body = parse_json(_content(source), orient)
        if body.form in TENSOR_FORMS and (schema is None or not schema.is_tensor_spec()):
            raise UnsupportedInputError(f"a body of tensors ({body.form!r})", "a table in split or records orientation")
        if body.params is not None:
            raise JsonBodyError("a file holds rows, and no 'params' of a call", "$.params")
        yield PayloadBinder(schema, place)(body.data)
    elif content_type == "parquet":
        typed = schema is None or not schema.has_fixed_axis()
        yield from _parquet_batches(source, schema, rows if typed else None, place)
    else:
        raise InvalidArgumentError(f"The content type {content_type!r} is unknown", f"use one of {list(CONTENT_TYPES)}")


def _content(source: Source) -> bytes:
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as stream:
            return stream.read()
    return source.read()


def _opener(source: Source) -> Callable[[], BinaryIO]:
    """Opens the source from its start, as often as it is called."""
    if isinstance(source, (str, os.PathLike)):
        path = source
        return lambda: open(path, "rb")
    content = source.read()
    return lambda: io.BytesIO(content)


def _line_tables(stream: BinaryIO, rows: int | None) -> Iterator[Table]:
    """Tables of JSON objects, one a line; blank lines are skipped."""
    with stream:
        lines = ((number, line) for number, line in enumerate(stream, 1) if line.strip() not in _BLANK)
        records = (loads(line.rstrip(), f"line {number}") for number, line in lines)
        first = 0
        while True:
            batch = list(islice(records, rows))
            if batch == [] and first > 0:
                return
            yield replace(records_table(batch, "$"), first=first)
            if rows is None or len(batch) < rows:
                return
            first += len(batch)


def _parquet_batches(source: Source, schema: Schema | None, rows: int | None, place: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    enforce = None if schema is None or len(schema) == 0 else Enforcer(schema, place)
    stream = source if isinstance(source, (str, os.PathLike)) else pa.BufferReader(_content(source))
    try:
        with pq.ParquetFile(stream) as file:
            names = file.schema_arrow.names
            # A dot makes a name the path of a nested field: then all columns are read.
            wanted = [] if schema is None else [name for name in schema.input_names() if name in names]
            columns = wanted if wanted != [] and not any("." in name for name in wanted) else None
            given = 0
            size = max(file.metadata.num_rows, 1) if rows is None else rows
            for batch in file.iter_batches(batch_size=size, columns=columns):
                given += 1
                frame = as_frame(batch, Schema([]))
                yield frame if enforce is None else enforce(frame)
            if given == 0:
                frame = as_frame(file.schema_arrow.empty_table(), Schema([]))
                yield frame if enforce is None else enforce(frame)
    except pa.ArrowInvalid as error:
        raise JsonBodyError("it is no Parquet file, or a damaged one") from error

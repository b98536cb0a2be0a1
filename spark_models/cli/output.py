"""Predictions as a file: JSON, JSON lines, CSV or Parquet, put in place when all of it is written."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from spark_models.coerce.output import output_columns
from spark_models.errors import RowCountError, UnsupportedOutputError
from spark_models.serve.answers import answer_value
from spark_models.serve.files import content_type_of
from spark_models.serve.strict_json import dumps

IN_MEMORY = 16 * 1024 * 1024
"""Bytes for standard output that are kept in memory; more go to a temporary file."""


class Output(Protocol):
    """What takes the predictions of one batch after the other."""

    def write(self, output: Any, rows: int) -> None:
        """Adds a model's output for `rows` rows."""

    def end(self) -> None:
        """Writes what is still to be written."""


@contextlib.contextmanager
def open_output(path: str) -> Iterator[Output]:
    """An output to the file `path`, in the format of its ending, or as JSON to standard output for "-".

    Nothing is to be seen of it before the block ends, and after an error nothing at all.
    """
    with _whole(path) as stream:
        kind = content_type_of(path)
        output: Output
        if kind == "csv":
            output = CsvOutput(stream)
        elif kind == "parquet":
            output = ParquetOutput(stream)
        else:
            output = LinesOutput(stream) if kind == "jsonl" else JsonOutput(stream)
        yield output
        output.end()


@contextlib.contextmanager
def _whole(path: str) -> Iterator[BinaryIO]:
    if path == "-" or (os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)):
        # A device or pipe can't be replaced: it gets everything at the end.
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as stream:
            yield stream  # type: ignore[misc] # typeshed's SpooledTemporaryFile is no BinaryIO
            stream.seek(0)
            if path == "-":
                shutil.copyfileobj(stream, sys.stdout.buffer)
                sys.stdout.flush()
            else:
                with open(path, "wb") as target:
                    shutil.copyfileobj(stream, target)
        return
    final = os.path.realpath(path)
    folder, name = os.path.split(final)
    stage = os.path.join(folder, f".{name}.{os.getpid()}")
    try:
        with open(stage, "xb") as stream:
            yield stream
        os.replace(stage, final)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(stage)


class JsonOutput:
    """One JSON text: a list of all predictions; what is no list, as a dict of lists, is joined at the end.

    Several batches can be joined only where each row has a prediction: then too few or too many are an error.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held: Any = None
        self._batches = 0
        self._rows = 0
        self._items = 0

    def write(self, output: Any, rows: int) -> None:
        """Adds a model's output."""
        value = answer_value(output)
        if isinstance(value, list) and self._held is None:
            items = dumps(value)[1:-1]
            if items != b"":
                self._stream.write((b"[" if self._items == 0 else b",") + items)
            self._items += len(value)
        elif self._batches == 0:
            self._held = value
        else:
            self._held = _joined(self._held, value)
        self._batches += 1
        self._rows += rows
        self._check()

    def _check(self) -> None:
        if self._held is None and self._batches > 1 and self._items != self._rows:
            raise RowCountError(self._rows, self._items)

    def end(self) -> None:
        """Writes what was held, or closes the list."""
        if self._held is not None:
            self._stream.write(dumps(self._held))
        else:
            self._stream.write(b"[]" if self._items == 0 else b"]")
        self._stream.write(b"\n")


def _joined(left: Any, right: Any) -> dict[str, Any]:
    same = isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys()
    if not same or not all(isinstance(value, list) for value in [*left.values(), *right.values()]):
        raise UnsupportedOutputError("neither a list nor a dict of the same lists in each batch")
    return {name: [*left[name], *right[name]] for name in left}


class LinesOutput:
    """JSON lines: one prediction a line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, output: Any, rows: int) -> None:
        """Adds a model's output, which must be one prediction a row."""
        value = answer_value(output)
        if isinstance(value, dict):
            value = [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
        for item in value:
            self._stream.write(dumps(item) + b"\n")

    def end(self) -> None:
        """Nothing is left to write."""


def prediction_frame(output: Any, rows: int) -> Any:
    """A model's output for `rows` rows as a DataFrame; its only column is "prediction" where the model names none.

    Raises:
        RowCountError: [ROW_COUNT], UnsupportedOutputError: [UNSUPPORTED_OUTPUT] the output is no column of predictions.
    """
    import pandas as pd

    columns = output_columns(output, rows).columns
    named = isinstance(output, dict) or hasattr(output, "columns")
    series_name = getattr(output, "name", None)
    labels = [column.name for column in columns]
    if not named and len(columns) == 1:
        labels = ["prediction" if series_name is None else str(series_name)]
    frame = pd.DataFrame(dict(enumerate(column.values for column in columns)))
    frame.columns = pd.Index(labels)
    return frame


class CsvOutput:
    """CSV with a header; a missing value is an empty field."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._header = True

    def write(self, output: Any, rows: int) -> None:
        """Adds a model's output."""
        text = prediction_frame(output, rows).to_csv(index=False, header=self._header)
        self._stream.write(text.encode())
        self._header = False

    def end(self) -> None:
        """Writes the header that no batch has written."""
        if self._header:
            self._stream.write(b"prediction\n")


class ParquetOutput:
    """Parquet. Predictions are small beside the rows: they are held until the last one says which types they have."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._tables: list[Any] = []

    def write(self, output: Any, rows: int) -> None:
        """Adds a model's output."""
        import pyarrow as pa

        self._tables.append(pa.Table.from_pandas(prediction_frame(output, rows), preserve_index=False))

    def end(self) -> None:
        """Writes the file.

        Raises:
            UnsupportedOutputError: [UNSUPPORTED_OUTPUT] batches gave columns of types that don't go together.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = self._tables if self._tables != [] else [pa.table({"prediction": pa.array([], pa.float64())})]
        try:
            whole = pa.concat_tables(tables, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UnsupportedOutputError("columns of other types in one batch than in another") from error
        sink = pa.BufferOutputStream()
        pq.write_table(whole, sink)
        self._stream.write(sink.getvalue())

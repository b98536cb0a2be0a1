"""Bodies and answers that have types: Arrow IPC streams and Parquet files."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from spark_models.bind.enforce import Enforcer, as_frame
from spark_models.errors import JsonBodyError, UnsupportedOutputError
from spark_models.schema.schema import Schema

ARROW_STREAM = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
PARQUET_NAMES = (PARQUET, "application/x-parquet", "application/parquet")
"""The registered name of Parquet, and those that were used before there was one."""

MOST_EXPANSION = 64
"""How many times larger than the body its columns may be: compressed columns of one value expand without end."""

LEAST_LIMIT = 64 * 1024 * 1024


def read_frame(body: bytes, media: str, schema: Schema | None, place: str = "") -> Any:
    """The model's input: the table's columns bound as data that has types, so nothing is cast that may lose values.

    Raises:
        JsonBodyError: [JSON_BODY] the bytes are no such table, or one that is far larger than they are.
        InputError: the columns don't fit `schema`.
    """
    table = _read(body, media)
    if schema is None or len(schema) == 0:
        return as_frame(table, Schema([]))
    return Enforcer(schema, place)(table)


def _read(body: bytes, media: str) -> pa.Table:
    named = "Arrow stream" if media == ARROW_STREAM else "Parquet file"
    limit = max(LEAST_LIMIT, MOST_EXPANSION * len(body))
    try:
        if media == PARQUET:
            file = pq.ParquetFile(io.BytesIO(body))
            groups = [file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups)]
            if sum(groups) > limit:
                raise _too_large(named)
            return _of_batches(file.schema_arrow, file.iter_batches(), limit, named)
        with pa.ipc.open_stream(body) as reader:
            return _of_batches(reader.schema, reader, limit, named)
    except JsonBodyError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        # Arrow's text may hold what stands in the file.
        raise JsonBodyError(f"it is no {named} ({type(error).__name__})", "body") from None


def _of_batches(schema: pa.Schema, batches: Any, limit: int, named: str) -> pa.Table:
    kept: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > limit:
            raise _too_large(named)
        batch.validate(full=True)
        kept.append(batch)
    # A name that is no UTF-8 is found only when it is read.
    _ = schema.names
    return pa.Table.from_batches(kept, schema)


def _too_large(named: str) -> JsonBodyError:
    return JsonBodyError(f"the {named} holds more than {MOST_EXPANSION} times its bytes", "body")


def write_output(output: Any, media: str) -> bytes:
    """The output as one table: a DataFrame's columns, a dict's, or one column "predictions"; two axes are lists.

    Raises:
        UnsupportedOutputError: [UNSUPPORTED_OUTPUT] it makes no table.
    """
    table = _table(output)
    sink = io.BytesIO()
    if media == PARQUET:
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def _table(output: Any) -> pa.Table:
    try:
        if isinstance(output, (pa.Table, pa.RecordBatch)):
            return pa.Table.from_batches([output]) if isinstance(output, pa.RecordBatch) else output
        if isinstance(output, pd.DataFrame):
            labels = [str(label) for label in output.columns]
            columns = [pa.Array.from_pandas(output.iloc[:, at]) for at in range(len(labels))]
            return pa.Table.from_arrays(columns, labels)
        if isinstance(output, pd.Series):
            name = "predictions" if output.name is None else str(output.name)
            return pa.Table.from_arrays([pa.Array.from_pandas(output)], [name])
        named = output if isinstance(output, dict) else {"predictions": output}
        return pa.table({str(name): _column(values) for name, values in named.items()})
    except (pa.ArrowException, ValueError, TypeError):
        raise UnsupportedOutputError(f"a {type(output).__name__} that makes no table") from None


def _column(values: Any) -> Any:
    dense = values.toarray() if hasattr(values, "toarray") else values
    if hasattr(dense, "ndim"):
        return pa.array(dense if dense.ndim == 1 else dense.tolist())
    if not isinstance(dense, (list, tuple)):
        raise TypeError("one value makes no column")
    return pa.array(dense)

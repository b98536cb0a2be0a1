"""A batch's columns as bytes, and back as the very values that the worker had.

Arrow columns go as they are. pandas columns go as Arrow columns where Arrow keeps every value: numbers, times, texts,
bytes, and arrays of these. Other cells, such as structs and maps, which pandas both has as dicts, go pickled: as plain
Python values, which every version of Python, numpy and pandas reads alike.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from spark_models.bridge.pandas import column_array, value_kind
from spark_models.scoring.incoming import ArrowBatch, PandasBatch
from spark_models.scoring.plan import plain_cells

Facts = dict[str, Any]

ARROW = "arrow"
ARRAYS = "arrays"
PICKLED = "pickled"
_PICKLE_PROTOCOL = 4
_TEXTS = {"string": pa.string(), "bytes": pa.binary()}


def pack_batch(batch: ArrowBatch | PandasBatch) -> tuple[Facts, list[Any]]:
    """A batch as facts that go as JSON, and as buffers: an Arrow stream, then each pickled column."""
    if isinstance(batch, ArrowBatch):
        stream = pack_arrays(batch.columns)
        return {"sizes": [stream.size]}, [stream]
    structs = [_field_names(column) for column in batch.columns]
    packed = [_packed(values) for column in batch.columns for values in _arrays(column)]
    stream = pack_arrays([item for _, item in packed if isinstance(item, pa.Array)])
    buffers = [stream, *[item for _, item in packed if not isinstance(item, pa.Array)]]
    sizes = [memoryview(buffer).nbytes for buffer in buffers]
    return {"sizes": sizes, "structs": structs, "forms": [form for form, _ in packed]}, buffers


def unpack_batch(facts: Facts, payload: bytearray) -> ArrowBatch | PandasBatch:
    """The batch of `pack_batch`."""
    buffers = []
    whole = memoryview(payload)
    for size in facts["sizes"]:
        buffers.append(whole[:size])
        whole = whole[size:]
    arrays = unpack_arrays(buffers[0])
    if "forms" not in facts:
        return ArrowBatch(arrays)
    pickled = iter(buffers[1:])
    arrow = iter(arrays)
    values = iter([_unpacked(form, arrow, pickled) for form in facts["forms"]])
    columns: list[Any] = []
    for names in facts["structs"]:
        if names is None:
            columns.append(pd.Series(next(values), copy=False))
            continue
        frame = pd.DataFrame({at: pd.Series(next(values), copy=False) for at in range(len(names))}, copy=False)
        frame.columns = pd.Index(names)
        columns.append(frame)
    return PandasBatch(columns)


def pack_arrays(arrays: Sequence[pa.Array]) -> pa.Buffer:
    """Arrow arrays of one length as an Arrow stream of one batch."""
    batch = pa.RecordBatch.from_arrays(list(arrays), [str(position) for position in range(len(arrays))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def unpack_arrays(payload: Any) -> list[pa.Array]:
    """The arrays of `pack_arrays`, as views of the payload."""
    with pa.ipc.open_stream(pa.py_buffer(payload)) as reader:
        return list(reader.read_next_batch().columns)


def _field_names(column: Any) -> list[str] | None:
    return [str(name) for name in column.columns] if isinstance(column, pd.DataFrame) else None


def _arrays(column: Any) -> list[Any]:
    if isinstance(column, pd.DataFrame):
        return [column_array(column.iloc[:, at]) for at in range(column.shape[1])]
    return [column_array(column)]


def _packed(values: Any) -> tuple[str, Any]:
    """The form of a column's values, and an Arrow array or bytes."""
    if not isinstance(values, np.ndarray):
        # Rare: Spark gives numpy columns, but for nullable integers in structs.
        return str(values.dtype), pickle.dumps(values.astype(object).tolist(), _PICKLE_PROTOCOL)
    if values.dtype != object:
        return ARROW, pa.array(values, from_pandas=False)
    try:
        kind = _TEXTS.get(value_kind(values))
        if kind is not None:
            return ARROW, pa.array(values, kind, from_pandas=False)
        if _leaf_types(values) not in (set(), {"object"}):
            return ARRAYS, pa.array(list(values), from_pandas=False)
    except (pa.ArrowException, UnicodeError, TypeError):
        pass  # NaN among texts, or half a surrogate pair
    return PICKLED, pickle.dumps(plain_cells(values).tolist(), _PICKLE_PROTOCOL)


def _leaf_types(cells: Any) -> set[str]:
    """The dtype of the arrays at the bottom of nested ones; {"object"} where a cell is none, or they differ."""
    found: set[str] = set()
    for cell in cells:
        if isinstance(cell, np.ndarray):
            found |= _leaf_types(cell) if cell.dtype == object else {str(cell.dtype)}
        elif cell is not None:
            found.add("object")
        if len(found) > 1 or "object" in found:
            return {"object"}
    return found


def _unpacked(form: str, arrow: Any, pickled: Any) -> Any:
    if form == ARROW:
        return next(arrow).to_numpy(zero_copy_only=False)
    if form == ARRAYS:
        return next(arrow).to_pandas().to_numpy()
    cells = pickle.loads(next(pickled))  # noqa: S301 - the worker's own bytes
    if form == PICKLED:
        return np.fromiter(cells, dtype=object, count=len(cells))
    return pd.array(cells, dtype=form)

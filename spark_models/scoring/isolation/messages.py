"""What a worker and its model process say to each other: a header in JSON, and bytes.

| worker | process |
| --- | --- |
| (starts it) | `{}`: it has imported what it needs |
| `use`, with a pickled `BatchScorer` | `{"loads", "load_seconds"}`: the model is loaded |
| `batch`, with columns | `{}` |
| `score` of rows `start` to `stop` of the batch | `{"seconds"}`, with an Arrow stream of one column |

In place of an answer there may be `{"error"}`. A frame is two lengths, the header and the bytes. What the process says
is never unpickled: errors come back by their name and facts.
"""

from __future__ import annotations

import builtins
import json
import struct
import traceback
from collections.abc import Callable
from typing import Any

from spark_models import errors
from spark_models.errors import SparkModelsError

_LENGTHS = struct.Struct(">IQ")
HEAD_BYTES = _LENGTHS.size

Header = dict[str, Any]
Read = Callable[[int], bytearray]
"""Gives exactly so many bytes, or raises."""


def frame(header: Header, payload_bytes: int) -> bytes:
    """The bytes before a payload of that length."""
    text = json.dumps(header).encode()
    return _LENGTHS.pack(len(text), payload_bytes) + text


def read_frame(read: Read) -> tuple[Header, bytearray]:
    """The next header and its payload."""
    header_bytes, payload_bytes = _LENGTHS.unpack(read(HEAD_BYTES))
    return json.loads(read(header_bytes)), read(payload_bytes)


def error_facts(error: BaseException) -> Header:
    """An error as JSON: ours by name and facts; another by its type, text and the stack of the model's process."""
    if isinstance(error, SparkModelsError):
        return {"ours": _packed(error)}
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {"type": type(error).__name__, "text": "".join(lines)}


def raised(facts: Header) -> Exception:
    """The error of `error_facts`, to be raised here.

    What a model raises is a RuntimeError with the text of the original. Running out of memory stays a MemoryError, for
    which no row is to blame.
    """
    if "ours" in facts:
        unpacked = _unpacked(facts["ours"])
        if isinstance(unpacked, SparkModelsError):
            return unpacked
    kind = MemoryError if facts.get("type") == MemoryError.__name__ else RuntimeError
    return kind(f"{facts.get('type')} in the model's own process:\n{facts.get('text')}")


def _packed(value: Any) -> Any:
    """A fact of an error as JSON. A tuple has a form of its own: facts are hashed and compared as such."""
    if isinstance(value, SparkModelsError):
        return {"error": type(value).__name__, "facts": [_packed(item) for item in value.args]}
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [_packed(item) for item in value]}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "error" in value:
        kind = getattr(errors, str(value["error"]), None)
        if isinstance(kind, type) and issubclass(kind, SparkModelsError):
            return kind(*[_unpacked(item) for item in value["facts"]])
    for name in ("tuple", "list"):
        if name in value:
            return getattr(builtins, name)(_unpacked(item) for item in value[name])
    return value

"""JSON as RFC 8259 has it: no NaN, no Infinity, no key twice, bounded depth; in UTF-8."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import numpy as np

from spark_models.errors import JsonBodyError

try:
    import orjson
except ImportError:  # it comes with the extra `serve`; without it the same is read and written, slower
    orjson = None  # type: ignore[assignment]

MAX_DEPTH = 64
"""How deep lists and objects of a body may be nested: what reads them later may be recursive."""


class _NotStrictError(ValueError):
    """What the decoder's hooks raise: they know the problem, but not of which text."""


def _refuse_constant(token: str) -> NoReturn:
    raise _NotStrictError(f"{token} is no JSON; write null for a missing number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        # Which key is not said: in a nested value it is a row's data, as in a map of customers.
        raise _NotStrictError("an object has a key twice")
    return made


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads_numbers(text: str | bytes, place: str = "") -> Any:
    """As `loads`, faster where orjson is installed; an integer beyond 64 bits may come out as a float.

    orjson takes a key that stands twice, so its value counts only where the text has no more colons than the value
    has keys, those of the outer two levels: then no key can have been lost. Whatever it refuses, `loads` reads anew.

    Raises:
        JsonBodyError: [JSON_BODY] as of `loads`.

    >>> loads_numbers(b'{"columns": ["a"], "data": [[1]]}')
    {'columns': ['a'], 'data': [[1]]}
    """
    if orjson is not None and isinstance(text, bytes):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return loads(text, place)
        if text.count(b":") == _keys(value):
            return value
    return loads(text, place)


def _keys(value: Any) -> int:
    """The keys of a value's objects: of itself, and of those that it holds directly."""
    inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    own = len(value) if isinstance(value, dict) else 0
    return own + sum(len(item) for item in inner if type(item) is dict)


def loads(text: str | bytes, place: str = "") -> Any:
    """The value of a JSON text; bytes are UTF-8, with or without a byte order mark. `place` names the text in errors.

    A number too large for a double comes out as infinity: the casts look for it, where they look at the values anyway.

    Raises:
        JsonBodyError: [JSON_BODY] it is no JSON, has NaN or a key twice, is nested too deep, or is no UTF-8.

    >>> loads(b'{"a": [1, null]}')
    {'a': [1, None]}
    """
    try:
        return _decoder.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        line = [f"line {error.lineno}"] if place == "" or error.lineno > 1 else []
        at = ", ".join([*filter(None, [place]), *line, f"column {error.colno}"])
        raise JsonBodyError(f"it is no JSON ({error.msg})", at) from None
    except UnicodeDecodeError as error:
        raise JsonBodyError(f"it is not UTF-8 (byte {error.start})", place) from None
    except RecursionError:
        raise too_deep(place) from None
    except _NotStrictError as error:
        raise JsonBodyError(str(error), place) from None
    except ValueError:
        # Python refuses to read integers of thousands of digits.
        raise JsonBodyError("it has an integer of too many digits", place) from None


def too_deep(place: str) -> JsonBodyError:
    """The error of a value that is nested deeper than `MAX_DEPTH`."""
    return JsonBodyError(f"it is nested deeper than {MAX_DEPTH} levels", place)


def check_depth(value: Any, place: str, limit: int = MAX_DEPTH) -> None:
    """Raises JsonBodyError [JSON_BODY] if lists and objects are nested deeper than `limit`; looks level by level."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for item in level
            if isinstance(item, (list, dict))
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, (list, dict))
        ]
        if level == []:
            return
    raise too_deep(place)


def dumps(value: Any) -> bytes:
    """JSON of plain values, compact, in UTF-8; half a surrogate pair is written as its escape.

    Raises:
        ValueError: the value holds NaN or an infinity: `bridge.json.json_value` makes them null.

    >>> dumps([1.5, None, "é"]).decode()
    '[1.5,null,"é"]'
    """
    return _encoder.encode(value).encode("utf-8", "backslashreplace")


def dumps_finite(value: Any) -> bytes:
    """As `dumps`, faster where orjson is installed, of a value that is known to hold no NaN and no infinity.

    >>> dumps_finite({"a": 1})
    b'{"a":1}'
    """
    if orjson is not None:
        try:
            return orjson.dumps(value)
        except TypeError:
            pass  # an integer beyond 64 bits, half a surrogate pair, or deeper than orjson goes
    return dumps(value)


def dumps_numbers(array: np.ndarray[Any, Any]) -> bytes | None:
    """A dense array of numbers or booleans, written without a list of them, NaN as null; None for any other array."""
    if orjson is None or array.ndim == 0 or array.dtype.str not in ("<f8", "<i8", "<i4", "|b1"):
        return None
    return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)

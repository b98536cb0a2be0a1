"""JSON as RFC 8259 has it: no NaN, no Infinity, no key twice, bounded depth; in UTF-8."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from spark_models.errors import JsonBodyError

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

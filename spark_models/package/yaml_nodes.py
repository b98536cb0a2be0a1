"""The YAML node of a value: what has a plain form is written in it, anything else is an error that tells its place.

Every node is new, so a value that occurs twice is written twice and the text has no aliases.
"""

from __future__ import annotations

import math
from base64 import encodebytes
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from enum import Enum
from pathlib import PurePath
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spark_models.errors import InvalidYamlError
from spark_models.package.yaml_compose import MAX_DEPTH, MAX_DIGITS, MAX_NODES, TAG, shortened

# The place of a value: (the place of its container, its key or index); None at the root.
Place = tuple[Any, object] | None

_NULL = TAG + "null"
_BOOL = TAG + "bool"
_INT = TAG + "int"
_FLOAT = TAG + "float"
_STR = TAG + "str"
_TIMESTAMP = TAG + "timestamp"
_BINARY = TAG + "binary"


class Writer:
    """Makes the nodes of one document; counts them."""

    def __init__(self) -> None:
        self.nodes = 0

    def node(self, given: object, place: Place = None, depth: int = 0) -> Node:
        """The node of a value that has `depth` containers around it.

        Raises:
            InvalidYamlError: [INVALID_YAML] it has no plain form, or is too deep or too large to be read again.
        """
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise unwritable(f"there are more than {MAX_NODES} values", place)
        value = plain(given, place)
        if not isinstance(value, (Mapping, list)):
            return _scalar(value, place)
        if depth == MAX_DEPTH:
            raise unwritable(f"it is nested deeper than {MAX_DEPTH} levels", place)
        if isinstance(value, list):
            return self._list(value, place, depth + 1)
        return self._map(value, place, depth + 1)

    def _list(self, items: list[Any], place: Place, depth: int) -> Node:
        nodes = [self.node(item, (place, index), depth) for index, item in enumerate(items)]
        return SequenceNode(TAG + "seq", nodes, flow_style=False)

    def _map(self, items: Mapping[Any, Any], place: Place, depth: int) -> Node:
        pairs = []
        seen = set()
        for given, item in items.items():
            inner = (place, given)
            key = plain(given, inner)
            if isinstance(key, (Mapping, list)):
                raise unwritable("a key has to be a plain scalar", inner)
            if key in seen:
                raise unwritable("two keys have the same plain form", inner)
            seen.add(key)
            self.nodes += 1
            pairs.append((_scalar(key, inner), self.node(item, inner, depth)))
        return MappingNode(TAG + "map", pairs, flow_style=False)


def plain(value: Any, place: Place) -> Any:
    """The value as str, bool, int, float, None, datetime, date, bytes, list or a mapping; contents as they are."""
    kind = type(value)
    if kind in (str, dict, list, int, bool, float) or value is None:
        return value
    if isinstance(value, Enum):
        return plain(value.value, place)
    # The base's own conversion: a subclass may show itself as something else.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):
        # pandas' NaT is a datetime, and like NaN it is not equal to itself.
        return value if value == value else None  # noqa: PLR0124
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Sequence) and not isinstance(value, memoryview):
        return list(value)
    return _numpy_scalar(value, place)


def _numpy_scalar(value: Any, place: Place) -> Any:
    """What a numpy scalar holds, told by its attributes: numpy is not imported for this."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind in ("b", "i", "u", "f", "M") and getattr(value, "shape", None) == ():
        item = value.item()
        if kind == "M" and isinstance(item, int):
            # item() of a datetime64 finer than a microsecond is a count; so is one of a year that datetime has not.
            item = value.astype("datetime64[us]").item()
            if isinstance(item, int):
                raise unwritable("a datetime64 is out of the range of datetime", place)
        # item() of a long double is itself.
        return plain(float(item) if kind == "f" else item, place)
    name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise unwritable(f"a value of type {name} has no plain form", place)


def _scalar(value: Any, place: Place) -> Node:
    if isinstance(value, str):
        return ScalarNode(_STR, _encodable(value, place))
    if value is None:
        return ScalarNode(_NULL, "null")
    if isinstance(value, bool):
        return ScalarNode(_BOOL, "true" if value else "false")
    if isinstance(value, int):
        return ScalarNode(_INT, _digits(value, place))
    if isinstance(value, float):
        return ScalarNode(_FLOAT, _decimal(value))
    if isinstance(value, bytes):
        return ScalarNode(_BINARY, encodebytes(value).decode("ascii"), style="|")
    return ScalarNode(_TIMESTAMP, _moment(value, place))


def _encodable(text: str, place: Place) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise unwritable("a text has a lone surrogate, which is no character", place) from error
    return text


def _digits(value: int, place: Place) -> str:
    try:
        text = str(value)
    except ValueError as error:
        raise unwritable("an integer has too many digits", place) from error
    if len(text) > MAX_DIGITS:
        raise unwritable("an integer has too many digits", place)
    return text


def _decimal(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # YAML 1.1 asks for a point: `1e+17` would be read as text.
    return text if "." in text else text.replace("e", ".0e", 1)


def _moment(value: Any, place: Place) -> str:
    """ISO 8601; an offset with seconds, which YAML has no form for, becomes UTC."""
    if not isinstance(value, datetime):
        return value.isoformat()  # type: ignore[no-any-return]
    offset = value.utcoffset()
    if offset is None or offset.total_seconds() % 60 == 0:
        # The base's own form: pandas' has nanoseconds.
        return datetime.isoformat(value)
    try:
        return datetime.isoformat(value.astimezone(timezone.utc))
    except OverflowError as error:
        raise unwritable("a time can't be told in UTC", place) from error


def unwritable(problem: str, place: Place) -> InvalidYamlError:
    """The error of a value that can't be written, with the path to it from the root `$`."""
    steps = []
    while place is not None:
        place, key = place
        steps.append(f"[{key}]" if type(key) is int else f".{shortened(str(key))}")
    return InvalidYamlError("the value to write at " + shortened("$" + "".join(reversed(steps))), None, problem)

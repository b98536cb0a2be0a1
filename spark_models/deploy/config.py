"""The configuration of a target: a dataclass whose fields are the keys, read from text or typed values."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from spark_models.errors import InvalidConfigError, listed, renames

T = TypeVar("T")

_TRUE, _FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


def option(default: Any, text: str) -> Any:
    """A key of a configuration: its default and what `target_help` says of it."""
    return dataclasses.field(default=default, metadata={"help": text})


def mapping(text: str) -> Any:
    """A key whose value is an object, empty by default."""
    return dataclasses.field(default_factory=dict, metadata={"help": text})


def needed(text: str) -> Any:
    """A key without a default."""
    return dataclasses.field(metadata={"help": text})


def read_config(kind: type[T], given: Mapping[str, Any] | None, target: str) -> T:
    """A configuration of the class `kind`; text is read as the field's type, mappings and lists as JSON.

    Of a key that is given twice, as `instance-type` and `instance_type`, the later one counts.

    Raises:
        InvalidConfigError: [INVALID_CONFIG] keys are unknown or missing, or values wrong; all of them are listed.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type] # it is a dataclass
    hints = get_type_hints(kind)
    problems, values = [], {}
    named = {str(name).replace("-", "_"): value for name, value in ({} if given is None else given).items()}
    unknown = [name for name in named if name not in fields]
    if unknown != []:
        hint = renames([name for name in fields if name not in named], unknown)
        problems.append(f"unknown {listed(unknown)}" + ("" if hint == "" else f" ({hint})"))
    for name, field in fields.items():
        if name not in named:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                problems.append(f"{name} is missing")
            continue
        try:
            values[name] = _typed(named[name], hints[name])
        except ValueError as error:
            problems.append(f"{name} {error}")
    if problems != []:
        raise InvalidConfigError(target, tuple(problems))
    return kind(**values)


def _typed(value: Any, hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(part for part in get_args(hint) if part is not type(None))
        return None if value is None or value == "" else _typed(value, inner)
    kind = get_origin(hint) or hint
    if kind in (dict, tuple):
        structured = _structured(value, kind)
        if get_args(hint) == (str, str):
            _check_texts(structured)
        return structured
    if kind is bool:
        return _boolean(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        problem = f"must be {kind.__name__}, not {type(value).__name__}"
        raise ValueError(problem)  # noqa: TRY004 - it is collected with the others
    try:
        read = kind(value)
    except ValueError:
        raise ValueError(f"must be {kind.__name__}, not {value!r}") from None
    if kind is int and isinstance(value, float) and value != read:
        raise ValueError(f"must be int, not {value!r}")
    return read


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    raise ValueError("must be true or false")


def _structured(value: Any, kind: type) -> Any:
    if isinstance(value, str):
        if kind is tuple and not value.lstrip().startswith("["):
            return tuple(part.strip() for part in value.split(",") if part.strip() != "")
        try:
            return _structured(json.loads(value), kind)
        except json.JSONDecodeError:
            raise ValueError("must be JSON") from None
    if kind is dict and isinstance(value, Mapping):
        return {str(name): item for name, item in value.items()}
    if kind is tuple and isinstance(value, (list, tuple)):
        return tuple(str(item) for item in value)
    raise ValueError(f"must be {'an object' if kind is dict else 'a list'}")


def _check_texts(given: Mapping[str, Any]) -> None:
    """Names the keys alone: the values are variables of a server, and some of them secrets."""
    others = [f"{name} is {type(item).__name__}" for name, item in given.items() if not isinstance(item, str)]
    if others != []:
        raise ValueError(f"must hold text alone, and {', '.join(others)}: put it in quotes")


def config_help(kind: type) -> str:
    """The keys of a configuration as lines of text, with their defaults."""
    lines = []
    for field in dataclasses.fields(kind):
        is_needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        is_plain = field.default in (None, "", (), dataclasses.MISSING)
        shown = " (needed)" if is_needed else "" if is_plain else f" (default {field.default!r})"
        lines.append(f"  {field.name:<18} {field.metadata['help']}{shown}")
    return "\n".join(lines)

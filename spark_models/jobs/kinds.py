"""What a value of a job file may be: each kind checks a node, and says so of itself as JSON Schema."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spark_models.jobs.document import Node, Problems, joined

REFERENCE = {"type": "string", "pattern": r"^\$\{.*\}$"}
"""In an editor a reference stands where a value of any type will be."""


class Kind(Protocol):
    """A kind of value."""

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The value as plain Python; None where it is wrong, which is noted."""

    def json_schema(self) -> dict[str, Any]:
        """The kind as JSON Schema."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text. A number or date is taken as it is written, so `version: 1.10` stays 1.10."""

    empty: bool = False

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The text."""
        if isinstance(node.value, (dict, list)) or node.value is None:
            problems.add(node, path, f"text is expected, not {_name(node)}")
            return None
        if node.text == "" and not self.empty:
            problems.add(node, path, "it is empty")
            return None
        return node.text

    def json_schema(self) -> dict[str, Any]:
        """Scalars."""
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class Number:
    """A number, or a whole one, at or above `least` and at or below `most`."""

    whole: bool = False
    least: float | None = None
    most: float | None = None

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The number."""
        number = node.value
        fits = isinstance(number, int) or (isinstance(number, float) and not self.whole)
        if not fits or isinstance(number, bool) or not math.isfinite(number):
            problems.add(node, path, f"a {'whole ' if self.whole else ''}number is expected, not {_name(node)}")
            return None
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            bounds = [f"{self.least:g} or more"] if self.least is not None else []
            bounds += [f"{self.most:g} or less"] if self.most is not None else []
            problems.add(node, path, f"it must be {' and '.join(bounds)}")
            return None
        return number

    def json_schema(self) -> dict[str, Any]:
        """A number with its bounds."""
        plain: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        if self.least is not None:
            plain["minimum"] = self.least
        if self.most is not None:
            plain["maximum"] = self.most
        return {"anyOf": [plain, REFERENCE]}


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The boolean."""
        if not isinstance(node.value, bool):
            problems.add(node, path, f"true or false is expected, not {_name(node)}")
            return None
        return node.value

    def json_schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"anyOf": [{"type": "boolean"}, REFERENCE]}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words."""

    words: tuple[str, ...]

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The word."""
        if isinstance(node.value, (dict, list)) or node.text not in self.words:
            near = difflib.get_close_matches(node.text, self.words, 1)
            hint = f"; did you mean {near[0]}?" if near != [] else ""
            problems.add(node, path, f"one of {', '.join(self.words)} is expected{hint}")
            return None
        return node.text

    def json_schema(self) -> dict[str, Any]:
        """An enumeration."""
        words: list[Any] = [int(word) if word.isdigit() else word for word in self.words]
        return {"anyOf": [{"enum": words}, REFERENCE]}


@dataclass(frozen=True, slots=True)
class Password:
    """A secret: it must come from the environment or a store of secrets, never from the file itself."""

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The secret."""
        if isinstance(node.value, (dict, list)) or node.value is None:
            problems.add(node, path, f"text is expected, not {_name(node)}")
            return None
        return Secret(node.text)

    def json_schema(self) -> dict[str, Any]:
        """A reference."""
        return REFERENCE


class Secret:
    """A text that no log and no error shows: `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; one value alone stands for a list of it."""

    item: Kind
    filled: bool = True

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The list of values."""
        nodes = node.value if isinstance(node.value, list) else [node]
        if nodes == [] and self.filled:
            problems.add(node, path, "the list is empty")
            return None
        values = [self.item.check(entry, f"{path}[{at}]", problems) for at, entry in enumerate(nodes)]
        if len(set(map(repr, values))) < len(values) and None not in values:
            problems.add(node, path, "an item is given twice")
        return values

    def json_schema(self) -> dict[str, Any]:
        """An array, or an item."""
        item = self.item.json_schema()
        array: dict[str, Any] = {"type": "array", "items": item, "uniqueItems": True}
        if self.filled:
            array["minItems"] = 1
        return {"anyOf": [array, item]}


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from free names to values; `secret_names` are names whose values are secrets."""

    value: Kind
    secret_words: tuple[str, ...] = ()

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The dict."""
        if not isinstance(node.value, dict):
            problems.add(node, path, f"a mapping is expected, not {_name(node)}")
            return None
        found = {}
        for name, entry in node.value.items():
            value = self.value.check(entry, joined(path, name), problems)
            hidden = entry.secret or any(word in name.lower() for word in self.secret_words)
            found[name] = Secret(str(value)) if hidden and value is not None else value
        return found

    def json_schema(self) -> dict[str, Any]:
        """An object of any keys."""
        return {"type": "object", "additionalProperties": self.value.json_schema()}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value of any plain type."""

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The value."""
        if isinstance(node.value, (dict, list)):
            problems.add(node, path, f"one value is expected, not {_name(node)}")
            return None
        return node.value if isinstance(node.value, (int, float, bool)) or node.value is None else node.text

    def json_schema(self) -> dict[str, Any]:
        """Any scalar."""
        return {"type": ["string", "number", "boolean", "null"]}


@dataclass(frozen=True, slots=True)
class Anything:
    """A value of any form, as a model's parameters are."""

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The value."""
        if isinstance(node.value, dict):
            return {name: self.check(entry, joined(path, name), problems) for name, entry in node.value.items()}
        if isinstance(node.value, list):
            return [self.check(entry, f"{path}[{at}]", problems) for at, entry in enumerate(node.value)]
        return node.value

    def json_schema(self) -> dict[str, Any]:
        """True: anything."""
        return {}


@dataclass(frozen=True, slots=True)
class Either:
    """true or false, or a section: `report: true` is a report of the defaults."""

    section: Section

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """A boolean or the section's dict."""
        if isinstance(node.value, bool):
            return node.value
        return self.section.check(node, path, problems)

    def json_schema(self) -> dict[str, Any]:
        """A boolean or an object."""
        return {"anyOf": [{"type": "boolean"}, self.section.json_schema(), REFERENCE]}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section: its kind, what it is for, and whether it must be there."""

    kind: Kind
    about: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of known keys. Of `one_of` exactly one key is given."""

    keys: Mapping[str, Key]
    one_of: Sequence[str] = ()
    about: str = ""

    def check(self, node: Node, path: str, problems: Problems) -> Any:
        """The dict of the keys that are given, each by its kind."""
        if not isinstance(node.value, dict):
            problems.add(node, path, f"a mapping is expected, not {_name(node)}")
            return None
        found = {}
        for name, entry in node.value.items():
            here = joined(path, name)
            if name not in self.keys:
                near = difflib.get_close_matches(name, self.keys, 1)
                hint = f"did you mean {near[0]}?" if near != [] else f"there are {', '.join(self.keys)}"
                problems.add(node.keys.get(name, (entry.line, entry.column)), here, f"the key is not known; {hint}")
                continue
            found[name] = self.keys[name].kind.check(entry, here, problems)
        missing = [name for name, key in self.keys.items() if key.required and name not in node.value]
        for name in missing:
            problems.add(node, path, f"the key {name} is missing")
        given = [name for name in self.one_of if name in node.value]
        if self.one_of and len(given) != 1:
            got = " and ".join(given) if given != [] else "none"
            problems.add(node, path, f"exactly one of {', '.join(self.one_of)} is expected, not {got}")
        return found

    def json_schema(self) -> dict[str, Any]:
        """An object of these keys alone."""
        properties = {name: {**key.kind.json_schema(), "description": key.about} for name, key in self.keys.items()}
        schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
        required = [name for name, key in self.keys.items() if key.required]
        if required != []:
            schema["required"] = required
        if self.one_of:
            schema["oneOf"] = [{"required": [name]} for name in self.one_of]
        return schema


def _name(node: Node) -> str:
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    if node.value is None:
        return "nothing"
    kinds = {bool: "a boolean", int: "a whole number", float: "a number", str: "text"}
    return kinds.get(type(node.value), "a date")

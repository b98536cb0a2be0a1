"""The nodes of one YAML document, composed from parse events: what is unsafe or ambiguous raises on the way.

Sizes count aliases as often as they stand in the text, so a few lines that expand to millions of values
("billion laughs") are refused when the alias is read, before anything is built from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from spark_models.errors import InvalidYamlError, UnsafeYamlError

MAX_BYTES = 10_000_000
"""Longest text in UTF-8; also the most characters of scalars, aliases expanded."""
MAX_DEPTH = 100
"""Most lists and mappings inside each other, aliases expanded."""
MAX_NODES = 200_000
"""Most values, aliases expanded: scalars, lists and mappings; keys count too."""

TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(TAG + name for name in ("null", "bool", "int", "float", "binary", "timestamp", "str"))
_SEQUENCE_TAGS = frozenset(TAG + name for name in ("seq", "omap", "pairs"))
_MAPPING_TAGS = frozenset(TAG + name for name in ("map", "set"))
MAX_DIGITS = 1000
"""Longest number: int() is quadratic in the digits, and so are the numbers of base 60 of YAML 1.1 (`1:59:59`)."""
MAX_TAG_DIRECTIVES = 20
"""Most lines that begin with `%TAG`: libyaml compares each with all before it (0.1 million take 13 s)."""


def safe_loader(base: type) -> Any:
    """A subclass of one of PyYAML's safe loaders that tells the line of a scalar it can't construct."""
    loader: Any = type("Loader", (base,), {})
    for kind in ("bool", "int", "float", "binary", "timestamp"):
        loader.add_constructor(TAG + kind, _with_line(kind, getattr(yaml.SafeLoader, f"construct_yaml_{kind}")))
    # A plain `=`, and `<<` as a value: PyYAML resolves them to tags that its safe loader can't construct.
    for kind in ("value", "merge"):
        loader.add_constructor(TAG + kind, yaml.SafeLoader.construct_yaml_str)
    return loader


def _with_line(kind: str, construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def constructed(loader: Any, node: Any) -> Any:
        problem = f"the value is not a valid {kind}"
        if kind in ("int", "float") and len(node.value) > MAX_DIGITS:
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        try:
            return construct(loader, node)
        except (ValueError, OverflowError, LookupError, AttributeError) as error:
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error

    return constructed


def shortened(text: str) -> str:
    """The text, cut where it is too long for an error."""
    return text if len(text) <= 200 else text[:200] + "…"


class _Open:
    """A list or mapping whose end has not come yet: its children, and the counts where it began."""

    __slots__ = ("anchor", "children", "height", "node", "nodes", "text")

    def __init__(self, node: Any, anchor: str | None, nodes: int, text: int) -> None:
        self.node = node
        self.anchor = anchor
        self.nodes = nodes
        self.text = text
        self.children: list[Any] = []
        self.height = 0


class Composer:
    """The events of `loader` made into nodes, once; `source` names the text in errors.

    Raises:
        InvalidYamlError: [INVALID_YAML] a key is given twice, an alias has no anchor, or there are several documents.
        UnsafeYamlError: [UNSAFE_YAML] a limit is passed, an alias stands inside its own anchor, a tag is not plain.
    """

    def __init__(self, loader: Any, source: str) -> None:
        self.loader = loader
        self.source = source
        self.open: list[_Open] = []
        self.root: Any = None
        # A finished anchor: its node, height, number of nodes, length of text. None: it is still open.
        self.anchors: dict[str, tuple[Any, int, int, int] | None] = {}
        self.nodes = 0
        self.text = 0

    def document(self) -> Any:
        """The root node; None for an empty text."""
        handlers: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            SequenceStartEvent: self._start,
            MappingStartEvent: self._start,
            SequenceEndEvent: self._end,
            MappingEndEvent: self._end,
        }
        get_event = self.loader.get_event
        while (event := get_event()) is not None:
            handle = handlers.get(type(event))
            if handle is None:
                continue
            if self.root is not None:
                raise self._invalid(event, "it holds several documents")
            handle(event)
        return self.root

    def _scalar(self, event: Any) -> None:
        tag = self._tag(event, _SCALAR_TAGS)
        if tag is None:
            tag = self.loader.resolve(ScalarNode, event.value, event.implicit)
        self._count(1, len(event.value))
        node = ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 0, 1, len(event.value))
        self._attach(node, 0)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise self._invalid(event, f"the alias {shortened(event.anchor)!r} has no anchor before it")
        anchored = self.anchors[event.anchor]
        if anchored is None:
            raise self._unsafe(event, f"the alias {shortened(event.anchor)!r} stands inside its own anchor")
        node, height, nodes, text = anchored
        self._check_depth(event, len(self.open) + height)
        self._count(nodes, text)
        self._attach(node, height)

    def _start(self, event: Any) -> None:
        is_mapping = type(event) is MappingStartEvent
        tag = self._tag(event, _MAPPING_TAGS if is_mapping else _SEQUENCE_TAGS)
        self._check_depth(event, len(self.open) + 1)
        if tag is None:
            tag = TAG + ("map" if is_mapping else "seq")
        node = (MappingNode if is_mapping else SequenceNode)(tag, [], event.start_mark, event.end_mark)
        self.open.append(_Open(node, event.anchor, self.nodes, self.text))
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self._count(1, 0)

    def _end(self, event: Any) -> None:
        done = self.open.pop()
        children, height = done.children, done.height + 1
        if type(event) is MappingEndEvent:
            done.node.value = list(zip(children[::2], children[1::2], strict=True))
            self._check_keys(children[::2])
        else:
            done.node.value = children
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.node, height, self.nodes - done.nodes, self.text - done.text)
        self._attach(done.node, height)

    def _attach(self, node: Any, height: int) -> None:
        if self.open == []:
            self.root = node
            return
        parent = self.open[-1]
        parent.children.append(node)
        parent.height = max(parent.height, height)

    def _count(self, nodes: int, text: int) -> None:
        self.nodes += nodes
        self.text += text
        if self.nodes > MAX_NODES:
            raise UnsafeYamlError(self.source, f"it has more than {MAX_NODES} values, aliases expanded")
        if self.text > MAX_BYTES:
            raise UnsafeYamlError(self.source, f"it has more than {MAX_BYTES} characters, aliases expanded")

    def _check_depth(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._unsafe(event, f"it is nested deeper than {MAX_DEPTH} levels")

    def _check_keys(self, keys: list[Any]) -> None:
        """Keys that Python takes for one (`1` and `0x1`, `1` and `true`) are duplicates as well."""
        seen = set()
        for key in keys:
            # A key that is a list or mapping is refused when the mapping is constructed.
            if not isinstance(key, ScalarNode):
                continue
            value = self.loader.construct_object(key)
            if value in seen:
                raise self._invalid(key, f"the key {shortened(key.value)!r} is given twice")
            seen.add(value)

    def _tag(self, event: Any, allowed: frozenset[str]) -> str | None:
        """The explicit tag; None where the value decides, which for PyYAML is so after a lone '!' too."""
        tag: str | None = event.tag
        if tag is None or tag == "!":
            return None
        if tag not in allowed:
            raise self._unsafe(event, f"the tag {shortened(tag)!r} is not allowed here")
        return tag

    def _invalid(self, at: Any, problem: str) -> InvalidYamlError:
        return InvalidYamlError(self.source, at.start_mark.line + 1, problem, at.start_mark.column + 1)

    def _unsafe(self, at: Any, problem: str) -> UnsafeYamlError:
        return UnsafeYamlError(self.source, f"{problem} (line {at.start_mark.line + 1})")

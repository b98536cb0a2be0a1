"""A job file as nodes that know their lines, and what stands in it for something else: `${…}`.

| text | becomes |
| --- | --- |
| `${day}` | the parameter `day` of the file's `parameters`, or what `--set day=…` gives |
| `${today}` | the date in UTC, as 2026-01-31; a parameter of this name comes first |
| `${env:NAME}` | the environment variable; `${env:NAME:-text}` has a default |
| `${secret:SCOPE/KEY}` | the secret, which is never shown |
| `$${` | `${` itself |

They are replaced inside values after the file is parsed, so no value can add keys to it. A plain value that is nothing
but one `${…}` has the type that its text has in YAML; a quoted one is text.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from spark_models.errors import JobProblem
from spark_models.package.yaml_compose import TAG, shortened
from spark_models.package.yaml_file import visit_yaml

PARAMETERS = "parameters"
_REFERENCE = re.compile(r"\$(\$)?\{([^{}]*)\}")
_TYPED = frozenset(TAG + kind for kind in ("int", "float", "bool", "null"))
_RESOLVER: Any = yaml.SafeLoader("")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file: a scalar, a dict of nodes or a list of nodes, and where it stands, from 1.

    `text` is a scalar as it is written; `keys` has the places of a mapping's keys; `secret` says that it is a secret.
    """

    value: Any
    line: int
    column: int
    text: str = ""
    plain: bool = False
    secret: bool = False
    keys: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class Problems:
    """What is wrong with a file, gathered to be told at once."""

    def __init__(self) -> None:
        self.found: list[JobProblem] = []

    def add(self, node: Node | tuple[int, int], path: str, problem: str) -> None:
        """Notes a problem of the value at `path`, such as `sink.mode`."""
        line, column = (node.line, node.column) if isinstance(node, Node) else node
        self.found.append(JobProblem(line, column, path, problem))


def read_document(text: str | bytes, problems: Problems, *, source: str) -> Node:
    """The document of a text as nodes.

    Raises:
        InvalidYamlError: [INVALID_YAML], UnsafeYamlError: [UNSAFE_YAML] it is no YAML that we take.
    """

    def visit(loader: Any, root: Any) -> Node:
        if root is None:
            return Node({}, 1, 1)
        return _node(loader, root, problems, "")

    found: Node = visit_yaml(text, visit, source=source)
    return found


def _node(loader: Any, node: Any, problems: Problems, path: str) -> Node:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.ScalarNode):
        text = node.value
        plain = node.tag != TAG + "str" or _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == node.tag
        return Node(loader.construct_object(node), line, column, text, plain)
    if isinstance(node, yaml.SequenceNode):
        return Node(
            [_node(loader, item, problems, f"{path}[{at}]") for at, item in enumerate(node.value)], line, column
        )
    entries: dict[str, Node] = {}
    keys: dict[str, tuple[int, int]] = {}
    for key, value in node.value:
        place = (key.start_mark.line + 1, key.start_mark.column + 1)
        if not isinstance(key, yaml.ScalarNode):
            problems.add(place, path, "a key must be a word, not a list or a mapping")
            continue
        name = key.value
        if name in entries:
            problems.add(place, joined(path, name), "the key is given twice")
        keys[name] = place
        entries[name] = _node(loader, value, problems, joined(path, name))
    return Node(entries, line, column, keys=keys)


def joined(path: str, name: str) -> str:
    """The path of an entry of the mapping at `path`.

    >>> joined("sink", "mode"), joined("", "sink")
    ('sink.mode', 'sink')
    """
    return shortened(name) if path == "" else f"{path}.{shortened(name)}"


# --- what is set from outside


def assigned(texts: list[str]) -> dict[str, str]:
    """The assignments `name=text` of a command line.

    Raises:
        ValueError: one has no "=".
    """
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if equals == "" or name == "":
            raise ValueError("an assignment has the form name=value")
    return {name.strip(): value for name, _, value in pairs}


def overridden(root: Node, settings: Mapping[str, str], problems: Problems) -> Node:
    """The document with settings put in: `day` sets the parameter `day`, `sink.mode` the value at that path."""
    changed = root
    for name, text in settings.items():
        path = name.split(".") if "." in name else [PARAMETERS, name]
        declared = root.value.get(PARAMETERS) if isinstance(root.value, dict) else None
        known = declared.value if declared is not None and isinstance(declared.value, dict) else {}
        if "." not in name and name not in known:
            problems.add(root, name, f"--set names no parameter of the file; it has {sorted(known)}")
            continue
        changed = _with(changed, path, _typed(Node(text, root.line, root.column, text, True), text))
    return changed


def _with(node: Node, path: list[str], value: Node) -> Node:
    if path == []:
        return value
    entries = dict(node.value) if isinstance(node.value, dict) else {}
    below = entries.get(path[0], Node({}, node.line, node.column))
    entries[path[0]] = _with(below, path[1:], value)
    keys = {path[0]: (node.line, node.column), **node.keys}
    return replace(node, value=entries, keys=keys)


# --- references


@dataclass(frozen=True, slots=True)
class References:
    """Where `${…}` are looked up."""

    environment: Mapping[str, str]
    secrets: Callable[[str, str], str]
    today: datetime.date

    def resolved(self, root: Node, problems: Problems) -> Node:
        """The document, every reference replaced; parameters may refer to the environment, not to each other."""
        if not isinstance(root.value, dict):
            return root
        entries = dict(root.value)
        parameters: dict[str, Node] = {"today": Node(self.today.isoformat(), 0, 0, self.today.isoformat(), True)}
        declared = entries.get(PARAMETERS)
        if declared is not None and isinstance(declared.value, dict):
            found = {
                name: self._replaced(node, {}, problems, f"{PARAMETERS}.{name}")
                for name, node in declared.value.items()
            }
            entries[PARAMETERS] = replace(declared, value=found)
            parameters.update(found)
        for name, node in entries.items():
            if name != PARAMETERS:
                entries[name] = self._replaced(node, parameters, problems, name)
        return replace(root, value=entries)

    def _replaced(self, node: Node, parameters: Mapping[str, Node], problems: Problems, path: str) -> Node:
        if isinstance(node.value, dict):
            entries = {
                name: self._replaced(item, parameters, problems, joined(path, name))
                for name, item in node.value.items()
            }
            return replace(node, value=entries)
        if isinstance(node.value, list):
            items = [self._replaced(item, parameters, problems, f"{path}[{at}]") for at, item in enumerate(node.value)]
            return replace(node, value=items)
        if "${" not in node.text:
            return node
        secret: list[bool] = []

        def put(match: re.Match[str]) -> str:
            if match.group(1) is not None:
                return match.group(0)[1:]
            try:
                text, is_secret = self._lookup(match.group(2).strip(), parameters)
            except LookupError as error:
                problems.add(node, path, str(error.args[0]))
                return ""
            secret.append(is_secret)
            return text

        text = _REFERENCE.sub(put, node.text)
        made = replace(node, value=text, text=text, secret=any(secret))
        whole = _REFERENCE.fullmatch(node.text)
        return _typed(made, text) if node.plain and whole is not None and whole.group(1) is None else made

    def _lookup(self, name: str, parameters: Mapping[str, Node]) -> tuple[str, bool]:
        kind, colon, rest = name.partition(":")
        if colon == "":
            if name not in parameters:
                raise LookupError(f"${{{shortened(name)}}} is no parameter; there are {sorted(parameters)}")
            if isinstance(parameters[name].value, (dict, list)):
                raise LookupError(f"the parameter {shortened(name)} is a list or a mapping, not one value")
            return parameters[name].text, parameters[name].secret
        if kind == "env":
            variable, _, default = rest.partition(":-")
            if variable in self.environment:
                return self.environment[variable], False
            if ":-" in rest:
                return default, False
            raise LookupError(f"the environment has no variable {shortened(variable)}")
        if kind == "secret" and "/" in rest:
            scope, _, key = rest.partition("/")
            return self.secrets(scope, key), True
        raise LookupError(f"${{{shortened(name)}}} is none of ${{name}}, ${{env:NAME}}, ${{secret:SCOPE/KEY}}")


def _typed(node: Node, text: str) -> Node:
    """The node with the value that a plain text stands for."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    if tag not in _TYPED:
        return replace(node, value=text)
    try:
        return replace(node, value=yaml.safe_load(text) if text != "" else None)
    except ValueError:
        return replace(node, value=text)


def no_secrets(scope: str, key: str) -> str:
    """Raises LookupError: the place has no store of secrets."""
    raise LookupError(f"there is no store of secrets here for {shortened(scope)}/{shortened(key)}: use ${{env:NAME}}")


def databricks_secrets(scope: str, key: str) -> str:
    """A secret of Databricks.

    Raises:
        LookupError: the place has no dbutils, or the secret can't be had.
    """
    try:
        from databricks.sdk.runtime import dbutils
    except ImportError:
        return no_secrets(scope, key)
    try:
        return str(dbutils.secrets.get(scope=scope, key=key))
    except Exception as error:
        raise LookupError(f"the secret {scope}/{key} can't be had ({type(error).__name__})") from error

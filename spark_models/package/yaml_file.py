"""YAML of a package, both ways: a text becomes plain values, plain values become a text.

Whatever `dump_yaml` writes, `parse_yaml` accepts. Reading is safe for a text of unknown origin: see `yaml_compose`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from typing import Any

import yaml

from spark_models.errors import InvalidYamlError, UnsafeYamlError
from spark_models.package.yaml_compose import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_TAG_DIRECTIVES,
    TAG,
    Composer,
    safe_loader,
    shortened,
)
from spark_models.package.yaml_nodes import Writer, unwritable

_Loader = safe_loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader))
_Dumper: Any = type("Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})
# Readers of YAML 1.2, and SnakeYAML, take `12e5` for a number, PyYAML does not. A run id may look like this: quote it.
_Dumper.add_implicit_resolver(
    TAG + "float",
    re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|0o[0-7]+$"),
    list("-+.0123456789"),
)
_TAG_DIRECTIVE = re.compile(r"(?:^|[\r\n\x85\u2028\u2029])%TAG")


def parse_yaml(text: str | bytes, *, source: str) -> Any:
    """The one document in `text` as dicts, lists, strings, numbers, booleans, None, datetimes, dates and bytes.

    An empty text gives None. A timestamp with an offset gives an aware datetime. `source` names the text in errors.

    Raises:
        InvalidYamlError: [INVALID_YAML] a syntax error, a duplicate key, several documents, text that is not UTF-8.
        UnsafeYamlError: [UNSAFE_YAML] too large, too deep or too many values (aliases expanded), an alias inside its
            own anchor, or a tag outside YAML's plain types. Nothing has been built then.

    >>> parse_yaml("flavors: {sklearn: {code: null}}", source="MLmodel")
    {'flavors': {'sklearn': {'code': None}}}
    """
    return load(_unicode(text, source), source, _Loader)


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """The one document in the file at `path`, as `parse_yaml` gives it.

    Raises:
        InvalidYamlError: [INVALID_YAML] as of `parse_yaml`, or the file can't be read.
        UnsafeYamlError: [UNSAFE_YAML] as of `parse_yaml`.
    """
    return parse_yaml(read_text(path), source=os.fspath(path))


def read_text(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file, one more than `MAX_BYTES` at most.

    Raises:
        InvalidYamlError: [INVALID_YAML] the file can't be read.
    """
    source = os.fspath(path)
    content = None
    try:
        # Opening a pipe would wait for its writer.
        if stat.S_ISREG(os.stat(source).st_mode):
            with open(source, "rb") as file:
                content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name is no path"
        raise InvalidYamlError(source, None, f"the file can't be read: {reason}") from error
    if content is None:
        raise InvalidYamlError(source, None, "it is not a regular file")
    return content


def dump_yaml(value: object) -> str:
    """`value` as one YAML document: block style, keys in their order, no aliases, no long line folded.

    Numpy scalars, tuples, paths, enum members (their value) and subclasses of the built-in types are written as the
    plain value they stand for; a datetime as `2026-01-31T12:00:00.123456`; NaT as null.

    Raises:
        InvalidYamlError: [INVALID_YAML] something has no plain form (its place is told, as in `$.flavors.x[0]`),
            or the text would be too large or too deep to be read again.

    >>> print(dump_yaml({"run_id": "12e5", "flavors": {"x": ("a", 1.5)}}), end="")
    run_id: '12e5'
    flavors:
      x:
      - a
      - 1.5
    """
    text: str = yaml.serialize(Writer().node(value), Dumper=_Dumper, allow_unicode=True, width=2**30)
    # A character has at most four bytes, so only a long text is encoded to know its size.
    if len(text) * 4 > MAX_BYTES and len(text.encode("utf-8")) > MAX_BYTES:
        raise unwritable(f"the text is longer than {MAX_BYTES} bytes", None)
    return text


def load(text: str, source: str, loader_class: Any) -> Any:
    """The document in `text`, parsed with a class that `safe_loader` made."""

    def built(loader: Any, root: Any) -> Any:
        return None if root is None else loader.construct_document(root)

    return _composed(text, source, loader_class, built)


def visit_yaml(text: str | bytes, visit: Callable[[Any, Any], Any], *, source: str) -> Any:
    """What `visit(loader, root)` gives for the nodes of the document, which know their lines; root is None if empty.

    `loader.construct_object(node)` is the value of a scalar. The document is as safe as for `parse_yaml`.

    Raises:
        InvalidYamlError: [INVALID_YAML], UnsafeYamlError: [UNSAFE_YAML] as of `parse_yaml`.
    """
    return _composed(_unicode(text, source), source, _Loader, visit)


def _composed(text: str, source: str, loader_class: Any, visit: Callable[[Any, Any], Any]) -> Any:
    if "%TAG" in text and len(_TAG_DIRECTIVE.findall(text)) > MAX_TAG_DIRECTIVES:
        raise UnsafeYamlError(source, f"it has more than {MAX_TAG_DIRECTIVES} %TAG directives")
    try:
        loader = loader_class(text)
        try:
            return visit(loader, Composer(loader, source).document())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        if error.problem == "exceeded maximum nesting depth":
            # libyaml looks ahead, and gives up at 1000 levels before it gives the event of level 101.
            raise UnsafeYamlError(source, f"it is nested deeper than {MAX_DEPTH} levels") from error
        mark = error.problem_mark if error.problem_mark is not None else error.context_mark
        line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
        raise InvalidYamlError(source, line, shortened(str(error.problem)), column) from error
    except yaml.reader.ReaderError as error:
        line, column = _place_of(error, text)
        raise InvalidYamlError(source, line, "it has a character that YAML does not allow", column) from error
    except (InvalidYamlError, UnsafeYamlError):
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's own parser lets a few bare errors of Python through, such as chr() of an escape out of range.
        raise InvalidYamlError(source, None, f"it can't be parsed ({type(error).__name__})") from error


def _place_of(error: yaml.reader.ReaderError, text: str) -> tuple[int, int]:
    """Line and column, from 1, of a character that is not allowed."""
    # PyYAML's own reader counts characters, libyaml bytes.
    if error.encoding == "unicode":
        before = text[: error.position]
    else:
        before = text.encode("utf-8")[: error.position].decode("utf-8", "ignore")
    return before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1


def _unicode(text: str | bytes, source: str) -> str:
    """The text without its byte order mark, no longer than `MAX_BYTES` in UTF-8."""
    if not isinstance(text, (str, bytes)):
        raise InvalidYamlError(source, None, f"the content is {type(text).__name__}, not str or bytes")
    size = len(text)
    if size <= MAX_BYTES:
        try:
            decoded = text if isinstance(text, str) else text.decode("utf-8")
            size = size if decoded.isascii() else len(decoded.encode("utf-8"))
        except UnicodeError as error:
            raise InvalidYamlError(source, None, "the text is not valid UTF-8") from error
    if size > MAX_BYTES:
        raise UnsafeYamlError(source, f"the text is longer than {MAX_BYTES} bytes")
    return decoded.removeprefix("\ufeff")

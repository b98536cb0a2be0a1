"""YAML of a package: what is read, what is refused and how it is told, what is written."""

from __future__ import annotations

import collections
import enum
import os
import pickle
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import yaml

from spark_models.errors import InvalidYamlError, UnsafeYamlError
from spark_models.package import yaml_file
from spark_models.package.yaml_compose import MAX_BYTES, MAX_DEPTH, MAX_NODES, safe_loader
from spark_models.package.yaml_file import dump_yaml, load, parse_yaml, read_yaml

LOADERS = {"default": yaml_file._Loader, "without libyaml": safe_loader(yaml.SafeLoader)}


class Color(enum.Enum):
    red = "r"
    two = 2


class Point(NamedTuple):
    x: int
    y: int


class Word(str):
    def __str__(self) -> str:
        return "something else"


# --- reading


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a\n...\n", "a"),
        ("run_id: '12'\nflavors: {a: [1, 2.5, null, true]}", {"run_id": "12", "flavors": {"a": [1, 2.5, None, True]}}),
        ("t: 2026-01-31T12:00:00.123456", {"t": datetime(2026, 1, 31, 12, 0, 0, 123456)}),
        ("t: '2026-01-31T12:00:00'", {"t": "2026-01-31T12:00:00"}),
        ("t: 2026-01-31 12:00:00Z", {"t": datetime(2026, 1, 31, 12, tzinfo=timezone.utc)}),
        ("t: 2026-01-31", {"t": date(2026, 1, 31)}),
        ("base: &b {a: 1}\nboth: [*b, *b]", {"base": {"a": 1}, "both": [{"a": 1}, {"a": 1}]}),
        ("base: &b {a: 1, b: 2}\nmore: {<<: *b, b: 3}", {"base": {"a": 1, "b": 2}, "more": {"a": 1, "b": 3}}),
        ("op: =\nshift: [<<]", {"op": "=", "shift": ["<<"]}),
        ("data: !!binary YWI=", {"data": b"ab"}),
        ("n: ! x", {"n": "x"}),
        ("&a x: *a", {"x": "x"}),
    ],
)
def test_plain_documents(loader: Any, text: str, value: object) -> None:
    assert load(text, "text", loader) == value


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse_yaml(b"\xef\xbb\xbfa: 1", source="text") == {"a": 1}


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a: 1\nb: {c: 2}}\n", 2, 10, "did not find expected|expected <block end>"),
        ("a: 1\nb: 2\na: 3", 3, 1, "the key 'a' is given twice"),
        ("{1: a, 0x1: b}", 1, 8, "the key '0x1' is given twice"),
        ("{1: a, true: b}", 1, 8, "the key 'true' is given twice"),
        ("{<<: {a: 1}, <<: {b: 1}}", 1, 14, "the key '<<' is given twice"),
        ("a: 1\n---\nb: 2\n", 3, 1, "it holds several documents"),
        ("a: [1, *b]", 1, 8, "the alias 'b' has no anchor before it"),
        ("t: 2026-02-30", 1, 4, "the value is not a valid timestamp"),
        ("t: 2026-01-31T12:00:00+99:00", 1, 4, "the value is not a valid timestamp"),
        ("n:\n  !!int x", 2, 3, "the value is not a valid int"),
        ("n: !!bool x", 1, 4, "the value is not a valid bool"),
        ("n: " + "1" * 1001, 1, 4, "the value is not a valid int"),
        ("n: " + "1:" * 600 + "1.5", 1, 4, "the value is not a valid float"),
        ("? [a]\n: b", 1, 3, "found unhashable key"),
        ("é: a\x07", 1, 5, "it has a character that YAML does not allow"),
        ("é: a\nü: b\x07", 2, 5, "it has a character that YAML does not allow"),
    ],
)
def test_an_invalid_text_is_told_with_its_place(loader: Any, text: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(InvalidYamlError, match=problem) as caught:
        load(text, "conf.yaml", loader)
    assert (caught.value.source, caught.value.line, caught.value.column) == ("conf.yaml", line, column)


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!python/object/apply:os.system [exit]", "python/object/apply:os.system' is not allowed here"),
        ("!!python/name:os.system ''", "is not allowed here"),
        ("%TAG ! tag:yaml.org,2002:python/\n--- !name:os.system ''", "is not allowed here"),
        ("a: !custom x", "the tag '!custom' is not allowed here"),
        ("a: !!int [1]", "the tag 'tag:yaml.org,2002:int' is not allowed here"),
        ("a: !!str {=: x}", "the tag 'tag:yaml.org,2002:str' is not allowed here"),
        ("a: &a [1, *a]", "the alias 'a' stands inside its own anchor"),
        ("a: &a {b: {<<: *a}}", "the alias 'a' stands inside its own anchor"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"it is nested deeper than {MAX_DEPTH} levels"),
        ("[" * 100_000, f"it is nested deeper than {MAX_DEPTH} levels"),
        ("- " * 100_000, f"it is nested deeper than {MAX_DEPTH} levels"),
        ("%TAG !a! b\n" * 21 + "--- x", "it has more than 20 %TAG directives"),
    ],
)
def test_an_unsafe_text_is_refused(loader: Any, text: str, problem: str) -> None:
    with pytest.raises(UnsafeYamlError) as caught:
        load(text, "MLmodel", loader)
    assert problem in caught.value.problem


def test_nothing_is_constructed_of_a_text_that_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    for tag in ("object/apply:os.mkdir", "object/new:os.mkdir"):
        with pytest.raises(UnsafeYamlError):
            parse_yaml(f"a: !!python/{tag} ['{marker}']", source="text")
    assert not marker.exists()


def test_the_limits_are_what_is_still_read() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, source="text") != []
    assert len(parse_yaml("- a\n" * (MAX_NODES - 1), source="text")) == MAX_NODES - 1
    with pytest.raises(UnsafeYamlError, match=f"more than {MAX_NODES} values"):
        parse_yaml("- a\n" * MAX_NODES, source="text")
    assert parse_yaml(b"#" * MAX_BYTES, source="text") is None
    for text in (b"#" * (MAX_BYTES + 1), "#" * (MAX_BYTES + 1), "#" + "é" * (MAX_BYTES // 2)):
        with pytest.raises(UnsafeYamlError, match=f"longer than {MAX_BYTES} bytes"):
            parse_yaml(text, source="text")


@pytest.mark.parametrize("content", [b"a: \xff", "a: \ud800"])
def test_what_is_not_utf8_is_refused(content: str | bytes) -> None:
    with pytest.raises(InvalidYamlError, match="the text is not valid UTF-8"):
        parse_yaml(content, source="text")


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidYamlError, match="the content is dict, not str or bytes"):
        parse_yaml({}, source="text")  # type: ignore[arg-type]


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "conf.yaml"
    path.write_bytes("a: é\n".encode())
    assert read_yaml(path) == read_yaml(str(path)) == {"a": "é"}
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(UnsafeYamlError, match="longer than"):
        read_yaml(path)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidYamlError, match="No such file") as caught:
        read_yaml(tmp_path / "none.yaml")
    assert caught.value.source == str(tmp_path / "none.yaml")
    with pytest.raises(InvalidYamlError, match="its name is no path"):
        read_yaml("a\0b")
    with pytest.raises(InvalidYamlError, match="it is not a regular file"):
        read_yaml(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidYamlError, match="it is not a regular file"):
        read_yaml(tmp_path / "pipe")


# --- writing


def test_a_document_is_in_block_style_and_in_order() -> None:
    signature = '[{"name": "' + "x" * 3000 + '", "type": "double"}, {"type": "it\'s"}]'
    value = {
        "flavors": {"b": {"code": None}, "a": {"list": [1, [2, {"c": []}], {}]}},
        "run_id": "12345e67",
        "signature": signature,
        "time_created": datetime(2026, 1, 31, 12, 0, 0, 123456),
        "name": "é 日本",
        "version": "1.20",
        "no": "no",
    }
    text = dump_yaml(value)
    quoted = signature.replace("'", "''")
    assert text == (
        "flavors:\n  b:\n    code: null\n  a:\n    list:\n    - 1\n    - - 2\n      - c: []\n    - {}\n"
        f"run_id: '12345e67'\nsignature: '{quoted}'\ntime_created: 2026-01-31T12:00:00.123456\n"
        "name: é 日本\nversion: '1.20'\n'no': 'no'\n"
    )
    assert parse_yaml(text, source="text") == value


def test_a_value_that_occurs_twice_is_written_twice() -> None:
    shared = {"a": [1]}
    assert dump_yaml([shared, shared]) == "- a:\n  - 1\n- a:\n  - 1\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(3), "3"),
        (np.float32(0.5), "0.5"),
        (np.float64(2), "2.0"),
        (np.longdouble(1.5), "1.5"),
        (np.bool_(True), "true"),
        (np.str_("1"), "'1'"),
        (np.array(7), "7"),
        (np.datetime64("2026-01-31T12:00:00.123456789"), "2026-01-31T12:00:00.123456"),
        (np.datetime64("2026-01-31"), "2026-01-31"),
        (np.datetime64("NaT", "ns"), "null"),
        (pd.NaT, "null"),
        (pd.Timestamp("2026-01-31 12:00:00.000000001"), "2026-01-31T12:00:00"),
        (pd.Timestamp("2026-01-31 12:00", tz="Europe/Berlin"), "2026-01-31T12:00:00+01:00"),
        (datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), "1889-12-31T23:06:32+00:00"),
        (date(2026, 1, 31), "2026-01-31"),
        (float("nan"), ".nan"),
        (float("-inf"), "-.inf"),
        (1e17, "1.0e+17"),
        (True, "true"),
        (Color.red, "r"),
        (Color.two, "2"),
        (Word("word"), "word"),
        (PurePosixPath("a/b"), "a/b"),
        ((), "[]"),
        (range(0), "[]"),
        (collections.OrderedDict(), "{}"),
        ("0o17", "'0o17'"),
        ("1e5", "'1e5'"),
        (".5e3", "'.5e3'"),
        ("1:30", "'1:30'"),
        ("line\u2028break", "'line\u2028  break'"),
    ],
)
def test_special_values_are_written_plainly(value: object, text: str) -> None:
    assert dump_yaml({"k": value}) == f"k: {text}\n"


def test_containers_of_other_types_are_written_as_lists_and_mappings() -> None:
    value = collections.OrderedDict(b=(1, 2), a=Point(1, 2), c=collections.ChainMap({"d": 1}), e=collections.deque([3]))
    assert parse_yaml(dump_yaml(value), source="text") == {"b": [1, 2], "a": [1, 2], "c": {"d": 1}, "e": [3]}


@pytest.mark.parametrize(
    ("value", "place", "problem"),
    [
        ({"a": [0, {"b": {1}}]}, "$.a[1].b", "a value of type set has no plain form"),
        ({"a": np.zeros(1)}, "$.a", "a value of type numpy.ndarray has no plain form"),
        ([np.timedelta64(1, "s")], "$[0]", "a value of type numpy.timedelta64 has no plain form"),
        (timedelta(1), "$", "a value of type datetime.timedelta has no plain form"),
        (1j, "$", "a value of type complex has no plain form"),
        ({"a": iter([])}, "$.a", "a value of type list_iterator has no plain form"),
        ({("a", 1): 1}, "$.('a', 1)", "a key has to be a plain scalar"),
        ({"r": 1, Color.red: 2}, "$.Color.red", "two keys have the same plain form"),
        ({"a": "\ud800"}, "$.a", "a text has a lone surrogate, which is no character"),
        ({"a": 10**1000}, "$.a", "an integer has too many digits"),
        ({"a": 10**10_000}, "$.a", "an integer has too many digits"),
        ({"a": np.datetime64("20000-01-01")}, "$.a", "a datetime64 is out of the range of datetime"),
    ],
)
def test_what_has_no_plain_form_is_told_with_its_place(value: object, place: str, problem: str) -> None:
    with pytest.raises(InvalidYamlError) as caught:
        dump_yaml(value)
    assert caught.value.problem == problem
    assert caught.value.source == f"the value to write at {place}"


def test_nothing_is_written_that_could_not_be_read_again() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidYamlError, match=f"nested deeper than {MAX_DEPTH} levels"):
        dump_yaml(endless)
    wide: list[Any] = [1] * 10
    for _ in range(20):
        wide = [wide] * 10
    with pytest.raises(InvalidYamlError, match=f"there are more than {MAX_NODES} values"):
        dump_yaml(wide)
    with pytest.raises(InvalidYamlError, match=f"longer than {MAX_BYTES} bytes"):
        dump_yaml("x" * MAX_BYTES)


# --- errors, and what is imported


def test_the_texts_of_the_errors() -> None:
    with pytest.raises(InvalidYamlError) as invalid:
        parse_yaml("a: 1\nb: [2\n", source="MLmodel")
    assert str(invalid.value) == (
        "[INVALID_YAML] Invalid YAML: did not find expected ',' or ']'.\nWhere: MLmodel, line 3, column 1"
    )
    with pytest.raises(UnsafeYamlError) as unsafe:
        parse_yaml("a:\n  &a [*a]", source="MLmodel")
    assert str(unsafe.value) == (
        "[UNSAFE_YAML] Unsafe YAML: the alias 'a' stands inside its own anchor (line 2).\nWhere: MLmodel"
    )
    for error in (invalid.value, unsafe.value):
        assert isinstance(error, ValueError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_reading_and_writing_import_no_data_library() -> None:
    program = (
        "import sys, spark_models.package.environment as e, spark_models.package.yaml_file as y\n"
        "y.parse_yaml(y.dump_yaml({'a': 1}), source='text'); e.build_environment(default=['a==1']).files()\n"
        "print([name for name in ('numpy', 'pandas', 'pyspark', 'pyarrow') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"

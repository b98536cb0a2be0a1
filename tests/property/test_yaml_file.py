"""YAML of a package: what is written reads back as it was, and no text makes the reader fail in an unknown way."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from spark_models.errors import InvalidYamlError, UnsafeYamlError
from spark_models.package import yaml_file
from spark_models.package.yaml_compose import MAX_DEPTH, MAX_NODES, safe_loader
from spark_models.package.yaml_file import dump_yaml, load, parse_yaml

LOADERS = {"default": yaml_file._Loader, "without libyaml": safe_loader(yaml.SafeLoader)}

offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
like_others = ["", " ", "~", "null", "yes", "1e5", "0o17", "1:30", "=", "<<", "2026-01-31", "a: b", "- a", "a #b", "\n"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(like_others)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=100)
    | st.dates()
    | st.datetimes(timezones=st.none() | offsets)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts | st.integers() | st.dates(), inner, max_size=5),
    max_leaves=30,
)
tokens = [*"a1:-[]{},&*!|>'\"#%@?=<~.\\ \n\t", "!!", "!!int ", "---\n", "...\n", "<<: ", "*a", "&a ", "- ", "\n  "]
yaml_like = st.lists(st.sampled_from(tokens), max_size=60).map("".join)


def typed(value: Any) -> Any:
    """The value with every type beside it: 1 is not True here, and not 1.0; a time has its offset, a dict its order."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(typed(key), typed(item)) for key, item in value.items()]
    offset = value.utcoffset() if isinstance(value, datetime) else None
    return type(value), value, offset


@given(values)
def test_what_is_written_reads_back(value: Any) -> None:
    text = dump_yaml(value)
    assert typed(parse_yaml(text, source="text")) == typed(value)
    assert typed(parse_yaml(text.encode(), source="text")) == typed(value)
    assert typed(yaml.safe_load(text)) == typed(value)


@given(values)
def test_what_pyyaml_writes_reads_as_pyyaml_reads_it(value: Any) -> None:
    shared = [value, {"again": value}, value]
    text = yaml.safe_dump(shared, allow_unicode=True)
    assert typed(parse_yaml(text, source="text")) == typed(yaml.safe_load(text))


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@given(text=st.text() | yaml_like | st.lists(yaml_like | st.text(max_size=5)).map("".join))
def test_any_text_is_read_or_refused(loader: Any, text: str) -> None:
    try:
        load(text, "text", loader)
    except (InvalidYamlError, UnsafeYamlError) as error:
        assert error.source == "text"


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")) | yaml_like.map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        parse_yaml(content, source="bytes")
    except (InvalidYamlError, UnsafeYamlError) as error:
        assert error.source == "bytes"


@given(
    st.text(st.sampled_from("0123456789abx_.:+-eoTZ "), min_size=1, max_size=30),
    st.sampled_from(["", "!!int ", "!!float ", "!!timestamp ", "!!bool ", "!!binary ", "!!null "]),
)
def test_any_scalar_is_read_or_refused(text: str, tag: str) -> None:
    try:
        parse_yaml(tag + text, source="text")
    except InvalidYamlError as error:
        assert error.line is not None


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@given(width=st.integers(2, 30), levels=st.integers(2, 95), merge=st.booleans())
def test_alias_bombs_are_refused(loader: Any, width: int, levels: int, merge: bool) -> None:
    """Each line holds `width` aliases of the line before."""
    assume(width**levels > MAX_NODES)
    lines = ["- &a0 {k: v}" if merge else "- &a0 x"]
    for level in range(1, levels + 1):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"- &a{level} {{<<: [{aliases}]}}" if merge else f"- &a{level} [{aliases}]")
    with pytest.raises(UnsafeYamlError, match=r"values, aliases expanded|nested deeper"):
        load("\n".join(lines), "bomb", loader)


@given(length=st.integers(20_000, 200_000), copies=st.integers(1, 2000))
def test_a_long_text_repeated_by_aliases_counts_each_time(length: int, copies: int) -> None:
    text = f"- &a {'x' * length}\n" + "- *a\n" * copies
    if length * (copies + 1) > 10_000_000:
        with pytest.raises(UnsafeYamlError, match="characters, aliases expanded"):
            parse_yaml(text, source="bomb")
    else:
        assert parse_yaml(text, source="bomb") == ["x" * length] * (copies + 1)


@given(first=st.integers(1, MAX_DEPTH), second=st.integers(1, MAX_DEPTH))
def test_depth_counts_through_aliases(first: int, second: int) -> None:
    text = f"- &a {'[' * first}{']' * first}\n- {'[' * second}*a{']' * second}"
    if 1 + first + second > MAX_DEPTH:
        with pytest.raises(UnsafeYamlError, match=f"nested deeper than {MAX_DEPTH} levels"):
            parse_yaml(text, source="text")
    else:
        assert parse_yaml(text, source="text")[1] != []

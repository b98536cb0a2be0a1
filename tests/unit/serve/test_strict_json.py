"""JSON both ways: what is no strict JSON is refused on the way in and never written on the way out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_models.errors import JsonBodyError
from spark_models.serve.strict_json import MAX_DEPTH, check_depth, dumps, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert json.loads(dumps(value).decode()) == value


@given(st.binary())
def test_any_bytes_give_a_value_or_one_kind_of_error(text: bytes) -> None:
    try:
        loads(text)
    except JsonBodyError as error:
        assert error.code == "JSON_BODY"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[NaN]", "[JSON_BODY] The input can't be read: NaN is no JSON; write null for a missing number."),
        ("[-Infinity]", "[JSON_BODY] The input can't be read: -Infinity is no JSON; write null for a missing number."),
        ('{"a": 1, "a": 2}', "[JSON_BODY] The input can't be read: an object has a key twice."),
        (
            "[1,\n x]",
            "[JSON_BODY] The input can't be read: it is no JSON (Expecting value).\nWhere: body, line 2, column 2",
        ),
        ("", "[JSON_BODY] The input can't be read: it is no JSON (Expecting value).\nWhere: body, column 1"),
        (b"\xff", "[JSON_BODY] The input can't be read: it is not UTF-8 (byte 0).\nWhere: body"),
        (
            "[" * 100_000 + "]" * 100_000,  # Python 3.12 and newer read some thousands
            "[JSON_BODY] The input can't be read: it is nested deeper than 64 levels.\nWhere: body",
        ),
        ("9" * 5000, "[JSON_BODY] The input can't be read: it has an integer of too many digits.\nWhere: body"),
    ],
)
def test_the_text_of_each_refusal(text: str | bytes, said: str) -> None:
    with pytest.raises(JsonBodyError) as caught:
        loads(text, "body")
    assert str(caught.value).removesuffix("\nWhere: body") == said.removesuffix("\nWhere: body")


def test_a_byte_order_mark_is_skipped() -> None:
    assert loads(b"\xef\xbb\xbf[1]") == [1]


def test_half_a_surrogate_pair_is_written_as_json() -> None:
    assert dumps(["\ud800"]) == b'["\\ud800"]'
    assert json.loads(dumps(["\ud800"])) == ["\ud800"]


def test_numbers_that_json_has_not_are_never_written() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps([float("nan")])


def nested(depth: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


@pytest.mark.parametrize("kind", ["list", "object"])
def test_the_depth_is_bounded_exactly(kind: str) -> None:
    check_depth(nested(MAX_DEPTH, kind), "$")
    with pytest.raises(JsonBodyError) as caught:
        check_depth(nested(MAX_DEPTH + 1, kind), "$.data[*].a")
    assert str(caught.value) == (
        "[JSON_BODY] The input can't be read: it is nested deeper than 64 levels.\nWhere: $.data[*].a"
    )

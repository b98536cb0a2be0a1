"""Text for a terminal: aligned, and harmless whatever a package says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spark_models.cli.table import shown, table


@given(st.text())
def test_what_is_shown_is_printable_and_one_line(text: str) -> None:
    assert shown(text).isprintable()


def test_a_package_can_not_send_control_codes_to_the_terminal() -> None:
    assert shown("\x1b[2Jname\r\u202e") == "\\x1b[2Jname\\r\\u202e"


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4))
def test_columns_are_aligned(rows: list[tuple[str, str]]) -> None:
    lines = table(["first", "second"], rows)
    start = lines[0].index("second")
    assert len(lines) == len(rows) + 1
    for line, (first, second) in zip(lines[1:], rows, strict=True):
        assert line[2:start].strip() == shown(first).strip()
        assert line[start:].strip() == shown(second).strip()

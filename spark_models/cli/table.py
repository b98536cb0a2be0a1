"""Aligned text for a terminal. What a package or a row says is shown, never obeyed: control characters are escaped."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 48
"""Characters of a cell that are shown."""


def shown(value: object, width: int = WIDTH) -> str:
    r"""A value as one printable piece of text, cut at `width`.

    >>> shown("a\x1b[31mb\nc"), shown("x" * 9, width=4)
    ('a\\x1b[31mb\\nc', 'xxx…')
    """
    text = value if isinstance(value, str) else repr(value)
    plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def table(header: Sequence[str], rows: Sequence[Sequence[object]], indent: str = "  ", width: int = WIDTH) -> list[str]:
    """Lines of a table whose columns are aligned, header first.

    >>> table(["name", "type"], [["age", "double"], ["zip code", "string"]])
    ['  name      type', '  age       double', '  zip code  string']
    """
    cells = [[shown(value, width) for value in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return [f"{indent}{line}".rstrip() for line in lines]

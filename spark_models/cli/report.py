"""What `verify` prints."""

from __future__ import annotations

from typing import Any

from spark_models.cli.table import shown, table
from spark_models.verify.replay import Check, Replay

LISTED = 20
"""How many conflicts are printed."""


def report_text(replay: Replay) -> str:
    """One line a check, then a table of the conflicts, 20 of them at most.

    The values stand in it: they are shown to whoever has the package.
    """
    lines = [f"{shown(replay.uri, 200)}  sha256:{replay.content_hash}", f"Example of {replay.rows} rows"]
    lines += [f"  {_outcome(check)}" for check in replay.checks]
    lines += [f"  {shown(note, 200)}" for note in replay.notes]
    errors = dict.fromkeys(check.error for check in replay.checks if check.error != "")
    for error in errors:
        lines += ["", *(shown(line, 400) for line in error.splitlines())]
    conflicts = _conflicts(replay)
    if conflicts != []:
        lines += ["", *table(["row", "column", "expected", "actual", "where"], conflicts[:LISTED])]
        if len(conflicts) > LISTED:
            lines.append(f"  … +{len(conflicts) - LISTED} more")
    return "\n".join(lines)


def _outcome(check: Check) -> str:
    name = f"{check.where} against {check.against}:"
    if check.error != "":
        return f"{name} no answer"
    count = len(check.conflicts)
    return f"{name} {'the same' if count == 0 else '1 conflict' if count == 1 else f'{count} conflicts'}"


def _conflicts(replay: Replay) -> list[list[Any]]:
    """A row for each conflict; one that says the same of the same place as an earlier one is left out."""
    rows: dict[tuple[str, ...], list[Any]] = {}
    for check in replay.checks:
        for conflict in check.conflicts:
            row = "all" if conflict.row is None else str(conflict.row)
            found = [row, conflict.column, repr(conflict.expected), repr(conflict.actual), check.where]
            rows.setdefault(tuple(found), found)
    return list(rows.values())

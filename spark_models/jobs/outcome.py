"""What a run came to: `RunResult`, and the exit status that stands for it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any


class Outcome(enum.Enum):
    """How a run ended."""

    WRITTEN = "written"
    ALREADY_WRITTEN = "already written"
    NOTHING_NEW = "nothing new"
    EXPECTATION_FAILED = "expectation failed"
    FAILED = "failed"


EXIT = {
    "written": 0,
    "already written": 0,
    "nothing new": 0,
    "failed": 1,
    "job file": 2,
    "expectation failed": 3,
    "plan": 4,
    "conflict": 5,
}
"""The exit status of `spark-models score` by outcome: below 3 as of any command; 5 is worth another try."""

_KINDS = {
    "INVALID_JOB": "job file",
    "INVALID_YAML": "job file",
    "UNSAFE_YAML": "job file",
    "EXPECTATION_FAILED": "expectation failed",
    "JOB_FAILED": "failed",
    "WRITE_CONFLICT": "conflict",
}


def status_of(code: str) -> int:
    """The exit status of an error by its code; what is of no other kind is of the plan, before a row was written.

    >>> status_of("EXPECTATION_FAILED"), status_of("MISSING_COLUMNS")
    (3, 4)
    """
    return EXIT[_KINDS.get(code, "plan")]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run: what was read and written, by what, and how long each step took.

    Counts are None where an earlier run has written the rows and the log does not tell them.
    """

    job: str
    run_id: str
    outcome: Outcome
    identity: str
    model_uri: str
    model_hash: str
    started_at: str
    target: str
    rows: int | None = None
    written: int | None = None
    quarantined: int | None = None
    nulls: int | None = None
    version: int | None = None
    source: Mapping[str, Any] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    worker_seconds: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    drift: Mapping[str, Any] = field(default_factory=dict)
    earlier_run: str | None = None
    notes: tuple[str, ...] = ()
    report: str | None = None

    def facts(self) -> list[tuple[str, str]]:
        """The facts that a person reads, by name."""
        found = [
            ("job", self.job),
            ("outcome", self.outcome.value),
            ("run", self.run_id),
            ("model", f"{self.model_uri} ({self.model_hash[:12]})"),
            ("target", self.target + ("" if self.version is None else f", version {self.version}")),
            ("rows read", _count(self.rows)),
            ("rows written", _count(self.written)),
            ("rows in quarantine", _count(self.quarantined)),
            ("rows without prediction", _count(self.nulls)),
            ("seconds", f"{sum(self.seconds.values()):.1f}"),
        ]
        if self.earlier_run is not None:
            found.append(("written by run", self.earlier_run))
        if self.report is not None:
            found.append(("report", self.report))
        return [*found, *(("note", note) for note in self.notes)]

    def __str__(self) -> str:
        facts = self.facts()
        width = max(len(name) for name, _ in facts)
        return "\n".join(f"{name.ljust(width)}  {value}" for name, value in facts)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.facts())
        return f"<table>{rows}</table>"


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"

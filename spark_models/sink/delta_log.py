"""What a Delta table's history says: which commits still count, and which of them a run of ours made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DATA_OPERATIONS = frozenset(
    {
        "WRITE",
        "MERGE",
        "DELETE",
        "UPDATE",
        "TRUNCATE",
        "STREAMING UPDATE",
        "RESTORE",
        "CREATE TABLE AS SELECT",
        "CREATE OR REPLACE TABLE AS SELECT",
        "REPLACE TABLE AS SELECT",
        "REPLACE TABLE",
        "CREATE OR REPLACE TABLE",
        "COPY INTO",
        "CLONE",
        "CONVERT",
    }
)
"""Operations after which the rows may be others; OPTIMIZE, VACUUM, ANALYZE and changes of properties keep them."""

COLUMNS = (
    "version",
    "operation",
    "operationParameters",
    "operationMetrics",
    "userMetadata",
    "unix_micros(timestamp)",
    "unix_micros(try_cast(operationParameters['timestamp'] AS timestamp))",
)
"""The columns of a history as a `Commit` takes them; Spark reads the times, in its own zone."""

MISSING = (
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_PATH_DOES_NOT_EXIST",
    "DELTA_TABLE_NOT_FOUND",
    "TABLE_OR_VIEW_NOT_FOUND",
    "PATH_NOT_FOUND",
)


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a table: what made it, and what our runs have written beside it.

    `time` is in microseconds; `back` is the time that a RESTORE was told to go back to.
    """

    version: int
    operation: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    stamp: Mapping[str, Any] = field(default_factory=dict)
    time: int = 0
    back: int | None = None

    @property
    def rows(self) -> int | None:
        """The rows that it wrote."""
        for name in ("numOutputRows", "numTargetRowsInserted"):
            if name in self.metrics:
                return int(self.metrics[name])
        return None


@dataclass(frozen=True, slots=True)
class History:
    """The commits that the log still holds, oldest first."""

    commits: Sequence[Commit]

    @property
    def version(self) -> int:
        """The newest version; -1 without any."""
        return self.commits[-1].version if self.commits else -1

    @property
    def whole(self) -> bool:
        """Whether it goes back to the table's first version."""
        return self.commits == [] or self.commits[0].version == 0

    def live(self) -> list[Commit]:
        """The commits whose rows no RESTORE has taken away, oldest first."""
        kept: list[Commit] = []
        at: dict[int, list[Commit]] = {}
        for commit in self.commits:
            if commit.operation == "RESTORE":
                kept = at.get(self._restored(commit), [])
            kept = [*kept, commit]
            at[commit.version] = kept
        return kept

    def _restored(self, commit: Commit) -> int:
        """The version that a RESTORE went back to; -1 where that is not told."""
        text = str(commit.parameters.get("version"))
        if text.isdigit():
            return int(text)
        if commit.back is None:
            return -1
        earlier = [item.version for item in self.commits if item.version < commit.version and item.time <= commit.back]
        return max(earlier, default=-1)

    def of(self, identity: str) -> Commit | None:
        """The newest live commit of runs of that identity."""
        return next((commit for commit in reversed(self.live()) if commit.stamp.get("identity") == identity), None)

    def by(self, run_id: str) -> Commit | None:
        """The commit of one run."""
        return next((commit for commit in reversed(self.commits) if commit.stamp.get("run_id") == run_id), None)

    def newest_of(self, stream: str) -> Commit | None:
        """The newest live commit of a job, whatever its source range was."""
        return next((commit for commit in reversed(self.live()) if commit.stamp.get("stream") == stream), None)

    def untouched_since(self, commit: Commit) -> bool:
        """Whether no other commit has changed rows after that one."""
        later = [item for item in self.live() if item.version > commit.version]
        return not any(item.operation in DATA_OPERATIONS for item in later)

    def epoch(self, identity: str, replaces: bool) -> int:
        """What sets this write apart from an earlier one of its identity that no longer stands; 0 for the first.

        A table remembers the identity of a commit for good. Rows that a RESTORE took away, or that another job has
        replaced since, must be written again, and so under another identity.
        """
        own = [commit.version for commit in self.commits if commit.stamp.get("identity") == identity]
        if own == []:
            return 0 if self.whole or not replaces else self.commits[0].version
        later = [commit for commit in self.commits if commit.version > own[-1] and commit.operation in DATA_OPERATIONS]
        if not replaces:
            later = [commit for commit in later if commit.operation == "RESTORE"]
        return later[-1].version if later else 0


def history(spark: Any, reference: str, limit: int | None = None) -> History | None:
    """The history of a Delta table; None where there is no table."""
    try:
        frame = spark.sql(f"DESCRIBE HISTORY {reference}" + ("" if limit is None else f" LIMIT {limit}"))
        rows = frame.selectExpr(*COLUMNS).collect()
    except Exception as error:
        if is_missing(error):
            return None
        raise
    commits = [
        Commit(row[0], row[1], row[2] or {}, row[3] or {}, _stamp(row[4]), row[5] or 0, row[6])
        for row in sorted(rows, key=lambda row: int(row[0]))
    ]
    return History(commits)


def detail(spark: Any, reference: str) -> Any:
    """The row of DESCRIBE DETAIL; None where there is no such Delta table."""
    try:
        row = spark.sql(f"DESCRIBE DETAIL {reference}").collect()[0]
    except Exception as error:
        if is_missing(error):
            return None
        raise
    return row if row["format"] == "delta" else None


def is_missing(error: Exception) -> bool:
    """Whether an error of Spark says that there is no such table."""
    text = str(error)
    return any(f"[{code}" in text for code in MISSING) or "is not a Delta table" in text


def _stamp(text: str | None) -> Mapping[str, Any]:
    """What a run of ours wrote; {} for what others did, which may be any text."""
    try:
        found = json.loads(text or "{}")
        stamp = found.get("spark_models", {})
    except (ValueError, AttributeError, RecursionError):
        return {}
    return stamp if isinstance(stamp, dict) else {}

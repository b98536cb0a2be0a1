"""`Target` and what a write says of itself: plain values that every sink takes and gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spark_models.bridge.sql import quoted

APPEND = "append"
OVERWRITE = "overwrite"
REPLACE_WHERE = "replaceWhere"
MERGE = "merge"
PARTITIONS = "partitions"


@dataclass(frozen=True, slots=True)
class Target:
    """A table or folder, and how rows are put into it. `connection` holds secrets in clear and is never shown."""

    format: str
    table: str | None = None
    path: str | None = None
    mode: str = APPEND
    where: str | None = None
    keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    partitions: int | None = None
    merge_schema: bool = False
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    connection: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """What it is called in texts."""
        return f"{self.format} {self.table or self.path}"

    @property
    def reference(self) -> str:
        """The table as SQL names it: each part quoted, a path behind its format."""
        return reference(self.format, self.table, self.path)

    @property
    def promise(self) -> str:
        """How often a row of one run is in the target after it was killed and run again."""
        if self.format == "delta":
            return "once: the commit carries the run's identity"
        if self.mode == OVERWRITE:
            return "once: the run replaces everything; a killed one leaves it incomplete until the next"
        if self.mode == PARTITIONS:
            return "once: the run replaces the partitions that it has rows for"
        return "at least once: a run that was killed may have written rows, and the next writes them again"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a commit says of its run: `identity` is the same for the same job, package and source range.

    `fresh` says that no other commit can have the identity: nobody needs to look for one.
    """

    identity: str
    run_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False

    def metadata(self) -> dict[str, Any]:
        """What is written beside the rows."""
        return {"spark_models": {"identity": self.identity, "run_id": self.run_id, **self.facts}}


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: the version that it made, or, where `already` is true, the one that an earlier run made.

    `version` and `rows` are None where the format does not tell, or the log holds it no longer.
    """

    already: bool = False
    version: int | None = None
    rows: int | None = None
    run_id: str | None = None


def reference(kind: str, table: str | None, path: str | None) -> str:
    """A table as SQL names it.

    >>> reference("delta", "main.crm.scores", None), reference("delta", None, "/data/a`b")
    ('`main`.`crm`.`scores`', 'delta.`/data/a``b`')
    """
    if table is None:
        return f"{kind}.{quoted(path)}"
    return ".".join(quoted(part.replace("``", "`")) for part in _parts(table))


def _parts(table: str) -> list[str]:
    """The parts of a name that may be quoted already."""
    found = [quoted_ or plain for quoted_, plain in re.findall(r"(?:`((?:[^`]|``)+)`|([^.]+))(?:\.|$)", table)]
    return found if found != [] else [table]

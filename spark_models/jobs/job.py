"""`Job`: what a job file says, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spark_models.jobs.kinds import Secret


@dataclass(frozen=True, slots=True)
class Jdbc:
    """A connection to a database, and how its table is read in parallel."""

    url: str
    driver: str | None = None
    user: str | None = None
    password: Secret | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    partition_column: str | None = None
    lower: float | None = None
    upper: float | None = None
    partitions: int | None = None

    def options(self) -> dict[str, str]:
        """The options of Spark's reader and writer, secrets in clear."""
        found = {
            "url": self.url,
            "driver": self.driver,
            "user": self.user,
            "password": self.password,
            **self.properties,
        }
        ranges = {
            "partitionColumn": self.partition_column,
            "lowerBound": self.lower,
            "upperBound": self.upper,
            "numPartitions": self.partitions,
        }
        return revealed({name: value for name, value in {**found, **ranges}.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Source:
    """What is read."""

    format: str = "delta"
    table: str | None = None
    path: str | None = None
    query: str | None = None
    version: int | None = None
    changes: tuple[int, int | None] | None = None
    incremental: str = "none"
    checkpoint: str | None = None
    schema: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str | None = None
    jdbc: Jdbc | None = None

    @property
    def name(self) -> str:
        """What it is called in texts."""
        return f"{self.format} {self.table or self.path or '(query)'}"


@dataclass(frozen=True, slots=True)
class ModelPart:
    """What scores it; the fields are arguments of `score`."""

    uri: str
    expected_hash: str | None = None
    allow_code: bool | None = None
    method: str | None = None
    params: Mapping[str, Any] | None = None
    result_type: str | None = None
    output: str = "prediction"
    inputs: tuple[str, ...] | None = None
    batch_rows: int | None = None
    batch_bytes: int | None = None
    transport: str | None = None
    env_manager: str = "local"


@dataclass(frozen=True, slots=True)
class SinkPart:
    """Where rows go."""

    format: str = "delta"
    table: str | None = None
    path: str | None = None
    mode: str = "append"
    where: str | None = None
    partition_by: tuple[str, ...] = ()
    partitions: int | None = None
    merge_schema: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    jdbc: Jdbc | None = None
    raw: bool = False

    @property
    def name(self) -> str:
        """What it is called in texts."""
        return f"{self.format} {self.table or self.path}"


@dataclass(frozen=True, slots=True)
class Lineage:
    """The names of the columns that say which model and run wrote a row."""

    model_uri: str = "model_uri"
    package_hash: str = "model_hash"
    run_id: str = "run_id"
    scored_at: str = "scored_at"

    def names(self) -> list[str]:
        """The names in the order in which they are added."""
        return [self.model_uri, self.package_hash, self.run_id, self.scored_at]


@dataclass(frozen=True, slots=True)
class Expect:
    """What must hold before anything is written."""

    min_rows: int | None = None
    max_rows: int | None = None
    max_null_share: float | None = None
    max_quarantined_share: float | None = None
    scores: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    max_psi: float | None = None

    @property
    def of_scores(self) -> bool:
        """Whether something is expected of scores, so that all rows must be scored before the first is written."""
        return self != Expect(min_rows=self.min_rows, max_rows=self.max_rows)


@dataclass(frozen=True, slots=True)
class Report:
    """Where a run's report goes, and what scores are compared with."""

    path: str
    baseline: str = "last"


@dataclass(frozen=True, slots=True)
class Job:
    """A batch job: what is read, what scores it, where it goes, and what must hold."""

    name: str
    source: Source
    model: ModelPart
    sink: SinkPart
    keys: tuple[str, ...] = ()
    keep: tuple[str, ...] | None = None
    run_key: str | None = None
    quarantine: SinkPart | None = None
    lineage: Lineage | None = None
    expect: Expect = Expect()
    run_log: SinkPart | None = None
    report: Report | None = None
    spark: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()

    def redacted(self, text: str) -> str:
        """The text with every secret of the job blotted out."""
        hidden = sorted({secret.reveal() for secret in self.secrets} - {""}, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, hidden)), "***", text) if hidden != [] else text

    @property
    def uses_delta(self) -> bool:
        """Whether the session needs Delta."""
        sinks = [part for part in (self.sink, self.quarantine, self.run_log) if part is not None]
        return "delta" in [self.source.format, *(part.format for part in sinks)]


def revealed(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as Spark takes them: text, secrets in clear."""
    return {name: _option(value) for name, value in options.items()}


def _option(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    return str(value).lower() if isinstance(value, bool) else str(value)

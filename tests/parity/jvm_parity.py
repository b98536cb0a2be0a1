"""The Java companion beside Spark: one pipeline's outputs for the same rows, and where they part."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
JAR = Path(os.environ.get("SPARK_MODELS_JAR") or ROOT / "jvm" / "server" / "target" / "spark-models.jar")

needs_jar = pytest.mark.skipif(
    not JAR.is_file() and os.environ.get("CI") != "true",
    reason=f"the Java companion is not built (make jvm): {JAR}",
)


@dataclass(frozen=True)
class Scored:
    """The JVM's outputs for rows: those that it refuses have none, and stand by number among the errors."""

    rows: list[list[Any]]
    errors: dict[int, str]
    load_ms: float


class Jvm:
    """One JVM that scores the rows of any number of packages with the companion's `Scorer`."""

    def __init__(self) -> None:
        source = str(Path(__file__).parent / "ScoreLines.java")
        command = ["java", "-Xmx1g", "-cp", str(JAR), source]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)

    def score(self, package: Path, columns: Sequence[str], data: list[list[Any]], outputs: Sequence[str]) -> Scored:
        """The outputs for rows of plain values."""
        asked = {
            "package": str(package),
            "columns": list(columns),
            "data": [[json_value(value) for value in row] for row in data],
            "outputs": list(outputs),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked, allow_nan=False) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        rows = [[_from_json(value) for value in row] for row in answer["rows"]]
        return Scored(rows, {int(row): text for row, text in answer["errors"].items()}, answer["load_ms"])

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def json_value(value: Any) -> Any:
    """A value of Spark or pandas for `ScoreLines.java`: vectors dense, doubles that JSON has not by name."""
    if hasattr(value, "toArray"):
        return json_value(value.toArray().tolist())
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Decimal):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value["float"].replace("Infinity", "inf"))
    return [_from_json(item) for item in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Spark's value as the companion gives it: vectors dense, decimals as doubles."""
    if hasattr(value, "toArray"):
        return value.toArray().tolist()
    if isinstance(value, Decimal):
        return float(value)
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def conflicts(
    columns: Sequence[str], expected: list[Any], actual: list[list[Any]], tolerance: float = 1e-9
) -> list[str]:
    """The columns that differ, with the first row of each; both hold the same rows, in one order."""
    assert len(expected) == len(actual)
    found: dict[str, str] = {}
    for at, (one, other) in enumerate(zip(expected, actual, strict=True)):
        for name, value, given in zip(columns, one, other, strict=True):
            if name not in found and not same(plain(value), given, tolerance):
                found[name] = f"{name}, row {at}: Spark {plain(value)}, JVM {given}"
    return list(found.values())


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two plain values are the same; NaN is NaN, and is not null."""
    if isinstance(one, list) and isinstance(other, list):
        one, other = _flat(one), _flat(other)
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other or abs(one - other) <= tolerance * max(1.0, abs(one))
    return type(one) is type(other) and bool(one == other)


def _flat(items: list[Any]) -> list[Any]:
    """A list of lists as one: an array of vectors is a matrix in the JVM."""
    return [leaf for item in items for leaf in (_flat(item) if isinstance(item, list) else [item])]

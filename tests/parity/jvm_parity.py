"""The Java companion beside Spark: one pipeline's outputs for the same rows, and where they part."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
JAR = Path(os.environ.get("SPARK_MODELS_JAR") or ROOT / "jvm" / "server" / "target" / "spark-models.jar")


def jvm_rows(package: Path, frame: Any, outputs: Sequence[str]) -> list[Any]:
    """What the companion's `predict` gives for the rows of a pandas frame: one dict a row."""
    clean = frame.astype(object).where(frame.notna(), None)
    body = json.dumps({"columns": list(clean.columns), "data": clean.to_numpy().tolist()}, allow_nan=False)
    command = ["java", "-jar", str(JAR), "predict", "-m", str(package), "--outputs", ",".join(outputs)]
    done = subprocess.run(command, input=body, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    found = answer["predictions"] if isinstance(answer, dict) else answer
    # A single column comes as its values.
    return found if len(outputs) > 1 else [{outputs[0]: value} for value in found]


def plain(value: Any) -> Any:
    """Spark's value as JSON would show it: vectors dense, what is not finite as None."""
    if hasattr(value, "toArray"):
        return [plain(item) for item in value.toArray()]
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def conflicts(expected: list[Any], actual: list[Any], tolerance: float = 1e-9) -> list[str]:
    """The columns that differ, with the first row of each."""
    assert len(expected) == len(actual)
    found: dict[str, str] = {}
    for at, (one, other) in enumerate(zip(expected, actual, strict=True)):
        for name, value in one.asDict().items():
            if name not in found and not _same(plain(value), other[name], tolerance):
                found[name] = f"{name}, row {at}: Spark {plain(value)}, JVM {other[name]}"
    return list(found.values())


def _same(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, (list, float, int)) and not isinstance(one, bool):
        flat = [np.ravel(np.array(item, dtype=object)) for item in (one, other)]
        if len(flat[0]) != len(flat[1]):
            return False
        pairs = zip(flat[0], flat[1], strict=True)
        return all(a == b if isinstance(a, str) or a is None or b is None else _near(a, b, tolerance) for a, b in pairs)
    return bool(one == other)


def _near(one: Any, other: Any, tolerance: float) -> bool:
    return abs(one - other) <= tolerance * max(1.0, abs(one))

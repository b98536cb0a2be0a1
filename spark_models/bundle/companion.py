"""The Java companion: where it is, and in which values its answers are not the expected ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_models.errors import CompanionFailedError, CompanionUnavailableError

JAR_VARIABLE = "SPARK_MODELS_JAR"
"""The environment variable with the path of `spark-models.jar`."""

JAR = Path(__file__).parents[2] / "jvm" / "server" / "target" / "spark-models.jar"
"""Where a source checkout has built it."""

TOLERANCE = 1e-9
"""By which numbers of the JVM may differ, absolutely or by their size: its sums are of another order."""


@dataclass(frozen=True, slots=True)
class JvmConflict:
    """One value of the JVM that is not the expected one; `actual` is an error's code where the row was refused."""

    row: int
    column: str
    expected: Any
    actual: Any


def find_companion() -> tuple[str, Path]:
    """The `java` and the jar of the companion: the one that SPARK_MODELS_JAR names, else the one built in a checkout.

    Raises:
        CompanionUnavailableError: [COMPANION_UNAVAILABLE] there is no Java, or no jar.
    """
    home = os.environ.get("JAVA_HOME", "")
    java = shutil.which(str(Path(home, "bin", "java")) if home != "" else "java")
    if java is None:
        raise CompanionUnavailableError("there is no Java in JAVA_HOME" if home != "" else "there is no Java on PATH")
    named = os.environ.get(JAR_VARIABLE, "")
    jar = Path(named) if named != "" else JAR
    if not jar.is_file():
        raise CompanionUnavailableError(
            f"{JAR_VARIABLE} names no file" if named != "" else f"its jar is not built, and {JAR_VARIABLE} is not set"
        )
    return java, jar


def jvm_conflicts(
    package: Path,
    inputs: Mapping[str, Any] | None = None,
    expected: Mapping[str, Any] | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> tuple[int, tuple[JvmConflict, ...]]:
    """How many rows the companion scored, and every value that is not the expected one.

    `inputs` and `expected` are tables in split orientation, of plain JSON values; without them it is the package's
    stored example and the predictions on it.

    Raises:
        CompanionUnavailableError: [COMPANION_UNAVAILABLE] there is no Java, or no jar.
        CompanionFailedError: [COMPANION_FAILED] it refuses the package, or its example.
    """
    command = ["verify", "--json", "--tolerance", repr(tolerance), str(package)]
    if inputs is None:
        return _conflicts(_run(command))
    with tempfile.TemporaryDirectory(prefix="spark-models-") as folder:
        cases = Path(folder, "cases.json")
        cases.write_text(json.dumps({"inputs": inputs, "expected": expected}, allow_nan=False), encoding="utf-8")
        return _conflicts(_run([*command, "--cases", str(cases)]))


def _run(arguments: Sequence[str]) -> Any:
    java, jar = find_companion()
    done = subprocess.run([java, "-jar", str(jar), *arguments], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        lines = [line for line in done.stderr.splitlines() if line.strip() != ""]
        raise CompanionFailedError(done.returncode, tuple(lines[-20:])) from None


def _conflicts(report: Any) -> tuple[int, tuple[JvmConflict, ...]]:
    found = (JvmConflict(item["row"], item["column"], item["expected"], item["actual"]) for item in report["conflicts"])
    return int(report["rows"]), tuple(found)

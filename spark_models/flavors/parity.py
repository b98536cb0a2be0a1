"""The JVM's answers for the sample of a pipeline, held to Spark's own before the package appears."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from spark_models.bridge.sql import quoted
from spark_models.bundle.companion import JvmConflict, find_companion, jvm_conflicts
from spark_models.bundle.writer import Preflight
from spark_models.errors import InvalidArgumentError, ParityError

ROWS = 1000
"""How many rows of a sample are scored."""


def require_parity(package: Path, found: Preflight, sample: Any) -> None:
    """Scores the rows of the sample in the JVM, and raises where the answers are not those that Spark has added to it.

    Every column that the bundle makes is compared. Left out are rows that Spark drops, rows with a number that JSON has
    not, and rows with a missing value that the JVM refuses: a refusal gives no wrong answer.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] no row of the sample is left to compare.
        ParityError: [PARITY] with the columns, and where and by how much they differ.
        CompanionUnavailableError: [COMPANION_UNAVAILABLE] there is no Java, or no jar.
        CompanionFailedError: [COMPANION_FAILED] the JVM can't load what was written.
    """
    find_companion()
    given, made = found.inputs(), found.outputs()
    scored = sample.select(*map(quoted, [*given, *made])).collect()
    rows = [row for row in scored if all(_is_finite(row[at]) for at in range(len(given)))]
    plain = [[json_value(value) for value in row] for row in rows]
    inputs = {"columns": given, "data": [row[: len(given)] for row in plain]}
    expected = {"columns": made, "data": [row[len(given) :] for row in plain]}
    count, conflicts = jvm_conflicts(package, inputs, expected)
    gaps = {at for at, row in enumerate(plain) if None in row[: len(given)]}
    refused = {item.row for item in conflicts if item.row in gaps and _is_refusal(item.actual)}
    if len(refused) == count:
        raise InvalidArgumentError(
            "verify=True has nothing to compare: no row of the sample has only finite numbers and is scored by Spark",
            "give a sample_input with whole rows, or save without verify=True",
        )
    wrong = [item for item in conflicts if item.row not in refused]
    if wrong != []:
        first = {item.column: how(item) for item in reversed(wrong)}
        raise ParityError(tuple((name, first[name]) for name in made if name in first), count)


def json_value(value: Any) -> Any:
    """A value of Spark as JSON has it: vectors and matrices as lists, what is not finite as None."""
    if hasattr(value, "toArray"):
        return json_value(value.toArray().tolist())
    if isinstance(value, (list, tuple)):
        # An array of vectors is one vector in the JVM.
        items = [(json_value(item), hasattr(item, "toArray")) for item in value]
        return [leaf for item, is_vector in items for leaf in (item if is_vector else [item])]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return float(value) if isinstance(value, Decimal) else value


def how(conflict: JvmConflict) -> str:
    """Where a value differs and by how much; without the value itself.

    >>> how(JvmConflict(3, "p", [1.0, 2.0], [1.0, 2.5])), how(JvmConflict(0, "p", "a", "b"))
    ('row 3, by 0.5', 'row 0')
    """
    if _is_refusal(conflict.actual):
        return f"row {conflict.row}, which the JVM refuses with {conflict.actual}"
    one, other = _numbers(conflict.expected), _numbers(conflict.actual)
    if one is None or other is None or len(one) != len(other) or one == []:
        return f"row {conflict.row}"
    return f"row {conflict.row}, by {max(abs(a - b) for a, b in zip(one, other, strict=True)):.3g}"


def _numbers(value: Any) -> list[float] | None:
    items: Sequence[Any] = value if isinstance(value, list) else [value]
    numbers = [item for item in items if isinstance(item, (int, float)) and not isinstance(item, bool)]
    return numbers if len(numbers) == len(items) else None


def _is_refusal(actual: Any) -> bool:
    return isinstance(actual, str) and actual.startswith("[") and actual.endswith("]")


def _is_finite(value: Any) -> bool:
    if hasattr(value, "toArray"):
        return all(map(math.isfinite, value.toArray()))
    return not isinstance(value, float) or math.isfinite(value)

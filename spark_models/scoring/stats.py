"""`ScoreStats`: what scoring cost, summed over batches, workers and tasks."""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class ScoreStats:
    """Counts of rows, batches, null predictions, failed rows and model loads, and seconds by step.

    Seconds are wall time inside the Python workers, summed over them; `transfer_seconds` is the time in which a worker
    waited for its next batch: the JVM's work and the way of the data.

    >>> ScoreStats(rows=2, predict_seconds=0.5) + ScoreStats(rows=3)
    ScoreStats: 5 rows in 0 batches, 0 null, 0 failed; 0 model loads, 0.00 s
    bind 0.00 s, predict 0.50 s, coerce 0.00 s, transfer 0.00 s
    """

    rows: int = 0
    batches: int = 0
    nulls: int = 0
    failed: int = 0
    loads: int = 0
    load_seconds: float = 0.0
    bind_seconds: float = 0.0
    predict_seconds: float = 0.0
    coerce_seconds: float = 0.0
    transfer_seconds: float = 0.0

    def __add__(self, other: ScoreStats) -> ScoreStats:
        return ScoreStats(*map(operator.add, _figures(self), _figures(other)))

    def to_dict(self) -> dict[str, Any]:
        """The figures by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def steps(self) -> dict[str, float]:
        """Seconds by step, in the order in which a batch passes them."""
        return {
            "transfer": self.transfer_seconds,
            "load": self.load_seconds,
            "bind": self.bind_seconds,
            "predict": self.predict_seconds,
            "coerce": self.coerce_seconds,
        }

    def plot(self, axes: Any = None) -> Any:
        """The matplotlib axes of a bar chart of the steps' seconds. Needs the `plot` extra.

        Raises:
            MissingExtraError: [MISSING_EXTRA] matplotlib is not installed.
        """
        from spark_models.errors import MissingExtraError

        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingExtraError("matplotlib", "plot", "A plot") from error
        # A Figure of its own needs no display and leaves pyplot's state alone; notebooks show it by its axes' figure.
        target = Figure(figsize=(6, 2.2), layout="constrained").subplots() if axes is None else axes
        steps = self.steps()
        target.barh(list(steps)[::-1], list(steps.values())[::-1])
        target.set_xlabel("worker seconds")
        target.set_title(f"{self.rows:,} rows in {self.batches:,} batches")
        return target

    def __str__(self) -> str:
        steps = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self._seconds())
        counts = f"{self.rows:,} rows in {self.batches:,} batches, {self.nulls:,} null, {self.failed:,} failed"
        return f"ScoreStats: {counts}; {self.loads:,} model loads, {self.load_seconds:.2f} s\n{steps}"

    __repr__ = __str__

    def _seconds(self) -> list[tuple[str, float]]:
        return [
            ("bind", self.bind_seconds),
            ("predict", self.predict_seconds),
            ("coerce", self.coerce_seconds),
            ("transfer", self.transfer_seconds),
        ]


_figures = operator.attrgetter(*(field.name for field in fields(ScoreStats)))
"""The figures as a tuple; a batch's are added in a worker, and dataclasses.astuple would copy each of them deeply."""

"""`score` on a stream of files: every row once, over micro-batches and over a restart."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models.errors import MissingColumnsError


@pytest.fixture
def model(save: Any) -> Any:
    def predict(frame: Any) -> Any:
        if bool((frame["x"] == 13).any()):
            raise ValueError("no")
        return frame["x"] * 2

    return save(predict, {"x": "double"}, split_invariant=True)


class Arrivals:
    """A folder of CSV files that a stream reads, one file a micro-batch."""

    def __init__(self, spark: Any, folder: Path) -> None:
        self.spark = spark
        self.folder = folder
        self.arrived = 0
        folder.mkdir()

    def add(self, *values: float) -> None:
        """A new file of these values."""
        self.arrived += 1
        text = "".join(f"{value}\n" for value in values)
        file = self.folder / f"{self.arrived:03}.csv"
        file.write_text(text)
        # Spark takes the oldest file first: two of one millisecond would come in any order.
        when = time.time() - 1_000 + self.arrived
        os.utime(file, (when, when))

    def stream(self) -> Any:
        """The streaming DataFrame of all files."""
        return self.spark.readStream.schema("x double").option("maxFilesPerTrigger", 1).csv(str(self.folder))


@pytest.fixture
def arrivals(spark: Any, tmp_path: Path) -> Iterator[Arrivals]:
    yield Arrivals(spark, tmp_path / "arrivals")
    for query in spark.streams.active:
        query.stop()


def written(scored: Any, folder: Path) -> Any:
    """Runs the stream until it has everything that has arrived; the Parquet table it has written so far."""
    writer = scored.writeStream.format("parquet").option("checkpointLocation", str(folder / "checkpoint"))
    query = writer.trigger(availableNow=True).start(str(folder / "table"))
    assert query.awaitTermination(120)
    assert query.exception() is None
    return scored.sparkSession.read.parquet(str(folder / "table"))


def pairs(frame: Any) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in frame.collect())


@pytest.mark.parametrize("transport", ["pandas", "map"])
def test_available_now_scores_each_row_once_and_after_a_restart_only_the_new_ones(
    arrivals: Arrivals, model: Any, tmp_path: Path, transport: str
) -> None:
    arrivals.add(1, 2)
    arrivals.add(3)
    out = tmp_path / "out"
    scored = spark_models.score(arrivals.stream(), model.uri, transport=transport)
    assert scored.isStreaming
    assert pairs(written(scored, out)) == [(1, 2), (2, 4), (3, 6)]
    calls = len(model.calls())
    arrivals.add(4, 5)
    again = spark_models.score(arrivals.stream(), model.uri, transport=transport)
    assert pairs(written(again, out)) == [(1, 2), (2, 4), (3, 6), (4, 8), (5, 10)]
    assert len(model.calls()) == calls + 1
    assert pairs(written(spark_models.score(arrivals.stream(), model.uri, transport=transport), out))[-1] == (5, 10)
    assert len(model.calls()) == calls + 1


def test_micro_batches_load_the_model_once_a_worker_process(arrivals: Arrivals, model: Any, tmp_path: Path) -> None:
    for value in range(6):
        arrivals.add(value)
    written(spark_models.score(arrivals.stream(), model.uri), tmp_path / "out")
    assert len(model.calls()) == 6
    assert len(model.loads()) == len(set(model.loads()))


def test_foreach_batch_gets_scored_batches(arrivals: Arrivals, model: Any, tmp_path: Path) -> None:
    arrivals.add(1, 2)
    arrivals.add(3)
    seen: dict[int, list[tuple[Any, ...]]] = {}

    def take(batch: Any, number: int) -> None:
        seen[number] = pairs(batch)

    scored = spark_models.score(arrivals.stream(), model.uri)
    query = scored.writeStream.foreachBatch(take).trigger(availableNow=True).start()
    assert query.awaitTermination(120)
    assert seen == {0: [(1, 2), (2, 4)], 1: [(3, 6)]}


def test_a_batch_may_be_scored_inside_foreach_batch(arrivals: Arrivals, model: Any) -> None:
    arrivals.add(1, 2)
    seen = []

    def take(batch: Any, number: int) -> None:
        seen.extend(pairs(spark_models.score(batch, model.uri)))

    query = arrivals.stream().writeStream.foreachBatch(take).trigger(availableNow=True).start()
    assert query.awaitTermination(120)
    assert seen == [(1, 2), (2, 4)]


def test_a_bad_row_of_a_stream_goes_to_quarantine_and_the_stream_goes_on(
    arrivals: Arrivals, model: Any, tmp_path: Path
) -> None:
    arrivals.add(12, 13)
    arrivals.add(14)
    table = written(spark_models.score(arrivals.stream(), model.uri, on_error="quarantine"), tmp_path / "out")
    assert sorted(map(tuple, table.select("x", "prediction", "prediction_error_code").collect())) == [
        (12.0, 24.0, None),
        (13.0, None, "MODEL_ERROR"),
        (14.0, 28.0, None),
    ]


def test_a_bad_row_stops_the_stream_by_default_and_nothing_of_its_batch_is_written(
    arrivals: Arrivals, model: Any, tmp_path: Path
) -> None:
    arrivals.add(1)
    arrivals.add(2, 13)
    folder = tmp_path / "out"
    scored = spark_models.score(arrivals.stream(), model.uri)
    writer = scored.writeStream.format("parquet").option("checkpointLocation", str(folder / "checkpoint"))
    query = writer.trigger(availableNow=True).start(str(folder / "table"))
    with pytest.raises(Exception, match="ValueError"):
        query.awaitTermination(120)
    assert pairs(scored.sparkSession.read.parquet(str(folder / "table"))) == [(1, 2)]


def test_a_stream_that_does_not_fit_is_refused_before_it_starts(arrivals: Arrivals, save: Any) -> None:
    with pytest.raises(MissingColumnsError):
        spark_models.score(arrivals.stream(), save(lambda frame: frame["y"], {"y": "double"}).uri)

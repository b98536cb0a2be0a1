"""The progress bar on a real job."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest

from spark_models.scoring.progress import progress


class Screen(io.StringIO):
    """A terminal that remembers what it was sent."""

    def isatty(self) -> bool:
        return True


def test_the_tasks_of_a_score_are_counted_while_it_runs(udf: Any, spark: Any, save: Any) -> None:
    def slow(frame: Any) -> Any:
        time.sleep(0.1)
        return frame["x"]

    predict = udf(save(slow, {"x": "double"}), "double")
    table = spark.range(0, 100, 1, 10).selectExpr("cast(id as double) as x")
    screen = Screen()
    with progress(spark, 100, stream=screen, interval=0.02):
        table.select(predict("x")).collect()
    lines = [line.strip() for line in screen.getvalue().split("\r") if "tasks" in line]
    done = [int(line.partition("% ")[2].partition("/")[0]) for line in lines]
    assert done == sorted(done)
    assert {"/10 tasks" in line for line in lines} == {True}
    assert len(set(done)) > 3
    assert "100% 10/10 tasks, 100 rows, done in 0:0" in lines[-1]


def test_a_job_that_fails_stops_the_bar_and_goes_on_as_it_is(udf: Any, spark: Any, save: Any) -> None:
    def fails(frame: Any) -> Any:
        raise ValueError("no")

    predict = udf(save(fails, {"x": "double"}), "double")
    screen = Screen()
    with pytest.raises(Exception, match="ValueError"), progress(spark, stream=screen):
        spark.range(4).selectExpr("cast(id as double) as x").select(predict("x")).collect()
    assert "stopped after 0:0" in screen.getvalue()

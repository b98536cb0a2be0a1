"""One batch in a worker: slices, bad rows, the envelope, and the models that a process keeps."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spark_models
from spark_models.coerce.result_type import ResultType, parse_result_type
from spark_models.models import ModelSignature
from spark_models.package.reader import open_package
from spark_models.scoring import clock, resident
from spark_models.scoring.envelope import envelope_type, sealed, value_fields
from spark_models.scoring.failures import Failure
from spark_models.scoring.incoming import ArrowBatch, PandasBatch
from spark_models.scoring.place import PackageRef
from spark_models.scoring.plan import plan_for
from spark_models.scoring.resident import MOST_MODELS, resident_model
from spark_models.scoring.scorer import LOG_LEVEL, BatchScorer, is_new, log_as_asked
from spark_models.scoring.stats import ScoreStats
from spark_models.store import cache
from spark_models.types.schema import ColSpec, Schema

SCHEMA = Schema([ColSpec("double", "x")])


class Noting(spark_models.pyfunc.PythonModel):
    """Doubles x, fails on negative numbers; notes in this process its loads and what it gets."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def load_context(self, context: Any) -> None:
        _calls().append(f"load {self.number}")

    def predict(self, context: Any, model_input: Any) -> Any:
        _calls().append(len(model_input))
        if bool((model_input["x"] < 0).any()):
            raise ValueError("negative")
        return model_input["x"] * 2


def _calls() -> list[Any]:
    """The notes. They hang on a module that is pickled by its name: this one is pickled whole."""
    notes: list[Any] = vars(clock).setdefault("_notes_of_tests", [])
    return notes


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A worker process that has loaded nothing, and its cache."""
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(tmp_path / "cache"))
    _calls().clear()
    resident._models.clear()
    clock.take_loads()
    yield
    resident._models.clear()
    clock.take_loads()
    for held in [path for path in cache._held if path.startswith(str(tmp_path))]:
        cache.release(Path(held))


@pytest.fixture
def ref(tmp_path: Path) -> Callable[[int], PackageRef]:
    """ref(n): a reference to the n-th package, whose files are where it was saved."""

    def ref(number: int = 0) -> PackageRef:
        path = tmp_path / f"model-{number}"
        if not path.exists():
            spark_models.pyfunc.save_model(
                str(path), python_model=Noting(number), signature=ModelSignature(SCHEMA), split_invariant=True
            )
            _calls().clear()
        return PackageRef(open_package(path).content_hash(), str(path))

    return ref


def scorer(ref: PackageRef, result_type: str = "double", **options: Any) -> BatchScorer:
    return BatchScorer(ref, plan_for(SCHEMA, ["x"], matrix=False), parse_result_type(result_type), **options)


def arrow(*values: float | None) -> ArrowBatch:
    return ArrowBatch([pa.array(values, pa.float64())])


class Reusing(spark_models.pyfunc.PythonModel):
    """A model that gives its answers in one array, again and again."""

    def load_context(self, context: Any) -> None:
        self.answers = np.zeros(4)

    def predict(self, context: Any, model_input: Any) -> Any:
        answers = self.answers[: len(model_input)]
        answers[:] = model_input["x"]
        return answers


@pytest.mark.parametrize("options", [{}, {"batch_rows": 2}])
def test_answers_outlive_a_model_that_fills_its_array_again(tmp_path: Path, options: dict[str, int]) -> None:
    """As where one query calls the model for two columns: both are scored before either is sent."""
    path = tmp_path / "reusing"
    spark_models.pyfunc.save_model(str(path), python_model=Reusing(), signature=ModelSignature(SCHEMA))
    made = scorer(PackageRef(open_package(path).content_hash(), str(path)), **options)
    first, second = made.run(arrow(1, 2, 3, 4)), made.run(arrow(5, 6, 7, 8))
    assert first.to_pylist() == [1, 2, 3, 4]
    assert second.to_pylist() == [5, 6, 7, 8]


def test_only_an_array_that_nobody_else_holds_is_not_copied() -> None:
    fresh = np.zeros(3)
    assert is_new(fresh)
    view = fresh[:2]
    assert not is_new(view)
    held = np.zeros(3)
    others = [held]
    assert not is_new(held)
    assert len(others) == 1
    series = pd.Series([1.0])
    assert not is_new(series)


# --- slices


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [10]),
        ({"batch_rows": 10}, [10]),
        ({"batch_rows": 4}, [4, 4, 2]),
        ({"batch_rows": 1}, [1] * 10),
        ({"batch_bytes": 80}, [10]),
        ({"batch_bytes": 79}, [9, 1]),
        ({"batch_bytes": 24}, [3, 3, 3, 1]),
        ({"batch_bytes": 1}, [1] * 10),
        ({"batch_rows": 4, "batch_bytes": 24}, [3, 3, 3, 1]),
        ({"batch_rows": 2, "batch_bytes": 24}, [2] * 5),
    ],
)
def test_the_sizes_of_slices(ref: Any, options: dict[str, int], sizes: list[int]) -> None:
    values = scorer(ref(), **options).run(arrow(*range(10)))
    assert _calls() == ["load 0", *sizes]
    assert values.to_pylist() == [2.0 * x for x in range(10)]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(-1, 5), min_size=1, max_size=40),
    st.integers(1, 45),
    st.booleans(),
    st.sampled_from(["arrow", "pandas"]),
)
def test_bad_rows_are_null_at_every_cut(
    ref: Any, values: list[int], batch_rows: int, splittable: bool, transport: str
) -> None:
    numbers = [float(value) for value in values]
    batch: Any = arrow(*numbers) if transport == "arrow" else PandasBatch([pd.Series(numbers)])
    scored = scorer(ref(), batch_rows=batch_rows, on_error="null", splittable=splittable).run(batch)
    expected: list[float | None] = []
    for start in range(0, len(values), batch_rows):
        part = numbers[start : start + batch_rows]
        lost = not splittable and min(part) < 0
        expected.extend(None if lost or value < 0 else 2 * value for value in part)
    assert scored.to_pylist() == expected
    assert scored.type == pa.float64()


def test_an_error_is_the_models_own(ref: Any) -> None:
    with pytest.raises(ValueError, match="negative"):
        scorer(ref()).run(arrow(1, -1))


def test_an_empty_batch_loads_nothing(ref: Any) -> None:
    for result_type in ("double", "array<string>", "struct<a:double>"):
        values = scorer(ref(), result_type).run(arrow())
        assert len(values) == 0
        assert values.type == parse_result_type(result_type).arrow
    empty = scorer(ref(), envelope=True).run(arrow())
    assert (len(empty), empty.type) == (0, envelope_type(ResultType("double")).arrow)
    assert _calls() == []


def test_a_scorer_is_small_when_it_is_pickled(ref: Any) -> None:
    """It goes to the workers with every task."""
    text = pickle.dumps(scorer(ref()))
    assert len(text) < 2000
    assert pickle.loads(text) == scorer(ref())


# --- stats and the envelope


class Sum:
    """An accumulator of one process."""

    def __init__(self) -> None:
        self.value = ScoreStats()

    def add(self, stats: ScoreStats) -> None:
        self.value += stats


def test_stats_count_rows_and_the_load_once(ref: Any) -> None:
    total = Sum()
    run = scorer(ref(), on_error="null", splittable=True, accumulator=total).run
    for batch in (arrow(1, -1, 2, 3), arrow(), arrow(4, 5)):
        run(batch)
    found = total.value
    assert (found.rows, found.batches, found.nulls, found.failed, found.loads) == (6, 2, 1, 1, 1)


def test_stats_are_logged_where_the_log_is_wanted(ref: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The only way of a UDF's stats where there is no SparkContext."""
    scorer(ref()).run(arrow(1, 2))
    assert [record for record in caplog.records if "batch" in record.getMessage()] == []
    caplog.set_level("INFO", logger="spark_models")
    scorer(ref()).run(arrow(1, 2, 3))
    (record,) = [record for record in caplog.records if "batch" in record.getMessage()]
    assert record.getMessage().startswith("scored a batch: {'rows': 3, 'batches': 1, 'nulls': 0, 'failed': 0, ")


def test_executors_log_at_the_level_of_their_environment(
    ref: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("spark_models")
    before = logger.level, list(logger.handlers), logger.propagate
    monkeypatch.setenv(LOG_LEVEL, "info")
    logger.propagate = False  # pytest's handler is not there in a worker
    log_as_asked.cache_clear()
    try:
        scorer(ref()).run(arrow(1.0, 2.0))
    finally:
        logger.setLevel(before[0])
        logger.handlers[:], logger.propagate = before[1:]
        log_as_asked.cache_clear()
    assert "scored a batch: {'rows': 2, 'batches': 1" in capfd.readouterr().err


def test_the_envelope_has_the_errors_by_row_and_the_stats_once(ref: Any) -> None:
    rows = scorer(ref(), envelope=True, on_error="null", splittable=True).run(arrow(1, -1, 2)).to_pylist()
    assert [row["value_0"] for row in rows] == [2.0, None, 4.0]
    assert [row["error_code"] for row in rows] == [None, "MODEL_ERROR", None]
    assert [row["stats_rows"] for row in rows] == [3, None, None]
    assert [row["stats_failed"] for row in rows] == [1, None, None]


def test_the_envelope_of_a_struct_is_flat() -> None:
    kind = parse_result_type("struct<a:double,b:array<string>>")
    values = pa.array([{"a": 1.0, "b": ["x"]}, None], kind.arrow)
    whole = sealed(values, kind, [Failure(1, 2, "MODEL_ERROR", None)], ScoreStats(rows=2))
    assert value_fields(kind) == ["value_0", "value_1"]
    assert whole.type == envelope_type(kind).arrow
    assert [row["value_1"] for row in whole.to_pylist()] == [["x"], None]
    assert whole.field("error_code").to_pylist() == [None, "MODEL_ERROR"]


def test_stats_add_up_print_and_plot() -> None:
    total = ScoreStats(rows=1_000, batches=2, predict_seconds=0.5) + ScoreStats(rows=500, loads=1, load_seconds=0.25)
    assert total == ScoreStats(rows=1_500, batches=2, loads=1, load_seconds=0.25, predict_seconds=0.5)
    assert str(total) == (
        "ScoreStats: 1,500 rows in 2 batches, 0 null, 0 failed; 1 model loads, 0.25 s\n"
        "bind 0.00 s, predict 0.50 s, coerce 0.00 s, transfer 0.00 s"
    )
    pytest.importorskip("matplotlib")
    axes = total.plot()
    widths = {
        label.get_text(): bar.get_width() for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)
    }
    assert widths == {"coerce": 0.0, "predict": 0.5, "bind": 0.0, "load": 0.25, "transfer": 0.0}


# --- the models of a process


def test_a_model_is_loaded_once_whatever_the_method(ref: Any) -> None:
    first = resident_model(ref())
    assert resident_model(ref()) is first
    assert resident_model(ref(), "predict") is resident_model(ref(), "predict")
    assert _calls() == ["load 0"]


def test_threads_that_come_at_once_load_it_once(ref: Any) -> None:
    given = ref()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(resident_model(given))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(model) for model in found}) == 1
    assert _calls() == ["load 0"]


def test_the_least_used_model_goes_first_and_lets_go_of_its_files(ref: Any) -> None:
    for number in range(MOST_MODELS):
        resident_model(ref(number))
    resident_model(ref(0))
    assert {ref(number).driver_root for number in range(MOST_MODELS)} <= cache._held.keys()
    resident_model(ref(MOST_MODELS))
    _calls().clear()
    resident_model(ref(0))
    assert _calls() == []
    resident_model(ref(1))
    assert _calls() == ["load 1"]
    assert ref(2).driver_root not in cache._held
    assert ref(0).driver_root in cache._held


def test_the_clock_knows_loads_until_they_are_taken() -> None:
    clock.loaded(0.5)
    clock.loaded(0.25)
    assert clock.take_loads() == (2, 0.75)
    assert clock.take_loads() == (0, 0.0)


def test_the_wait_is_from_the_last_batch_to_the_next() -> None:
    clock.batch_done()
    done = time.perf_counter()
    assert 1.0 <= clock.waited(done + 1.0) < 1.1
    assert clock.waited(done - 5.0) == 0.0


def test_results_are_the_models_own_for_a_matrix(tmp_path: Path) -> None:
    """A model that takes its matrix gets a view of Arrow's memory, and the answer of the DataFrame."""
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)), columns=["a", "b", "c"])
    fitted = LinearRegression().fit(frame, frame @ [1.0, 2.0, 3.0])
    path = tmp_path / "linear"
    spark_models.sklearn.save_model(
        fitted, path, input_example=frame, signature=spark_models.infer_signature(frame, fitted.predict(frame))
    )
    package = open_package(path)
    assert package.pyfunc["matrix_input"] is True
    schema = package.model.get_input_schema()
    plan = plan_for(schema, ["a", "b", "c"], matrix=True)
    whole = BatchScorer(PackageRef(package.content_hash(), str(path)), plan, ResultType("double"), batch_rows=7)
    batch = ArrowBatch([pa.array(frame[name]) for name in frame])
    # BLAS adds in another order for other shapes.
    np.testing.assert_allclose(whole.run(batch).to_numpy(), fitted.predict(frame), rtol=1e-12)

"""The model's own process, here in the environment of the tests: the conversation, and each way in which it may end."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import spark_models
from spark_models.coerce.result_type import parse_result_type
from spark_models.errors import ColumnTypeError, ModelProcessError, RowCountError
from spark_models.package.reader import open_package
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec
from spark_models.scoring import clock
from spark_models.scoring.incoming import ArrowBatch, PandasBatch
from spark_models.scoring.isolation.process import CHILD, ModelProcess, shown
from spark_models.scoring.place import PackageRef
from spark_models.scoring.plan import BindPlan, plan_for
from spark_models.scoring.scorer import BatchScorer

ROOT = Path(__file__).parents[3]
# What `-m` does, with the toolkit on the path: `-I` leaves PYTHONPATH alone.
CODE = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module({CHILD!r}, run_name='__main__')"
COMMAND = [sys.executable, "-I", "-X", "faulthandler", "-c", CODE]
SECRET = "Smith-4711"


class Model(spark_models.pyfunc.PythonModel):
    """A model of any function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def predict(self, context: Any, model_input: Any) -> Any:
        return self.function(model_input)


def scorer(folder: Path, function: Callable[[Any], Any], kind: str = "double", plan: Any = None) -> BatchScorer:
    """The scorer of a saved model of a function."""
    path = folder / f"model-{len(list(folder.iterdir()))}"
    spark_models.pyfunc.save_model(path, python_model=Model(function))
    ref = PackageRef(open_package(path).content_hash(), str(path))
    return BatchScorer(ref, BindPlan(labels=("0",)) if plan is None else plan, parse_result_type(kind))


@pytest.fixture(scope="module")
def running() -> Iterator[list[ModelProcess]]:
    """The process of the last test, if it has left it alive."""
    running: list[ModelProcess] = []
    yield running
    for process in running:
        process.close()


@pytest.fixture
def process(running: list[ModelProcess]) -> ModelProcess:
    if running == [] or not running[-1].is_alive():
        running.append(ModelProcess(COMMAND))
    return running[-1]


def scored(process: ModelProcess, scorer: BatchScorer, values: Any) -> Any:
    """What the process makes of one column of values."""
    batch = ArrowBatch([pa.array(values)])
    with process.opened(scorer, batch) as score:
        return score(0, batch.rows)[0].to_pylist()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def gone(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    deadline = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_running(pid)


# --- the conversation


def test_it_scores_in_another_process(process: ModelProcess, tmp_path: Path) -> None:
    own = scorer(tmp_path, lambda frame: frame["0"] * 0 + os.getpid())
    assert scored(process, own, [1.0, 2.0]) == [process.pid] * 2 != [os.getpid()] * 2


def test_the_model_is_loaded_once(process: ModelProcess, tmp_path: Path) -> None:
    clock.take_loads()
    first = scorer(tmp_path, lambda frame: frame["0"] + 1)
    second = scorer(tmp_path, lambda frame: frame["0"] + 2)
    assert [scored(process, each, [1.0]) for each in (first, second, first, second)] == [[2.0], [3.0], [2.0], [3.0]]
    loads, seconds = clock.take_loads()
    assert loads == 2
    assert seconds > 0


def test_what_the_worker_counts_stays_in_the_worker(process: ModelProcess, tmp_path: Path) -> None:
    """Accumulators are Spark's, of which the package's environment may have none."""
    own = scorer(tmp_path, lambda frame: frame["0"] + 1)
    counted = replace(own, accumulator=Unsendable(), meter=Unsendable())
    assert scored(process, counted, [1.0]) == [2.0]


class Unsendable:
    """What can't be pickled."""

    def __reduce__(self) -> Any:
        raise AssertionError("it was sent")


@pytest.mark.parametrize("kind", ["double", "string", "array<double>", "struct<a:double,b:string>", "timestamp"])
def test_its_answers_are_those_of_the_worker(process: ModelProcess, tmp_path: Path, kind: str) -> None:
    results = {
        "double": lambda frame: frame["x"] / 3,
        "string": lambda frame: frame["s"].str.upper(),
        "array<double>": lambda frame: np.stack([frame["x"], frame["n"]], axis=1),
        "struct<a:double,b:string>": lambda frame: pd.DataFrame({"a": frame["x"], "b": frame["s"]}),
        "timestamp": lambda frame: frame["t"],
    }
    schema = Schema(
        [ColSpec("double", "x"), ColSpec("long", "n"), ColSpec("string", "s"), ColSpec("datetime", "t")],
    )
    own = scorer(tmp_path, results[kind], kind, plan_for(schema, schema.input_names(), matrix=False))
    frame = pd.DataFrame(
        {
            "x": [0.1, np.nan, 3.0],
            "n": [1, 2**60, -3],
            "s": ["a", None, "ß"],
            "t": pd.to_datetime(["2026-10-25 02:30", None, "1969-12-31 23:59:59.999999"], format="ISO8601"),
        }
    )
    columns = [frame[name] for name in frame]
    for batch in (PandasBatch(columns), ArrowBatch([pa.Array.from_pandas(column) for column in columns])):
        expected = own.run(batch)
        with process.opened(own, batch) as score:
            found = pa.concat_arrays([score(start, stop)[0] for start, stop in ((0, 1), (1, 3))])
        assert found.type == expected.type == own.result_type.arrow
        assert found.equals(expected)


def test_more_than_a_pipe_holds(process: ModelProcess, tmp_path: Path) -> None:
    own = scorer(tmp_path, lambda frame: [text * 2 for text in frame["0"]], "string")
    values = ["x" * 100_000] * 100
    assert scored(process, own, values) == [value * 2 for value in values]


def test_what_the_model_prints_is_no_answer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def predict(frame: Any) -> Any:
        print("printed")  # noqa: T201 - what is tested
        os.write(1, b"written\n" * 20_000)
        subprocess.run(["echo", "echoed"], check=True)
        assert sys.stdin.read() == ""
        return frame["0"]

    process = ModelProcess(COMMAND)
    assert scored(process, scorer(tmp_path, predict), [1.0, 2.0]) == [1.0, 2.0]
    process.close()
    said = capfd.readouterr()
    assert said.out == ""
    assert {line: said.err.splitlines().count(line) for line in ("printed", "written", "echoed")} == {
        "printed": 1,
        "written": 20_000,
        "echoed": 1,
    }


def test_threads_take_turns(process: ModelProcess, tmp_path: Path) -> None:
    own = scorer(tmp_path, lambda frame: frame["0"] + 1)
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        found[number] = [scored(process, own, [float(number), value]) for value in range(10)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [[number + 1.0, value + 1.0] for value in range(10)] for number in range(4)}


# --- errors, after which it goes on


def test_an_error_of_the_model(process: ModelProcess, tmp_path: Path) -> None:
    def predict(frame: Any) -> Any:
        return {"a": 1}[frame["0"].iloc[0]]

    own = scorer(tmp_path, predict)
    with pytest.raises(RuntimeError, match=r"KeyError in the model's own process:\n(.|\n)*KeyError: 'b'\n"):
        scored(process, own, ["b"])
    with pytest.raises(RuntimeError, match="KeyError"):
        scored(process, own, ["c"])
    assert process.is_alive()


def test_an_error_of_ours_is_the_same_here(process: ModelProcess, tmp_path: Path) -> None:
    schema = Schema([ColSpec("integer", "age")])
    own = scorer(tmp_path, lambda frame: [1, 2, 3], plan=plan_for(schema, ["age"], matrix=False))
    with pytest.raises(ColumnTypeError) as caught:
        scored(process, own, [2**40])
    assert caught.value.column == "age"
    with pytest.raises(RowCountError):
        scored(process, own, np.array([1, 2], "int32"))


def test_a_model_that_exits_is_an_error(process: ModelProcess, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        scored(process, scorer(tmp_path, lambda frame: sys.exit(3)), [1.0])
    assert process.is_alive()


def test_a_model_that_does_not_load(process: ModelProcess, tmp_path: Path) -> None:
    broken = scorer(tmp_path, lambda frame: frame["0"])
    Path(broken.package.driver_root, "python_model.pkl").write_bytes(b"no pickle")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="UnpicklingError in the model's own process"):
            scored(process, broken, [1.0])
    assert scored(process, scorer(tmp_path, lambda frame: frame["0"] * 2), [1.0]) == [2.0]


def test_bad_rows_stand_alone(process: ModelProcess, tmp_path: Path) -> None:
    """Slices are asked for by the worker: what halves a batch is the same for both."""
    from spark_models.scoring.failures import score_around

    def predict(frame: Any) -> Any:
        if (frame["0"] == 3).any():
            raise ValueError(SECRET)
        return frame["0"]

    own = scorer(tmp_path, predict)
    with process.opened(own, ArrowBatch([pa.array(np.arange(8.0))])) as score:
        parts, failures = score_around(lambda a, b: score(a, b)[0], 0, 8, pa.float64(), splittable=True)
    assert pa.concat_arrays(parts).to_pylist() == [0.0, 1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0]
    assert [(failure.start, failure.stop, failure.code) for failure in failures] == [(3, 4, "MODEL_ERROR")]


# --- its end


def crash(frame: Any) -> Any:
    sys.stderr.write(f"a line about {SECRET}\n")
    sys.stderr.flush()
    os._exit(3)


def abort(frame: Any) -> Any:
    os.abort()


def be_killed(frame: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def crash_beside_a_fork(frame: Any) -> Any:
    """The fork holds the pipes open: no end of file tells of the death."""
    if os.fork() == 0:
        time.sleep(60)
    os._exit(4)


@pytest.mark.parametrize(
    ("predict", "problem"),
    [
        (crash, "has ended with exit status 3."),
        (abort, "was ended by signal 6 (SIGABRT)."),
        (be_killed, "was ended by signal 9 (SIGKILL)."),
        (crash_beside_a_fork, "has ended with exit status 4."),
        (lambda frame: os._exit(0), "has ended with exit status 0."),
    ],
)
def test_its_death_is_told(process: ModelProcess, tmp_path: Path, predict: Callable[[Any], Any], problem: str) -> None:
    own = scorer(tmp_path, predict)
    with pytest.raises(ModelProcessError) as caught:
        scored(process, own, [SECRET])
    text = str(caught.value)
    assert text.startswith(f"[MODEL_PROCESS_ENDED] The model's own process {problem}")
    assert SECRET not in text
    assert ("memory" in text) == ("SIGKILL" in text)
    assert ("Fatal Python error: Aborted" in text) == (predict is abort)
    assert not process.is_alive()


def test_the_death_of_one_leaves_another_alone(process: ModelProcess, tmp_path: Path) -> None:
    own = scorer(tmp_path, lambda frame: frame["0"])
    other = ModelProcess(COMMAND)
    assert scored(other, own, [1.0]) == [1.0]
    os.kill(other.pid, signal.SIGKILL)
    with pytest.raises(ModelProcessError):
        scored(other, own, [1.0])
    assert scored(process, own, [1.0]) == [1.0]


def test_a_model_that_closes_its_streams_scores_on(process: ModelProcess, tmp_path: Path) -> None:
    def predict(frame: Any) -> Any:
        os.close(1)
        os.close(2)
        return frame["0"]

    assert scored(process, scorer(tmp_path, predict), [1.0]) == [1.0]


def test_it_ends_when_it_is_closed(process: ModelProcess, tmp_path: Path) -> None:
    """Threads that the model has left running do not keep it."""

    def predict(frame: Any) -> Any:
        threading.Thread(target=time.sleep, args=(60,)).start()
        return frame["0"]

    assert scored(process, scorer(tmp_path, predict), [1.0]) == [1.0]
    process.close()
    assert not is_running(process.pid)


def test_an_interrupted_conversation_is_over(process: ModelProcess, tmp_path: Path) -> None:
    """The answer to the next question would be the one to this."""

    def interrupt(number: int, frame: Any) -> None:
        raise InterruptedError

    own = scorer(tmp_path, lambda frame: time.sleep(60))
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(InterruptedError):
            scored(process, own, [1.0])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not process.is_alive()


def test_it_does_not_outlive_its_worker(tmp_path: Path) -> None:
    """Not even while it predicts, which it does for a minute here."""
    own = scorer(tmp_path, lambda frame: [Path(str(frame["0"].iloc[0])).write_text("begun"), time.sleep(60)])
    mark = tmp_path / "mark"
    code = (
        "import pickle, sys\n"
        "import pyarrow as pa\n"
        "from spark_models.scoring.incoming import ArrowBatch\n"
        "from spark_models.scoring.isolation.process import ModelProcess\n"
        "scorer, command, mark = pickle.loads(sys.stdin.buffer.read())\n"
        "process = ModelProcess(command)\n"
        "print(process.pid, flush=True)\n"
        "with process.opened(scorer, ArrowBatch([pa.array([mark])])) as score:\n"
        "    score(0, 1)\n"
    )
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    with worker.stdin as stream:
        stream.write(pickle.dumps((own, COMMAND, str(mark))))
    child = int(worker.stdout.readline())
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_running(child)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert gone(child)


# --- its start


def test_a_process_that_does_not_start() -> None:
    with pytest.raises(ModelProcessError) as caught:
        ModelProcess([sys.executable, "-c", "import no_such_library"])
    text = str(caught.value)
    assert text.startswith("[MODEL_PROCESS_ENDED] The model's own process has ended with exit status 1 before it was")
    assert "\n  ModuleNotFoundError: No module named 'no_such_library'\n" in text


def test_a_process_that_starts_too_slowly() -> None:
    with pytest.raises(ModelProcessError, match="was not ready in time, and was ended"):
        ModelProcess([sys.executable, "-c", "import time; time.sleep(60)"], start_seconds=0.3)


def test_variables_of_another_python_do_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PYTHON_WORKER_FACTORY_SECRET", "s")
    monkeypatch.setenv("OTHER", "kept")
    names = ["PYTHONPATH", "PYTHON_WORKER_FACTORY_SECRET", "OTHER"]
    own = scorer(tmp_path, lambda frame: [",".join(name for name in names if name in os.environ)], "string")
    fresh = ModelProcess(COMMAND)
    with contextlib.closing(fresh):
        assert scored(fresh, own, [1.0]) == ["OTHER"]


# --- what an error shows of standard error


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("Fatal Python error: Segmentation fault", "Fatal Python error: Segmentation fault"),
        ('  File "/a/model.py", line 3 in predict', '  File "/a/model.py", line 3 in predict'),
        ('  File "/a/model.py", line 3, in predict', '  File "/a/model.py", line 3, in predict'),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("ValueError: could not convert 'Smith'", "ValueError"),
        ("numpy.linalg.LinAlgError: Smith", "numpy.linalg.LinAlgError"),
        ("free(): invalid pointer", "free(): invalid pointer"),
        ("libgomp: Thread creation failed: Smith", "libgomp: Thread creation failed"),
        ("Smith: ValueError", None),
        ("    name = 'Smith'", None),
        ("WARNING:root:Smith", None),
    ],
)
def test_a_line_is_shown_as_far_as_it_holds_no_value(line: str, seen: str | None) -> None:
    assert shown([line], has_rows=True) == (() if seen is None else (seen,))
    assert shown([line], has_rows=False) == (line,)

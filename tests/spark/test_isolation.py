"""`env_manager`: a model scored with the libraries of its package, in a process of its own beside each worker.

These tests install packages from an index, as pip or uv are configured.
"""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from standalone import WORKERS

import spark_models
from spark_models.errors import InvalidArgumentError
from spark_models.scoring.isolation.interpreters import find_interpreter, find_uv, minor_version
from spark_models.scoring.observe import StatsObservation
from spark_models.types.schema import ColSpec

ROOT = Path(__file__).parents[2]
MANAGER = "virtualenv" if find_uv() is None else "uv"
REQUIREMENTS = ["packaging==23.0"]
"""Of every model here, so that one environment serves them all."""


@pytest.fixture
def isolated(udf: Callable[..., Any], save: Callable[..., Any]) -> Callable[..., Any]:
    """isolated(function, inputs, result_type): the UDF of a model in its own environment, over each transport."""

    def isolated(function: Callable[[Any], Any], inputs: Any, result_type: str = "string", **options: Any) -> Any:
        saving = {name: options.pop(name) for name in ("split_invariant", "outputs") if name in options}
        saved = save(function, inputs, extra_pip_requirements=REQUIREMENTS, **saving)
        return udf(saved, result_type, env_manager=MANAGER, **options)

    return isolated


def version_and_processes(frame: Any) -> list[str]:
    import packaging

    return [f"{packaging.__version__} {os.getpid()} {os.getppid()}"] * len(frame)


@pytest.fixture
def numbers(spark: Any) -> Any:
    """The doubles 0 to 39 in eight partitions."""
    return spark.range(0, 40, 1, 8).selectExpr("cast(id as double) as a")


def test_the_model_has_the_libraries_of_its_package(isolated: Callable[..., Any], numbers: Any) -> None:
    """One process a worker process, that every task of the worker uses."""
    predict = isolated(version_and_processes, {"a": "double"})
    found = [row[0].split() for frame in (numbers, numbers) for row in frame.select(predict()).collect()]
    assert len(found) == 80
    assert {version for version, _, _ in found} == {"23.0"} != {metadata.version("packaging")}
    pairs = {(child, worker) for _, child, worker in found}
    assert len({child for child, _ in pairs}) == len({worker for _, worker in pairs}) == len(pairs) <= 2
    assert predict.stats.rows == 80
    assert predict.stats.loads == len(pairs)


COLUMNS = {
    "x": ("double", "1.5D"),
    "nan": ("double", "double('NaN')"),
    "n": ("long", "1099511627777L"),
    "i": ("integer", "-7"),
    "flag": ("boolean", "true"),
    "s": ("string", "'ß\\0'"),
    "raw": ("binary", "X'00FF'"),
    "t": ("datetime", "timestamp'2026-10-25 02:30:00.123456'"),
    "day": ("datetime", "date'1969-12-31'"),
}


def told(frame: Any) -> list[str]:
    """What a model sees of each row: types and values."""
    values = [[repr((type(cell).__name__, cell)) for cell in frame[name]] for name in frame]
    return [f"{list(map(str, frame.dtypes))} {row}" for row in zip(*values, strict=True)]


@pytest.mark.parametrize("missing", [False, True])
def test_the_model_sees_what_it_sees_in_a_worker(
    spark: Any, udf: Callable[..., Any], save: Callable[..., Any], missing: bool
) -> None:
    inputs = {name: ColSpec(kind, name, required=False) for name, (kind, _) in COLUMNS.items()}
    saved = save(told, inputs, extra_pip_requirements=REQUIREMENTS)
    rows = spark.range(0, 3, 1, 1)
    texts = [f"{f'if(id = 1, null, {text})' if missing else text} as {name}" for name, (_, text) in COLUMNS.items()]
    frame = rows.selectExpr(*texts)
    here = frame.select(udf(saved)()).collect()
    assert frame.select(udf(saved, env_manager=MANAGER)()).collect() == here
    assert len(here) == 3


NESTED = ["array(1.5D, null)", "array(array(1, 2), array(3))", "map('k', 1)", "named_struct('a', 1, 'b', 'x')"]


@pytest.mark.parametrize("text", [*NESTED, "array(named_struct('a', array(1L)))", "1.50BD", "array('x', null)"])
def test_the_model_sees_nested_values_as_in_a_worker(
    spark: Any, udf: Callable[..., Any], save: Callable[..., Any], text: str
) -> None:
    saved = save(told, None, extra_pip_requirements=REQUIREMENTS)
    frame = spark.range(0, 3, 1, 1).selectExpr(f"if(id = 1, null, {text}) as a")
    here = frame.select(udf(saved)("a")).collect()
    assert frame.select(udf(saved, env_manager=MANAGER)("a")).collect() == here


def test_every_kind_of_result(isolated: Callable[..., Any], numbers: Any) -> None:
    def predict(frame: Any) -> Any:
        return pd.DataFrame(
            {
                "d": frame["a"] / 2,
                "s": frame["a"].astype(str),
                "l": [[value, None] for value in frame["a"]],
                "t": datetime.datetime(2026, 10, 25, 2, 30) + pd.to_timedelta(frame["a"], unit="h"),
            }
        )

    result = "struct<d:double,s:string,l:array<double>,t:timestamp>"
    answer = isolated(predict, {"a": "double"}, result)
    row = numbers.where("a = 3").select(answer()).first()[0]
    assert (row.d, row.s, row.l, row.t) == (1.5, "3.0", [3.0, None], datetime.datetime(2026, 10, 25, 5, 30))


def test_what_the_model_prints_is_no_answer(isolated: Callable[..., Any], numbers: Any) -> None:
    def predict(frame: Any) -> Any:
        print("a line on standard output" * 100)  # noqa: T201 - what is tested
        os.write(1, b"bytes on standard output\n")
        return frame["a"] + 1

    total = numbers.select(isolated(predict, {"a": "double"}, "double")().alias("p")).groupBy().sum("p").first()[0]
    assert total == sum(range(1, 41))


# --- failures


def test_the_death_of_the_process_is_told(
    isolated: Callable[..., Any], numbers: Any, failure: Callable[[Any], str]
) -> None:
    """It fails the job with its cause, whatever `on_error` says, and the next job scores."""

    def predict(frame: Any) -> Any:
        if (frame["a"] == 17).any():
            os._exit(3)
        return frame["a"]

    answer = isolated(predict, {"a": "double"}, "double", split_invariant=True, on_error="null")
    text = failure(numbers.select(answer()))
    assert "[MODEL_PROCESS_ENDED] The model's own process has ended with exit status 3." in text
    assert numbers.where("a <> 17").select(answer()).count() == 39


def test_an_exception_of_the_model_reaches_the_caller(
    isolated: Callable[..., Any], numbers: Any, failure: Callable[[Any], str]
) -> None:
    def predict(frame: Any) -> Any:
        raise LookupError("the model's own words")

    text = failure(numbers.select(isolated(predict, {"a": "double"})()))
    assert "LookupError in the model's own process:" in text
    assert "the model's own words" in text


def test_an_error_of_ours_keeps_its_code(
    isolated: Callable[..., Any], numbers: Any, failure: Callable[[Any], str]
) -> None:
    text = failure(numbers.select(isolated(lambda frame: [1.0], {"a": "double"}, "double")()))
    assert "[ROW_COUNT]" in text


def test_bad_rows_are_null(isolated: Callable[..., Any], numbers: Any) -> None:
    def predict(frame: Any) -> Any:
        if frame["a"].isin([3, 30]).any():
            raise ValueError
        return frame["a"]

    answer = isolated(predict, {"a": "double"}, "double", split_invariant=True, on_error="null", batch_rows=4)
    rows = numbers.select("a", answer().alias("p")).collect()
    assert [row.a for row in rows if row.p is None] == [3, 30]
    assert all(row.a == row.p for row in rows if row.p is not None)


# --- score


@pytest.mark.parametrize("path", ["udf", "map"])
def test_score_with_quarantine_and_stats(spark: Any, save: Callable[..., Any], numbers: Any, path: str) -> None:
    def predict(frame: Any) -> Any:
        import packaging

        if (frame["a"] == 5).any():
            raise ValueError
        return pd.DataFrame({"p": frame["a"], "v": packaging.__version__})

    outputs = {"p": "double", "v": "string"}
    saved = save(predict, {"a": "double"}, outputs, extra_pip_requirements=REQUIREMENTS, split_invariant=True)
    stats = StatsObservation()
    options = {"env_manager": MANAGER, "on_error": "quarantine", "stats": stats}
    scored = spark_models.score(numbers, saved.uri, transport="map" if path == "map" else None, **options)
    rows = {row.a: row for row in scored.collect()}
    assert len(rows) == 40
    assert rows[5].prediction_error_code == "MODEL_ERROR"
    assert rows[5].prediction_p is None
    assert (rows[6].prediction_p, rows[6].prediction_v) == (6, "23.0")
    assert (stats.get.rows, stats.get.failed) == (40, 1)
    assert 1 <= stats.get.loads == len(set(saved.loads())) <= 2


def test_a_manager_that_is_unknown(spark: Any, save: Callable[..., Any]) -> None:
    saved = save(lambda frame: frame["a"], {"a": "double"})
    with pytest.raises(InvalidArgumentError, match="env_manager='conda' is unknown"):
        spark_models.spark_udf(spark, saved.uri, env_manager="conda")


# --- other Pythons, other managers


@pytest.mark.slow
def test_pip_builds_it_too(udf: Callable[..., Any], save: Callable[..., Any], numbers: Any) -> None:
    saved = save(version_and_processes, {"a": "double"}, extra_pip_requirements=REQUIREMENTS)
    found = numbers.select(udf(saved, env_manager="virtualenv")()).collect()
    assert {row[0].split()[0] for row in found} == {"23.0"}


OTHERS = [version for version in ("3.10", "3.11", "3.12", "3.13") if version != minor_version(sys.version)]
OTHER = next((version for version in OTHERS if find_interpreter(version) is not None), None)

MODULE = """
import sys
from spark_models.pyfunc import PythonModel

class Telling(PythonModel):
    def predict(self, context, model_input):
        return [sys.version] * len(model_input)
"""


@pytest.mark.slow
@pytest.mark.skipif(OTHER is None, reason=f"none of Python {', '.join(OTHERS)} is on this host")
def test_another_version_of_python(spark: Any, numbers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's class comes as a module of the package: pickled code is of one version of Python."""
    (tmp_path / "telling_model.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("telling_model")
    path = tmp_path / "model"
    spark_models.pyfunc.save_model(
        path, python_model=module.Telling(), code_paths=[str(tmp_path / "telling_model.py")], pip_requirements=[]
    )
    environment = path / "python_env.yaml"
    lines = environment.read_text().splitlines()
    environment.write_text("\n".join([f"python: {OTHER}.0", *lines[1:]]) + "\n")
    (path / "manifest.sha256").unlink()
    answer = spark_models.spark_udf(spark, path, "string", env_manager=MANAGER)
    found = {row[0] for row in numbers.select(answer("a")).collect()}
    assert {minor_version(version) for version in found} == {OTHER}


# --- where nothing of the driver's is at hand


def run(folder: Path, master: str) -> Any:
    """What the driver process saw."""
    (folder / "tmp").mkdir()
    environment = dict(
        os.environ,
        PYTHONPATH=str(ROOT),
        SPARK_MODELS_CACHE=str(folder / "driver" / "cache"),
        TMPDIR=str(folder / "tmp"),
        SPARK_LOCAL_DIRS=str(folder / "tmp"),
    )
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("isolation_driver.py")), master, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


def check(seen: Any, cache: Path, workers: int) -> None:
    """Every row is scored with the package's library, by one process a worker, from an environment in `cache`."""
    for answers in (seen["answers"], seen["again"]):
        assert len(answers) == 200
        assert {version for version, *_ in answers} == {"23.0"}
        pairs = {(child, worker) for _, child, worker, _ in answers}
        assert len({child for child, _ in pairs}) == len({worker for _, worker in pairs}) == workers
        (prefix,) = {Path(prefix) for *_, prefix in answers}
        assert prefix.is_relative_to(cache)
    assert "[MODEL_PROCESS_ENDED] The model's own process has ended with exit status 3." in seen["crash"]


@pytest.mark.slow
@pytest.mark.skipif(find_uv() is None, reason="uv builds it in seconds")
def test_a_cluster(cluster: str, tmp_path: Path) -> None:
    """The environment is unpacked once for the host, whose two executors have one cache."""
    check(run(tmp_path, cluster), tmp_path / "executors", WORKERS)
    entries = [path for path in (tmp_path / "executors").iterdir() if path.name.startswith("env-")]
    assert len(entries) == 1


@pytest.mark.slow
@pytest.mark.skipif(find_uv() is None, reason="uv builds it in seconds")
@pytest.mark.skipif(importlib.util.find_spec("grpc_status") is None, reason="Connect needs grpcio-status")
def test_connect(spark_environment: None, tmp_path: Path) -> None:
    seen = run(tmp_path, "connect")
    check(seen, tmp_path / "driver" / "cache", len({worker for _, _, worker, _ in seen["answers"]}))

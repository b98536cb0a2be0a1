"""Each flavor on a real cluster by spark_udf, over HTTP, and by the command: as the library's own call answers."""

from __future__ import annotations

import json
import math
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from flavor_laws import FlavorCase, precision
from native_cases import CASES, available
from standalone import WORKERS, standalone_cluster

from spark_models.verify.compare import json_plain
from spark_models.verify.example import result_type_of

pytestmark = pytest.mark.slow  # a server and a process for each model, and a cluster
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SPARK = ROOT / "tests" / "spark"
"""Where a driver finds standalone.py."""


@dataclass(frozen=True)
class Saved:
    """A case, its package at `model` of its folder, and what the library itself answers."""

    case: FlavorCase
    folder: Path
    expected: Any

    @property
    def package(self) -> Path:
        return self.folder / "model"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Saved]:
    """Every case whose library is here."""
    found = {}
    base = tmp_path_factory.mktemp("everywhere")
    for number, name in enumerate(CASES):
        case = available(name)
        if case is None:
            continue
        folder = base / f"{number:02}"
        case.save(folder / "model", signature=case.signature)
        found[name] = Saved(case, folder, case.oracle(case.data))
    return found


@pytest.fixture(params=CASES)
def one(request: pytest.FixtureRequest, saved: dict[str, Saved]) -> Saved:
    if request.param not in saved:
        pytest.skip(f"{CASES[request.param][0]} is not installed: scripts/environment makes an environment that has it")
    return saved[request.param]


@pytest.fixture(scope="module")
def cluster(
    saved: dict[str, Saved], spark_environment: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What one job on the cluster answered for each case; an error where it gave none."""
    for one in saved.values():
        (one.folder / "data").write_bytes(pickle.dumps(one.case.data))
        (one.folder / "type").write_text(result_type(one))
    folder = tmp_path_factory.mktemp("cluster")
    with standalone_cluster(folder) as master:
        done = subprocess.run(
            [sys.executable, str(HERE / "everywhere_driver.py"), master, str(next(iter(saved.values())).folder.parent)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, SPARK])), "SPARK_LOCAL_DIRS": str(folder)},
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(list(folder.glob("work-*/app-*/*"))) == WORKERS
        yield {
            name: (one.folder / "error").read_text()
            if (one.folder / "error").exists()
            else pickle.loads((one.folder / "answer").read_bytes())
            for name, one in saved.items()
        }


@pytest.mark.spark
def test_a_cluster_gives_the_librarys_answer(cluster: dict[str, Any], one: Saved) -> None:
    found = cluster[one.case.name]
    assert not isinstance(found, str), found
    expected = rows_of(one.expected)
    if result_type(one).startswith("map<"):  # a map of Spark's has no order
        found, expected = ([dict(sorted(row.items())) for row in rows] for rows in (found, expected))
    assert_alike(found, expected, one)


def test_http_gives_the_librarys_answer(one: Saved, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with open(log, "w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "spark_models", "serve", "-m", str(one.package), "-p", str(port)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=stream,
        )
    try:
        until = time.monotonic() + 120
        while "Serving" not in log.read_text():
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        answer = httpx.post(f"http://127.0.0.1:{port}/invocations", json=body(one.case.data), timeout=60)
    finally:
        process.terminate()
        process.wait(60)
    assert answer.status_code == 200, answer.text
    assert_alike(answer.json(), json_form(one.expected), one)


def test_the_command_gives_the_librarys_answer(one: Saved, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(body(one.case.data)))
    options = ["-m", str(one.package), "-i", str(tmp_path / "rows.json"), "-o", str(tmp_path / "answers.json")]
    done = subprocess.run(
        [sys.executable, "-m", "spark_models", "predict", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_alike(json.loads((tmp_path / "answers.json").read_text()), json_form(one.expected), one)


def result_type(one: Saved) -> str:
    """What a caller asks for: tensors as the signature has them, dicts in cells as maps, else what the outputs are."""
    if one.case.signature.outputs.is_tensor_spec():
        return "signature"
    if all(isinstance(cell, dict) for cell in np.ravel(one.expected)):
        return "map<string,double>"
    return str(result_type_of(one.expected, None))


def body(data: Any) -> Any:
    """Rows as a body of JSON."""
    if isinstance(data, pd.DataFrame):
        return json.loads(data.to_json(orient="split", index=False, double_precision=15))
    return {"inputs": json_plain(data)}


def json_form(output: Any) -> Any:
    """An output as JSON has it: records of a DataFrame or Series, lists of an array, a dict of lists."""
    if isinstance(output, pd.Series):
        return json_form(output.to_frame(0 if output.name is None else output.name))
    if isinstance(output, pd.DataFrame):
        return [dict(zip(map(str, output.columns), map(json_plain, row), strict=True)) for row in output.to_numpy()]
    return json_plain(output.tolist() if isinstance(output, np.ndarray) else output)


def rows_of(output: Any) -> list[Any]:
    """An output as Spark's column has it: a row a value, also of one column; a dict, or several, as a dict a row."""
    if isinstance(output, dict):
        flat = {name: values.reshape(-1) if values.shape[1:] == (1,) else values for name, values in output.items()}
        columns = {name: json_form(values) for name, values in flat.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if isinstance(output, pd.Series) or (isinstance(output, pd.DataFrame) and output.shape[1] == 1):
        return [json_plain(value) for value in np.asarray(output).reshape(-1)]
    return list(json_form(output))


def assert_alike(found: Any, expected: Any, one: Saved, where: str = "$") -> None:
    """Both have the same form and values; numbers within what the output's dtype holds."""
    if isinstance(expected, dict):
        assert isinstance(found, dict) and list(found) == list(expected), where
        for name in expected:
            assert_alike(found[name], expected[name], one, f"{where}.{name}")
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected), where
        for position, value in enumerate(expected):
            assert_alike(found[position], value, one, f"{where}[{position}]")
    elif isinstance(expected, float):
        digits = precision(dtypes_of(one.expected))
        assert math.isclose(found, expected, rel_tol=digits, abs_tol=digits), (where, found, expected)
    else:
        assert (type(found), found) == (type(expected), expected), where


def dtypes_of(output: Any) -> list[Any]:
    if isinstance(output, dict):
        return [dtype for values in output.values() for dtype in dtypes_of(values)]
    return list(output.dtypes) if isinstance(output, pd.DataFrame) else [output.dtype]

"""`verify` in Spark: the stored example gives the stored predictions there too, and a difference is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import spark_models
from spark_models.cli import cli
from spark_models.models import infer_signature
from spark_models.package.manifest import write_manifest
from spark_models.verify.compare import Conflict
from spark_models.verify.replay import LOCAL, SPARK, STORED, replay

ROOT = Path(__file__).parents[2]
ALL_TYPES = pd.DataFrame(
    {
        "b": [True, False, True],
        "i": np.array([1, -2, 2**31 - 1], "int32"),
        "l": [1, 2**53 + 1, -(2**63)],
        "f": np.array([0.1, np.nan, -0.0], "float32"),
        "d": [0.1, np.nan, 1e300],
        "s": ["ü", None, ""],
        "n": [b"\x00\xff", None, b""],
        "t": pd.to_datetime(["2020-07-01 12:34:56.123456", None, "1969-12-31 23:59:59.000001"]),
    }
)
NUMBERS = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [0.5, np.nan, -1.0, 1e6]})


class Model(spark_models.pyfunc.PythonModel):
    """Any function as a model."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def predict(self, context: Any, model_input: Any) -> Any:
        return self.function(model_input)


def save(path: Path, function: Any, example: Any, outputs: bool = False, signature: bool = True) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # integer columns
        stated = infer_signature(example, function(example) if outputs else None) if signature else None
    spark_models.pyfunc.save_model(path, python_model=Model(function), signature=stated, input_example=example)
    return path


def classifier(path: Path) -> Path:
    """Strings and numbers through a ColumnTransformer."""
    frame = pd.DataFrame({"city": ["Oslo", "Łódź", "Oslo", "Rome"] * 5, "age": np.arange(20.0)})
    steps = ColumnTransformer([("one_hot", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="passthrough")
    model = make_pipeline(steps, LogisticRegression()).fit(frame, np.where(frame["age"] > 9, "old", "young"))
    spark_models.sklearn.save_model(
        model, path, signature=infer_signature(frame, model.predict(frame)), input_example=frame[7:13]
    )
    return path


def regressor(path: Path) -> Path:
    """Two outputs a row."""
    frame = pd.DataFrame({"x": np.arange(9.0), "z": np.arange(9.0) ** 2})
    model = LinearRegression().fit(frame, np.column_stack([frame["x"] * 3, frame["z"] / 7]))
    spark_models.sklearn.save_model(model, path, signature=infer_signature(frame), input_example=frame)
    return path


MODELS = {
    "all types, a struct of the signature": lambda path: save(path, lambda frame: frame, ALL_TYPES, outputs=True),
    "all types, a struct of the predictions": lambda path: save(path, lambda frame: frame, ALL_TYPES),
    "no signature": lambda path: save(path, lambda frame: frame["x"] * frame["y"], NUMBERS, signature=False),
    "text": lambda path: save(path, lambda frame: ["high" if x > 2 else None for x in frame["x"]], NUMBERS),
    "lists": lambda path: save(path, lambda frame: [[x] * int(x) for x in frame["x"]], NUMBERS),
    "a dict of columns": lambda path: save(
        path, lambda frame: {"p": frame["x"].to_numpy(), "q": ["a"] * len(frame)}, NUMBERS
    ),
    "unnamed columns": lambda path: save(path, lambda frame: frame.iloc[:, 1], pd.DataFrame([[1.0, 2.0], [3.0, 4.0]])),
    "an array column": lambda path: save(
        path, lambda frame: [sum(v) for v in frame["v"]], pd.DataFrame({"v": [[1.0, 2.0], [3.0]]})
    ),
    "a tensor of three axes": lambda path: save(
        path, lambda array: array.sum(axis=(1, 2)), np.arange(12, dtype="float32").reshape(3, 2, 2)
    ),
    "named tensors": lambda path: save(
        path, lambda given: given["a"] + given["m"].sum(axis=1), {"a": np.arange(3.0), "m": np.ones((3, 2), "int64")}
    ),
    "a ColumnTransformer": classifier,
    "a multi-output regressor": regressor,
}


@pytest.mark.parametrize("name", MODELS)
def test_spark_gives_the_stored_predictions(spark: Any, tmp_path: Path, name: str) -> None:
    zone = spark.conf.get("spark.sql.session.timeZone")
    found = replay(MODELS[name](tmp_path / "model"))
    assert [(check.where, check.against) for check in found.checks] == [
        (LOCAL, STORED),
        (SPARK, STORED),
        (SPARK, LOCAL),
    ]
    assert [(check.conflicts, check.error) for check in found.checks] == [((), "")] * 3
    assert found.notes == ()
    assert spark.conf.get("spark.sql.session.timeZone") == zone


def test_the_zone_of_the_session_changes_nothing(spark: Any, tmp_path: Path) -> None:
    spark.conf.set("spark.sql.session.timeZone", "America/St_Johns")
    try:
        assert replay(save(tmp_path / "model", lambda frame: frame, ALL_TYPES, outputs=True)).passed
        assert spark.conf.get("spark.sql.session.timeZone") == "America/St_Johns"
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_a_model_that_looks_at_the_whole_batch_is_found_out(spark: Any, tmp_path: Path) -> None:
    package = save(tmp_path / "model", lambda frame: frame["x"] - frame["x"].mean(), NUMBERS)
    local, in_spark, _ = replay(package).checks
    assert local.passed
    assert in_spark.conflicts[0] == Conflict(0, "0", -1.5, -0.5)


def only_whole(frame: pd.DataFrame) -> Any:
    if len(frame) != len(NUMBERS):
        raise ValueError("a part of the rows")
    return frame["x"]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda frame: frame["x"][:-1], "[ROW_COUNT] The model gave 1 predictions for 2 rows."),
        (lambda frame: frame["x"].head(3), "[ROW_COUNT] The model gave 3 predictions for 4 rows."),
        (only_whole, "ValueError: a part of the rows"),
    ],
)
def test_an_error_in_spark_is_a_check_that_fails(spark: Any, tmp_path: Path, function: Any, said: str) -> None:
    found = replay(save(tmp_path / "model", function, NUMBERS))
    assert not found.passed
    assert [check.error.startswith(said) for check in found.checks[1:]] == [True, True]
    assert "at org.apache.spark" not in found.checks[1].error


def test_without_stored_predictions_spark_is_compared_with_the_local_answer(spark: Any, tmp_path: Path) -> None:
    package = save(tmp_path / "model", lambda frame: frame["x"], NUMBERS)
    text = (package / "MLmodel").read_text()
    stated = "example_predictions:\n  artifact_path: example_predictions.json\n"
    assert stated in text
    (package / "MLmodel").write_text(text.replace(stated, ""))
    (package / "example_predictions.json").unlink()
    write_manifest(package)
    found = replay(package)
    assert found.passed
    assert [(check.where, check.against) for check in found.checks] == [(SPARK, LOCAL)]


def test_the_command_prints_what_spark_says_otherwise(spark: Any, tmp_path: Path) -> None:
    package = save(tmp_path / "model", lambda frame: frame["x"] * 2, NUMBERS)
    file = package / "example_predictions.json"
    stored = json.loads(file.read_text())
    stored["data"][2][0] = 6.5
    file.write_text(json.dumps(stored))
    write_manifest(package)
    result = CliRunner().invoke(cli, ["verify", "-m", str(package)])
    assert result.exit_code == 1
    assert "  local against stored predictions: 1 conflict\n" in result.stdout
    assert "  Spark against local: the same\n" in result.stdout
    assert [line.split() for line in result.stdout.splitlines()[-3:]] == [
        ["row", "column", "expected", "actual", "where"],
        ["2", "0", "6.5", "6.0", "local"],
        ["2", "0", "6.5", "6.0", "Spark"],
    ]


def run(package: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    folders = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "spark_models", "verify", "-m", str(package), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": folders, **environment},
    )


@pytest.mark.spark
def test_a_process_of_its_own_starts_spark_in_silence_and_ends_it(tmp_path: Path) -> None:
    result = run(classifier(tmp_path / "model"))
    assert (result.returncode, result.stderr) == (0, "")
    assert "  Spark against stored predictions: the same\n" in result.stdout


@pytest.mark.spark
def test_without_java_the_command_says_so_and_how_to_go_on(tmp_path: Path) -> None:
    package = save(tmp_path / "model", lambda frame: frame["x"], NUMBERS)
    (tmp_path / "bin").mkdir()
    for name in ("bash", "sh", "dirname", "uname", "cat", "env", "which", "ps", "id"):
        found = next((Path(folder, name) for folder in ("/bin", "/usr/bin") if Path(folder, name).exists()), None)
        if found is not None:
            (tmp_path / "bin" / name).symlink_to(found)
    result = run(package, PATH=str(tmp_path / "bin"), JAVA_HOME="")
    assert result.returncode == 1
    assert result.stderr.startswith("[SPARK_UNAVAILABLE] Spark can't be started: ")
    assert result.stderr.endswith(
        "Hint: install Java 17 or later and set JAVA_HOME, or leave Spark out with --no-spark\n"
    )

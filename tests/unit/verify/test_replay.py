"""The stored example replayed here: what passes, what does not, and what there is to compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
from spark_models.errors import ManifestMismatchError, NothingToReplayError
from spark_models.models import infer_signature
from spark_models.package.manifest import write_manifest
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, TensorSpec
from spark_models.verify.compare import Conflict
from spark_models.verify.example import result_type_of, unscorable
from spark_models.verify.replay import Check, concise, replay

EXAMPLE = pd.DataFrame({"x": [1.0, 2.0, 3.0]})


class Doubled(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input["x"].to_numpy() * 2


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    spark_models.pyfunc.save_model(
        path, python_model=Doubled(), signature=infer_signature(EXAMPLE, np.array([1.0])), input_example=EXAMPLE
    )
    return path


def perturb(package: Path, position: int, value: float) -> None:
    """Another stored prediction, as a careless hand would leave it: with a manifest that says all is well."""
    file = package / "example_predictions.json"
    stored = json.loads(file.read_text())
    stored["data"][position] = value
    file.write_text(json.dumps(stored))
    write_manifest(package)


def test_a_faithful_package_passes(package: Path) -> None:
    found = replay(package, spark=False)
    assert found.passed
    assert (found.rows, found.checks) == (3, (Check("local", "stored predictions"),))
    assert found.notes == ("Spark is left out, as asked",)
    assert len(found.content_hash) == 64


def test_a_changed_prediction_is_found_in_its_row(package: Path) -> None:
    perturb(package, 1, 4.5)
    found = replay(package, spark=False)
    assert not found.passed
    assert found.checks[0].conflicts == (Conflict(1, "0", 4.5, 4.0),)


def test_the_tolerance_decides(package: Path) -> None:
    perturb(package, 1, 4.0 + 1e-9)
    assert not replay(package, spark=False).passed
    assert replay(package, spark=False, tolerance=1e-8).passed


def test_a_flipped_byte_is_found_before_anything_is_loaded(package: Path) -> None:
    file = package / "python_model.pkl"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ManifestMismatchError) as caught:
        replay(package, spark=False)
    assert caught.value.changed == ("python_model.pkl",)


def test_a_package_without_an_example_has_nothing_to_replay(tmp_path: Path) -> None:
    spark_models.pyfunc.save_model(tmp_path / "bare", python_model=Doubled())
    with pytest.raises(NothingToReplayError) as caught:
        replay(tmp_path / "bare", spark=False)
    assert str(caught.value) == (
        "[NOTHING_TO_REPLAY] The package has no input example, so there is nothing to compare.\n"
        f"Where: {tmp_path / 'bare'}\n"
        "Hint: save the model with input_example=…: its predictions are stored beside it"
    )


def test_an_example_without_predictions_needs_spark(package: Path) -> None:
    mlmodel = package / "MLmodel"
    text = mlmodel.read_text()
    mlmodel.write_text(text.replace("example_predictions:\n  artifact_path: example_predictions.json\n", ""))
    (package / "example_predictions.json").unlink()
    write_manifest(package)
    with pytest.raises(NothingToReplayError, match="no predictions on its input example"):
        replay(package, spark=False)


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        (np.array([1.5]), "double"),
        (np.array([1], dtype="uint32"), "bigint"),
        (np.array([[1.5, 2.5]]), "array<double>"),
        (np.array([[1, 2]]), "array<bigint>"),
        (np.array([True]), "boolean"),
        (["a", None], "string"),
        (pd.Series([1, None], dtype="Int64"), "bigint"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "timestamp"),
        (pd.DataFrame({"a": [1.5], "b c": ["x"]}), "struct<a:double,`b c`:string>"),
        ({"a": np.array([1]), "b": [1.5]}, "struct<a:bigint,b:double>"),
        ([[1.0], [2.0, 3.0]], "array<double>"),
        ([b"x"], "binary"),
    ],
)
def test_the_result_type_is_that_of_the_predictions(predictions: Any, expected: str) -> None:
    assert result_type_of(predictions, None).ddl == expected


def test_the_signature_says_the_result_type_where_it_can() -> None:
    assert result_type_of(np.array([1]), Schema([ColSpec("double")])).ddl == "double"
    assert result_type_of(np.array([1]), Schema([TensorSpec(np.dtype("uint64"), (-1,))])).ddl == "bigint"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (Schema([TensorSpec(np.dtype("float64"), (-1, 2))]), ""),
        (Schema([TensorSpec(np.dtype("float64"), (4, 2))]), "the first axis of its tensor has the fixed length 4"),
        (Schema([TensorSpec(np.dtype("uint8"), (-1, 2))]), "Spark has no columns of uint8"),
        (Schema([ColSpec("double", "x")]), ""),
        (None, "the model takes arrays and has no signature that says so"),
    ],
)
def test_what_spark_can_not_hold_is_left_out_with_its_reason(schema: Schema | None, reason: str) -> None:
    assert unscorable(np.zeros((2, 2)), schema) == reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            (
                'An exception was thrown from the Python worker:\n  File "x.py"\nspark_models.errors.RowCountError: '
                "[ROW_COUNT] The model gave 1 predictions for 2 rows.\nHint: its predict must give one a row\n\tat x.Y"
            ),
            "[ROW_COUNT] The model gave 1 predictions for 2 rows.\nHint: its predict must give one a row",
        ),
        (
            (
                "An exception was thrown.\n  File \"x.py\"\nKeyError: 'x'\n\nThe above\nValueError: no\n\n"
                "\tat org.x.Y\norg.apache.spark.SparkException: no"
            ),
            "ValueError: no",
        ),
        ("[SOME_SPARK_CODE] Something of Spark.\nmore", "ValueError: [SOME_SPARK_CODE] Something of Spark."),
        ("", "ValueError: without a text"),
    ],
)
def test_an_error_of_spark_is_told_without_its_stacks(text: str, said: str) -> None:
    assert concise(ValueError(text)) == said

"""Input examples of each kind the document has, and files of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_models.errors import InvalidExampleError, InvalidPackageError, PathEscapesError
from spark_models.package.example import read_example, read_predictions, save_example


@pytest.mark.parametrize(
    "example", [5, "text", None, [], {}, {"x": [1, 2]}, {"x": 1, "y": np.ones(2)}, [np.ones((2, 2))]]
)
def test_what_is_no_example(example: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidExampleError):
        save_example(example, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_as_the_document_prints_it(tmp_path: Path) -> None:
    save_example(pd.DataFrame({"a": [1], "raw": [b"abc"]}, index=[7]), tmp_path)
    assert json.loads((tmp_path / "input_example.json").read_text()) == {"columns": ["a", "raw"], "data": [[1, "YWJj"]]}
    save_example([1, "x"], tmp_path)
    assert json.loads((tmp_path / "input_example.json").read_text()) == {"data": [[1, "x"]]}
    save_example({"t": np.ones((1, 2), "float32")}, tmp_path)
    assert json.loads((tmp_path / "input_example.json").read_text()) == {"inputs": {"t": [[1.0, 1.0]]}}


def test_integers_on_both_sides_of_the_sign_bit(tmp_path: Path) -> None:
    array = np.array([0, 2**63 + 1], "uint64")
    assert read_example(save_example(array, tmp_path), tmp_path).tolist() == [0, 2**63 + 1]


@pytest.mark.parametrize(
    "body", ["", "{", "[[1], []]", '{"data": [[1], []]}', '{"inputs": [[1], [1, 2]]}', "5", '{"x": 1}']
)
def test_a_file_that_is_no_example(body: str, tmp_path: Path) -> None:
    (tmp_path / "input_example.json").write_text(body)
    with pytest.raises(InvalidPackageError):
        read_example({}, tmp_path)


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"kind": "dict", "items": []}', '{"kind": "dataframe", "dtypes": ["int64"], "data": [[]]}']
)
def test_a_file_that_holds_no_predictions(body: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(body)
    with pytest.raises(InvalidPackageError):
        read_predictions({"artifact_path": "p.json"}, tmp_path)


def test_no_example_is_read_from_outside(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "secret.json").write_text('{"data": [[1]]}')
    (tmp_path / "m" / "link.json").symlink_to(tmp_path / "secret.json")
    for path in ("../secret.json", str(tmp_path / "secret.json"), "link.json"):
        for read in (read_example, read_predictions):
            with pytest.raises(PathEscapesError):
                read({"artifact_path": path}, tmp_path / "m")

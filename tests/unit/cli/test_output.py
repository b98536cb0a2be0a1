"""Predictions as files: every format, over batches, whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_models.cli.output import open_output
from spark_models.errors import RowCountError, SparkModelsError, UnsupportedOutputError


def write(path: Path, *batches: Any, rows: int = 2) -> Path:
    with open_output(str(path)) as output:
        for batch in batches:
            output.write(batch, rows)
    return path


@pytest.mark.parametrize(
    ("batches", "answer"),
    [
        ([np.array([1.5, np.nan]), np.array([2.5, 3.5])], [1.5, None, 2.5, 3.5]),
        ([pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [3, 4]})], [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]),
        ([np.array([[1, 2], [3, 4]])], [[1, 2], [3, 4]]),
        ([{"p": [1, 2]}, {"p": np.array([3, 4])}], {"p": [1, 2, 3, 4]}),
        ([["x", None]], ["x", None]),
        ([7], 7),
        ([], []),
    ],
)
def test_json_is_one_text(tmp_path: Path, batches: list[Any], answer: Any) -> None:
    assert json.loads(write(tmp_path / "out.json", *batches).read_text()) == answer


def test_json_lines_are_one_prediction_each(tmp_path: Path) -> None:
    path = write(tmp_path / "out.jsonl", {"p": [1, 2], "q": ["a", "b"]}, pd.Series([3, 4], name="p"))
    assert list(map(json.loads, path.read_text().splitlines())) == [
        {"p": 1, "q": "a"},
        {"p": 2, "q": "b"},
        {"p": 3},
        {"p": 4},
    ]


@pytest.mark.parametrize(
    ("batch", "columns"),
    [
        (np.array([1.5, 2.5]), ["prediction"]),
        (["a", "b"], ["prediction"]),
        (pd.Series([1, 2]), ["prediction"]),
        (pd.Series([1, 2], name="p"), ["p"]),
        (np.array([[1, 2], [3, 4]]), ["0", "1"]),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), ["a", "b"]),
        ({"a": [1, 2], "b": [0.5, None]}, ["a", "b"]),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_have_named_columns(tmp_path: Path, batch: Any, columns: list[str], form: str) -> None:
    path = write(tmp_path / f"out.{form}", batch, batch)
    frame = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
    assert (list(frame.columns), len(frame)) == (columns, 4)
    pd.testing.assert_frame_equal(frame[:2], frame[2:].reset_index(drop=True))


def test_parquet_takes_a_batch_of_nothing_but_missing_values(tmp_path: Path) -> None:
    path = write(tmp_path / "out.parquet", [None, None], ["a", "b"])
    assert pd.read_parquet(path)["prediction"].to_list() == [None, None, "a", "b"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_no_batches_are_a_table_without_rows(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / f"out.{form}")
    frame = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
    assert (list(frame.columns), len(frame)) == (["prediction"], 0)


@pytest.mark.parametrize(
    ("form", "batches", "kind"),
    [
        ("json", [[1, 2], [1]], RowCountError),
        ("json", [[1, 2], {"p": [1, 2]}], UnsupportedOutputError),
        ("json", [{"p": [1, 2]}, {"q": [1, 2]}], UnsupportedOutputError),
        ("json", [7, 8], UnsupportedOutputError),
        ("csv", [[1]], RowCountError),
        ("parquet", [[1]], RowCountError),
        ("parquet", [[1, 2], ["a", "b"]], UnsupportedOutputError),
    ],
)
def test_what_can_not_be_written_leaves_nothing(
    tmp_path: Path, form: str, batches: list[Any], kind: type[SparkModelsError]
) -> None:
    with pytest.raises(kind):
        write(tmp_path / f"out.{form}", *batches)
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_an_older_file_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "out.json", [1, 2])
    with pytest.raises(RuntimeError), open_output(str(path)) as output:
        output.write([3, 4], 2)
        raise RuntimeError
    assert path.read_text() == "[1,2]\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    write(tmp_path / "link.json", [1, 2])
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "target.json").read_text() == "[1,2]\n"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe.parquet"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write(path, [1.5, 2.5])
    reader.join()
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert read[0].startswith(b"PAR1")


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    path = write(tmp_path / "out.json", [1, 2])
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode

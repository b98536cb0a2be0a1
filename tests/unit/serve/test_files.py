"""Files in batches: the same rows whatever the format and the size of a batch."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_models.errors import InputError, InvalidArgumentError, MissingColumnsError, UnsupportedInputError
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, TensorSpec
from spark_models.serve.files import content_type_of, read_batches

SCHEMA = Schema([ColSpec("double", "x"), ColSpec("string", "a.b"), ColSpec("datetime", "t")])
FRAME = pd.DataFrame(
    {
        "extra": [1, 2, 3, 4, 5],
        "t": pd.to_datetime(
            ["2020-01-01", "1969-12-31 23:59:59.5", None, "2020-07-01 12:00", "2038-01-19"], format="ISO8601"
        ),
        "a.b": ["u", None, "NA", "ü", ""],
        "x": [1.5, np.nan, 3.0, -0.0, 1e300],
    }
)
FORMATS = ("csv", "json", "jsonl", "parquet", "records.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files")
    FRAME.to_csv(path / "rows.csv")
    FRAME.to_json(path / "rows.json", orient="split", date_format="iso", date_unit="us", double_precision=15)
    FRAME.to_json(path / "rows.records.json", orient="records", date_format="iso", date_unit="us", double_precision=15)
    FRAME.to_json(
        path / "rows.jsonl", orient="records", lines=True, date_format="iso", date_unit="us", double_precision=15
    )
    FRAME.to_parquet(path / "rows.parquet")
    return path


@pytest.mark.parametrize("rows", [1, 2, 5, None])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("opened", [False, True])
def test_every_format_gives_the_same_rows(folder: Path, form: str, rows: int | None, opened: bool) -> None:
    path = folder / f"rows.{form}"
    source: Any = io.BytesIO(path.read_bytes()) if opened else path
    batches = list(read_batches(source, content_type_of(path), SCHEMA, rows=rows))
    if form in ("csv", "jsonl", "parquet") and rows is not None:
        assert max(map(len, batches)) <= rows
    whole = pd.concat(batches, ignore_index=True)
    assert list(whole.columns) == ["x", "a.b", "t"]
    np.testing.assert_array_equal(whole["x"], FRAME["x"])
    pd.testing.assert_series_equal(whole["t"], FRAME["t"])
    # CSV has no empty text beside missing text.
    expected = [None if value == "" and form == "csv" else value for value in FRAME["a.b"]]
    assert [None if pd.isna(value) else value for value in whole["a.b"]] == expected


@pytest.mark.parametrize("form", FORMATS)
def test_without_a_signature_all_rows_have_the_same_types(folder: Path, form: str) -> None:
    path = folder / f"rows.{form}"
    batches = list(read_batches(path, content_type_of(path), None, rows=2))
    assert len({tuple(map(str, batch.dtypes)) for batch in batches}) == 1
    assert sum(map(len, batches)) == 5


def test_a_fixed_first_axis_is_never_split(folder: Path) -> None:
    pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).to_csv(folder / "matrix.csv", index=False)
    pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).to_parquet(folder / "matrix.parquet")
    schema = Schema([TensorSpec(np.dtype("float64"), (2, 2))])
    for form in ("csv", "parquet"):
        (batch,) = read_batches(folder / f"matrix.{form}", form, schema, rows=1)
        assert batch.tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize(
    ("content_type", "text"), [("csv", b"x,a.b,t\n"), ("jsonl", b""), ("jsonl", b"\n \n"), ("json", b"[]")]
)
def test_no_rows_are_one_empty_batch(content_type: str, text: bytes) -> None:
    (batch,) = read_batches(io.BytesIO(text), content_type, SCHEMA)
    assert (list(batch.columns), len(batch)) == (["x", "a.b", "t"], 0)


def test_an_empty_parquet_file_is_one_empty_batch(tmp_path: Path) -> None:
    FRAME.iloc[:0].to_parquet(tmp_path / "empty.parquet")
    (batch,) = read_batches(tmp_path / "empty.parquet", "parquet", SCHEMA)
    assert (list(batch.columns), len(batch)) == (["x", "a.b", "t"], 0)


def test_parquet_has_types_and_is_not_cast_further(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="COLUMN_TYPE"):
        list(read_batches(tmp_path / "rows.parquet", "parquet", Schema([ColSpec("double", "x")])))


def test_what_is_missing_from_parquet_is_named(folder: Path) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        list(read_batches(folder / "rows.parquet", "parquet", Schema([ColSpec("double", "gone")])))
    assert caught.value.missing == ("gone",)


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_a_file_of_tensors_is_for_models_of_tensors(form: str) -> None:
    text = f'{{"{form}": [[1, 2]]}}'.encode()
    schema = Schema([TensorSpec(np.dtype("float32"), (-1, 2))])
    (batch,) = read_batches(io.BytesIO(text), "json", schema)
    assert (batch.tolist(), str(batch.dtype)) == ([[1.0, 2.0]], "float32")
    with pytest.raises(UnsupportedInputError) as caught:
        list(read_batches(io.BytesIO(text), "json", None))
    assert str(caught.value) == (
        f"[UNSUPPORTED_INPUT] The input is a body of tensors ('{form}'); a table in split or records orientation is "
        "expected."
    )


@pytest.mark.parametrize(
    ("content_type", "text", "said"),
    [
        (
            "jsonl",
            b'{"x": 1}\n\n{"x": \n',
            "[JSON_BODY] The input can't be read: it is no JSON (Expecting value).\nWhere: line 3, column 6",
        ),
        ("jsonl", b'{"x": 1}\n{"x": "y"}\n', "[JSON_VALUE] A value that is text is no double.\nWhere: $[1].x"),
        ("parquet", b"x\n1\n", "[JSON_BODY] The input can't be read: it is no Parquet file, or a damaged one."),
    ],
)
def test_the_text_of_each_refusal(content_type: str, text: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        list(read_batches(io.BytesIO(text), content_type, Schema([ColSpec("double", "x")]), rows=1))
    assert str(caught.value) == said


def test_params_in_a_file_are_not_dropped_in_silence() -> None:
    with pytest.raises(InputError) as caught:
        list(read_batches(io.BytesIO(b'{"dataframe_records": [], "params": {"n": 1}}'), "json", None))
    assert str(caught.value) == (
        "[JSON_BODY] The input can't be read: a file holds rows, and no 'params' of a call.\nWhere: $.params"
    )


def test_an_unknown_content_type_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        list(read_batches(io.BytesIO(b""), "xml", None))
    assert str(caught.value) == (
        "[INVALID_ARGUMENT] The content type 'xml' is unknown.\nHint: use one of ['csv', 'json', 'jsonl', 'parquet']"
    )

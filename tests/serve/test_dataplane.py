"""The core of the server as a function of bytes."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spark_models
from spark_models.errors import InputError, JsonBodyError
from spark_models.schema.schema import Schema
from spark_models.schema.signature import ModelSignature
from spark_models.schema.specs import ColSpec, TensorSpec
from spark_models.serve import DataPlane
from spark_models.serve.batches import combined, parts
from spark_models.serve.body import parse_json
from spark_models.serve.columnar import ARROW_STREAM, PARQUET
from spark_models.serve.payload import PayloadBinder
from spark_models.serve.strict_json import loads, loads_numbers

JSON = "application/json"


class Sum(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        return pd.DataFrame({"sum": model_input["a"] + model_input["b"]})


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> DataPlane:
    path = tmp_path_factory.mktemp("plane") / "sum"
    signature = ModelSignature(Schema([ColSpec("double", "a"), ColSpec("long", "b")]))
    spark_models.pyfunc.save_model(path, python_model=Sum(), signature=signature)
    return DataPlane(spark_models.pyfunc.load_model(path))


def table() -> pa.Table:
    return pa.table({"b": pa.array([1, 2], pa.int64()), "a": [0.5, 1.5], "c": ["x", "y"]})


def bytes_of(rows: pa.Table, media: str) -> bytes:
    sink = io.BytesIO()
    if media == PARQUET:
        pq.write_table(rows, sink)
    else:
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    return sink.getvalue()


def read(content: bytes, media: str) -> pa.Table:
    return pq.read_table(io.BytesIO(content)) if media == PARQUET else pa.ipc.open_stream(content).read_all()


@pytest.mark.parametrize("given_media", [ARROW_STREAM, PARQUET])
@pytest.mark.parametrize("asked", [ARROW_STREAM, PARQUET, None])
def test_bodies_and_answers_that_have_types(plane: DataPlane, given_media: str, asked: str | None) -> None:
    answer = plane(bytes_of(table(), given_media), given_media, asked)
    assert answer.status == 200
    if asked is None:
        assert json.loads(answer.content) == [{"sum": 1.5}, {"sum": 3.5}]
    else:
        assert answer.content_type == asked
        assert read(answer.content, asked).to_pydict() == {"sum": [1.5, 3.5]}


@pytest.mark.parametrize("media", [ARROW_STREAM, PARQUET])
def test_typed_columns_are_cast_without_loss_or_not_at_all(plane: DataPlane, media: str) -> None:
    lossy = table().set_column(0, "b", pa.array([1.5, 2.0]))
    answer = plane(bytes_of(lossy, media), media)
    assert (answer.status, json.loads(answer.content)["error_code"]) == (400, "BAD_REQUEST")
    assert "[COLUMN_TYPE]" in answer.content.decode()


@pytest.mark.parametrize("media", [ARROW_STREAM, PARQUET])
def test_bytes_that_are_no_table_are_the_callers_fault(plane: DataPlane, media: str) -> None:
    whole = bytes_of(table(), media)
    for body in (b"", b"PAR1", whole[: len(whole) // 2], whole[:-3] + b"xyz" if media == PARQUET else b"\xff" * 40):
        assert plane(body, media).status == 400


def test_a_name_that_is_no_text_is_the_callers_fault(plane: DataPlane) -> None:
    whole = bytes_of(pa.table({"abcd": [1.0]}), ARROW_STREAM)
    assert b"abcd" in whole
    assert plane(whole.replace(b"abcd", b"ab\xff\xff"), ARROW_STREAM).status == 400


def test_a_small_body_can_not_become_a_large_table(plane: DataPlane) -> None:
    zeros = pa.table({"a": np.zeros(20_000_000), "b": np.zeros(20_000_000, "int64")})
    body = bytes_of(zeros, PARQUET)
    assert len(body) < 2_000_000
    answer = plane(body, PARQUET)
    assert answer.status == 400
    assert "holds more than" in answer.content.decode()


def test_the_forms_of_mlflow_2_are_answered_under_predictions(plane: DataPlane) -> None:
    split = {"columns": ["a", "b"], "data": [[1, 2]]}
    assert json.loads(plane(json.dumps(split).encode(), JSON).content) == [{"sum": 3.0}]
    wrapped = plane(json.dumps({"dataframe_split": split}).encode(), JSON)
    assert json.loads(wrapped.content) == {"predictions": [{"sum": 3.0}]}


def test_params_are_checked(plane: DataPlane) -> None:
    answer = plane(b'{"dataframe_records": [{"a": 1, "b": 2}], "params": {"k": 1}}', JSON)
    assert (answer.status, json.loads(answer.content)["error_code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("cell", ["true", '"1"', "[1]", "[]", "{}", "1e999", "9" * 400])
@pytest.mark.parametrize(
    "form", ['{{"columns": ["a"], "data": [[1], [{}]]}}', '{{"data": [[1], [{}]], "columns": ["a"]}}']
)
def test_a_cell_that_is_no_number_is_seen_wherever_it_stands(cell: str, form: str) -> None:
    body = parse_json(form.format(cell).encode(), exact=False)
    with pytest.raises(InputError, match=r"\$.data\[1\].a"):
        PayloadBinder(Schema([ColSpec("double", "a")]))(body.data)


keys = st.sampled_from(["a", "b", "columns", "data", "dataframe_split", "instances", "x:y"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))
texts = st.one_of(
    values.map(lambda value: json.dumps(value).encode()),
    st.text(alphabet='{}[]:,"ab1.e-0 \\n', max_size=40).map(str.encode),
    st.lists(st.tuples(keys, scalars), max_size=4).map(
        lambda pairs: ("{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in pairs) + "}").encode()
    ),
)


@settings(max_examples=500, deadline=None)
@given(texts)
def test_the_fast_reader_of_json_reads_what_the_strict_one_does(text: bytes) -> None:
    def result(reader: Any) -> Any:
        try:
            return reader(text)
        except JsonBodyError as error:
            return str(error)

    strict, fast = result(loads), result(loads_numbers)
    assert _alike(strict, fast)


def _alike(strict: Any, fast: Any) -> bool:
    if isinstance(strict, list):
        return isinstance(fast, list) and len(strict) == len(fast) and all(map(_alike, strict, fast))
    if isinstance(strict, dict):
        return (
            isinstance(fast, dict) and list(strict) == list(fast) and all(map(_alike, strict.values(), fast.values()))
        )
    if type(strict) is int and type(fast) is float:
        return abs(strict) >= 2**63 and float(strict) == fast or strict == fast == 0
    return type(strict) is type(fast) and strict == fast


@settings(max_examples=500, deadline=None)
@given(body=texts | st.binary(max_size=60), media=st.sampled_from([JSON, "text/csv", ARROW_STREAM, PARQUET]))
def test_no_body_is_a_fault_of_the_server(plane: DataPlane, body: bytes, media: str) -> None:
    answer = plane(body, media)
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert json.loads(answer.content)["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "inputs",
    [
        [pd.DataFrame({"a": [1.0], "b": [2.0]}), pd.DataFrame({"a": [3.0, 4.0], "b": [5.0, 6.0]})],
        [pd.DataFrame({"a": [1.0], "s": ["x"]}), pd.DataFrame({"a": [3.0], "s": ["y"]})],
        [np.zeros((1, 2)), np.ones((3, 2))],
    ],
)
def test_requests_put_together_are_their_rows_in_order(inputs: list[Any]) -> None:
    together = combined(inputs)
    cut = parts(together, [len(item) for item in inputs])
    assert cut is not None
    for piece, item in zip(cut, inputs, strict=True):
        assert np.asarray(piece).tolist() == np.asarray(item).tolist()


def test_what_is_not_alike_is_not_put_together() -> None:
    assert combined([pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [1]})]) is None
    assert combined([pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})]) is None
    assert combined([np.zeros((1, 2)), np.zeros((1, 3))]) is None
    assert combined([{"a": np.zeros(1)}, {"a": np.zeros(1)}]) is None
    assert parts(np.zeros(3), [1, 1]) is None
    assert parts(1.5, [1]) is None


def test_a_fixed_first_axis_is_never_batched() -> None:
    from spark_models.serve.batches import may_batch

    assert may_batch(Schema([TensorSpec(np.dtype("float32"), (-1, 2))]))
    assert not may_batch(Schema([TensorSpec(np.dtype("float32"), (4, 2))]))
    assert not may_batch(None)

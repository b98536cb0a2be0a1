"""Bodies that nobody would write: each is answered, in time, and none is the server's fault."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lengths import part
from running import Server

import spark_models
from spark_models.models import ModelSignature
from spark_models.serve import DataPlane
from spark_models.serve.inference import read_inference
from spark_models.types.schema import ColSpec, Schema, TensorSpec

pytestmark = pytest.mark.slow

TYPES = ("double", "integer", "long", "float", "string", "boolean", "binary", "datetime")
COLUMNS = ModelSignature(Schema([ColSpec(kind, kind[:3]) for kind in TYPES]))
TENSOR = ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 2), "t")]))
MEDIA = [
    "application/json",
    "application/json; format=pandas-split",
    "application/json; format=pandas-records",
    "text/csv",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.parquet",
]
SLOW = 5.0
"""Seconds: far beyond what any of these bodies needs."""


class Counts(spark_models.pyfunc.PythonModel):
    """The rows of its input: it fails on nothing."""

    def predict(self, context: Any, model_input: Any) -> Any:
        data = next(iter(model_input.values()), ()) if isinstance(model_input, dict) else model_input
        return np.full(len(data), len(data))


@pytest.fixture(scope="module", params=["columns", "tensor", "none"])
def plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DataPlane:
    path = tmp_path_factory.mktemp("fuzz") / "counts"
    signature = {"columns": COLUMNS, "tensor": TENSOR, "none": None}[request.param]
    spark_models.pyfunc.save_model(path, python_model=Counts(), signature=signature)
    return DataPlane(spark_models.pyfunc.load_model(str(path)), debug=True)


def good() -> list[bytes]:
    """Bodies that are right, of every kind."""
    row = [1.5, 7, 2**40, 0.25, "a,b\n\"c'", True, "QUJD", "2020-02-29T12:00:00Z"]
    names = [kind[:3] for kind in TYPES]
    record = dict(zip(names, row, strict=True))
    split = {"columns": names, "data": [row, row], "index": [0, 1]}
    values: list[Any] = [
        split,
        {"columns": names, "data": []},
        [record, {**record, "dou": None}],
        {"dataframe_split": split, "params": {"a": 1}},
        {"dataframe_records": [record]},
        {"instances": [[1.0, 2.0], [3.0, 4.0]]},
        {"instances": [{"t": [1, 2]}]},
        {"inputs": {"t": [[1, 2]]}},
        {"inputs": [[1, 2]]},
        {"inputs": {name: [value] for name, value in record.items()}},
        [1e308, -0.0, 1e-320, 10**400, "é\u2028\ud7ff", None, True, [[[]]], {}],
        {"id": "1", "inputs": [{"name": "t", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]},
    ]
    frame = pd.DataFrame({"dou": [1.5], "int": np.array([1], "int32"), "lon": [1], "flo": np.array([1], "f4")})
    frame = frame.assign(str=["a"], boo=[True], bin=[b"abc"], dat=pd.to_datetime(["2020-01-01"]))
    table = pa.Table.from_pandas(frame)
    stream, parquet = io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, parquet)
    texts = [json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") for value in values]
    csv = pd.DataFrame([row, row], columns=names).to_csv(index=False).encode()
    return [*texts, csv, b"\xef\xbb\xbf" + csv, stream.getvalue(), parquet.getvalue()]


PIECES = [b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"-", b"null", b"\x00"]
PIECES += [b"\xff", b"\n", b"\r", b'""', b"true", b"9" * 30, b'"data"', b'"columns"', b'"inputs"', b"[" * 200]


def broken(body: bytes, dice: random.Random) -> bytes:
    """A body with some bytes changed, taken out, put in or doubled."""
    made = bytearray(body)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        at = dice.randrange(len(made) + 1)
        end = min(len(made), at + dice.choice((1, 1, 2, 4, 16, 64)))
        act = dice.randrange(6)
        if act == 0:
            made[at:end] = b""
        elif act == 1:
            made[at:at] = dice.choice(PIECES)
        elif act == 2 and at < len(made):
            made[at] = dice.randrange(256)
        elif act == 3:
            made[at:at] = made[at:end]
        elif act == 4:
            del made[at:]
        else:
            made[at:end] = dice.choice(PIECES)
    return bytes(made)


def check(plane: DataPlane, body: bytes, media: str, found: Counter[int]) -> None:
    began = time.monotonic()
    answer = plane(body, media)
    assert answer.status in (200, 400, 413, 415), (body[:2000], media, answer.content[-3000:].decode())
    assert time.monotonic() - began < SLOW, (body[:2000], media)
    if answer.status == 200:
        json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name} in an answer"))
    found[answer.status] += 1


def test_bodies_that_were_right_and_then_broken(plane: DataPlane) -> None:
    dice = random.Random(7)
    found: Counter[int] = Counter()
    bodies = good()
    for _ in range(part(40_000)):
        check(plane, broken(dice.choice(bodies), dice), dice.choice(MEDIA), found)
    assert found[400] > found[200] > 0


NAMES = st.sampled_from([kind[:3] for kind in TYPES])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.just("t") | NAMES, inner),
    max_leaves=12,
)
KEYS = ["columns", "data", "index", "inputs", "instances", "dataframe_split", "dataframe_records", "params", "id"]
BODIES = VALUES | st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)


@settings(max_examples=part(6_000), deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(value=BODIES)
def test_values_of_any_form(plane: DataPlane, value: Any) -> None:
    body = json.dumps(value).encode("utf-8", "surrogatepass")
    found: Counter[int] = Counter()
    for media in MEDIA[:4]:
        check(plane, body, media, found)
    try:
        plane.score(read_inference(plane, body, "counts"))
    except Exception as error:  # noqa: BLE001 - which it is, is what is tested
        assert plane.failure(error).status == 400, (value, error)


def test_what_the_openapi_document_allows_and_what_it_does_not(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start("--max-body", "1MB")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--checks", checks]
    command += ["-n", str(part(1000)), "--mode", "all", "--seed", "1", "--generation-database", "none"]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout[-5000:]

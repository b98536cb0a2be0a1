"""The Java server beside the Python one: the same package, the same requests, the same status, code and answer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

import spark_models.pyfunc
from spark_models.models import Model
from spark_models.models.signature import ModelSignature
from spark_models.package.manifest import write_manifest
from spark_models.types.schema import Array, ColSpec, DataType, Schema

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
from jvm_parity import JAR, ROOT, needs_jar
from running import wait_until

pytestmark = [pytest.mark.spark, needs_jar]  # no Spark, but a JVM and the jar: it runs after `make jvm`

TOKEN = "open-sesame"


@dataclass
class Pair:
    """Both servers of one package."""

    python: httpx.Client
    java: httpx.Client

    def answers(self, method: str, path: str, **options: Any) -> tuple[httpx.Response, httpx.Response]:
        return self.python.request(method, path, **options), self.java.request(method, path, **options)


class Churn(spark_models.pyfunc.PythonModel):
    """What the bundle below says, in Python."""

    def predict(self, context: Any, model_input: pd.DataFrame) -> pd.DataFrame:
        age = model_input["age"].fillna(40.0)
        index = np.array([{"Rome": 0.0, "Oslo": 1.0, "Lima": 2.0}[city] for city in model_input["city"]])
        margin = -0.5 + 0.05 * age - index + 0.25 * model_input["visits"]
        positive = 1.0 / (1.0 + np.exp(-margin))
        return pd.DataFrame(
            {
                "prediction": (positive > 0.5).astype(float),
                "probability": [[1.0 - value, value] for value in positive],
            }
        )


STAGES: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str]]] = {
    "filled": (
        {
            "op": "imputer",
            "attributes": {
                "surrogate_value": {"double": 40.0},
                "missing_value": {"double": -999.0},
                "strategy": {"string": "mean"},
                "nullable_input": {"boolean": True},
            },
        },
        {"input": "age"},
        {"output": "filled"},
    ),
    "index": (
        {
            "op": "string_indexer",
            "attributes": {
                "labels": {"type": "list", "string": ["Rome", "Oslo", "Lima"]},
                "handle_invalid": {"string": "error"},
            },
        },
        {"input": "city"},
        {"output": "index"},
    ),
    "features": (
        {
            "op": "vector_assembler",
            "attributes": {
                "input_shapes": {"type": "list", "data_shape": [{"base": "scalar", "isNullable": True}] * 3},
            },
        },
        {"input0": "filled", "input1": "index", "input2": "visits"},
        {"output": "features"},
    ),
    "model": (
        {
            "op": "logistic_regression",
            "attributes": {
                "num_classes": {"long": 2},
                "coefficients": {
                    "type": "tensor",
                    "double": [0.05, -1.0, 0.25],
                    "shape": {"dimensions": [{"size": 3, "name": ""}]},
                },
                "intercept": {"double": -0.5},
                "threshold": {"double": 0.5},
            },
        },
        {"features": "features"},
        {"raw_prediction": "rawPrediction", "probability": "probability", "prediction": "prediction"},
    ),
}
"""Nodes of the bundle: the model, and the columns of its ports."""


def write_bundle(folder: Path) -> None:
    def write(file: Path, content: dict[str, Any]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))

    about = {"uid": "7d9bb0a1-0b4e-4b5c-9a53-7a1a8a2f4c11", "name": "churn", "format": "json", "version": "0.20.0"}
    write(folder / "bundle.json", {**about, "timestamp": "2026-01-31T12:00:00"})
    pipeline = {"op": "pipeline", "attributes": {"nodes": {"type": "list", "string": list(STAGES)}}}
    write(folder / "root" / "model.json", pipeline)
    write(folder / "root" / "node.json", {"name": "churn", "shape": {"inputs": [], "outputs": []}})
    for name, (model, inputs, outputs) in STAGES.items():
        node = folder / "root" / f"{name}.node"
        ports = [[{"name": column, "port": port} for port, column in side.items()] for side in (inputs, outputs)]
        write(node / "model.json", model)
        write(node / "node.json", {"name": name, "shape": {"inputs": ports[0], "outputs": ports[1]}})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model in both forms: a Python function, and a bundle with an imputer, an indexer and a regression."""
    path = tmp_path_factory.mktemp("contract") / "churn model"
    inputs = Schema([ColSpec("double", "age"), ColSpec("string", "city"), ColSpec("integer", "visits")])
    outputs = Schema([ColSpec("double", "prediction"), ColSpec(Array(DataType.double), "probability")])
    example = pd.DataFrame({"age": [42.0, None], "city": ["Rome", "Oslo"], "visits": np.array([3, 0], "int32")})
    spark_models.pyfunc.save_model(
        path, python_model=Churn(), signature=ModelSignature(inputs, outputs), input_example=example
    )
    write_bundle(path / "mleap" / "model")
    model = Model.load(path)
    model.add_flavor("mleap", mleap_version="0.20.0", model_data="mleap/model")
    model.save(path / "MLmodel")
    write_manifest(path)
    return path


@contextlib.contextmanager
def serving(package: Path, folder: Path, *options: str) -> Iterator[Pair]:
    """Both servers of a package, ready."""
    started: list[subprocess.Popen[bytes]] = []
    clients: list[httpx.Client] = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    commands = [[sys.executable, "-m", "spark_models"], ["java", "-Xmx512m", "-jar", str(JAR)]]
    try:
        for place, command in enumerate(commands):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            log = folder / f"log-{place}"
            with open(log, "wb") as stream:
                arguments = [*command, "serve", "-m", str(package), "-p", str(port), *options]
                process = subprocess.Popen(arguments, stderr=stream, stdout=stream, env=environment)
            started.append(process)
            scheme = "https" if "--tls-cert" in options else "http"
            clients.append(httpx.Client(base_url=f"{scheme}://127.0.0.1:{port}", timeout=60, verify=False))

            def ready(log: Path = log, process: subprocess.Popen[bytes] = process) -> bool:
                assert process.poll() is None, log.read_text()
                return "Serving" in log.read_text()

            wait_until(ready, 90)
        yield Pair(*clients)
    finally:
        for client in clients:
            client.close()
        for process in started:
            process.terminate()
        statuses = [process.wait(60) for process in started]
    assert statuses == [0, 0], "SIGTERM ends both with status 0"


@pytest.fixture(scope="module")
def pair(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with serving(package, tmp_path_factory.mktemp("logs"), "--max-body", "100k") as servers:
        yield servers


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """What programs go by: the status, the error's code, and the code that its text begins with."""
    body = answer.json()
    found = re.match(r"\[([A-Z_]+)\] ", body["message"])
    return answer.status_code, body["error_code"], found.group(1) if found is not None else ""


def same(python: httpx.Response, java: httpx.Response) -> None:
    if python.status_code >= 400:
        assert problem(java) == problem(python), (java.text, python.text)
        assert set(java.json()) == set(python.json())
    else:
        assert java.status_code == python.status_code, java.text
        assert java.headers["content-type"] == python.headers["content-type"]
        assert java.json() == near(python.json())


def near(value: Any) -> Any:
    """The value, equal to one whose numbers differ by 1e-9."""
    if isinstance(value, dict):
        return {key: near(item) for key, item in value.items()}
    if isinstance(value, list):
        return [near(item) for item in value]
    return pytest.approx(value, abs=1e-9) if isinstance(value, float) else value


COLUMNS = ["age", "city", "visits"]
ROWS = [[42.5, "Rome", 3], [None, "Oslo", 0], [7, "Lima", 12]]
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]

GOOD = {
    "split": {"columns": COLUMNS, "data": ROWS},
    "split in another order": {"columns": ["visits", "x", "age", "city"], "data": [[3, None, 42.5, "Rome"]]},
    "split with an index": {"columns": COLUMNS, "index": [5, 6, 7], "data": ROWS},
    "no rows": {"columns": COLUMNS, "data": []},
    "records": RECORDS,
    "no records": [],
    "records of which one lacks a key": [RECORDS[0], {"city": "Oslo", "visits": 0}],
    "instances": {"instances": RECORDS},
    "inputs": {"inputs": {name: [record[name] for record in RECORDS] for name in COLUMNS}},
    "dataframe_split": {"dataframe_split": {"columns": COLUMNS, "data": ROWS}},
    "dataframe_records": {"dataframe_records": RECORDS},
    "no parameters": {"instances": RECORDS, "params": {}},
    "an integer beyond a double's digits": [{"age": 9007199254740993, "city": "Rome", "visits": 1}],
}

BAD: dict[str, Any] = {
    "a number": 1,
    "nothing": None,
    "an empty object": {},
    "two forms": {"instances": RECORDS, "inputs": RECORDS},
    "a key beside a form": {"instances": RECORDS, "more": 1},
    "a key beside split's": {"columns": COLUMNS, "data": ROWS, "rows": 3},
    "data that is no list": {"columns": COLUMNS, "data": {"age": 1}},
    "a row that is no list": {"columns": COLUMNS, "data": [1]},
    "a row that is too short": {"columns": COLUMNS, "data": [[1, "Rome"]]},
    "columns that are no list": {"columns": "age", "data": ROWS},
    "a column whose name is a list": {"columns": [["age"]], "data": [[1]]},
    "a column twice": {"columns": ["age", "age"], "data": []},
    "no names": {"data": ROWS},
    "instances without names": {"instances": ROWS},
    "instances of two kinds": {"instances": [RECORDS[0], 1]},
    "inputs of two lengths": {"inputs": {"age": [1, 2], "city": ["Rome"], "visits": [1]}},
    "inputs that are text": {"inputs": "x"},
    "a record that is no object": [RECORDS[0], 1],
    "parameters": {"instances": RECORDS, "params": {"temperature": 1}},
    "parameters that are a list": {"instances": RECORDS, "params": [1]},
    "a column is missing": [{"age": 1, "city": "Rome"}],
    "all columns are missing": [{"x": 1}],
    "text for a number": [{**RECORDS[0], "age": "old"}],
    "a boolean for a number": [{**RECORDS[0], "age": True}],
    "a list for a number": [{**RECORDS[0], "age": [1]}],
    "a fraction for an integer": [{**RECORDS[0], "visits": 1.5}],
    "a float for an integer": [{**RECORDS[0], "visits": 1.0}],
    "an integer out of range": [{**RECORDS[0], "visits": 3_000_000_000}],
    "an integer beyond all": [{**RECORDS[0], "visits": 10**30}],
    "a boolean for an integer": [{**RECORDS[0], "visits": True}],
    "null for an integer": [{**RECORDS[0], "visits": None}],
    "a number for text": [{**RECORDS[0], "city": 1}],
    "several at once": [{"age": "old", "city": 1, "visits": 1.5}],
    "a category that the model has not seen": [{**RECORDS[0], "city": "Atlantis"}],
    "null for a category": [{**RECORDS[0], "city": None}],
}

TEXTS = {
    "nothing": b"",
    "half": b'{"columns": [',
    "two values": b"[] []",
    "NaN": b'[{"age": NaN, "city": "Rome", "visits": 1}]',
    "a key twice": b'[{"age": 1, "age": 2, "city": "Rome", "visits": 1}]',
    "a number out of range": b'[{"age": 1e400, "city": "Rome", "visits": 1}]',
    "latin-1": b'[{"age": 1, "city": "\xe9", "visits": 1}]',
    "deep": b"[" * 5000 + b"]" * 5000,
    "a byte order mark": b'\xef\xbb\xbf[{"age": 1, "city": "Rome", "visits": 1}]',
}

CSV = {
    "rows": "age,city,visits\n42.5,Rome,3\n,Oslo,0\n",
    "the index of pandas": ",age,city,visits\n0,42.5,Rome,3\n",
    "quotes and empty lines": '\r\n"age","city",visits\r\n42.5,"Rome",3\r\n\r\n',
    "no rows": "age,city,visits\n",
    "a missing value's names": "age,city,visits\nNA,Rome,3\nnan,Oslo,2\n",
    "nothing": "",
    "text for a number": "age,city,visits\nold,Rome,3\n",
    "hexadecimal": "age,city,visits\n0x1p3,Rome,3\n",
    "a fraction for an integer": "age,city,visits\n1,Rome,3.5\n",
    "an integer out of range": "age,city,visits\n1,Rome,3000000000\n",
    "no value for an integer": "age,city,visits\n1,Rome,\n",
    "a short line": "age,city,visits\n1,Rome\n",
    "a long line": "age,city,visits\n1,Rome,3,4\n",
    "an open quote": 'age,city,visits\n1,"Rome,3\n',
    "a column twice": "age,city,visits,visits\n1,Rome,3,3\n",
    "a column is missing": "age,city\n1,Rome\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_bodies(pair: Pair, name: str) -> None:
    python, java = pair.answers("POST", "/invocations", json=GOOD[name])
    assert python.status_code == 200, python.text
    same(python, java)


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies(pair: Pair, name: str) -> None:
    python, java = pair.answers("POST", "/invocations", json=BAD[name])
    assert python.status_code >= 400
    same(python, java)


@pytest.mark.parametrize("name", TEXTS)
def test_texts(pair: Pair, name: str) -> None:
    same(
        *pair.answers("POST", "/invocations", content=TEXTS[name], headers={"content-type": "application/json"}),
    )


@pytest.mark.parametrize("name", CSV)
def test_csv(pair: Pair, name: str) -> None:
    headers = {"content-type": "text/csv; charset=utf-8"}
    same(*pair.answers("POST", "/invocations", content=CSV[name].encode(), headers=headers))


def test_a_whole_number_with_a_point_is_no_integer_in_csv(pair: Pair) -> None:
    # pandas has made a float of it by then, so the codes in the text differ.
    content = b"age,city,visits\n42.5,Rome,3.0\n"
    answers = pair.answers("POST", "/invocations", content=content, headers={"content-type": "text/csv"})
    assert [problem(answer)[:2] for answer in answers] == [(400, "BAD_REQUEST")] * 2


BODY = json.dumps(GOOD["split"]).encode()
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "no route": ("GET", "/nothing", {}),
    "no route for a body": ("POST", "/nothing", {"content": b"x" * 50_000}),
    "GET for POST": ("GET", "/invocations", {}),
    "DELETE": ("DELETE", "/invocations", {}),
    "POST for GET": ("POST", "/ping", {"content": b"x"}),
    "no content type": ("POST", "/invocations", {"content": BODY}),
    "another content type": ("POST", "/invocations", {"content": BODY, "headers": {"content-type": "text/html"}}),
    "another charset": (
        "POST",
        "/invocations",
        {"content": BODY, "headers": {"content-type": "application/json; charset=latin-1"}},
    ),
    "an orientation": (
        "POST",
        "/invocations",
        {"content": BODY, "headers": {"content-type": 'application/json; format="pandas-split"; charset=UTF-8'}},
    ),
    "the other orientation": (
        "POST",
        "/invocations",
        {"content": BODY, "headers": {"content-type": "application/json; format=pandas-records"}},
    ),
    "no such orientation": (
        "POST",
        "/invocations",
        {"content": BODY, "headers": {"content-type": "application/json; format=pandas-wide"}},
    ),
    "JSON is accepted": (
        "POST",
        "/invocations",
        {"json": GOOD["split"], "headers": {"accept": "text/html, */*;q=.5"}},
    ),
    "HTML alone is accepted": ("POST", "/invocations", {"json": GOOD["split"], "headers": {"accept": "text/html"}}),
    "another Host": ("GET", "/ping", {"headers": {"host": "evil.example"}}),
    "a body that is too large": (
        "POST",
        "/invocations",
        {"content": b" " * 200_000, "headers": {"content-type": "application/json"}},
    ),
    "the inference protocol's state": ("GET", "/v2/health/live", {}),
    "the model's state": ("GET", "/v2/health/ready", {}),
    "the model's metadata": ("GET", "/v2/models/churn-model", {}),
    "the version's metadata": ("GET", "/v2/models/churn-model/versions/1", {}),
    "the version's state": ("GET", "/v2/models/churn-model/versions/1/ready", {}),
    "another model": ("GET", "/v2/models/other", {}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(pair: Pair, name: str) -> None:
    method, path, options = REQUESTS[name]
    python, java = pair.answers(method, path, **options)
    same(python, java)
    assert java.headers.get("allow") == python.headers.get("allow")


def tensor(name: str, kind: str, data: list[Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": kind, "shape": [len(data)], "data": data, **more}


AGE, CITY, VISITS = (
    tensor("age", "FP64", [42.5, 7]),
    tensor("city", "BYTES", ["Rome", "Lima"]),
    tensor("visits", "INT32", [3, 12]),
)
INFERENCES: dict[str, Any] = {
    "columns": {"inputs": [AGE, CITY, VISITS]},
    "an id": {"id": "7", "inputs": [AGE, CITY, VISITS]},
    "matrices of one column": {"inputs": [{**AGE, "shape": [2, 1], "data": [[42.5], [7]]}, CITY, VISITS]},
    "an extra input": {"inputs": [AGE, CITY, VISITS, tensor("x", "BOOL", [True, False])]},
    "nothing": {},
    "no inputs": {"inputs": []},
    "an id that is a number": {"id": 7, "inputs": [AGE, CITY, VISITS]},
    "an input is missing": {"inputs": [AGE, CITY]},
    "a name twice": {"inputs": [AGE, AGE, CITY, VISITS]},
    "no name": {"inputs": [{key: AGE[key] for key in ("datatype", "shape", "data")}]},
    "another datatype": {"inputs": [{**AGE, "datatype": "FP65"}, CITY, VISITS]},
    "another shape": {"inputs": [{**AGE, "shape": [3]}, CITY, VISITS]},
    "a shape of many empty rows": {"inputs": [{**AGE, "shape": [2_000_000_000, 0], "data": []}, CITY, VISITS]},
    "other lengths": {"inputs": [tensor("age", "FP64", [1.5]), CITY, VISITS]},
    "text for a number": {"inputs": [tensor("age", "FP64", ["a", "b"]), CITY, VISITS]},
    "rows without names": {"inputs": [{"name": "rows", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}]},
    "parameters": {"inputs": [AGE, CITY, VISITS], "parameters": {"a": 1}},
}


@pytest.mark.parametrize("name", INFERENCES)
def test_the_inference_protocol(pair: Pair, name: str) -> None:
    same(*pair.answers("POST", "/v2/models/churn-model/infer", json=INFERENCES[name]))


def test_how_they_are(pair: Pair) -> None:
    for path in ("/ping", "/health"):
        python, java = pair.answers("GET", path)
        assert (java.status_code, java.text) == (python.status_code, python.text) == (200, "\n")
        python, java = pair.answers("HEAD", path)
        assert (java.status_code, java.content) == (python.status_code, python.content) == (200, b"")
    python, java = (answer.json() for answer in pair.answers("GET", "/version"))
    assert {**python, "python": ""}.keys() - {"python"} == java.keys() - {"java"}
    assert (java["flavors"], java["run_id"]) == (python["flavors"], python["run_id"])


def test_the_metrics_have_the_same_names(pair: Pair) -> None:
    pair.answers("POST", "/invocations", json=GOOD["split"])
    python, java = (answer.text for answer in pair.answers("GET", "/metrics"))
    names = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
    assert names.findall(java) == names.findall(python)
    buckets = re.compile(r'bucket{le="([^"]+)"}')
    assert list(map(float, buckets.findall(java))) == list(map(float, buckets.findall(python)))


def test_the_openapi_document_is_the_same_but_for_what_only_python_reads(pair: Pair) -> None:
    python, java = (answer.json() for answer in pair.answers("GET", "/openapi.json"))
    post = python["paths"]["/invocations"]["post"]
    for content in (post["requestBody"]["content"], post["responses"]["200"]["content"]):
        for name in [name for name in content if "vnd.apache" in name]:
            del content[name]
    java["info"]["version"] = python["info"]["version"]
    assert java == python
    example = post["requestBody"]["content"]["application/json"]["example"]
    same(*pair.answers("POST", "/invocations", json=example))


def test_the_page_is_the_same(pair: Pair) -> None:
    python, java = pair.answers("GET", "/")
    for header in ("content-type", "content-security-policy", "x-content-type-options"):
        assert java.headers[header] == python.headers[header]
    cards = [json.loads(re.findall(r'id="card">(.*?)</script>', answer.text)[0]) for answer in (python, java)]
    del cards[0]["outputs"][1]["items"]  # the companion does not look into nested types
    created = [card.pop("created") for card in cards]
    assert created[1][:19] == created[0][:19].replace(" ", "T")
    assert cards[0] == cards[1]


def test_what_only_the_python_server_reads_is_refused(pair: Pair) -> None:
    for name in ("application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"):
        refused = pair.java.post("/invocations", content=b"x", headers={"content-type": name})
        assert problem(refused) == (415, "UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_MEDIA_TYPE")
        refused = pair.java.post("/invocations", json=GOOD["split"], headers={"accept": name})
        assert problem(refused) == (406, "NOT_ACCEPTABLE", "NOT_ACCEPTABLE")


def test_tokens_wrapping_and_tls(package: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    options = ["--token-file", str(tmp_path / "token"), "--wrap", "--cors-origin", "https://app.example"]
    with serving(package, tmp_path, *options, "--tls-cert", str(certificate), "--tls-key", str(key)) as pair:
        for given in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": TOKEN}):
            python, java = pair.answers("POST", "/invocations", json=GOOD["split"], headers=given)
            assert problem(java) == problem(python) == (401, "UNAUTHORIZED", "REQUEST_REFUSED")
            assert java.headers["www-authenticate"] == python.headers["www-authenticate"]
            same(*pair.answers("GET", "/metrics", headers=given))
        allowed = {"authorization": f"Bearer {TOKEN}", "origin": "https://app.example"}
        python, java = pair.answers("POST", "/invocations", json=GOOD["split"], headers=allowed)
        assert set(java.json()) == {"predictions"}
        same(python, java)
        for header in ("access-control-allow-origin", "access-control-allow-headers", "vary"):
            assert java.headers[header] == python.headers[header]
        for path in ("/ping", "/v2/health/ready"):
            assert [answer.status_code for answer in pair.answers("GET", path)] == [200, 200]

"""Configurations, rows, answers and calls: what is read, sent and shown."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_models.deploy.calls import Calls, redacted
from spark_models.deploy.config import config_help, mapping, needed, option, read_config
from spark_models.deploy.rows import post, predictions, ready, split_json
from spark_models.errors import DeploymentFailedError, InvalidConfigError


@dataclass(frozen=True, slots=True)
class Config:
    place: str = needed("where")
    count: int = option(1, "how many")
    share: float = option(0.5, "how much")
    wrap: bool = option(False, "whether")
    names: tuple[str, ...] = option((), "who")
    env: dict[str, str] = mapping("variables")
    maybe: int | None = option(None, "if at all")


def test_text_and_values_read_alike() -> None:
    text = {"place": "x", "count": "3", "share": "1", "wrap": "Yes", "names": "a, b", "env": '{"A": "1"}', "maybe": "4"}
    value = {"place": "x", "count": 3, "share": 1, "wrap": True, "names": ["a", "b"], "env": {"A": "1"}, "maybe": 4}
    assert read_config(Config, text, "t") == read_config(Config, value, "t")
    assert read_config(Config, {"place": "x", "maybe": ""}, "t") == Config("x")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "place is missing"),
        ({"place": "x", "count": "1.5"}, "count must be int, not '1.5'"),
        ({"place": "x", "count": 1.5}, "count must be int, not 1.5"),
        ({"place": "x", "count": True}, "count must be int, not bool"),
        ({"place": "x", "wrap": "maybe"}, "wrap must be true or false"),
        ({"place": "x", "env": "{"}, "env must be JSON"),
        ({"place": "x", "env": "[]"}, "env must be an object"),
        (
            {"place": "x", "env": '{"A": 1, "B": "x", "C": null}'},
            "env must hold text alone, and A is int, C is NoneType",
        ),
        ({"place": "x", "cuont": "1"}, "unknown ['cuont']"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read_config(Config, given, "t")
    assert problem in str(caught.value)


def test_the_value_of_a_variable_is_not_in_the_error() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read_config(Config, {"place": "x", "env": {"DB_PASSWORD": 12345678}}, "t")
    assert "DB_PASSWORD" in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_the_help_lists_every_key() -> None:
    lines = config_help(Config).splitlines()
    assert lines[0].split() == ["place", "where", "(needed)"]
    assert [line.split()[0] for line in lines] == ["place", "count", "share", "wrap", "names", "env", "maybe"]


def test_rows_are_strict_json_that_reads_back_exactly() -> None:
    frame = pd.DataFrame(
        {
            "f": [0.1 + 0.2, float("nan")],
            "i": np.array([2**53 + 1, -1]),
            "t": pd.to_datetime(["2026-01-31T12:00:00.123456", None]),
            "z": pd.to_datetime(["2026-01-31T12:00:00+02:00", None]),
            "b": [b"\x00\xff", None],
            "d": [date(2026, 1, 31), None],
            "n": [np.array([1.0, np.inf]), {"k": np.int8(3)}],
            "m": pd.array([True, None], dtype="boolean"),
        }
    )
    found = json.loads(split_json(frame))
    assert found["columns"] == ["f", "i", "t", "z", "b", "d", "n", "m"]
    assert found["data"][0] == [
        0.1 + 0.2, 2**53 + 1, "2026-01-31T12:00:00.123456", "2026-01-31T10:00:00+00:00", "AP8=", "2026-01-31",
        [1.0, None], True,
    ]  # fmt: skip
    assert found["data"][1] == [None, -1, None, None, None, None, {"k": 3}, None]


def test_answers() -> None:
    assert predictions('[{"a": 1}]', "r").to_dict("records") == [{"a": 1}]
    assert predictions('{"predictions": [1, 2]}', "r").tolist() == [1, 2]
    assert predictions("[[1], [2, 3]]", "r").tolist() == [[1], [2, 3]]
    with pytest.raises(DeploymentFailedError, match="no JSON"):
        predictions("<html>", "endpoint x")


def test_secrets_are_never_shown() -> None:
    shown: list[str] = []
    calls = Calls(shown.append)
    given = {
        "password": "hunter2",
        "Environment": {"API_TOKEN": "hunter2", "MODE": "x"},
        "tags": [{"Key": "db_password", "Value": "hunter2"}],
        "url": "https://u:hunter2@host/?sig=hunter2",
        "token_file": "/run/token",
        "count": 3,
    }
    assert calls.do("aws.call", given, lambda: 1, 2) == 2
    calls.run(["docker", "login", "-u", "AWS"], resource="r", secret="hunter2")
    assert "hunter2" not in "".join(shown)
    assert "/run/token" in shown[0]
    assert redacted({"a": None, "token": None}) == {"a": None, "token": None}


@pytest.mark.parametrize(
    "name",
    [
        "PRIVATE_KEY", "ENCRYPTION_KEY", "DB_PWD", "API-KEY", "apiKey", "sshPrivateKey", "db.pass", "PASSPHRASE",
        "aws_access_keys", "DB_PASSWORD", "STORAGEKEY",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["hunter2", 12345678, ["hunter2"], {"first": "hunter2"}, b"hunter2"])
def test_a_secret_is_known_by_its_name_whatever_it_is(name: str, value: Any) -> None:
    assert redacted({name: value}) == {name: "***"}
    assert redacted([{"name": name, "value": value}]) == [{"name": name, "value": "***"}]


def test_what_is_no_secret_is_shown() -> None:
    plain = {"Key": "spark-models/churn", "token_file": "/run/token", "bypass": "x", "wrap_token": True, "monkey": 1}
    assert redacted(plain) == plain


def test_a_server_of_this_host_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            seen.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[1]")

        do_GET = do_POST = _answer  # noqa: N815 - as http.server names them

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("http_proxy", url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    try:
        assert ready(f"{url}/ping")
        assert post(f"{url}/invocations", [{"a": 1}], "r").tolist() == [1]
        assert seen == ["/ping", "/invocations"]
        # An address of this host's own, where nobody listens: a proxy would have answered.
        with pytest.raises(DeploymentFailedError, match="can't be reached"):
            post("http://127.0.0.2:9/invocations", [{"a": 1}], "r", here=True)
        assert post("http://churn.example/invocations", [{"a": 1}], "r").tolist() == [1]
        assert seen[2:] == ["http://churn.example/invocations"]
    finally:
        server.shutdown()
        server.server_close()


def test_a_program_that_fails_says_what_and_no_secret() -> None:
    with pytest.raises(DeploymentFailedError) as caught:
        Calls().run(["sh", "-c", "cat >&2; exit 3"], resource="registry r", secret="hunter2")
    assert "registry r" in str(caught.value)
    assert "status 3" in str(caught.value)
    assert "hunter2" not in str(caught.value)

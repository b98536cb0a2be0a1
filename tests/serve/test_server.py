"""The server over a real socket: routes, limits, and what it does when a model or a client misbehaves."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Server, wait_until

Start = Callable[..., Server]


@pytest.fixture(scope="module")
def server(start: Start) -> Server:
    return start("--max-body", "100k", "--timeout", 20, "--read-timeout", 2)


def code(answer: httpx.Response) -> tuple[int, str]:
    assert set(answer.json()) == {"error_code", "message"}
    return answer.status_code, answer.json()["error_code"]


def test_it_scores(server: Server) -> None:
    answer = server.score((1.0, ""), (2.5, ""))
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, "application/json", [2.0, 5.0])


def test_it_says_how_it_is(server: Server) -> None:
    server.score((1.0, ""))
    for path in ("/ping", "/health", "/version", "/metrics"):
        assert server.client.get(path).status_code == 200
    assert server.client.head("/ping").content == b""
    assert server.client.get("/version").json()["flavors"] == ["python_function"]
    assert 'spark_models_requests_total{status="200"}' in server.client.get("/metrics").text


def test_what_is_refused_is_json_with_its_code(server: Server) -> None:
    client = server.client
    assert code(client.get("/nothing")) == (404, "NOT_FOUND")
    refused = client.get("/invocations")
    assert code(refused) == (405, "METHOD_NOT_ALLOWED")
    assert refused.headers["allow"] == "POST"
    assert code(client.post("/invocations", content=b"x")) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert code(client.post("/invocations", content=b"{", headers={"content-type": "application/json"}))[0] == 400
    assert code(server.score((1.0, ""), headers={"accept": "text/html"})) == (406, "NOT_ACCEPTABLE")
    assert code(server.score((1.0, ""), headers={"host": "evil.example"})) == (421, "HOST_NOT_ALLOWED")
    assert server.score((1.0, ""), headers={"host": "localhost:1"}).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_answered_before_it_is_read(server: Server, chunked: bool) -> None:
    body = b" " * 3_000_000
    content: Any = iter([body[:1000]] * 3000) if chunked else body
    refused = server.client.post("/invocations", content=content, headers={"content-type": "application/json"})
    assert code(refused) == (413, "BODY_TOO_LARGE")
    assert server.score((1.0, "")).status_code == 200


def test_a_body_that_is_nested_too_deep_is_the_callers_fault(server: Server) -> None:
    for body in (b"[" * 10_000, b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"):
        answer = server.client.post("/invocations", content=body, headers={"content-type": "application/json"})
        assert code(answer) == (400, "BAD_REQUEST")


def test_a_failure_of_the_model_shows_no_value_and_no_traceback(server: Server) -> None:
    answer = server.score((1.0, "fail:4711"))
    assert code(answer) == (500, "MODEL_FAILED")
    assert "4711" not in answer.text
    assert "ValueError" in answer.text


def test_a_client_that_sends_nothing_is_let_go(server: Server) -> None:
    port = httpx.URL(server.url).port
    for sent in (b"", b"POST /invocations HTTP/1.1\r\nHost: localhost\r\n"):
        with socket.create_connection(("127.0.0.1", port), 15) as slow:
            slow.sendall(sent)
            assert server.score((1.0, "")).status_code == 200
            with contextlib.suppress(ConnectionResetError):
                assert slow.recv(100) == b""


def test_a_head_without_end_is_cut(server: Server) -> None:
    port = httpx.URL(server.url).port
    with socket.create_connection(("127.0.0.1", port), 15) as endless, pytest.raises(OSError):
        endless.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX: ")
        for _ in range(1000):
            endless.sendall(b"x" * 10_000)
    assert server.score((1.0, "")).status_code == 200


def test_idle_connections_keep_nobody_from_being_served(server: Server) -> None:
    port = httpx.URL(server.url).port
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 15))
        assert server.score((1.0, "")).status_code == 200


def test_a_full_queue_and_a_deadline(start: Start) -> None:
    server = start("--timeout", 1, "--kill-after", 60, "--queue", 2)
    with ThreadPoolExecutor(8) as pool:
        slow = pool.submit(server.score, (1.0, "sleep:3"))
        wait_until(lambda: "predictions_total" in server.client.get("/metrics").text)
        time.sleep(0.3)
        answers = [answer.result() for answer in [pool.submit(server.score, (1.0, "")) for _ in range(6)]]
        found = sorted(code(answer) for answer in [slow.result(), *answers])
    assert set(found) == {(429, "QUEUE_FULL"), (504, "DEADLINE_EXCEEDED")}
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 429)
    # What expired in the queue is never scored: one call of the model so far, the slow one, then this.
    wait_until(lambda: server.score((1.0, "")).status_code == 200)
    assert "spark_models_predictions_total 2\n" in server.client.get("/metrics").text


def test_a_worker_whose_model_hangs_is_replaced(start: Start) -> None:
    server = start("--timeout", 0.5, "--kill-after", 1.5)
    assert code(server.score((1.0, "sleep:3600"))) == (504, "DEADLINE_EXCEEDED")
    wait_until(lambda: _scores(server))
    assert "A worker's model hangs; it is replaced" in server.log.read_text()
    assert server.end() == 0


def test_what_waits_behind_a_hung_model_is_answered_by_its_successor(start: Start) -> None:
    server = start("--timeout", 25, "--kill-after", 1.5)
    with ThreadPoolExecutor(8) as pool:
        hangs = pool.submit(httpx.post, f"{server.url}/invocations", json=_body("sleep:3600"), timeout=30)
        time.sleep(0.5)
        behind = [pool.submit(httpx.post, f"{server.url}/invocations", json=_body(""), timeout=30) for _ in range(5)]
        wrong = pool.submit(httpx.post, f"{server.url}/invocations", json={"columns": ["x"], "data": [[1]]}, timeout=30)
        assert code(hangs.result()) == (503, "NOT_READY")
        assert [answer.result().json() for answer in behind] == [[2.0]] * 5
        assert code(wrong.result()) == (400, "BAD_REQUEST")
    assert server.end() == 0


def test_what_was_put_again_is_not_put_a_third_time(start: Start) -> None:
    server = start("--timeout", 25, "--kill-after", 1)
    with ThreadPoolExecutor(8) as pool:
        two = [
            pool.submit(httpx.post, f"{server.url}/invocations", json=_body("sleep:3600"), timeout=30) for _ in range(2)
        ]
        time.sleep(0.3)
        last = pool.submit(httpx.post, f"{server.url}/invocations", json=_body(""), timeout=30)
        assert [code(answer.result()) for answer in two] == [(503, "NOT_READY")] * 2
        assert last.result().status_code in (200, 503)
    wait_until(lambda: _scores(server))


def test_a_worker_that_crashes_is_replaced(start: Start) -> None:
    server = start("-w", 2)
    with pytest.raises(httpx.TransportError):
        server.score((1.0, "die"))
    for _ in range(20):
        with httpx.Client(base_url=server.url, timeout=30) as client:
            assert client.get("/ping").status_code == 200
    wait_until(lambda: "A worker ended with status 9; it is replaced" in server.log.read_text())
    assert server.end() == 0


def _scores(server: Server) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return server.score((1.0, "")).status_code == 200
    return False


def test_a_request_that_runs_is_answered_before_the_end(start: Start) -> None:
    server = start()
    server.score((1.0, ""))
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(server.score, (1.0, "sleep:1")) for _ in range(3)]
        time.sleep(0.8)
        assert server.end() == 0
        assert [answer.result().json() for answer in running] == [[2.0]] * 3


def test_no_request_is_lost_while_workers_are_renewed(start: Start) -> None:
    server = start("-w", 2)
    stop = threading.Event()
    failures: list[str] = []
    done = [0] * 4

    def load(place: int) -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not stop.is_set():
                try:
                    answer = client.post("/invocations", json=_body(""))
                    if answer.status_code != 200:
                        failures.append(answer.text)
                    done[place] += 1
                except httpx.TransportError as error:
                    failures.append(repr(error))

    threads = [threading.Thread(target=load, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for expected in (4, 6):
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda count=expected: _starts(server) == count)  # type: ignore[misc]
        time.sleep(1.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(done) > 0


def _starts(server: Server) -> int:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        text = client.get("/metrics").text
    return int(text.rpartition("worker_starts_total ")[2].split()[0])


def _body(act: str) -> dict[str, Any]:
    return {"columns": ["x", "act"], "data": [[1.0, act]]}


def test_a_token_is_asked_for(start: Start, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open-sesame\n")
    server = start("--token-file", tmp_path / "token")
    assert code(server.score((1.0, ""))) == (401, "UNAUTHORIZED")
    assert server.score((1.0, ""), headers={"authorization": "Bearer open-sesame"}).json() == [2.0]
    assert server.client.get("/ping").status_code == 200
    assert server.client.get("/metrics").status_code == 401


def test_debug_shows_the_traceback_and_only_it(start: Start) -> None:
    server = start(environment={"SPARK_MODELS_DEBUG": "1"})
    assert "a secret of the row" in server.score((1.0, "fail:1")).json()["stack_trace"]


def test_pages_of_other_sites_may_call_it_only_where_asked(start: Start, server: Server) -> None:
    origin = {"origin": "https://app.example"}
    assert "access-control-allow-origin" not in server.score((1.0, ""), headers=origin).headers
    asked = start("--cors-origin", "https://app.example")
    assert asked.score((1.0, ""), headers=origin).headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in asked.score((1.0, ""), headers={"origin": "https://b.example"}).headers
    assert asked.client.options("/invocations", headers=origin).status_code == 204


def test_a_model_that_can_not_be_loaded_ends_the_server_with_its_error(start: Start, tmp_path: Path) -> None:
    server = start(model=tmp_path)
    assert server.process.wait(30) == 1
    assert server.log.read_text().startswith("[NOT_A_MODEL] ")


def test_a_port_that_is_taken_is_said_at_once(start: Start, server: Server) -> None:
    port = httpx.URL(server.url).port
    second = start("-p", port)
    assert second.process.wait(30) == 1
    assert f"The address 127.0.0.1:{port} can't be had" in second.log.read_text()


def test_the_inference_protocol(server: Server) -> None:
    client = server.client
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json()["ready"] is True
    model = client.get("/v2/models/moody").json()
    assert model["inputs"] == [
        {"name": "x", "datatype": "FP64", "shape": [-1]},
        {"name": "act", "datatype": "BYTES", "shape": [-1]},
    ]
    inputs = [
        {"name": "x", "datatype": "FP64", "shape": [2, 1], "data": [[1], [2.5]]},
        {"name": "act", "datatype": "BYTES", "shape": [2], "data": ["", ""]},
    ]
    answer = client.post("/v2/models/moody/infer", json={"id": "7", "inputs": inputs})
    assert answer.json() == {
        "model_name": "moody",
        "model_version": "1",
        "outputs": [{"name": "predictions", "datatype": "FP64", "shape": [2], "data": [2.0, 5.0]}],
        "id": "7",
    }
    for wrong in ({}, {"inputs": []}, {"inputs": [{**inputs[0], "shape": [3]}]}, {"inputs": inputs[:1]}):
        refused = client.post("/v2/models/moody/infer", json=wrong)
        assert (refused.status_code, refused.json()["error_code"]) == (400, "BAD_REQUEST")
        assert refused.json()["error"] == refused.json()["message"]
    assert client.get("/v2/models/other").status_code == 404


def test_the_openapi_document_has_the_example_and_it_is_answered(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]
    assert content["example"] == {"columns": ["x", "act"], "data": [[1.0, ""]]}
    assert server.client.post("/invocations", json=content["example"]).json() == [2.0]
    records = content["schema"]["anyOf"][1]["items"]
    assert records["required"] == ["x", "act"]


def test_the_page_holds_all_it_needs(server: Server) -> None:
    answer = server.client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '"moody"' in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text


def test_tls_by_two_files(start: Start, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    files = [tmp_path / "key.pem", tmp_path / "cert.pem"]
    subprocess.run([*command, "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    server = start("--tls-cert", files[1], "--tls-key", files[0])
    assert server.score((1.0, "")).json() == [2.0]
    half = start("--tls-cert", files[1])
    assert half.process.wait(30) == 1
    assert "TLS needs two files" in half.log.read_text()

"""An AWS of its own: moto's server behind a proxy that can cut the line, throttle, and tells what was called."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Wire:
    """What passes between a client and the server; `fault` may answer in the server's place, or say "cut"."""

    url: str = ""
    calls: list[str] = field(default_factory=list)
    fault: Callable[[str], tuple[int, dict[str, Any]] | str | None] = lambda call: None


def operation_of(handler: BaseHTTPRequestHandler) -> str:
    """The name of an AWS call: JSON protocols name it in a header, S3 by method and path."""
    target = handler.headers.get("X-Amz-Target")
    if target is not None:
        return target.rpartition(".")[2]
    return f"{handler.command} {handler.path.partition('?')[0]}"


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    server_module = pytest.importorskip("moto.server", reason="moto is not installed: make matrix has it")
    _complete_moto()
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


def _complete_moto() -> None:
    """What moto lacks: UpdateEndpoint and StopTransformJob."""
    from moto.core.responses import ActionResult
    from moto.sagemaker.responses import SageMakerResponse

    def update_endpoint(self: Any) -> Any:
        endpoint = self.sagemaker_backend.endpoints[self._get_param("EndpointName")]
        config = self.sagemaker_backend.describe_endpoint_config(self._get_param("EndpointConfigName"))
        endpoint.endpoint_config_name = config["EndpointConfigName"]
        return ActionResult({"EndpointArn": endpoint.arn})

    def stop_transform_job(self: Any) -> Any:
        job = self.sagemaker_backend.transform_jobs[self._get_param("TransformJobName")]
        job.transform_job_status = "Stopped"
        return ActionResult({})

    for method in (update_endpoint, stop_transform_job):
        if not hasattr(SageMakerResponse, method.__name__):
            setattr(SageMakerResponse, method.__name__, method)


@pytest.fixture
def aws(moto_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """An empty AWS, whose calls pass through a wire."""
    wire = Wire()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self._body()
            call = operation_of(self)
            wire.calls.append(call)
            answer = wire.fault(call)
            if answer == "cut":
                self.close_connection = True
                self.connection.close()
                return
            if isinstance(answer, tuple):
                self._answer(answer[0], {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer[1]).encode())
                return
            server = http.client.HTTPConnection("127.0.0.1", moto_port)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
            server.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
            response = server.getresponse()
            self._answer(response.status, dict(response.getheaders()), response.read())
            server.close()

        def _body(self) -> bytes:
            if self.headers.get("Expect") == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                body = b""
                while (size := int(self.rfile.readline().split(b";")[0], 16)) > 0:
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip() != b"":
                    pass
                return body
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", headers.get("Content-Length", str(len(body))))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815 - as http.server names them

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    wire.url = f"http://127.0.0.1:{proxy.server_address[1]}"
    for name, value in {
        "AWS_ENDPOINT_URL": wire.url,
        "AWS_ACCESS_KEY_ID": "AKIATESTONLY",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-secret",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("spark_models.deploy.sagemaker.endpoint.PAUSE", 0.01)
    reset = http.client.HTTPConnection("127.0.0.1", moto_port)
    reset.request("POST", "/moto-api/reset")
    reset.getresponse().read()
    yield wire
    proxy.shutdown()
    proxy.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of the test's own."""
    return tmp_path

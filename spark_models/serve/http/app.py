"""The ASGI application: routes, limits and headers around an `Engine`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import platform
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import spark_models
from spark_models.errors import (
    BodyTooLargeError,
    ContentTypeError,
    NotReadyError,
    QueueFullError,
    RequestError,
)
from spark_models.serve.dataplane import JSON, Answer, DataPlane, media_type
from spark_models.serve.http.again import MARK
from spark_models.serve.http.engine import Engine
from spark_models.serve.http.metrics import Metrics
from spark_models.serve.http.options import ServerOptions
from spark_models.serve.inference import model_metadata, read_inference
from spark_models.serve.openapi import document
from spark_models.serve.page import page, security_policy
from spark_models.serve.strict_json import dumps, loads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Handler = Callable[["Request"], Awaitable[Answer]]

OPEN_ROUTES = ("/ping", "/health", "/v2/health/live", "/v2/health/ready")
"""Routes that need no token: a load balancer asks them."""

DISCARDED = 8 * 1024 * 1024
"""How many bytes of a body that is refused are read and dropped, so that the client sees the answer before the end."""


class Request:
    """One request: its head, and its body when it is asked for."""

    __slots__ = ("_app", "_receive", "headers", "method", "path", "unread")

    def __init__(self, app: App, scope: Scope, receive: Receive) -> None:
        self._app = app
        self._receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.unread = True

    def header(self, name: bytes) -> str | None:
        """A header's value; None where there is none."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def body(self) -> bytes:
        """The body, whole.

        Raises:
            BodyTooLargeError: [BODY_TOO_LARGE] it is larger than may be; what follows is not read.
            RequestError: the client went away.
        """
        limit = self._app.options.max_body
        stated = self.headers.get(b"content-length", b"")
        if stated.isdigit() and int(stated) > limit:
            raise BodyTooLargeError(limit)
        message = await self._receive()
        chunk: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            self.unread = False
            if len(chunk) > limit:
                raise BodyTooLargeError(limit)
            return chunk
        return await self._chunks(chunk, limit)

    async def _chunks(self, first: bytes, limit: int) -> bytes:
        chunks = [first]
        read = len(first)
        self._app.hold(read)
        held = read
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise RequestError("CLIENT_GONE", 400, "The client went away")
                chunk = message.get("body", b"")
                read += len(chunk)
                if read > limit:
                    raise BodyTooLargeError(limit)
                self._app.hold(len(chunk))
                held += len(chunk)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    self.unread = False
                    return b"".join(chunks)
        finally:
            self._app.hold(-held)

    async def discard(self) -> None:
        """Reads what a client is still sending and drops it, for a moment."""
        left = DISCARDED
        while left > 0:
            message = await self._receive()
            left -= max(len(message.get("body", b"")), 1)
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return


class App:
    """The application of one worker."""

    def __init__(self, dataplane: DataPlane, options: ServerOptions, metrics: Metrics) -> None:
        self.dataplane = dataplane
        self.options = options
        self.metrics = metrics
        self.draining = False
        self.engine = Engine(
            dataplane,
            metrics,
            timeout=options.timeout,
            most_waiting=options.queue,
            batch_rows=options.batch_rows,
            batch_wait=options.batch_wait,
        )
        self._held = 0
        self._hosts = {
            name.lower() for name in ("localhost", options.host, socket.gethostname(), *options.allowed_hosts)
        }
        self._any_host = "*" in options.allowed_hosts
        self._known_hosts: set[bytes] = set()
        self._token = None if options.token is None else f"Bearer {options.token}".encode()
        self.name = _model_name(dataplane)
        self._routes: dict[str, dict[str, Handler]] = {
            "/invocations": {"POST": self._invocations},
            "/ping": {"GET": self._ping},
            "/health": {"GET": self._ping},
            "/version": {"GET": self._version},
            "/metrics": {"GET": self._metrics},
            "/openapi.json": {"GET": self._openapi},
            "/": {"GET": self._page},
            "/v2": {"GET": self._v2},
            "/v2/health/live": {"GET": self._v2_live},
            "/v2/health/ready": {"GET": self._v2_ready},
        }
        for model in (f"/v2/models/{self.name}", f"/v2/models/{self.name}/versions/1"):
            self._routes[model] = {"GET": self._v2_model}
            self._routes[f"{model}/ready"] = {"GET": self._v2_ready}
            self._routes[f"{model}/infer"] = {"POST": self._v2_infer}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        began = time.monotonic()
        request = Request(self, scope, receive)
        extra: Headers = []
        try:
            answer = await self._answer(request)
        except RequestError as error:
            answer = self.dataplane.failure(error)
            extra = self._refusal_headers(request, error)
        except Exception as error:  # noqa: BLE001 - whatever happens is an answer
            answer = self.dataplane.failure(error)
        counts = request.path == "/invocations" or request.path.startswith("/v2/models")
        # A request that was put again is counted where it came first.
        if counts and MARK not in request.headers:
            self.metrics.answered(answer.status, time.monotonic() - began)
        if answer.status >= 400 and request.path.startswith("/v2"):
            # The protocol's clients look for "error".
            content = loads(answer.content)
            answer = Answer(dumps({"error": content["message"], **content}), JSON, answer.status)
        await self._send(request, answer, extra, send)

    async def _send(self, request: Request, answer: Answer, extra: Headers, send: Send) -> None:
        length = str(len(answer.content)).encode()
        headers: Headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", length),
            *answer.headers,
            *extra,
        ]
        if answer.status in (429, 503):
            headers.append((b"retry-after", b"1"))
        headers += self._cors(request)
        closes = request.unread and request.method not in ("GET", "HEAD")
        if self.draining or closes:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        content = b"" if request.method == "HEAD" else answer.content
        if closes:
            await send({"type": "http.response.body", "body": content, "more_body": True})
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(request.discard(), 2.0)
            content = b""
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, request: Request) -> Answer:
        self._check_host(request.headers.get(b"host"))
        methods = self._routes.get(request.path)
        if methods is None:
            raise RequestError("NOT_FOUND", 404, "There is no such route")
        if request.method == "OPTIONS" and self.options.cors_origins != ():
            return Answer(b"", JSON, 204)
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise RequestError("METHOD_NOT_ALLOWED", 405, "The route takes only " + ", ".join(methods))
        given = request.headers.get(b"authorization", b"")
        closed = self._token is not None and request.path not in OPEN_ROUTES
        if closed and not hmac.compare_digest(given, self._token or b""):
            raise RequestError("UNAUTHORIZED", 401, "The bearer token is missing or wrong")
        return await handler(request)

    def _refusal_headers(self, request: Request, error: RequestError) -> Headers:
        if error.http_status == 401:
            return [(b"www-authenticate", b"Bearer")]
        if error.http_status == 405:
            return [(b"allow", ", ".join(self._routes[request.path]).encode())]
        return []

    def hold(self, size: int) -> None:
        """Counts bytes of bodies that are being read.

        Raises:
            NotReadyError: [NOT_READY] they are more than four bodies of the largest size.
        """
        self._held += size
        if size > 0 and self._held > 4 * self.options.max_body:
            self._held -= size
            raise QueueFullError(self.engine.waiting)

    def _check_host(self, host: bytes | None) -> None:
        """Raises RequestError for a name that is not this server's: no page of another site reaches it by its own."""
        if self._any_host or host in self._known_hosts:
            return
        name = "" if host is None else host.decode("latin-1").lower()
        bare = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if bare not in self._hosts and not _is_address(bare):
            raise RequestError(
                "HOST_NOT_ALLOWED", 421, "The request's Host is not one of this server's", "start it with --allow-host"
            )
        if host is not None and len(self._known_hosts) < 64:
            self._known_hosts.add(host)

    def _cors(self, request: Request) -> Headers:
        if self.options.cors_origins == ():
            return []
        origin = request.header(b"origin")
        if origin is None or not {origin, "*"} & set(self.options.cors_origins):
            return [(b"vary", b"origin")]
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-headers", b"authorization, content-type, accept"),
            (b"access-control-allow-methods", b"GET, POST"),
            (b"vary", b"origin"),
        ]

    async def _invocations(self, request: Request) -> Answer:
        content_type, accept = request.header(b"content-type"), request.header(b"accept")
        if content_type is None:
            media_type(None)
        body = await request.body()
        return await self.engine.submit(
            lambda: self.dataplane.read(body, content_type, accept), self._origin(request, body)
        )

    def _require_ready(self) -> None:
        if self.engine.closed != "" or self.draining:
            raise NotReadyError(self.engine.closed or "it ends")

    async def _ping(self, request: Request) -> Answer:
        self._require_ready()
        return Answer(b"\n", "text/plain")

    async def _version(self, request: Request) -> Answer:
        model = self.dataplane.model.metadata
        facts = {
            "spark_models": spark_models.__version__,
            "python": platform.python_version(),
            "run_id": model.run_id,
            "flavors": sorted(model.flavors),
        }
        return Answer(dumps(facts))

    async def _metrics(self, request: Request) -> Answer:
        return Answer(self.metrics.text().encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _openapi(self, request: Request) -> Answer:
        return Answer(dumps(document(self.dataplane.model, self.name)))

    async def _page(self, request: Request) -> Answer:
        headers = (
            (b"content-security-policy", security_policy().encode()),
            (b"x-content-type-options", b"nosniff"),
        )
        return Answer(page(self.dataplane.model, self.name), "text/html; charset=utf-8", 200, headers)

    async def _v2(self, request: Request) -> Answer:
        return Answer(dumps({"name": "spark-models", "version": spark_models.__version__, "extensions": []}))

    async def _v2_live(self, request: Request) -> Answer:
        return Answer(dumps({"live": True}))

    async def _v2_ready(self, request: Request) -> Answer:
        self._require_ready()
        return Answer(dumps({"name": self.name, "ready": True}))

    async def _v2_model(self, request: Request) -> Answer:
        return Answer(dumps(model_metadata(self.dataplane, self.name)))

    async def _v2_infer(self, request: Request) -> Answer:
        content_type = request.header(b"content-type")
        if content_type is not None and media_type(content_type)[0] != JSON:
            raise ContentTypeError(content_type[:200], (JSON,))
        body = await request.body()
        return await self.engine.submit(
            lambda: read_inference(self.dataplane, body, self.name), self._origin(request, body)
        )

    def _origin(self, request: Request, body: bytes) -> tuple[Request, bytes] | None:
        return None if MARK in request.headers else (request, body)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.engine.start(asyncio.get_running_loop())
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                self.engine.stop()
                return


def _model_name(dataplane: DataPlane) -> str:
    """The name by which the inference protocol calls the model: the last part of its URI."""
    name = dataplane.model.uri.rstrip("/").rpartition("/")[2]
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in name) or "model"


def _is_address(name: str) -> bool:
    # An address can't be made to point elsewhere, as a name of another site can.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def make_app(dataplane: DataPlane, options: ServerOptions | None = None, metrics: Metrics | None = None) -> App:
    """The ASGI application that serves a model; its lifespan starts and ends the model's thread."""
    return App(dataplane, options or ServerOptions(), metrics or Metrics())


def call_once(
    app: App, method: str, path: str, body: bytes = b"", content_type: str | None = None, host: str = "localhost"
) -> tuple[int, str, str]:
    """Status, content type and text of one request to an application that nothing serves yet."""

    async def call() -> tuple[int, str, str]:
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        headers = [(b"host", host.encode())]
        if content_type is not None:
            headers.append((b"content-type", content_type.encode()))
        app.engine.start(asyncio.get_running_loop())
        await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
        app.engine.stop()
        stated = dict(sent[0]["headers"])[b"content-type"].decode()
        return sent[0]["status"], stated, b"".join(message.get("body", b"") for message in sent[1:]).decode()

    return asyncio.run(call())

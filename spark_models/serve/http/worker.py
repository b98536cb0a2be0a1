"""One worker process: loads the model, then serves it from the sockets that it was given.

`python -m spark_models.serve.http.worker` with the options as one line of JSON on standard input. It says what it does
to its keeper in single bytes over a pipe, and ends when its keeper has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import sys
import time
import warnings
from dataclasses import replace
from typing import Any

import uvicorn

from spark_models.errors import SparkModelsError
from spark_models.flavors.capabilities import ignore_lost_names, split_invariant, takes_matrix
from spark_models.package.layout import PYFUNC
from spark_models.pyfunc.loading import load_model
from spark_models.serve.dataplane import Answer, DataPlane
from spark_models.serve.http.again import put_again
from spark_models.serve.http.app import App, Request, make_app
from spark_models.serve.http.metrics import Metrics
from spark_models.serve.http.options import ALIVE, CANNOT_START, READY, RETIRES, ServerOptions
from spark_models.serve.http.protocol import BoundedProtocol

TICK = 0.25
LINGER = 0.5
"""How long a worker that ends waits for clients to close connections that they keep."""

YOUNG_OBJECTS = 20_000
"""How many objects are made before the garbage collector looks for those that refer to each other."""

HUNG = 70
"""The exit code where the model hangs."""


class Worker(uvicorn.Server):
    """Uvicorn's server with deadlines for slow clients, a watch over the model, and a drain without lost requests."""

    def __init__(self, config: uvicorn.Config, app: App, keeper: int) -> None:
        super().__init__(config)
        self._app = app
        self._keeper = keeper
        self._seen: dict[Any, tuple[object, float]] = {}
        self._address = ("", 0)
        self.hung = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to accept, and says so."""
        self._address = sockets[0].getsockname()[:2] if sockets else ("", 0)
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        # The keeper never writes again: that the pipe ends says that it has ended.
        loop.add_reader(sys.stdin.fileno(), self._orphaned)
        self._ticking = asyncio.create_task(self._tick())
        self._say(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops to accept, answers what was asked with "Connection: close", then closes idle connections."""
        for server in self.servers:
            server.close()
        self._app.draining = True
        until = time.monotonic() + LINGER
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.should_exit = True

    def _say(self, what: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._keeper, what)

    async def _tick(self) -> None:
        while True:
            self._say(ALIVE)
            now = time.monotonic()
            began = self._app.engine.running_since
            if began is not None and now - began > self._app.options.kill_after and not self.hung:
                self._retire()
            self._drop_slow(now)
            await asyncio.sleep(TICK)

    def _retire(self) -> None:
        self.hung = True
        self._say(RETIRES)
        # What is put again must not come back here.
        for server in self.servers:
            server.close()
        self._app.engine.close("its model hangs, and the worker is being replaced", self._put_again)
        self.should_exit = True

    async def _put_again(self, request: Request, body: bytes, problem: str) -> Answer:
        host, port = self._address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - no address can be called so
        tls = self._app.options.tls_cert is not None
        return await put_again((host, port), tls, request.path, request.headers, body, problem)

    def _drop_slow(self, now: float) -> None:
        """Ends connections whose client has not sent a head, or the rest of a body, for `read_timeout` seconds."""
        seen: dict[Any, tuple[object, float]] = {}
        for connection in self.server_state.connections:
            cycle: Any = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete and not cycle.more_body:
                continue
            state, since = self._seen.get(connection, (None, now))
            if state is not cycle:
                since = now
            if now - since > self._app.options.read_timeout:
                transport: Any = connection.transport
                transport.abort()
                continue
            seen[connection] = (cycle, since)
        self._seen = seen


def main() -> None:
    """Serves until it is told to end."""
    gc.disable()  # what imports and loading make stays, and the collector would look at it a dozen times
    setup = json.loads(sys.stdin.readline())
    options = ServerOptions.from_json(setup["options"])
    # What a model prints must not be mixed with anything; it is shown with what is logged.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        dataplane = _dataplane(options)
    except Exception as error:
        if options.debug:
            raise
        said = str(error) if isinstance(error, SparkModelsError) else f"Error: {type(error).__name__}: {error}"
        print(said, file=sys.stderr)  # noqa: T201 - the command's own message
        sys.exit(CANNOT_START)
    if not split_invariant(dataplane.model.metadata):
        options = replace(options, batch_rows=1)
    app = make_app(dataplane, options, Metrics(setup["metrics"], setup["worker"], options.workers))
    # What the model and its libraries hold stays for the worker's life: the collector need not look at it again and
    # again, nor so often, for hundreds of open requests are not garbage.
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, int(options.read_timeout)),
        timeout_graceful_shutdown=int(options.timeout) + 1,
        backlog=2048,
        http=BoundedProtocol,
        ws="none",
        ssl_certfile=options.tls_cert,
        ssl_keyfile=options.tls_key,
    )
    server = Worker(config, app, setup["keeper"])
    server.run(sockets=[socket.socket(fileno=fd) for fd in setup["sockets"]])
    if server.hung:
        sys.stderr.flush()
        # The model's thread can't be stopped, and Python would wait for what it holds.
        os._exit(HUNG)


def _dataplane(options: ServerOptions) -> DataPlane:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model = load_model(
            options.model_uri,
            method=options.method,
            allow_code=options.allow_code,
            expected_hash=options.expected_hash,
        )
    for message in dict.fromkeys(str(item.message) for item in caught if item.category is UserWarning):
        print(f"Warning: {message}", file=sys.stderr)  # noqa: T201 - as above
    conf = model.metadata.flavors.get(PYFUNC, {})
    matrix = takes_matrix(conf, options.method)
    if matrix:
        ignore_lost_names()
    return DataPlane(model, wrap=options.wrap, debug=options.debug, matrix=matrix)


if __name__ == "__main__":
    main()

"""Good and bad requests for minutes, while workers are renewed: nothing leaks, nothing is lost, no fault is ours."""

from __future__ import annotations

import http.client
import io
import json
import logging
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import pytest
from lengths import part
from running import Server, resident, wait_until, workers

pytestmark = pytest.mark.slow

SECONDS = part(180)
CLIENTS = 6
JSON = "application/json"


@dataclass(frozen=True)
class Kind:
    """A kind of request: what is sent, and the statuses that are right."""

    name: str
    right: tuple[int, ...]
    body: bytes = b""
    content_type: str | None = JSON
    method: str = "POST"
    path: str = "/invocations"
    headers: dict[str, str] = field(default_factory=dict)


def arrow() -> bytes:
    table = pa.Table.from_pandas(pd.DataFrame({"x": [1.0, 2.0], "act": ["", ""]}))
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


def split(*rows: tuple[object, ...], columns: tuple[str, ...] = ("x", "act")) -> bytes:
    return json.dumps({"columns": columns, "data": rows}).encode()


KINDS = [
    Kind("split", (200,), split((1.0, ""))),
    Kind("split of 200 rows", (200,), split(*[(float(at), "") for at in range(200)])),
    Kind("records", (200,), b'[{"x": 1, "act": ""}, {"x": null, "act": null}]'),
    Kind("dataframe_split", (200,), b'{"dataframe_split": ' + split((1.0, "")) + b"}"),
    Kind("csv", (200,), b"x,act\n1.5,\n2,\n", "text/csv"),
    Kind("arrow", (200,), arrow(), "application/vnd.apache.arrow.stream"),
    Kind("ping", (200, 503), method="GET", path="/ping", content_type=None),
    Kind("metrics", (200,), method="GET", path="/metrics", content_type=None),
    Kind("the page", (200,), method="GET", path="/", content_type=None),
    Kind("cut JSON", (400,), b'{"columns": ["x"'),
    Kind("NaN", (400,), b'{"columns": ["x", "act"], "data": [[NaN, ""]]}'),
    Kind("text for a number", (400,), split(("many", ""))),
    Kind("a column is missing", (400,), split((1.0,), columns=("x",))),
    Kind("10,000 deep", (400,), b"[" * 10_000),
    Kind("bytes that are no text", (400,), bytes(range(256))),
    Kind("cut Arrow", (400,), arrow()[:-40], "application/vnd.apache.arrow.stream"),
    Kind("no type", (415,), split((1.0, "")), None),
    Kind("another type", (415,), b"<x/>", "text/xml"),
    Kind("another route", (404,), path="/predict"),
    Kind("another method", (405,), method="PUT"),
    Kind("too large", (413,), b" " * 300_000),
    Kind("another host", (421,), split((1.0, "")), headers={"Host": "evil.example"}),
    Kind("an answer that is not offered", (406,), split((1.0, "")), headers={"Accept": "text/html"}),
]


class Client(threading.Thread):
    """One connection that is kept, and asked one kind after the other."""

    def __init__(self, server: Server, number: int, stop: threading.Event) -> None:
        super().__init__()
        self.port = int(server.url.rpartition(":")[2])
        self.random = random.Random(number)
        self.stop = stop
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        connection = self._connected()
        while not self.stop.is_set():
            if self.random.random() < 0.01:
                self._leave_in_the_middle()
            kind = self.random.choice(KINDS)
            headers = dict(kind.headers)
            if kind.content_type is not None:
                headers["Content-Type"] = kind.content_type
            try:
                connection.request(kind.method, kind.path, kind.body, headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{kind.name}: {error!r}")
                connection = self._connected()
                continue
            self.done[kind.name] += 1
            if answer.status not in kind.right:
                self.wrong.append(f"{kind.name}: {answer.status}")
            if answer.will_close:
                connection.close()
                connection = self._connected()
        connection.close()

    def _connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def _leave_in_the_middle(self) -> None:
        head = (
            b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port), 30) as half:
            half.sendall((head + b"\r\n{")[: self.random.randrange(1, len(head) + 3)])


def test_minutes_of_good_and_bad_requests(start: Callable[..., Server]) -> None:
    server = start("-w", 2, "--max-body", "256k", "--timeout", 20)
    stop = threading.Event()
    clients = [Client(server, number, stop) for number in range(CLIENTS)]
    began = time.monotonic()
    for client in clients:
        client.start()
    # Renewed early and twice, so that what is compared are the same processes, warm.
    for share in (0.1, 0.2):
        time.sleep(max(0.0, began + share * SECONDS - time.monotonic()))
        before = set(workers(server))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda known=before: len(workers(server)) == 2 and not known & set(workers(server)))  # type: ignore[misc]
    time.sleep(max(0.0, began + 0.4 * SECONDS - time.monotonic()))
    first = {pid: resident(pid) for pid in workers(server)}
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    last = {pid: resident(pid) for pid in workers(server)}
    stop.set()
    for client in clients:
        client.join()
    done = sum((client.done for client in clients), Counter[str]())
    logging.getLogger(__name__).info("%d requests in %d s; resident MB %s, then %s", done.total(), SECONDS, first, last)
    assert [wrong for client in clients for wrong in client.wrong] == []
    assert set(done) == {kind.name for kind in KINDS}
    assert last.keys() == first.keys()
    assert all(last[pid] < first[pid] * 1.03 + 4 for pid in last)
    assert server.end() == 0
    assert "replaced" not in server.log.read_text()

"""What an unlucky or unkind world does to a server: its limits hold, and the others are served."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from lengths import part
from running import Server, resident, wait_until, workers

pytestmark = pytest.mark.slow

Start = Callable[..., Server]
BODY = {"columns": ["x", "act"], "data": [[1.0, ""]]}
HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Load(threading.Thread):
    """A client that asks again and again, and counts what it gets."""

    def __init__(self, server: Server, stop: threading.Event) -> None:
        super().__init__()
        self.server = server
        self.stop = stop
        self.statuses: list[int] = []
        self.lost = 0
        self.slowest = 0.0

    def run(self) -> None:
        with httpx.Client(base_url=self.server.url, timeout=30) as client:
            while not self.stop.is_set():
                began = time.monotonic()
                try:
                    self.statuses.append(client.post("/invocations", json=BODY).status_code)
                except httpx.TransportError:
                    self.lost += 1
                self.slowest = max(self.slowest, time.monotonic() - began)


@contextmanager
def load(server: Server, clients: int = 4) -> Iterator[list[Load]]:
    stop = threading.Event()
    threads = [Load(server, stop) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        # A client takes its time to begin: what is then done to the server may be over before.
        wait_until(lambda: all(thread.statuses or thread.lost for thread in threads))
        yield threads
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def served(threads: list[Load]) -> None:
    """Every client was answered, and with 200 alone."""
    assert [Counter(thread.statuses).keys() for thread in threads] == [{200}] * len(threads), "statuses of each client"


def test_a_worker_that_is_killed_under_load_costs_what_it_had_and_no_more(start: Start) -> None:
    server = start("-w", 2)
    with load(server) as threads:
        for _ in range(part(10) + 1):
            time.sleep(0.5)
            wait_until(lambda: len(workers(server)) == 2)
            os.kill(workers(server)[0], signal.SIGKILL)
        wait_until(lambda: len(workers(server)) == 2)
        time.sleep(2)
    served(threads)
    # A connection holds one request, so no kill costs a client more than one.
    assert all(thread.lost <= part(10) + 1 for thread in threads)
    assert server.end() == 0


def test_slow_clients_are_let_go_and_the_others_served(start: Start) -> None:
    server = start("--read-timeout", 2)
    slow = []
    for at in range(part(400) + 20):
        half = socket.create_connection(("127.0.0.1", port_of(server)), 30)
        half.sendall(HEAD + (b"Content-Length: 100\r\n\r\n" if at % 2 else b""))
        slow.append(half)
    until = time.monotonic() + 6
    with load(server) as threads:
        while time.monotonic() < until:
            for half in slow:
                with contextlib.suppress(OSError):
                    half.send(b"x")
            time.sleep(0.5)
    served(threads)
    assert all(thread.lost == 0 for thread in threads)
    for half in slow:
        half.settimeout(10)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            assert half.recv(1000).startswith((b"", b"HTTP/1.1 4"))
        half.close()


def test_ten_thousand_idle_connections(start: Start) -> None:
    count = part(10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 500:
        pytest.skip(f"this host lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    try:
        server = start("--read-timeout", 60)
        before = resident(workers(server)[0])
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(socket.create_connection(("127.0.0.1", port_of(server)), 30))
            with load(server) as threads:
                time.sleep(3)
            served(threads)
            assert all(thread.lost == 0 for thread in threads)
            assert max(thread.slowest for thread in threads) < 5
            # Some tens of kilobytes each, and nothing of them stays.
            assert resident(workers(server)[0]) - before < count * 0.064 + 50
        assert server.score((1.0, "")).status_code == 200
        assert server.end() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_a_gigabyte(start: Start, chunked: bool) -> None:
    server = start("--max-body", "64MB")
    size = part(1000) * 1024 * 1024
    before = resident(workers(server)[0])
    peak = before
    block = b"x" * (1024 * 1024)
    with socket.create_connection(("127.0.0.1", port_of(server)), 30) as sock, load(server) as threads:
        sock.sendall(
            HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % size)
        )
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(size // len(block)):
                sock.sendall(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
                peak = max(peak, resident(workers(server)[0]))
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = sock.recv(1000)
        time.sleep(0.5)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413 ")
    # What is beyond the limit is never held.
    assert peak - before < 64 * 2.5
    served(threads)
    assert all(thread.lost == 0 for thread in threads)


def test_json_that_is_ten_thousand_deep(start: Start) -> None:
    server = start()
    deep = [b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'{"data": ' + b"[" * 10_000]
    deep += [b'{"columns": ["x", "act"], "data": [[' + b"[" * 10_000 + b"]" * 10_000 + b', ""]]}']
    with load(server) as threads:
        for body in deep * part(100):
            answer = server.client.post("/invocations", content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
    served(threads)
    assert server.end() == 0

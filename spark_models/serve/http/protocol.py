"""Uvicorn's HTTP protocol with a bound on the head of a request, and with the head of an answer sent with its body."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 128 * 1024
"""How many bytes of a request's line and headers are read."""


class OneWrite:
    """The transport of one request: the head of the answer waits for what follows it, so that both are one system call.

    A second call costs the server a tenth of a small request, and wakes the client twice.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Sends what is written, all but the first of it at once."""
        if self._head is None and not data.startswith(b"HTTP/1.1 100 "):
            self._head = data
        else:
            self._transport.writelines([self._held(), data])

    def _held(self) -> bytes:
        head, self._head = self._head or b"", b""
        return head

    def close(self) -> None:
        """Ends the connection when all is sent."""
        self._transport.write(self._held())
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is being ended."""
        return self._transport.is_closing()


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is ended when a head is too long."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = False
        self._head = 0

    def data_received(self, data: bytes) -> None:
        """Reads what has come."""
        if self._in_head:
            self._head += len(data)
            if self._head > MOST_HEAD:
                self.transport.abort()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        super().on_headers_complete()
        # Its task has not run yet. An answer to HEAD has nothing that its head could wait for.
        if self.scope["method"] != "HEAD":
            self.cycle.transport = OneWrite(self.transport)  # type: ignore[assignment]

"""Uvicorn's HTTP protocol with a bound on the head of a request, which it would else collect without end."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 128 * 1024
"""How many bytes of a request's line and headers are read."""


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

"""A request put to the server once more, by a worker that can't score it: its model hangs on another."""

from __future__ import annotations

import asyncio
import ssl

from spark_models.errors import NotReadyError
from spark_models.serve.dataplane import Answer

MARK = b"x-spark-models-again"
"""The header of such a request: it is not put a third time."""

_PASSED_ON = (b"host", b"content-type", b"accept", b"authorization")


async def put_again(
    address: tuple[str, int], tls: bool, path: str, headers: dict[bytes, bytes], body: bytes, problem: str
) -> Answer:
    """The answer of whichever worker takes the connection: it waits at the port until one is ready.

    Raises:
        NotReadyError: [NOT_READY] none answered; `problem` says why it was asked.
    """
    head = [f"POST {path} HTTP/1.1".encode(), b"connection: close", MARK + b": 1", b"content-length: %d" % len(body)]
    head += [name + b": " + headers[name] for name in _PASSED_ON if name in headers]
    try:
        reader, writer = await asyncio.open_connection(*address, ssl=_context() if tls else None)
        try:
            writer.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
            return _answer(await reader.read())
        finally:
            writer.close()
    except (OSError, ValueError) as error:
        raise NotReadyError(problem) from error


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # The other side is this server's own port; its certificate is for the names by which clients call it.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _answer(content: bytes) -> Answer:
    head, end, body = content.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    stated = dict(line.lower().split(b": ", 1) for line in lines if b": " in line)
    if end == b"" or int(stated.get(b"content-length", b"-1")) != len(body):
        raise ValueError("the answer was cut")
    kind = stated.get(b"content-type", b"").decode("latin-1")
    return Answer(body, kind, int(status.split(b" ", 2)[1]))

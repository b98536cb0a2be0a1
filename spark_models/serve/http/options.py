"""What a server is started with, which a worker process gets as JSON on its standard input, and what it says back."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from spark_models.errors import InvalidArgumentError

MEGABYTE = 1024 * 1024

READY, ALIVE, RETIRES = b"r", b".", b"x"
"""What a worker says to its keeper: it serves, its loop turns, it will end and needs a successor."""

CANNOT_START = 3
"""A worker's exit code where the model can't be loaded."""

_UNITS = {"": 1, "k": 1024, "m": MEGABYTE, "g": 1024 * MEGABYTE}


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The model, the address and the limits of a server; times in seconds, sizes in bytes.

    `timeout` is how long a request may take in all; past `kill_after` of one prediction the worker is replaced.
    `read_timeout` is how long a client may take to send a request's head, or its body. `queue` requests wait for the
    model in each worker. `batch_rows` is the most rows of requests that are scored together, 1 for none; `batch_wait`
    is how long the first of them waits for others. `fd` is a socket that has its address already and was inherited,
    as from systemd or the keeper of a local deployment; host and port say nothing then.
    """

    model_uri: str = ""
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    timeout: float = 60.0
    kill_after: float = 120.0
    read_timeout: float = 60.0
    max_body: int = 64 * MEGABYTE
    queue: int = 256
    batch_rows: int = 1024
    batch_wait: float = 0.0
    method: str | None = None
    wrap: bool = False
    debug: bool = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    token: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    allow_code: bool | None = None
    expected_hash: str | None = None
    fd: int | None = None

    def to_json(self) -> str:
        """The options as one JSON object; it holds the token."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServerOptions:
        """The options that `to_json` wrote."""
        found: dict[str, Any] = json.loads(text)
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
        }
        return cls(**values)


def size(text: str) -> int:
    """The bytes that a size such as "64MB" or "1g" says; k, M and G are powers of 1024.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] it says none.

    >>> size("64MB"), size("10")
    (67108864, 10)
    """
    found = re.fullmatch(r"([0-9]{1,12})\s*([kmg]?)i?b?", text.strip().lower())
    if found is None:
        raise InvalidArgumentError(f"{text[:40]!r} is no size", "write 64MB, 512k or a number of bytes")
    return int(found.group(1)) * _UNITS[found.group(2)]

"""A server under test, and waiting for what it does."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass
class Server:
    """A running server: its process and a client."""

    process: subprocess.Popen[str]
    client: httpx.Client
    url: str
    log: Path

    def score(self, *rows: tuple[float, str], **options: Any) -> httpx.Response:
        """The answer for rows of (x, act)."""
        body = {"columns": ["x", "act"], "data": rows}
        return self.client.post("/invocations", json=body, **options)

    def end(self, number: int = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(30)


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Waits until a condition holds; fails where it never does."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def workers(server: Server) -> list[int]:
    """The processes of the workers."""
    found = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def resident(pid: int) -> float:
    """Megabytes of memory."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024

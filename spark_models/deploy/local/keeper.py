"""The process behind a local deployment: it holds the port and keeps one server on it.

    python -m spark_models.deploy.local.keeper DIRECTORY

The socket is bound here once and inherited by every server, so nothing that waits in it is lost when one server follows
another: at SIGHUP the new one, as `wanted.json` says, is started, and the old one drains when the new one serves. A new
one that can't start leaves the old one as it is. SIGTERM drains and ends. `status.json` says what serves.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spark_models.deploy.state import read_json, write_json

WANTED, STATUS, LOG, ALIVE, KEPT = "wanted.json", "status.json", "log", "alive", "kept"

SERVING = "Serving "
"""How the line begins with which `spark-models serve` says that it is ready."""

LONGEST_PAUSE = 30.0
KILL_AFTER = 90.0
"""Seconds that a server which was told to end may still answer what it has."""

LOG_BYTES = 10 * 1024 * 1024


@dataclass(eq=False, slots=True)
class Server:
    """A server process of one generation, and the last lines that it wrote."""

    wanted: dict[str, Any]
    process: subprocess.Popen[str]
    ready: bool = False
    kill_at: float = float("inf")
    said: deque[str] = field(default_factory=lambda: deque(maxlen=20))


class Keeper:
    """Keeps the server of a deployment's directory running."""

    def __init__(self, folder: Path, alive: int) -> None:
        self.folder = folder
        self.alive = alive
        self.wanted: dict[str, Any] = read_json(folder / WANTED)
        self.socket = _bound(self.wanted, read_json(folder / STATUS) or {})
        self.servers: list[Server] = []
        self.serving: Server | None = None
        self.failures = 0
        self.start_at = 0.0
        self.ends = False
        self.changed = False
        self.lines: queue.Queue[tuple[Server, str | None]] = queue.Queue()

    def run(self) -> int:
        """Serves until a signal ends it; 1 where the first server could not start."""
        signal.signal(signal.SIGTERM, self._on_end)
        signal.signal(signal.SIGINT, self._on_end)
        signal.signal(signal.SIGHUP, self._on_change)
        self._start()
        while self.servers != [] or not self.ends:
            with contextlib.suppress(queue.Empty):
                self._hear(*self.lines.get(timeout=0.1))
            if self.changed and not self.ends:
                self.changed = False
                self._change()
            if self.ends:
                self.socket.close()
                self._end(self.servers)
            if not self._look_after():
                return 1
        self.serving = None
        self._status()
        return 0

    def _on_end(self, number: int, frame: Any) -> None:
        self.ends = True

    def _on_change(self, number: int, frame: Any) -> None:
        self.changed = True

    def _change(self) -> None:
        wanted = read_json(self.folder / WANTED)
        if wanted is None or wanted["generation"] == self.wanted["generation"]:
            return
        # One that has not served yet makes room for what is wanted now.
        self._end([server for server in self.servers if not server.ready])
        self.wanted = wanted
        if all(server.wanted["generation"] != wanted["generation"] for server in self._expected()):
            self._start()

    def _expected(self) -> list[Server]:
        return [server for server in self.servers if server.kill_at == float("inf")]

    def _start(self) -> None:
        command = [sys.executable, "-m", "spark_models", "serve", *self.wanted["arguments"]]
        fd = self.socket.fileno()
        process = subprocess.Popen(
            [*command, "--fd", str(fd)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=(fd, self.alive),
            start_new_session=True,
        )
        server = Server(self.wanted, process)
        self.servers.append(server)
        threading.Thread(target=self._read, args=(server,), daemon=True).start()

    def _read(self, server: Server) -> None:
        for line in server.process.stderr or ():
            self.lines.put((server, line.rstrip("\n")))
        self.lines.put((server, None))

    def _hear(self, server: Server, line: str | None) -> None:
        if line is None:
            return
        server.said.append(line)
        _log(self.folder / LOG, line)
        if line.startswith(SERVING) and not server.ready:
            server.ready = True
            self.failures = 0
            self._end([other for other in self.servers if other is not server])
            self.serving = server
            self._status()

    def _end(self, servers: list[Server]) -> None:
        for server in servers:
            if server.kill_at == float("inf"):
                server.kill_at = time.monotonic() + KILL_AFTER
                server.process.terminate()

    def _look_after(self) -> bool:
        """Reaps servers that ended, and starts again the one that should serve; False where that has no use."""
        now = time.monotonic()
        for server in list(self.servers):
            if server.process.poll() is None:
                if now > server.kill_at:
                    with contextlib.suppress(OSError):
                        os.killpg(server.process.pid, signal.SIGKILL)
                continue
            self.servers.remove(server)
            if server.kill_at < float("inf"):
                self._status()
                continue
            serving = [other for other in self._expected() if other.ready]
            if not server.ready:
                self._take_back(server)
            if serving != []:
                self.wanted = serving[0].wanted
            elif not server.ready and self.failures == 0:
                return False
            else:
                _log(self.folder / LOG, f"The server ended with status {server.process.returncode}; it is replaced")
                self.start_at = now + min(LONGEST_PAUSE, 0.5 * 2 ** min(self.failures, 6))
                self.failures += 1
        if self._expected() == [] and not self.ends and now >= self.start_at:
            self._start()
        return True

    def _take_back(self, server: Server) -> None:
        """Notes that a generation can't start, and keeps to the one that serves."""
        while True:
            with contextlib.suppress(queue.Empty):
                self._hear(*self.lines.get_nowait())
                continue
            break
        status = read_json(self.folder / STATUS) or {}
        status["failed"] = {
            "generation": server.wanted["generation"],
            "said": [line for line in server.said if line != ""],
        }
        write_json(self.folder / STATUS, status)

    def _status(self) -> None:
        """Writes what serves. `draining` says that one which was replaced may still answer."""
        server = self.serving
        said = read_json(self.folder / STATUS) or {}
        host, port = (None, said.get("port"))
        if server is not None and not self.ends:
            host, port = self.socket.getsockname()[:2]
        status = {
            "generation": None if server is None else server.wanted["generation"],
            "pid": os.getpid(),
            "server_pid": None if server is None else server.process.pid,
            "host": host,
            "port": port,
            "draining": any(other.ready and other is not server for other in self.servers),
            "failed": said.get("failed"),
        }
        write_json(self.folder / STATUS, status)


def _log(path: Path, line: str) -> None:
    if path.exists() and path.stat().st_size > LOG_BYTES:
        os.replace(path, path.with_name(f"{path.name}.1"))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as stream:
        stream.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {line}\n")


def _bound(wanted: dict[str, Any], status: dict[str, Any]) -> socket.socket:
    """The deployment's socket; where no port is asked for, that of last time if it is still free."""
    host, port = wanted["host"], wanted["port"]
    choices = [port] if port != 0 else [status.get("port") or 0, 0]
    family = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0][0]
    for place, choice in enumerate(choices):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, choice))
        except OSError:
            sock.close()
            if place == len(choices) - 1:
                raise
            continue
        break
    return sock


def _taken(alive: int) -> bool:
    # Whoever only looks whether it is held has it for an instant: a few tries tell.
    for _ in range(50):
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def main(folder: Path) -> int:
    """Keeps a deployment until it is told to end; the exit status."""
    # The lock is held for as long as this process or a server lives, since servers inherit it: so whoever looks
    # needs no process number, which may be another's by then.
    alive = os.open(folder / ALIVE, os.O_RDWR | os.O_CREAT, 0o600)
    if not _taken(alive):
        return 1
    # This one is held by this process alone: without it nobody looks after the server.
    kept = os.open(folder / KEPT, os.O_RDWR | os.O_CREAT, 0o600)
    _taken(kept)
    os.ftruncate(alive, 0)
    os.write(alive, str(os.getpid()).encode())
    try:
        keeper = Keeper(folder, alive)
    except OSError as error:
        said = f"The address can't be had: {error.strerror}"
        wanted = read_json(folder / WANTED) or {}
        write_json(folder / STATUS, {"failed": {"generation": wanted.get("generation"), "said": [said]}})
        return 1
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

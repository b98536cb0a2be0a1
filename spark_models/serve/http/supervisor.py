"""The process that holds the port and looks after the workers. It imports no model library, and no pandas.

The sockets are bound here once and inherited by every worker, so none of what waits in them is lost when a worker ends.
SIGTERM and SIGINT drain and end the server; SIGHUP replaces the workers one by one, as after a change of the package.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import IO

from spark_models.errors import InvalidArgumentError
from spark_models.serve.http.metrics import shared_file
from spark_models.serve.http.options import CANNOT_START, READY, RETIRES, ServerOptions

LONGEST_PAUSE = 30.0
"""The longest pause before a worker that ended at once is started again."""


@dataclass(eq=False, slots=True)
class Process:
    """A worker's process, and what it has said."""

    place: int
    popen: subprocess.Popen[bytes]
    pipe: int
    heard: float
    ready: bool = False
    ends: bool = False
    kill_at: float = field(default=float("inf"))


class Supervisor:
    """Keeps `workers` processes serving."""

    def __init__(self, options: ServerOptions, say: Callable[[str], None]) -> None:
        self.options = options
        self._say = say
        self._sockets = [_bound(options)]
        self._metrics: IO[bytes] = shared_file(options.workers)
        self._processes: list[Process] = []
        self._selector = selectors.DefaultSelector()
        self._failures = [0] * options.workers
        self._start_at = [0.0] * options.workers
        self._was_ready = False
        self._ends = False
        self._renew: list[int] = []
        self._signalled: list[int] = []

    @property
    def url(self) -> str:
        """Where the server is."""
        host, port = self._sockets[0].getsockname()[:2]
        scheme = "http" if self.options.tls_cert is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self) -> int:
        """Serves until a signal ends it; the exit status: 0, or 1 where no worker could start."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._on_signal)
        status = 0
        try:
            while status == 0 and (not self._ends or self._processes != []):
                for key, _ in self._selector.select(0.25):
                    if key.data is None:
                        os.read(reader, 4096)
                    else:
                        self._hear(key.data)
                self._handle_signals()
                status = self._look_after()
        finally:
            for process in self._processes:
                _end_group(process)
                process.popen.wait()
        return status

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled.append(number)

    def _handle_signals(self) -> None:
        while self._signalled:
            number = self._signalled.pop(0)
            if number in (signal.SIGTERM, signal.SIGINT) and not self._ends:
                self._ends = True
                for sock in self._sockets:
                    sock.close()
                for process in self._processes:
                    self._end(process)
            elif number == signal.SIGHUP and not self._ends:
                self._say("Replacing the workers")
                self._renew = list(range(self.options.workers))

    def _look_after(self) -> int:
        now = time.monotonic()
        for process in list(self._processes):
            code = process.popen.poll()
            if code is not None:
                if not self._gone(process, code, now):
                    return 1
            elif now > process.kill_at or (process.ready and now - process.heard > self.options.kill_after):
                _end_group(process)
        if not self._ends:
            self._replace(now)
        return 0

    def _replace(self, now: float) -> None:
        for place in range(self.options.workers):
            alive = [process for process in self._processes if process.place == place and not process.ends]
            if alive == [] and now >= self._start_at[place]:
                self._start(place)
        if self._renew == []:
            return
        place = self._renew[0]
        alive = [process for process in self._processes if process.place == place and not process.ends]
        if len(alive) == 1:
            self._start(place)
        elif len(alive) > 1 and alive[-1].ready:
            self._end(alive[0])
            self._renew.pop(0)

    def _start(self, place: int) -> None:
        reader, writer = os.pipe()
        fds = [sock.fileno() for sock in self._sockets]
        setup = {
            "options": self.options.to_json(),
            "sockets": fds,
            "keeper": writer,
            "metrics": self._metrics.fileno(),
            "worker": place,
        }
        popen = subprocess.Popen(
            [sys.executable, "-m", "spark_models.serve.http.worker"],
            stdin=subprocess.PIPE,
            pass_fds=(*fds, writer, self._metrics.fileno()),
            # A signal to the terminal's group is for this process, which then lets them drain.
            start_new_session=True,
        )
        os.close(writer)
        os.set_blocking(reader, False)
        if popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                popen.stdin.write(json.dumps(setup).encode() + b"\n")
                popen.stdin.flush()
        process = Process(place, popen, reader, time.monotonic())
        self._processes.append(process)
        self._selector.register(reader, selectors.EVENT_READ, process)

    def _hear(self, process: Process) -> None:
        try:
            said = os.read(process.pipe, 4096)
        except BlockingIOError:
            return
        if said == b"":
            self._selector.unregister(process.pipe)
            return
        process.heard = time.monotonic()
        if READY in said:
            process.ready = True
            self._failures[process.place] = 0
            if not self._was_ready and all(
                any(other.ready for other in self._processes if other.place == place)
                for place in range(self.options.workers)
            ):
                self._was_ready = True
                count = "" if self.options.workers == 1 else f" with {self.options.workers} workers"
                self._say(f"Serving {self.options.model_uri} on {self.url}{count}")
        if RETIRES in said:
            self._say("A worker's model hangs; it is replaced")
            process.ends = True
            # It still passes on what waited behind the call that hangs.
            process.kill_at = time.monotonic() + self.options.timeout + 5

    def _end(self, process: Process) -> None:
        process.ends = True
        process.kill_at = time.monotonic() + self.options.timeout + 5
        process.popen.terminate()

    def _gone(self, process: Process, code: int, now: float) -> bool:
        """Forgets a process that has ended; False where the server can't go on."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.pipe)
        os.close(process.pipe)
        if process.popen.stdin is not None:
            with contextlib.suppress(OSError):
                process.popen.stdin.close()
        self._processes.remove(process)
        _end_group(process)
        if process.ends or self._ends:
            return True
        if not self._was_ready and not process.ready:
            if code != CANNOT_START:
                self._say(f"A worker ended with status {code} before it could serve")
            return False
        self._renew = [place for place in self._renew if place != process.place] if not process.ready else self._renew
        pause = 0.0 if process.ready else min(LONGEST_PAUSE, 0.5 * 2 ** self._failures[process.place])
        self._failures[process.place] += 0 if process.ready else 1
        self._start_at[process.place] = now + pause
        self._say(f"A worker ended with status {code}; it is replaced")
        return True


def _end_group(process: Process) -> None:
    """Ends a worker and what it has started: a model may run in a process of its own, and be busy there."""
    with contextlib.suppress(OSError):
        os.killpg(process.popen.pid, signal.SIGKILL)


def _bound(options: ServerOptions) -> socket.socket:
    """A socket that has the address and does not listen yet: a worker does, when it is ready."""
    if options.fd is not None:
        try:
            given = socket.socket(fileno=options.fd)
        except OSError as error:
            raise InvalidArgumentError(f"The descriptor {options.fd} is no socket ({error.strerror})") from error
        given.set_inheritable(True)
        return given
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        raise InvalidArgumentError(
            f"The address {options.host}:{options.port} can't be had ({error.strerror})",
            "choose another with -h and -p",
        ) from error
    sock.set_inheritable(True)
    return sock


def serve(options: ServerOptions, say: Callable[[str], None]) -> int:
    """Serves a model until a signal ends it; `say` shows a line to whoever started it. The exit status.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] the address can't be had, or options contradict each other.
    """
    if (options.tls_cert is None) != (options.tls_key is None):
        raise InvalidArgumentError("TLS needs two files", "give --tls-cert and --tls-key")
    _more_files()
    try:
        os.fstat(0)
    except OSError:
        # Started without a standard input, a socket would get its number, which is the workers' own.
        os.open(os.devnull, os.O_RDONLY)
    return Supervisor(replace(options, kill_after=max(options.kill_after, 1.0)), say).run()


def _more_files() -> None:
    """Lets this process and its workers hold as many connections as they may: the soft limit is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

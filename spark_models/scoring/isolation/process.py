"""The worker's side: one process of an environment beside each worker process, asked over pipes.

Its death ends a wait at once, with its exit status and what it last wrote to standard error.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import re
import select
import signal
import subprocess
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from spark_models.errors import ModelProcessError
from spark_models.scoring import clock
from spark_models.scoring.gpus import take_gpus
from spark_models.scoring.isolation.columns import pack_batch, unpack_arrays
from spark_models.scoring.isolation.delivery import EnvironmentRef
from spark_models.scoring.isolation.environments import clean_variables
from spark_models.scoring.isolation.messages import Header, frame, raised, read_frame
from spark_models.scoring.place import PackageRef

if TYPE_CHECKING:
    from spark_models.scoring.scorer import BatchScorer, ScoreRows, Times

CHILD = "spark_models.scoring.isolation.child"
START_SECONDS = 120.0
"""How long a process may take until it has imported what it needs; loading a model and scoring take what they take."""
MOST_PROCESSES = 4
"""How many environments a worker process keeps one running for."""
TAIL = 20
"""How many lines of standard error are kept for an error."""

_ALIVE_SECONDS = 0.5
_CHUNK = 1 << 20
_GRACE_SECONDS = 5.0
_LINE = 8192
_WITHOUT_VALUES = re.compile(
    r"(Fatal Python error: .*|(?:Current thread|Thread) 0x.*|Traceback [(]most recent call last[)]:"
    r"|  File \"[^\"]*\", line \d+,? in .*|Segmentation fault.*|Aborted.*|Killed|Bus error.*|terminate called .*"
    r"|(?:free|malloc|realloc|munmap_chunk)\(\).*|double free .*|corrupted .*|lib(?:gomp|c\+\+abi|omp): [\w ]+"
    r"|[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt))(?::.*)?"
)

_processes: OrderedDict[tuple[int, str], ModelProcess] = OrderedDict()
_lock = threading.Lock()


def resident_process(ref: EnvironmentRef) -> ModelProcess:
    """This worker's process of an environment, started by the first call, and anew after its death; safe under threads.

    Raises:
        ShipError: [SHIP_FAILED] the environment is not on this host.
        ModelProcessError: [MODEL_PROCESS_ENDED] it did not start.
    """
    surplus = []
    with _lock:
        # A fork of this process would share the pipes.
        key = (os.getpid(), ref.content_hash)
        process = _processes.get(key)
        if process is None or not process.is_alive():
            take_gpus()
            process = _processes[key] = ModelProcess([str(ref.python()), "-I", "-X", "faulthandler", "-m", CHILD])
        _processes.move_to_end(key)
        while len(_processes) > MOST_PROCESSES:
            surplus.append(_processes.popitem(last=False)[1])
    for other in surplus:
        other.close()
    return process


class ModelProcess:
    """A running process of `child`, and the batch that it was given last."""

    def __init__(self, command: Sequence[str], start_seconds: float = START_SECONDS) -> None:
        began = time.monotonic()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_variables(),
            bufsize=-1,
        )
        self._lock = threading.Lock()
        self._scorer: BatchScorer | None = None
        self._has_rows = False
        self._is_open = True
        self._deadline: float | None = began + start_seconds
        self._lines: deque[str] = deque(maxlen=TAIL)
        self._follower = threading.Thread(target=_follow, args=(self._process.stderr, self._lines), daemon=True)
        self._follower.start()
        self._sink = self._prepared(self._process.stdin)
        self._source = self._prepared(self._process.stdout)
        with self._broken_off():
            read_frame(self._read)
        self._deadline = None
        self._start_seconds = time.monotonic() - began

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._is_open and self._process.poll() is None

    @contextlib.contextmanager
    def opened(self, scorer: BatchScorer, batch: Any) -> Iterator[ScoreRows]:
        """What scores rows of a batch; others wait until it is done with.

        Raises:
            ModelProcessError: [MODEL_PROCESS_ENDED] the process has ended meanwhile.
            SparkModelsError, RuntimeError: as the process has raised it.
        """
        with self._lock:
            self._use(scorer)
            facts, buffers = pack_batch(batch)
            self._has_rows = True
            self._ask({"do": "batch", **facts}, buffers)
            yield self._score

    def close(self) -> None:
        """Lets the process end, once nobody waits for it, or ends it."""
        with self._lock:
            self._end()

    def _use(self, scorer: BatchScorer) -> None:
        if scorer is self._scorer:
            return
        package = PackageRef(scorer.package.content_hash, str(scorer.package.root()))
        sent = replace(scorer, package=package, environment=None, accumulator=None, meter=None)
        answer, _ = self._ask({"do": "use"}, [pickle.dumps(sent, 4)])
        if answer["loads"] > 0:
            clock.loaded(answer["load_seconds"] + self._start_seconds)
            self._start_seconds = 0.0
        self._scorer = scorer

    def _score(self, start: int, stop: int) -> tuple[pa.Array, Times]:
        answer, payload = self._ask({"do": "score", "start": start, "stop": stop}, [])
        values = unpack_arrays(payload)[0]
        if len(values) != stop - start:
            raise ModelProcessError(f"gave {len(values)} results for {stop - start} rows")
        bind, predict, coerce = answer["seconds"]
        return values, (bind, predict, coerce)

    def _ask(self, header: Header, buffers: Sequence[Any]) -> tuple[Header, bytearray]:
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        with self._broken_off():
            self._write(memoryview(frame(header, sum(map(len, views)))))
            for view in views:
                self._write(view)
            answer, payload = read_frame(self._read)
        if "error" in answer:
            raise raised(answer["error"])
        return answer, payload

    # --- the pipes: neither a read nor a write waits for a process that is no more

    def _prepared(self, stream: IO[bytes] | None) -> int:
        assert stream is not None  # noqa: S101 - for mypy: both are pipes
        os.set_blocking(stream.fileno(), False)
        with contextlib.suppress(AttributeError, OSError):  # larger pipes are a matter of speed, and of Linux
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _CHUNK)
        return stream.fileno()

    @contextlib.contextmanager
    def _broken_off(self) -> Iterator[None]:
        """Whatever ends the conversation in the middle ends the process: nobody knows what it would say next."""
        try:
            yield
        except _EndedError:
            raise self._end_error() from None
        except BaseException:
            self._end(at_once=True)
            raise

    def _write(self, content: memoryview) -> None:
        rest = content
        while len(rest) > 0:
            is_dead = self._process.poll() is not None
            try:
                rest = rest[os.write(self._sink, rest[:_CHUNK]) :]
            except BlockingIOError:
                self._wait(self._sink, select.POLLOUT, is_dead)
            except BrokenPipeError as error:
                raise _EndedError from error

    def _read(self, count: int) -> bytearray:
        content = bytearray(count)
        rest = memoryview(content)
        while len(rest) > 0:
            # Asked before the read: what it wrote before it died is read.
            is_dead = self._process.poll() is not None
            try:
                got = os.readv(self._source, [rest[:_CHUNK]])
            except BlockingIOError:
                self._wait(self._source, select.POLLIN, is_dead)
                continue
            if got == 0:
                raise _EndedError
            rest = rest[got:]
        return content

    def _wait(self, descriptor: int, event: int, is_dead: bool) -> None:
        """Waits for a pipe, but not for long: a process that the model has forked may hold the other end open."""
        if is_dead or (self._deadline is not None and time.monotonic() > self._deadline):
            raise _EndedError
        poller = select.poll()
        poller.register(descriptor, event)
        poller.poll(_ALIVE_SECONDS * 1000)

    # --- the end

    def _end(self, at_once: bool = False) -> None:
        self._is_open = False
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        if at_once:
            self._process.kill()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # What it has forked may hold its standard error open.
        self._follower.join(1.0)

    def _end_error(self) -> ModelProcessError:
        """Ends what is left of the process; what became of it."""
        is_starting = self._deadline is not None
        is_late = is_starting and self._process.poll() is None and time.monotonic() > (self._deadline or 0.0)
        self._end(at_once=is_late)
        status = self._process.returncode
        advice = "all of its standard error is in the log of this worker"
        if is_late:
            problem = "was not ready in time, and was ended"
        elif status >= 0:
            problem = f"has ended with exit status {status}"
        else:
            problem = f"was ended by signal {-status} ({_signal_name(-status)})"
            if -status == signal.SIGKILL:
                advice = f"the system does so when memory runs out; {advice}"
        problem += " before it was ready" if is_starting and not is_late else ""
        return ModelProcessError(problem, shown(self._lines, self._has_rows), advice)


class _EndedError(Exception):
    """The other end is gone, or late."""


def shown(lines: Iterable[str], has_rows: bool) -> tuple[str, ...]:
    """Lines of standard error that an error may show: once the process has had rows, those that can't hold a value.

    These are where it was when it crashed, what the C library said of it, and types of exceptions without their text.

    >>> shown(["Segmentation fault", "KeyError: 'Smith'", "row is Smith"], has_rows=True)
    ('Segmentation fault', 'KeyError')
    """
    if not has_rows:
        return tuple(lines)
    found = (_WITHOUT_VALUES.fullmatch(line) for line in lines)
    return tuple(match[1] for match in found if match is not None)


def _follow(stream: IO[bytes], lines: deque[str]) -> None:
    """Passes standard error on to this process' own, and keeps its last lines."""
    while (line := stream.readline(_LINE)) != b"":
        with contextlib.suppress(OSError):
            os.write(2, line)
        text = line.decode(errors="replace").rstrip()
        if text != "":
            lines.append(text)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "of no name"

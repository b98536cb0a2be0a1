"""The one thread of a worker that runs the model, and the bounded queue before it.

The event loop never waits for the model, so health, limits and deadlines hold while it computes. What expires in the
queue is never scored. Results go back to the loop in as few wake-ups as there are pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from spark_models.errors import DeadlineError, ModelFailedError, NotReadyError, QueueFullError
from spark_models.serve.batches import combined, may_batch, parts
from spark_models.serve.dataplane import Answer, Call, DataPlane
from spark_models.serve.http.metrics import Metrics

Origin = tuple[Any, bytes]
"""A request and its body."""

PutAgain = Callable[[Any, bytes, str], Awaitable[Answer]]
"""Puts a request to another worker; the text says why."""

MOST_TOGETHER = 64
"""How many requests are scored together at most."""


class Job:
    """A request in the queue: how it is read, the future of its answer, and what it is put again from, if it may be."""

    __slots__ = ("begun", "expired", "expires", "future", "origin", "read")

    def __init__(
        self, read: Callable[[], Call], future: asyncio.Future[Answer], origin: Origin | None, expires: float
    ) -> None:
        self.read = read
        self.future = future
        self.origin = origin
        self.expires = expires
        self.begun = False
        self.expired = False


class Engine:
    """Runs the jobs of one worker, one after the other or, for a split-invariant model, several at once."""

    def __init__(
        self,
        dataplane: DataPlane,
        metrics: Metrics,
        *,
        timeout: float = 60.0,
        most_waiting: int = 256,
        batch_rows: int = 1,
        batch_wait: float = 0.0,
    ) -> None:
        self.dataplane = dataplane
        self.metrics = metrics
        self.timeout = timeout
        self.most_waiting = most_waiting
        self.batch_rows = batch_rows if may_batch(dataplane.model.metadata.get_input_schema()) else 1
        self.batch_wait = batch_wait
        self.running_since: float | None = None
        """When the model was called last, by `time.monotonic`; None while it does not run."""
        self.closed = ""
        """Why no more jobs are taken; '' while they are."""
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # In the order of their coming, which is that of their deadlines, so that one alarm is enough for all.
        self._pending: dict[Job, None] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._done: deque[tuple[Job, Answer]] = deque()
        self._waking = False
        self._put_again: PutAgain | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="spark-models-model", daemon=True)

    @property
    def waiting(self) -> int:
        """How many requests have no answer yet."""
        return len(self._pending)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts the thread; answers are given in `loop`."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread when it is done with what it has."""
        self._jobs.put(None)

    def submit(self, read: Callable[[], Call], origin: Origin | None = None) -> asyncio.Future[Answer]:
        """The future of the answer to a request; to be called in the loop. `origin` lets it be put again.

        Raises:
            QueueFullError: [QUEUE_FULL] as many wait already as may.
            NotReadyError: [NOT_READY] the worker is about to end.
        """
        loop = self._loop
        if loop is None or (self.closed != "" and (self._put_again is None or origin is None)):
            raise NotReadyError(self.closed or "it starts")
        if len(self._pending) > self.most_waiting:
            raise QueueFullError(len(self._pending) - 1)
        job = Job(read, loop.create_future(), origin, loop.time() + self.timeout)
        self._pending[job] = None
        if self._alarm is None:
            self._alarm = loop.call_at(job.expires, self._expire, loop)
        if self.closed == "":
            self._jobs.put(job)
        else:
            self._elsewhere(job)
        return job.future

    def close(self, problem: str, put_again: PutAgain | None = None) -> None:
        """Takes no more jobs for the model, which does not come back.

        What the model has begun is answered with `problem`; what only waited behind it, or still comes, is put to
        another worker by `put_again`.
        """
        self.closed = problem
        self._put_again = put_again
        for job in list(self._pending):
            if job.begun or job.origin is None or put_again is None:
                self._finish(job, self.dataplane.failure(NotReadyError(problem)))
            else:
                self._elsewhere(job)

    def _elsewhere(self, job: Job) -> None:
        # Should the model come back after all, it must not score what another worker does.
        job.expired = True
        if self._put_again is not None and job.origin is not None:
            task = asyncio.ensure_future(self._answered(job, self._put_again(*job.origin, self.closed)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answered(self, job: Job, elsewhere: Awaitable[Answer]) -> None:
        try:
            answer = await elsewhere
        except Exception as error:  # noqa: BLE001 - whatever happens is an answer
            answer = self.dataplane.failure(error)
        self._finish(job, answer)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answers what is over its deadline; the alarm goes on to the deadline of the first that is left."""
        self._alarm = None
        now = loop.time()
        for job in list(self._pending):
            if job.expires > now:
                self._alarm = loop.call_at(job.expires, self._expire, loop)
                break
            self._finish(job, self.dataplane.failure(DeadlineError(self.timeout)))

    def _finish(self, job: Job, answer: Answer) -> None:
        job.expired = True
        self._pending.pop(job, None)
        if not job.future.done():
            job.future.set_result(answer)

    def _deliver(self) -> None:
        self._waking = False
        while self._done:
            self._finish(*self._done.popleft())
        self.metrics.waiting(len(self._pending))

    # --- in the model's thread

    def _give(self, job: Job, answer: Answer) -> None:
        self._done.append((job, answer))
        if not self._waking and self._loop is not None:
            self._waking = True
            # A loop that is closed has nobody left to answer.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            jobs = [job] if self.batch_rows <= 1 else self._more(job)
            calls = [(item, call) for item in jobs if not item.expired and (call := self._read(item)) is not None]
            while calls:
                calls = self._some(calls)

    def _more(self, job: Job) -> list[Job]:
        """The job with those that wait behind it; for `batch_wait` seconds it waits for them too."""
        jobs = [job]
        until = time.monotonic() + self.batch_wait if self.batch_wait > 0 else 0.0
        while len(jobs) < MOST_TOGETHER:
            left = until - time.monotonic() if until > 0 else 0.0
            try:
                more = self._jobs.get(timeout=left) if left > 0 else self._jobs.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._jobs.put(None)
                break
            jobs.append(more)
        return jobs

    def _read(self, job: Job) -> Call | None:
        try:
            return job.read()
        except BaseException as error:  # noqa: BLE001 - the thread must outlive whatever a request does
            self._give(job, self.dataplane.failure(error))
            return None

    def _some(self, calls: list[tuple[Job, Call]]) -> list[tuple[Job, Call]]:
        """Scores the first calls, together where that can be, and gives back those that are left."""
        rows = 0
        count = 0
        for _, call in calls:
            rows += call.rows
            if count > 0 and (rows > self.batch_rows or call.params is not None):
                break
            count += 1
            if call.params is not None:
                break
        together = [(job, call) for job, call in calls[:count] if not job.expired]
        if len(together) <= 1 or not self._together(together):
            for job, call in together:
                if not job.expired:
                    self._alone(job, call)
        return calls[count:]

    def _alone(self, job: Job, call: Call) -> None:
        job.begun = True
        try:
            output = self._score(call)
            answer = call.encode(output)
        except BaseException as error:  # noqa: BLE001 - as above; a model may even raise SystemExit
            answer = self.dataplane.failure(_ours(error))
        self._give(job, answer)

    def _together(self, calls: list[tuple[Job, Call]]) -> bool:
        """Whether the calls were scored as one; where not, each is to be run alone, so that none can fail another."""
        data = combined([call.data for _, call in calls])
        if data is None:
            return False
        for job, _ in calls:
            job.begun = True
        try:
            pieces = parts(self._score(Call(data, None, calls[0][1].encode)), [call.rows for _, call in calls])
        except BaseException:  # noqa: BLE001 - whose fault it is shows when each runs alone
            return False
        if pieces is None:
            return False
        for (job, call), piece in zip(calls, pieces, strict=True):
            try:
                answer = call.encode(piece)
            except Exception as error:  # noqa: BLE001 - an answer of its own
                answer = self.dataplane.failure(error)
            self._give(job, answer)
        return True

    def _score(self, call: Call) -> Any:
        began = time.monotonic()
        self.running_since = began
        try:
            return self.dataplane.score(call)
        finally:
            self.running_since = None
            self.metrics.predicted(call.rows, time.monotonic() - began)


def _ours(error: BaseException) -> BaseException:
    return error if isinstance(error, Exception) else ModelFailedError(type(error).__name__)

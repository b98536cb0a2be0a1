"""The model's own process: `python -I -m spark_models.scoring.isolation.child`, its standard streams to a worker.

It loads models and scores rows as a worker does, in the environment of the package, and ends when the worker does.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from spark_models.scoring.isolation.messages import Header, error_facts, frame, read_frame

WATCH_SECONDS = 1.0


class Streams:
    """Both ends of the conversation, on descriptors of their own; what the model prints goes to standard error."""

    def __init__(self) -> None:
        self._source, self._sink = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True)

    def read(self, count: int) -> bytearray:
        """Exactly so many bytes; ends the process when there will be no more."""
        content = bytearray(count)
        rest = memoryview(content)
        while len(rest) > 0:
            got = os.readv(self._source, [rest])
            if got == 0:
                leave()
            rest = rest[got:]
        return content

    def write(self, header: Header, buffers: list[Any]) -> None:
        """Sends a frame."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        for part in (memoryview(frame(header, sum(map(len, views)))), *views):
            rest = part
            while len(rest) > 0:
                rest = rest[os.write(self._sink, rest) :]


def leave() -> None:
    """Ends the process, whatever threads the model has left running."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def watch(worker: int) -> None:
    """Ends the process when the worker has gone, also in the middle of a prediction.

    Not PR_SET_PDEATHSIG: that goes by the thread that started the process, which may end before the worker.
    """
    while os.getppid() == worker:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def main() -> None:
    """Answers messages until the worker's end of the pipe is closed."""
    streams = Streams()
    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
    answer = _answers()
    streams.write({}, [])
    while True:
        asked, payload = read_frame(streams.read)
        try:
            header, buffers = answer(asked, payload)
        except BaseException as error:  # noqa: BLE001 - a model may raise anything, SystemExit too
            header, buffers = {"error": error_facts(error)}, []
        try:
            streams.write(header, buffers)
        except BrokenPipeError:
            leave()


def _answers() -> Callable[[Header, bytearray], tuple[Header, list[Any]]]:
    """What answers a message; what was said before is kept between the calls."""
    # Imported now, when a library that prints no longer disturbs the conversation.
    import pickle

    from spark_models.scoring import clock
    from spark_models.scoring.isolation.columns import pack_arrays, unpack_batch
    from spark_models.scoring.resident import resident_model

    scorer: Any = None
    model: Any = None
    bind: Any = None

    def answer(asked: Header, payload: bytearray) -> tuple[Header, list[Any]]:
        nonlocal scorer, model, bind
        if asked["do"] == "use":
            scorer = pickle.loads(payload)  # noqa: S301 - the worker's own bytes
            model = resident_model(scorer.package, scorer.method)
            loads, seconds = clock.take_loads()
            return {"loads": loads, "load_seconds": seconds}, []
        if asked["do"] == "batch":
            bind = unpack_batch(asked, payload).bind(scorer.plan, scorer.timezone)
            return {}, []
        values, times = scorer.score_rows(model, bind, asked["start"], asked["stop"])
        return {"seconds": times}, [pack_arrays([values])]

    return answer


if __name__ == "__main__":
    main()

"""A real Chromium without a window, driven through its pipe: where it goes, what it shows, clicks and typing."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS = 30.0


class Page:
    """The one page of a browser. Texts in JavaScript name elements by CSS selectors."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.problems: list[str] = []
        """What the console was told as an error, and exceptions that nothing caught."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Goes to a page, and waits until it is there."""
        self._call("Page.navigate", url=url)
        self.wait("document.readyState == 'complete' && location.href != 'about:blank'")

    def value(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Waits until an expression is true."""
        until = time.monotonic() + SECONDS
        while self.value(expression) is not True:
            assert time.monotonic() < until, f"{expression} never came true"
            time.sleep(0.02)

    def click(self, element: str) -> None:
        """Clicks on the middle of an element, given as an expression."""
        self.value(f"{element}.scrollIntoView()")
        box = self.value(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({element}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def fill(self, element: str, text: str) -> None:
        """Types a text into a field in place of what it holds."""
        self.click(element)
        self.value(f"{element}.select()")
        self._call("Input.insertText", text=text)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._number:
                assert "error" not in said, said
                result: dict[str, Any] = said["result"]
                return result
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        event, facts = said.get("method"), said.get("params", {})
        if event == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(facts["exceptionDetails"]))
        elif event == "Log.entryAdded" and facts["entry"]["level"] == "error":
            self.problems.append(facts["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and facts["type"] == "error":
            self.problems.append(json.dumps(facts["args"]))

    def _next(self) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            while b"\0" not in self._buffer:
                assert selector.select(SECONDS) != [], "the browser says nothing"
                read = os.read(self._reader, 1 << 16)
                assert read != b"", "the browser has ended"
                self._buffer += read
        said, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(said)
        return found


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A browser with a profile of its own; `scripts/needs chromium` says what it is looked for as."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(found for found in map(shutil.which, names) if found is not None)
    there, ours = os.pipe(), os.pipe()
    # It reads from descriptor 3 and writes to 4; a shell that becomes it puts them there, whatever numbers they have.
    moved = f'exec 3<&{there[0]} 4>&{ours[1]} && exec "$@"'
    options = [
        "--headless=new",
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
        "--no-first-run",
        "--disable-gpu",
    ]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # which it has not for root
    process = subprocess.Popen(
        ["bash", "-c", moved, "browser", program, *options],
        pass_fds=(there[0], ours[1]),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(there[0])
    os.close(ours[1])
    try:
        yield Page(ours[0], there[1])
    finally:
        process.kill()
        process.wait()
        os.close(ours[0])
        os.close(there[1])

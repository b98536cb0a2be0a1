"""The page to try a model, in a real headless Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import chromium
from running import Server

pytestmark = pytest.mark.needs("chromium")

CELL = "document.querySelector('[aria-label=x]')"
ANSWER = "document.querySelector('#answer').innerText"


def button(text: str) -> str:
    return f"[...document.querySelectorAll('button')].find(button => button.innerText == {text!r})"


def test_the_form_holds_the_example_and_scores(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start()
    with chromium(tmp_path / "profile") as page:
        page.open(server.url)
        assert page.value("document.title") == "moody"
        assert page.value(f"{CELL}.value") == "1"
        page.fill(CELL, "21.25")
        page.click(button("Score"))
        page.wait(f"{ANSWER} == '[42.5]'")
        assert '"data":[[21.25,""]]' in page.value("document.querySelector('#curl').innerText")
        page.fill(CELL, "many")
        page.click(button("Score"))
        page.wait(f"{ANSWER}.includes('[JSON_VALUE] A value that is text is no double.')")
        page.click(button("Add a row"))
        assert page.value("document.querySelectorAll('#form tbody tr').length") == 2
        # The refused request above is an error in the browser's console; nothing else is.
        assert [text for text in page.problems if "400" not in text] == []

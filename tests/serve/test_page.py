"""The page to try a model, in a real headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from running import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


def test_the_form_holds_the_example_and_scores(start: Callable[..., Server]) -> None:
    server = start()
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.url)
        assert page.title() == "moody"
        cell = page.get_by_label("x", exact=True)
        assert cell.input_value() == "1"
        cell.fill("21.25")
        page.get_by_role("button", name="Score").click()
        playwright.expect(page.locator("#answer")).to_have_text("[42.5]")
        assert '"data":[[21.25,""]]' in page.locator("#curl").inner_text()
        cell.fill("many")
        page.get_by_role("button", name="Score").click()
        playwright.expect(page.locator("#answer")).to_contain_text("[JSON_VALUE] A value that is text is no double.")
        page.get_by_role("button", name="Add a row").click()
        assert page.locator("#form tbody tr").count() == 2
        browser.close()
    # The refused request above is an error in the browser's console; nothing else is.
    assert [text for text in problems if "400" not in text] == []

"""A headless Chromium of this machine for tests; they skip where there is none. Nothing is downloaded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["Heard", "browsing", "page_in"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def browsing() -> Iterator["Browser"]:
    """Start a browser."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("There is no Chromium here.")
    sync_api = pytest.importorskip("playwright.sync_api")
    # Root may use Chromium only without its sandbox.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Heard:
    """What a page complained of, and what it asked for.

    Attributes:
        complaints: Errors and warnings on the console, and errors of scripts.
        requests: Method and address of every request, in order.
        refused: Status and address of every answer that is an error.
    """

    def __init__(self, page: "Page") -> None:
        self.complaints: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.refused: list[tuple[int, str]] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append((request.method, request.url)))
        page.on("response", self._look_at)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _look_at(self, answer: Any) -> None:
        if answer.status >= 400:
            self.refused.append((answer.status, answer.url))


@contextmanager
def page_in(browser: "Browser", width: int = 1600, **options: Any) -> Iterator[tuple["Page", Heard]]:
    """Open a page of a width in pixels, in a browser context of its own; `options` go to that."""
    context = browser.new_context(viewport={"width": width, "height": 1000}, **options)
    try:
        page = context.new_page()
        yield page, Heard(page)
    finally:
        context.close()

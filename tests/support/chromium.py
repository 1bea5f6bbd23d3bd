"""A headless Chromium of the system, driven by Playwright: one page at a time, and what it complains about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """The browser: MEDCTX_CHROMIUM, or the first of the usual names on the path; none without Playwright."""
    if find_spec("playwright") is None:
        return None
    return os.environ.get("MEDCTX_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One page. ``complaints`` collects console errors and warnings, uncaught exceptions, dialogs and requests."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []
        self.size(1280)

    def size(self, width: int, height: int = 900, *, mobile: bool = False, dark: bool = False) -> None:
        """Start a new browser context with a window in CSS pixels and the colours the reader prefers."""
        for context in self._browser.contexts:
            context.close()
        self.tab = self._browser.new_page(
            viewport={"width": width, "height": height},
            device_scale_factor=2 if mobile else 1,
            is_mobile=mobile,
            color_scheme="dark" if dark else "light",
        )
        self.tab.on("console", self._heard)
        self.tab.on("dialog", self._asked)
        self.tab.on("request", self._requested)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.complaints.append(f"request: {request.url}")

    def open(self, path: Path) -> None:
        """Load a file and wait until it is there."""
        self.tab.goto(path.resolve().as_uri())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        return self.tab.evaluate(script)


@contextmanager
def browser() -> Iterator[Page]:
    """A browser of its own with one page, and an end to it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root has no sandbox; the pages are this project's own.
        opened = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        try:
            yield Page(opened)
        finally:
            opened.close()

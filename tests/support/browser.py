"""Chromium, as the tests drive it: the one that the system has; none is downloaded, and none reaches a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.skips import CHROMIUM
from tests.support.viewing import Viewed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["Watched", "browsing", "chromium", "found_chromium", "opened"]

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def found_chromium() -> str | None:
    """Return where Chromium is, None if the system has none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window, or skip the test where there is none."""
    path = found_chromium()
    if path is None:
        pytest.skip(CHROMIUM)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip(CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # tests may run as root
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page that is open, what its console said, and what it asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        """Return the text of each element."""
        return self.page.locator(selector).all_inner_texts()

    def wait(self, selector: str, text: str, seconds: float = 30.0) -> None:
        """Wait until the only element of a selector has a text."""
        from playwright.sync_api import expect

        expect(self.page.locator(selector)).to_contain_text(text, timeout=1000 * seconds)


@contextmanager
def opened(
    browser: Browser, path: Path, fragment: str = "", *, width: int = 1280, height: int = 800, **options: Any
) -> Iterator[Watched]:
    """Open a file as a page, and wait until its script is done."""
    with _watching(browser, width, height, options) as watched:
        watched.page.goto(f"{path.as_uri()}{fragment}")
        watched.page.wait_for_selector("body[data-ready]", state="attached", timeout=30_000)
        yield watched


@contextmanager
def browsing(
    browser: Browser, seen: Viewed, *, width: int = 1280, height: int = 800, **options: Any
) -> Iterator[Watched]:
    """Open a page by the address that is printed; nothing may be asked of elsewhere, and no error said."""
    with _watching(browser, width, height, options) as watched:
        watched.page.goto(seen.url)
        yield watched
    assert [url for url in watched.asked if not url.startswith(f"{seen.base}/")] == []
    assert watched.said == []


@contextmanager
def _watching(browser: Browser, width: int, height: int, options: Mapping[str, Any]) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    watched = Watched(context.new_page())
    watched.page.on("console", lambda message: watched.said.append(message.text))
    watched.page.on("pageerror", lambda error: watched.said.append(str(error)))
    watched.page.on("request", lambda request: watched.asked.append(request.url))
    yield watched
    context.close()

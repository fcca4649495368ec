"""A server of ``promptrial view`` in this process, and a browser that has been let in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from promptrial.care.view.server import ViewServer
from promptrial.care.view.viewer import Viewer
from promptrial.runtime.clock import SystemClock

__all__ = ["LOOK_S", "Viewed", "viewing"]

LOOK_S: Final = 20


@dataclass(frozen=True)
class Viewed:
    """A server that runs, and a browser that has been let in."""

    url: str
    browser: httpx.Client

    @property
    def base(self) -> str:
        """The address without path and query."""
        return self.url.split("/?")[0]

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    def get(self, path: str) -> httpx.Response:
        return self.browser.get(self.base + path)


@contextmanager
def viewing(folder: Path, *, allow_stop: bool = False) -> Iterator[Viewed]:
    """Serve the runs of a folder; a browser of its own is let in."""
    viewer = Viewer(folder / "experiments", {}, SystemClock(), allow_stop)
    browser = httpx.Client(follow_redirects=True, timeout=LOOK_S, trust_env=False, verify=False)  # noqa: S501 - no TLS
    with ViewServer(viewer) as server, browser:
        assert browser.get(server.access.url).status_code == 200
        yield Viewed(server.access.url, browser)

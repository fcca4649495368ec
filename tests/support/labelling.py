"""A server of ``promptrial label --serve`` in this process, and a browser that has been let in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from promptrial.care.label_results import rubric_of
from promptrial.care.labelling.app import label_app
from promptrial.care.labelling.sheet import opened_sheet
from promptrial.care.opened import ReadRun, read_run
from promptrial.care.shown_items import sides_of
from promptrial.care.view.server import LocalServer
from promptrial.config.environment import environment
from promptrial.engine.session import Invocation
from promptrial.phases.side_by_side import SideBySide
from promptrial.runtime.clock import SystemClock
from promptrial.store.rundir import RunDir
from tests.support.viewing import LOOK_S, Viewed

__all__ = ["labelling", "sides_in"]


def run_in(folder: Path, run_id: str = "r") -> ReadRun:
    """Return a run below a folder, to be read."""
    env = environment({}, folder)
    return read_run(RunDir(folder / "experiments", run_id), env, Invocation(env, SystemClock(), lambda _text: None))


def sides_in(folder: Path, run_id: str = "r") -> SideBySide:
    """Return the items of the first trial of a run below a folder."""
    run = run_in(folder, run_id)
    return sides_of(run, run.spec.trials[0])


@contextmanager
def labelling(folder: Path, sheet: Path) -> Iterator[Viewed]:
    """Serve a sheet of the run below a folder; a browser of its own is let in."""
    browser = httpx.Client(follow_redirects=True, timeout=LOOK_S, trust_env=False, verify=False)  # noqa: S501 - no TLS
    with (
        opened_sheet(sheet, sides_in(folder), partial(rubric_of, run_in(folder))) as opened,
        LocalServer(partial(label_app, opened, f"promptrial label r --read {sheet}")) as server,
        browser,
    ):
        browser.headers["origin"] = server.access.url.split("/?")[0]
        assert browser.get(server.access.url).status_code == 200
        yield Viewed(server.access.url, browser)

"""A run in one terminal, ``status --watch`` in another and ``view`` in a browser agree whenever nothing moves."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.project import Project
from tests.support.terminals import Terminal, allow_rows, at_a_terminal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

POLL: Final = "[4/9] collecting answers"
MOVES: Final = {"speed", "left", "now"}
"""What changes while nothing happens: a mean over the last minute."""
WAIT_S: Final = 60
DEMO_ITEMS: Final = 6


def on_terminal(terminal: Terminal, run_id: str) -> dict[str, str]:
    """Return what the panel says, by name; the bar of the answers is left out."""
    lines = terminal.screen.lines
    first = max((at for at, line in enumerate(lines) if line.startswith(f"run {run_id}: ")), default=len(lines))
    told = {}
    for line in filter(None, lines[first:]):
        if line.startswith("run "):
            told["standing"] = line.removeprefix(f"run {run_id}: ")
        elif line.startswith("["):
            told["phase"] = line
        else:
            told[line[:8].strip()] = line[9:].rpartition("] ")[2]
    return {name: text for name, text in told.items() if name not in MOVES}


def on_page(page: Page) -> dict[str, str]:
    """Return what the page of a run says at one moment, by name."""
    told: dict[str, str] = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('#live [data-fact], #live .lead')]"
        ".map((each) => [each.dataset.fact || 'standing', each.innerText]))"
    )
    return {name: text for name, text in told.items() if name not in MOVES}


@dataclass(frozen=True)
class Watchers:
    """Another terminal, and a page: both show a run that a third process works on."""

    run_id: str
    terminal: Terminal
    page: Page

    def wait_for_answers(self, count: int) -> None:
        """Wait until both show at least so many answers."""
        end = time.monotonic() + WAIT_S
        while min(map(answered, self._told())) < count:
            assert time.monotonic() < end, self._told()

    def _told(self) -> list[dict[str, str]]:
        self.terminal.read_for(0.2)
        return [on_terminal(self.terminal, self.run_id), on_page(self.page)]

    def agree(self, standing: str, *, run: Terminal | None = None, answers: str = "", phase: str = "") -> None:
        """Wait until all show the run in this status and agree in everything else."""
        end = time.monotonic() + WAIT_S
        while True:
            told = self._told()
            if run is not None:
                run.read_for(0.2)
                told.append(on_terminal(run, self.run_id))
            first = told[0]
            if (
                all(each == first for each in told)
                and first.get("standing") == standing
                and first.get("answers", "").startswith(answers)
                and first.get("phase", "").startswith(phase)
            ):
                return
            assert time.monotonic() < end, told


def answered(told: Mapping[str, str]) -> int:
    """Return how many answers there are, as it is shown."""
    return int(told.get("answers", "0").split()[0])


@contextmanager
def watched(project: Project, run_id: str, browser: Browser) -> Iterator[Watchers]:
    """Watch a run from another terminal and from a page, whose console stays clean."""
    said: list[str] = []
    with (
        at_a_terminal(project, "status", "--run_id", run_id, "--watch") as terminal,
        at_a_terminal(project, "view", run_id, "--no_open", columns=200) as server,
    ):
        server.wait_for("Press Ctrl-C to stop")
        page = browser.new_context().new_page()
        page.on("console", lambda message: said.append(f"{message.text} {message.location}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(next(line for line in server.lines if line.startswith("http")))
        yield Watchers(run_id, terminal, page)
        page.context.close()
    assert said == []
    assert terminal.screen.wrapped == 0


def test_all_three_displays_agree_through_a_stop_a_kill_and_a_resume(project: Project, browser: Browser) -> None:
    allow_rows(project, 3)
    with at_a_terminal(project, "run", "--run_id", "r") as first:
        first.wait_until_on_screen("3 of 28")
        with watched(project, "r", browser) as watchers:
            watchers.agree("running", run=first, answers="3 of 28", phase=POLL)
            assert project.call("stop", "r").code == 0
            watchers.agree("stopping", run=first, answers="3 of 28", phase=POLL)
            allow_rows(project, 4)
            assert first.end() == 5
            watchers.agree("stopped", answers="4 of 28", phase=POLL)

            allow_rows(project, 9)
            with at_a_terminal(project, "resume", "r") as second:
                watchers.agree("running", run=second, answers="9 of 28", phase=POLL)
                second.process.send_signal(signal.SIGKILL)
                second.end()
            watchers.agree("crashed", answers="9 of 28", phase=POLL)

            allow_rows(project, 1000)
            resumed = project.call("resume", "r")
            assert resumed.code == 0, resumed
            watchers.terminal.wait_for("run r: finished, 28 of 28 answers")
            assert watchers.terminal.end() == 0
            watchers.page.wait_for_selector("#live .lead:text-is('finished')")
            told = on_page(watchers.page)
            assert (told["answers"], told["parts"]) == ("28 of 28", "4 downloaded")
    assert ends_with_its_report(resumed.out)


@pytest.mark.slow
@pytest.mark.engine
def test_all_three_displays_agree_on_the_demo_which_ends_with_the_path_of_its_report(
    project: Project, browser: Browser
) -> None:
    with at_a_terminal(project, "demo", "--run_id", "d", "--limit_items", str(DEMO_ITEMS)) as first:
        first.wait_until_on_screen(POLL)
        with watched(project, "d", browser) as watchers:
            watchers.wait_for_answers(2)
            assert project.call("stop", "d", "--wait").code == 0
            assert first.end() == 5
            watchers.agree("stopped", phase=POLL)
            before = answered(on_page(watchers.page))

            with at_a_terminal(project, "resume", "d") as second:
                watchers.wait_for_answers(before + 2)
                second.process.send_signal(signal.SIGKILL)
                second.end()
            watchers.agree("crashed", phase=POLL)

            with at_a_terminal(project, "resume", "d") as third:
                assert third.end() == 0
            watchers.terminal.wait_for(f"run d: finished, {4 * DEMO_ITEMS} of {4 * DEMO_ITEMS} answers")
            assert watchers.terminal.end() == 0
            watchers.page.wait_for_selector("#live .lead:text-is('finished')")
    assert ends_with_its_report("\n".join(third.lines))


def ends_with_its_report(printed: str) -> bool:
    """Whether the last line is the path of ``report.html``, which is there."""
    path = Path(printed.rstrip().splitlines()[-1].split()[-1])
    return path.name == "report.html" and path.is_file()

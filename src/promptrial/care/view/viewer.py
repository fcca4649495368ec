"""What the pages of ``view`` are made from: each method returns one page, or raises what its page then says."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from promptrial.care.listing import list_runs
from promptrial.care.live_facts import answers_text
from promptrial.care.status import find_run, read_status
from promptrial.care.stop_request import ask_to_stop
from promptrial.care.unfinished import has_whole_page
from promptrial.care.view.compare_page import CompareQuery, compare_form, compared_html
from promptrial.care.view.held_items import HeldItems
from promptrial.care.view.item_pages import items_html
from promptrial.care.view.items_query import ItemsQuery
from promptrial.care.view.live import live_html
from promptrial.care.view.pages import frame, problem_html, runs_html
from promptrial.care.view.watch import RunWatch
from promptrial.care.whole_results import check_page
from promptrial.documents.files import read_bytes
from promptrial.errors import PromptrialError, UsageError
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import redactor_of_errors
from promptrial.runtime.stop import SOFTLY
from promptrial.store.next_steps import wait_or_resume
from promptrial.store.rundir import RunDir

__all__ = ["Viewer"]

_MOST_WATCHED: Final = 32
_LARGEST_REPORT: Final = 64 << 20
_FOLLOWED: Final = (
    '<noscript><p class="notes">Reload this page to see changes.</p></noscript>\n'
    '<p id="lost" role="alert" hidden>The connection to promptrial view was lost; this page may be out of date.</p>\n'
)


@dataclass(slots=True)
class Viewer:
    """Makes the pages.

    Parameters
    ----------
    experiments : Path
        The folder of the runs.
    env : mapping
    clock : Clock
    allow_stop : bool
        Whether a page may ask a run to stop.

    Attributes
    ----------
    closing : Event
        Set once the server ends, so that pages which are followed end too.
    """

    experiments: Path
    env: Mapping[str, str]
    clock: Clock
    allow_stop: bool = False
    closing: threading.Event = field(default_factory=threading.Event, init=False)
    _watches: OrderedDict[str, RunWatch] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _items: HeldItems = field(init=False)

    def __post_init__(self) -> None:
        self._items = HeldItems(self.env, self.clock)

    def runs(self, only: Collection[str] = ()) -> str:
        """Return the list of runs as a page; of these alone, if any are named."""
        return frame("Runs", runs_html(list_runs(self.experiments, self.clock), only))

    def run(self, run_id: str) -> str:
        """Return the page of one run."""
        find_run(self.experiments, run_id)
        live = f'{_FOLLOWED}<div id="live">{self.live(run_id)}</div>\n'
        return frame(f"Run {run_id}", live, live=f"/run/{quote(run_id)}/events")

    def live(self, run_id: str) -> str:
        """Return what changes of a run, or what is wrong with it at this moment; raises nothing of that."""
        try:
            return live_html(self._watch(find_run(self.experiments, run_id)).look(), allow_stop=self.allow_stop)
        except (PromptrialError, OSError) as error:
            return problem_html(error, redactor_of_errors())

    def _watch(self, run: RunDir) -> RunWatch:
        with self._lock:
            found = self._watches.pop(run.run_id, None) or RunWatch(run, self.clock)
            self._watches[run.run_id] = found
            while len(self._watches) > _MOST_WATCHED:
                self._watches.popitem(last=False)
            return found

    def report(self, run_id: str) -> bytes:
        """Return ``report.html`` of a run; a link in its place is not followed.

        Raises
        ------
        UsageError
            If it is not written yet, or is not that of the whole run as it is now.
        CorruptRecordError
            If it is not as *report* left it.
        OSError
            If it cannot be read.
        """
        run = find_run(self.experiments, run_id)
        if run.report_page.exists() and not has_whole_page((status := read_status(run, self.clock)).state):
            raise UsageError(
                f"run {run_id} is unfinished ({answers_text(status)} answers), and its report is of an earlier state",
                hint=f"resume it: {run.resume_command}; or write a page that says so: {run.report_command}",
            )
        check_page(run)
        try:
            return read_bytes(run.report_page, _LARGEST_REPORT, follow_links=False)
        except FileNotFoundError:
            raise UsageError(f"run {run_id} has no report yet", hint=wait_or_resume(run)) from None

    def stop(self, run_id: str) -> None:
        """Ask a run to stop; nothing happens where no process works on it."""
        ask_to_stop(find_run(self.experiments, run_id), SOFTLY, self.clock)

    def items(self, run_id: str, values: Mapping[str, str]) -> str:
        """Return one page of the items of a run."""
        run = find_run(self.experiments, run_id)
        return frame(f"Items of {run_id}", items_html(run, self._items.page(run, ItemsQuery.of(values))))

    def compare(self, values: Mapping[str, str]) -> tuple[int, str]:
        """Return the status and the page of a comparison; one that cannot be made is a page with the form, too."""
        query = CompareQuery.of(values)
        form = compare_form(query, [run.run_id for run in list_runs(self.experiments, self.clock).runs])
        try:
            return 200, frame("Compare two runs", form + compared_html(query, self.experiments))
        except (PromptrialError, OSError) as error:
            return 400, frame("Compare two runs", form + problem_html(error, redactor_of_errors()))

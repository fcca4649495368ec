"""The items of a run between two requests for their pages: found, filtered and searched without reading all of them.

Those of one trial at a time are held, so that memory stays bounded; the caller sees to it that one thread is here at a
time. They are opened again once a file that they come from was written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from promptrial.care.opened import ReadRun, read_run
from promptrial.care.shown_items import ShownItem, Wanted, shown_items, sides_of
from promptrial.care.unfinished import unfinished_warnings
from promptrial.care.view.items_query import ItemsQuery
from promptrial.engine.session import Invocation
from promptrial.errors import UsageError
from promptrial.model import Trial
from promptrial.model.arms import Contrast
from promptrial.phases.judgement_rows import JUDGEMENTS
from promptrial.phases.prepared import prepared_files
from promptrial.phases.side_by_side import OUTCOMES, Outcome, SideBySide
from promptrial.runtime.clock import Clock
from promptrial.store.next_steps import wait_or_resume
from promptrial.store.rundir import RunDir

__all__ = ["PAGE_ITEMS", "HeldItems", "ItemsPage", "load_libraries"]

PAGE_ITEMS: Final = 25
_Stamp = tuple[tuple[int, int, int] | None, ...]
_Numbers = npt.NDArray[np.int64]


def load_libraries() -> None:
    """Load what reads items, which takes half a second, so that the first page of items need not wait for it."""
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.parquet

    pa.array([""])  # looks for further libraries, once


@dataclass(frozen=True, slots=True)
class ItemsPage:
    """What a page of items shows: ``n`` items pass the filters, ``found`` are those of this page.

    ``query`` is what was asked for, with the trial and the arm that are meant filled in. ``counts`` are those of the
    outcomes before filters. ``warning`` says that the items are not those of the whole run as it is now.
    """

    query: ItemsQuery
    trials: list[str]
    arms: list[str]
    counts: dict[Outcome, int]
    found: list[ShownItem]
    n: int
    warning: str = ""


@dataclass(slots=True)
class _Held:
    """The items of a trial, and the positions of those that the last words were found in."""

    stamp: _Stamp
    sides: SideBySide
    warning: str
    words: str = ""
    positions: _Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


class HeldItems:
    """Makes the pages of the items of runs.

    Parameters
    ----------
    env : mapping
    clock : Clock
    """

    def __init__(self, env: Mapping[str, str], clock: Clock) -> None:
        self._env, self._clock = env, clock
        self._run: tuple[RunDir, _Stamp, ReadRun] | None = None
        self._held: tuple[RunDir, str, _Held] | None = None

    def page(self, run: RunDir, query: ItemsQuery) -> ItemsPage:
        """Return what a page shows.

        Raises
        ------
        UsageError
            If the answers are not scored yet, or there is no item of a number.
        PromptrialError
            If something of the run is damaged.
        """
        found = self._opened(run)
        trials = [trial.slug for trial in found.spec.trials]
        if not trials:
            raise UsageError(f"run {run.run_id} has no trial", hint=wait_or_resume(run))
        query = query.of_trial(query.trial if query.trial in trials else trials[0])
        held = self._of_trial(run, found, found.spec.trial(query.trial))
        sides = held.sides
        contrast = _contrast(sides, query.arm)
        numbers = _passing(held, contrast, query)
        start = 0 if query.item else query.start
        chosen = Wanted(
            arm=None if contrast is None else contrast.sides[1],
            places=tuple(int(each) for each in numbers[start : start + PAGE_ITEMS]),
        )
        return ItemsPage(
            query,
            trials,
            [each.sides[1] for each in sides.contrasts],
            dict.fromkeys(OUTCOMES, 0) if contrast is None else sides.counts(contrast),
            list(shown_items(sides, chosen)),
            len(numbers),
            held.warning,
        )

    def _opened(self, run: RunDir) -> ReadRun:
        stamp = _stamp(run.state_path, run.config_path, run.prepared / "manifest.json", *_files(run))
        if self._run is None or self._run[:2] != (run, stamp):
            found = read_run(run, self._env, Invocation(self._env, self._clock, lambda _text: None))
            self._run = run, stamp, found
        return self._run[2]

    def _of_trial(self, run: RunDir, found: ReadRun, trial: Trial) -> _Held:
        folder = run.trial(trial.slug)
        tables = [folder.results / f"{name}.parquet" for name in ("per_item_scores", "predictions", JUDGEMENTS)]
        prepared = [run.prepared / "manifest.json", *(path for _, path in prepared_files(run))]
        stamp = _stamp(run.state_path, folder.manifest_path, *prepared, *tables)
        if self._held is None or self._held[:2] != (run, trial.slug) or self._held[2].stamp != stamp:
            self._held = None  # what was held may go before the next is read
            self._held = run, trial.slug, _Held(stamp, sides_of(found, trial), _warning(found, trial))
        return self._held[2]


def _warning(found: ReadRun, trial: Trial) -> str:
    return next((each.line for each in unfinished_warnings(found, trial, "scores")), "")


def _files(run: RunDir) -> list[Path]:
    names = ("per_item_scores.parquet", "trial_manifest.json")
    return sorted(path for name in names for path in run.root.glob(f"*/results/{name}"))


def _stamp(*paths: Path) -> _Stamp:
    """Return by what it is seen that one of some files was written again; None for one that does not exist."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        found.append(None)
        with suppress(OSError):
            stat = path.stat()
            found[-1] = stat.st_mtime_ns, stat.st_ino, stat.st_size
    return tuple(found)


def _contrast(sides: SideBySide, arm: str) -> Contrast | None:
    """Return the contrast of an arm, or else the first; None where nothing is compared."""
    named = (each for each in sides.contrasts if each.sides[1] == arm)
    return next(named, next(iter(sides.contrasts), None))


def _passing(held: _Held, contrast: Contrast | None, query: ItemsQuery) -> _Numbers:
    """Return the numbers of the items that pass the filters of a page, in order."""
    sides = held.sides
    if query.item:
        if query.item > len(sides):
            raise UsageError(f"there is no item {query.item:,}", hint=f"items have numbers from 1 to {len(sides):,}")
        return np.asarray([query.item - 1])
    if query.outcome is None or contrast is None:
        numbers = np.arange(len(sides))
    else:
        numbers = np.flatnonzero(sides.outcomes(contrast) == OUTCOMES.index(query.outcome))
    if not query.words:
        return numbers
    if held.words != query.words:
        held.positions = np.asarray(sorted(sides.positions_that_say(query.words)), dtype=np.int64)
        held.words = query.words
    return numbers[np.isin(numbers % sides.n_items, held.positions)]

"""One round of a soak: a run, its interruptions, its resume to the end, and what came of it."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.soak import checks, interruptions
from tests.soak.experiment import HANGS_AFTER_S, Experiment, Undisturbed
from tests.soak.interruptions import Interruption
from tests.support.crash_lab import RUN

__all__ = ["Outcome", "play"]


@dataclass
class Outcome:
    """What a round came to. ``codes`` counts (kind, exit code); ``missed`` the interruptions that came too late."""

    number: int
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    resumes: int = 0
    rows_kept: int = 0
    requests_lost: int = 0
    slowest_stop_s: float = 0.0
    differences: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    script: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.differences or self.failures)


def play(
    experiment: Experiment, whole: Undisturbed, folder: Path, seed: int, number: int, kinds: Sequence[str]
) -> Outcome:
    """Play the round of that number in a new folder; seed and number decide all that is drawn."""
    folder.mkdir()
    outcome, began = Outcome(number), time.monotonic()
    round_ = _Round(experiment, whole, folder, outcome)
    for interruption in interruptions.draw(np.random.default_rng([seed, number]), kinds):
        if not round_.interrupt(interruption):
            break
    round_.finish()
    outcome.seconds = time.monotonic() - began
    return outcome


class _Round:
    def __init__(self, experiment: Experiment, whole: Undisturbed, folder: Path, outcome: Outcome) -> None:
        self._experiment = experiment
        self._whole = whole
        self._folder = folder
        self._run = folder / RUN
        self._outcome = outcome

    def interrupt(self, interruption: Interruption) -> bool:
        """Start or resume the run, and interrupt it; return whether something is left to resume."""
        kind, before = interruption.kind, interruptions.begins(self._run)
        status = checks.read_status(self._folder)[0] if self._run.exists() else {}
        with checks.KeptRows(self._run) as kept, self._start() as process:
            struck = interruptions.strike(process, self._run, interruption, self._whole, before)
            ended = checks.Ended(self._wait(process), time.monotonic() - struck.at)
            wrong = [*checks.after_interruption(self._folder, kind, struck, ended, status), *kept.problems()]
        self._outcome.failures += [f"{kind}: {text}" for text in wrong]
        self._outcome.requests_lost += checks.request_lost(self._folder, kind, struck, ended)
        self._note(interruption, ended, in_time=struck.in_time)
        return ended.code != 0 and not wrong

    def finish(self) -> None:
        """Resume the run to its end, and compare it with an undisturbed one."""
        with checks.KeptRows(self._run) as kept, self._start() as process:
            code = self._wait(process)
            self._outcome.rows_kept += len(kept)
            self._outcome.failures += kept.problems()
        differences, failures = checks.after_resume(self._folder, code, self._whole)
        self._outcome.differences += differences
        self._outcome.failures += failures

    def _start(self) -> subprocess.Popen[bytes]:
        """Resume the run, or start it again by the same command if its state was not written."""
        resume = (self._run / "run_state.json").exists()
        self._outcome.resumes += resume
        return self._experiment.start(self._folder, resume=resume)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(HANGS_AFTER_S)
        except subprocess.TimeoutExpired:
            process.kill()
            self._outcome.failures.append(f"the process did not end within {HANGS_AFTER_S} s")
            return process.wait()

    def _note(self, interruption: Interruption, ended: checks.Ended, *, in_time: bool) -> None:
        outcome = self._outcome
        outcome.script.append(f"{interruption} -> {ended.code if in_time else 'too late'}")
        if not in_time:
            outcome.missed[interruption.kind] += 1
            return
        outcome.codes[interruption.kind, ended.code] += 1
        if ended.code == 5:
            outcome.slowest_stop_s = max(outcome.slowest_stop_s, ended.seconds)

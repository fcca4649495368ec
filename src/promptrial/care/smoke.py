"""The smoke test of orchestration: a dry run stopped at chosen points, resumed, and compared with one left alone.

A run is stopped where its own files say that it has come to the point, never after some time. What has to hold of its
folder then, and at its end, is ``smoke_checks``'.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from promptrial import registry
from promptrial.care import smoke_checks as checks
from promptrial.care.status import RunStatus, read_status
from promptrial.config.loading import environment
from promptrial.design.plan import select_phases
from promptrial.engine.invocation import follow
from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.session import Invocation
from promptrial.errors import StopRequested, UsageError
from promptrial.runtime.clock import Clock
from promptrial.store.rundir import RunDir

__all__ = ["Smoke", "Trip"]

UNINTERRUPTED: Final = "none"
_RESUMED_WITHIN_S: Final = 60
_FLAGS_IN_ENV: Final = "PROMPTRIAL_"


@dataclass(frozen=True, slots=True)
class StopPoint:
    """Where a run is stopped: the phase that then is ``status``, and how the files tell that the point has come.

    ``jobs`` says how many of the parts have a job then.
    """

    phase: str
    status: str
    holds: Callable[[RunStatus], bool]
    jobs: Literal["none", "some", "all"]


def _at_the_gate(done: str, waiting: str) -> Callable[[RunStatus], bool]:
    """Return whether one phase is completed, and the one after it has not started."""
    return lambda seen: _phase(seen, done) == "completed" and _phase(seen, waiting) == "not_started"


def _amid(phase: str) -> Callable[[RunStatus], bool]:
    """Return whether a phase is in progress, with some parts done and some not."""

    def holds(seen: RunStatus) -> bool:
        parts = seen.progress.get(phase)
        return _phase(seen, phase) == "in_progress" and parts is not None and 0 < parts.done < parts.total

    return holds


def _phase(seen: RunStatus, name: str) -> str:
    return seen.state.phases[name].status


POINTS: Final[dict[str, StopPoint]] = {
    "post_build": StopPoint("submit", "not_started", _at_the_gate("build", "submit"), "none"),
    "mid_submission": StopPoint("submit", "stopped", _amid("submit"), "some"),
    "mid_polling": StopPoint("poll", "stopped", _amid("poll"), "all"),
    "pre_parse": StopPoint("parse", "not_started", _at_the_gate("poll", "parse"), "all"),
}


@dataclass(frozen=True, slots=True)
class Trip:
    """One run from its start to its end: how its processes ended, what it cost and gave, and what was wrong with it.

    ``differences`` are the files that are not those of the uninterrupted run; ``problems`` everything else.
    """

    stop_point: str
    exit_codes: tuple[int, ...]
    jobs: int
    intents: int
    rows: int
    differences: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.differences and not self.problems


@dataclass(frozen=True, slots=True)
class Smoke:
    """Runs of one small experiment, each in an experiments folder of its own below ``folder``.

    Parameters
    ----------
    request : RunRequest
        The run; its ``experiments`` is not used.
    flags : tuple of str
        Those that the request was made from, for the processes that resume.
    folder : Path
    env : mapping
    clock : Clock
    say : callable
    """

    request: RunRequest
    flags: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    clock: Clock
    say: Callable[[str], None]

    def check(self) -> None:
        """Refuse an experiment that no hosted provider would answer: it has no jobs to look after.

        Raises
        ------
        UsageError
            If a model of it is answered by this process.
        """
        for trial in open_run(self._request(UNINTERRUPTED), environment(self.env, Path.cwd())).trials:
            if any(registry.load("provider", model.adapter).local for model in trial.models):
                raise UsageError(
                    f"{trial.slug} is answered locally; the smoke test needs hosted jobs",
                    hint="give a configuration with a hosted provider: --config config/eval_config.fireworks.yaml",
                )

    def uninterrupted(self) -> Trip:
        """Make the run that the others are compared with."""
        began = self.clock.monotonic()
        follow(self._request(UNINTERRUPTED), select_phases(None, None, None), self._invocation())
        return self._trip(UNINTERRUPTED, (0,), (), began)

    def interrupted(self, name: str) -> Trip:
        """Start the run, stop it at a point, resume it in a process of its own, and compare."""
        point, began = POINTS[name], self.clock.monotonic()
        stopped = self._stopped_at(name, point)
        if stopped == 0:
            return self._trip(name, (0,), (f"the run ended before {name}",), began)
        problems = [f"after the stop: {problem}" for problem in self._stop_problems(self._run(name), point)]
        resumed = self._resumed(name)
        if resumed.returncode != 0:
            problems.append(f"the resume ended with {resumed.returncode}: {resumed.stderr.strip()}")
        return self._trip(name, (stopped, resumed.returncode), problems, began)

    def _stopped_at(self, name: str, point: StopPoint) -> int:
        """Start a run and return with which code it ended.

        Raises
        ------
        KeyboardInterrupt
            If somebody else stopped it.
        """
        run = self._run(name)
        come: list[bool] = []

        def has_come() -> bool:
            come.append(run.state_path.exists() and point.holds(read_status(run, self.clock)))
            return come[-1]

        try:
            follow(self._request(name), select_phases(None, None, None), self._invocation(has_come))
        except StopRequested as stop:
            if not (come and come[-1]):
                raise KeyboardInterrupt from stop
            return stop.exit_code
        return 0

    def _resumed(self, name: str) -> subprocess.CompletedProcess[str]:
        entry = ("scripts.run_all",) if Path("scripts/run_all.py").exists() else ("promptrial", "run")
        words = [sys.executable, "-m", *entry, "--experiments_dir", str(self.folder / name), *self.flags, "--resume"]
        env = {key: value for key, value in self.env.items() if not key.startswith(_FLAGS_IN_ENV)}
        return subprocess.run(  # noqa: S603 - our own program
            words, env=env, capture_output=True, text=True, check=False, timeout=_RESUMED_WITHIN_S
        )

    def _stop_problems(self, run: RunDir, point: StopPoint) -> Iterator[str]:
        yield from checks.state_problems(run, point.phase, point.status)
        spent = checks.spending(run)
        least, most = {"none": (0, 0), "some": (1, spent.parts - 1), "all": (spent.parts, spent.parts)}[point.jobs]
        yield from checks.spending_problems(spent, least, most)

    def _trip(self, name: str, codes: tuple[int, ...], problems: Sequence[str], began: float) -> Trip:
        """Look at a run that has come to its end."""
        run = self._run(name)
        spent = checks.spending(run)
        at_the_end = (
            *checks.state_problems(run),
            *checks.spending_problems(spent, spent.parts, spent.parts),
            *checks.shape_problems(run),
            *checks.row_problems(run),
        )
        return Trip(
            stop_point=name,
            exit_codes=codes,
            jobs=len(spent.jobs),
            intents=len(spent.intents),
            rows=checks.rows_of(run),
            differences=tuple(checks.differences(run, self._run(UNINTERRUPTED))),
            problems=(*problems, *(f"at the end: {problem}" for problem in at_the_end)),
            seconds=round(self.clock.monotonic() - began, 1),
        )

    def _invocation(self, stop_when: Callable[[], bool] | None = None) -> Invocation:
        return Invocation(self.env, self.clock, self.say, "error", stop_when=stop_when)

    def _request(self, name: str) -> RunRequest:
        return replace(self.request, experiments=self.folder / name)

    def _run(self, name: str) -> RunDir:
        return RunDir(self.folder / name, self.request.run_id)

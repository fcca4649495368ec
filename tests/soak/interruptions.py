"""The ways to interrupt a run: which there are, how one is drawn, and how it is done to a process.

What a run must look like afterwards is for ``checks``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tests.soak.experiment import HANGS_AFTER_S, ROOT, SoakError, Undisturbed, program

__all__ = ["BY_FILE", "KINDS", "Interruption", "Struck", "begins", "draw", "kinds", "run_command", "strike"]

_LOOK_EVERY_S: Final = 0.003
_AIMED: Final = 0.4
_AIMED_AT_ROWS: Final = 0.5
_MOST_IN_A_ROUND: Final = 3
_DOUBLE_WITHIN_S: Final = 0.3
_SENTINEL: Final = "STOP_REQUESTED"
_GROWING: Final = "results.partial.jsonl"
_Shot = Callable[["subprocess.Popen[bytes]", Path, "Interruption"], str]


@dataclass(frozen=True, slots=True)
class Interruption:
    """One interruption as it was drawn.

    ``when`` is the share of an undisturbed run after which it comes. If ``target`` is given, it comes right after a
    file has changed instead: the file at that share of the list of all that may. ``gap_s`` lies between two signals.
    """

    kind: str
    when: float
    target: float | None
    at_rows: bool
    gap_s: float
    signals: tuple[signal.Signals, signal.Signals]

    def __str__(self) -> str:
        """Say what was drawn in a few words."""
        first, second = self.signals
        how = f" ({first.name}, {1000 * self.gap_s:.0f} ms, {second.name})" if self.kind == "double" else ""
        files = "the files of rows" if self.at_rows else "the files"
        when = f"at {self.when:.2f} of a run" if self.target is None else f"at {self.target:.2f} of {files}"
        return f"{self.kind}{how} {when}"


@dataclass(frozen=True, slots=True)
class Struck:
    """The result of an interruption.

    ``in_time`` says whether the process was still running, ``at`` when it was asked to stop, ``started`` whether it had
    started its work, ``stale`` whether a sentinel existed when it was started, ``problem`` an error of the request.
    """

    in_time: bool
    at: float
    started: bool
    stale: bool
    problem: str


def _signal(number: signal.Signals) -> _Shot:
    def shoot(process: subprocess.Popen[bytes], _run: Path, _interruption: Interruption) -> str:
        process.send_signal(number)
        return ""

    return shoot


def _double(process: subprocess.Popen[bytes], _run: Path, interruption: Interruption) -> str:
    first, second = interruption.signals
    process.send_signal(first)
    time.sleep(interruption.gap_s)
    process.send_signal(second)  # sends nothing if the process is gone
    return ""


def _sentinel(_process: subprocess.Popen[bytes], run: Path, _interruption: Interruption) -> str:
    (run / _SENTINEL).write_bytes(b"")
    return ""


def _stop_run(*flags: str) -> _Shot:
    def shoot(_process: subprocess.Popen[bytes], run: Path, _interruption: Interruption) -> str:
        code, said = run_command(program("scripts.stop_run", *flags, folder=run.parents[1]))
        return "" if code == 0 else f"stop_run ended with {code}: {said}"

    return shoot


KINDS: Final[dict[str, _Shot]] = {
    "SIGINT": _signal(signal.SIGINT),
    "SIGTERM": _signal(signal.SIGTERM),
    "SIGKILL": _signal(signal.SIGKILL),
    "sentinel": _sentinel,
    "stop_run": _stop_run(),
    "double": _double,
    "stop_run --now": _stop_run("--now"),
}
BY_FILE: Final = frozenset({"sentinel", "stop_run", "stop_run --now"})


def kinds() -> list[str]:
    """Return the kinds that the program at hand knows.

    Raises
    ------
    SoakError
        If the program does not even show its help.
    """
    code, usage = run_command(program("scripts.stop_run", "--help", folder=ROOT))
    if code != 0:
        raise SoakError(f"stop_run --help ended with {code}: {usage}")
    return [kind for kind in KINDS if kind != "stop_run --now" or "--now" in usage]


def run_command(command: Sequence[str]) -> tuple[int, str]:
    """Run one of the short commands; return its exit code and what it says."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANGS_AFTER_S)
    return done.returncode, done.stdout or done.stderr


def draw(rng: np.random.Generator, known: Sequence[str]) -> list[Interruption]:
    """Draw the interruptions of one round: one, and sometimes one or two more of the resume."""
    count = int(rng.choice(np.arange(1, _MOST_IN_A_ROUND + 1), p=[0.6, 0.25, 0.15]))
    return [_draw_one(rng, known) for _ in range(count)]


def _draw_one(rng: np.random.Generator, known: Sequence[str]) -> Interruption:
    first, second = (signal.SIGINT if heads else signal.SIGTERM for heads in rng.random(2) < 0.5)
    aimed, target = rng.random() < _AIMED, float(rng.random())
    return Interruption(
        kind=known[int(rng.integers(len(known)))],
        when=float(rng.random()),
        target=target if aimed else None,
        at_rows=bool(rng.random() < _AIMED_AT_ROWS),
        gap_s=float(rng.uniform(0, _DOUBLE_WITHIN_S)),
        signals=(first, second),
    )


def strike(
    process: subprocess.Popen[bytes], run: Path, interruption: Interruption, whole: Undisturbed, before: int
) -> Struck:
    """Wait for the moment, then interrupt the process that works on a run.

    Parameters
    ----------
    process : Popen
    run : Path
        The run's folder; it may not exist yet.
    interruption : Interruption
    whole : Undisturbed
    before : int
        How many processes had started work on the run before this one.
    """
    stale, ready = (run / _SENTINEL).exists(), _moment(run, interruption, whole)
    while process.poll() is None and not (ready() and (interruption.kind not in BY_FILE or run.exists())):
        time.sleep(_LOOK_EVERY_S)
    in_time, started, at = process.poll() is None, begins(run) > before, time.monotonic()
    problem = KINDS[interruption.kind](process, run, interruption) if in_time else ""
    return Struck(in_time, at, started, stale, problem)


def begins(run: Path) -> int:
    """Return how many processes have started work on the run: from then on each handles signals until it ends."""
    log = run / "run.log"
    return log.read_bytes().count(b'"event": "begin"') if log.exists() else 0


def _moment(run: Path, interruption: Interruption, whole: Undisturbed) -> Callable[[], bool]:
    if interruption.target is None:
        end = time.monotonic() + interruption.when * whole.seconds * _share_left(run, whole)
        return lambda: time.monotonic() >= end
    files = _targets(run, whole, at_rows=interruption.at_rows)
    path = files[int(interruption.target * len(files))]
    was = _look(path)
    return lambda: _look(path) != was


def _share_left(run: Path, whole: Undisturbed) -> float:
    """Return about how much of an undisturbed run is left to do, at least a fifth: starting and loading come again."""
    parts = sum(name.endswith("/results.jsonl") for name in whole.portrait)
    return max(0.2, 1 - sum(1 for _ in run.glob("*/results/*/results.jsonl")) / parts)


def _targets(run: Path, whole: Undisturbed, *, at_rows: bool) -> list[Path]:
    """Return the files that a run has yet to make or to change, in order; with ``at_rows``, those that rows go to."""
    sealed = [run / name for name in sorted(whole.portrait) if name.endswith("/results.jsonl")]
    rows = [path.with_name(_GROWING) for path in sealed if not path.exists()]
    if at_rows and rows:
        return rows
    journals = {path.parents[1] / "jobs.journal.jsonl" for path in sealed}
    changing = {
        run / "run_state.json",
        run / "run.log",
        *journals,
        *(path.parents[1] / "trial_manifest.json" for path in sealed),
    }
    made = {run / name for name in whole.portrait if not (run / name).exists()}
    return sorted(changing | made)


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        seen = os.stat(path)  # noqa: PTH116 - one call for three values
    except OSError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns

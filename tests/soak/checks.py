"""What must hold of a run after an interruption, and what of its files after the resume."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from tests.soak.experiment import Undisturbed, program, said
from tests.soak.interruptions import BY_FILE, Struck, run_command
from tests.support.crash_lab import RUN, portrait, wreck_problems

__all__ = ["Ended", "KeptRows", "Status", "after_interruption", "after_resume", "read_status", "request_lost"]

_MOST_FOR_A_SOFT_STOP_S: Final = 10
_SOFT: Final = frozenset({0, 5})
_CODES: Final[dict[str, frozenset[int]]] = {
    "SIGINT": _SOFT,
    "SIGTERM": _SOFT,
    "SIGKILL": frozenset({0, -signal.SIGKILL}),
    "sentinel": _SOFT,
    "stop_run": _SOFT,
    "double": _SOFT | {130, 143},
    "stop_run --now": _SOFT,
}
_UNGUARDED: Final = frozenset({-signal.SIGINT, -signal.SIGTERM, 130, 143})
_ENDED_AT_ONCE: Final = frozenset({"stopped", "incomplete", "crashed", "finished"})
"""A process that waits for nothing may end between its last work and the record of it."""
_WORDS: Final[dict[int, frozenset[str]]] = {
    0: frozenset({"finished"}),
    5: frozenset({"stopped", "incomplete"}),
    130: _ENDED_AT_ONCE,
    143: _ENDED_AT_ONCE,
    -signal.SIGKILL: frozenset({"crashed", "incomplete", "finished"}),
    -signal.SIGINT: frozenset({"stopped", "incomplete", "finished"}),
    -signal.SIGTERM: frozenset({"stopped", "incomplete", "finished"}),
}
_MAY_LEAVE_THE_WORD: Final = frozenset({-signal.SIGKILL, *_UNGUARDED})
_TAKEN_FOR_AN_OLD_ONE: Final = "an old STOP_REQUESTED file was removed"
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How an interrupted process ended: its exit code, or minus the signal that ended it, and how long that took."""

    code: int
    seconds: float


def read_status(folder: Path) -> tuple[Status, list[str]]:
    """Return what ``status --json`` prints, and what is wrong with it; nothing of a run that has no state yet."""
    code, said = run_command(program("promptrial", "status", "--json", folder=folder))
    if not (folder / RUN / "run_state.json").exists():
        return {}, [] if code == 2 else [f"status ended with {code} though there is no state: {said}"]
    try:
        status = json.loads(said)
    except ValueError:
        status = None
    if code != 0 or not isinstance(status, dict):
        return {}, [f"status ended with {code}: {said}"]
    return status, []


def after_interruption(folder: Path, kind: str, struck: Struck, ended: Ended, before: Status) -> Iterator[str]:
    """Yield what is wrong with a run whose process has just ended; ``before`` is the status when it was started."""
    run, code = folder / RUN, _code(folder, struck, ended)
    allowed = _CODES[kind] if struck.in_time else frozenset({0})
    if struck.in_time and _unguarded(run, struck):
        allowed |= _UNGUARDED
    if code not in allowed:
        yield f"exit code {code}: {said(folder)[-1500:]}"
    if code == 5 and ended.seconds > _MOST_FOR_A_SOFT_STOP_S:
        yield f"the stop took {ended.seconds:.1f} s"
    if struck.problem:
        yield struck.problem
    yield from wreck_problems(folder, finished=code == 0)
    yield from _rows_done_twice(run)
    status, problems = read_status(folder)
    yield from problems
    if status:
        yield from _misfits(status, _fit(kind, code, before))


def _code(folder: Path, struck: Struck, ended: Ended) -> int:
    """Return the exit code; Python that is interrupted in its first milliseconds ends with 1, not -2."""
    in_python = ended.code == 1 and not struck.started and said(folder).rstrip().endswith("KeyboardInterrupt")
    return -signal.SIGINT if in_python else ended.code


def _unguarded(run: Path, struck: Struck) -> bool:
    """Return whether a signal may have come before the process started its work or after it ended it.

    The process then ends immediately, in Python's first milliseconds by the signal itself: nothing can be stopped
    softly.
    """
    log = run / "run.log"
    last = log.read_bytes().rstrip(b"\n").rpartition(b"\n")[2] if log.exists() else b""
    return not struck.started or b'"event": "end"' in last


def _fit(kind: str, code: int, before: Status) -> frozenset[str]:
    """Return the words that fit a process that ended with a code; one that did nothing leaves the word before it."""
    if kind == "stop_run --now" and code == 5:
        return _ENDED_AT_ONCE
    left = {str(before["status"])} if before and code in _MAY_LEAVE_THE_WORD else set()
    return _WORDS.get(code, frozenset()) | left


def _misfits(status: Status, fit: frozenset[str]) -> Iterator[str]:
    if status["status"] not in fit:
        yield f"status says {status['status']}; expected {' or '.join(sorted(fit))}"
    if status["holder"] is not None and status["holder"]["alive"]:
        yield f"status says that process {status['holder']['pid']} lives"


def request_lost(folder: Path, kind: str, struck: Struck, ended: Ended) -> bool:
    """Whether a request to stop was taken for one left from before, since the process was still starting."""
    taken = kind in BY_FILE and not struck.stale and _TAKEN_FOR_AN_OLD_ONE in said(folder)
    return taken and struck.in_time and ended.code == 0


def after_resume(folder: Path, code: int, whole: Undisturbed) -> tuple[list[str], list[str]]:
    """Return in which files a run that was resumed differs from an undisturbed one, and what else is wrong with it."""
    if code != 0:  # then it is no wonder that files are missing
        return [], [f"the resume ended with {code}: {said(folder)[-1500:]}"]
    problems = wreck_problems(folder, finished=True)
    problems += [f"{path.name} is left over" for path in sorted((folder / RUN).rglob("*.tmp"))]
    status, wrong = read_status(folder)
    found = portrait(folder)
    names = sorted(found.keys() | whole.portrait.keys())
    differences = [name for name in names if found.get(name) != whole.portrait.get(name)]
    return differences, [*problems, *wrong, *(_misfits(status, _WORDS[0]) if status else ())]


class KeptRows:
    """The rows that an interrupted run left complete, and their open files; use it in a ``with`` block.

    An answer that is computed again has the same bytes. So that it shows, a file must be the very one that it was: as
    long as it is open, no other can have its inode.
    """

    def __init__(self, run: Path) -> None:
        self._files = ExitStack()
        self._kept: dict[Path, tuple[BinaryIO, list[bytes]]] = {}
        for path in sorted(run.glob("*/results/*/results*.jsonl")):
            file = self._files.enter_context(path.open("rb"))
            if rows := file.read().split(b"\n")[:-1]:
                self._kept[path.parent] = (file, rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self._kept.values())

    def problems(self) -> Iterator[str]:
        """Yield which rows are no longer there, were changed, or were computed again."""
        for folder, (file, rows) in self._kept.items():
            paths = sorted(folder.glob("results*.jsonl"))
            if len(paths) != 1:
                yield f"{folder.name}: {len(rows)} rows were kept, and now there are {[path.name for path in paths]}"
            elif not os.path.samestat(paths[0].stat(), os.fstat(file.fileno())):
                yield f"{folder.name}: {len(rows)} whole rows were computed again"
            elif paths[0].read_bytes().split(b"\n")[: len(rows)] != rows:
                yield f"{folder.name}: {len(rows)} whole rows were changed"


def _rows_done_twice(run: Path) -> Iterator[str]:
    for path in sorted(run.glob("*/results/*/results*.jsonl")):
        rows = path.read_bytes().split(b"\n")[:-1]
        if len(set(rows)) < len(rows):
            yield f"{path.parent.name}: a row is there twice"

"""Which runs a run may take answers over from: as flags name them, and as its records remember them.

What such a run can lend is ``phases.lending``'s.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from promptrial.config.environment import place_flag
from promptrial.errors import UsageError
from promptrial.phases.lending import check_lender
from promptrial.phases.spec import RunSpec
from promptrial.store.part_records import listed
from promptrial.store.records import Origin, RunState
from promptrial.store.rundir import RUN_ID_PATTERN, RunDir, known_runs

__all__ = ["lenders", "record_lenders", "require_lenders"]

_NONE: Final = ("none",)
"""What a flag says to stop taking answers over."""
_PREFIX: Final = "run_"
_MOST_SHOWN: Final = 10
_ARCHIVED: Final = "archive_manifest.json"
"""The file that makes a folder an archive."""


def lenders(named: Iterable[str], run: RunDir, state: RunState | None, origin: Origin | None) -> tuple[RunDir, ...]:
    """Return the runs whose answers may be taken over, each once: those that flags name, then those on record.

    Raises
    ------
    UsageError
        If there is no such run; names one that is like it, or says how to unpack its archive.
    """
    given = tuple(named)
    if given == _NONE:
        return ()
    found = tuple(dict.fromkeys([*(_found(text, run) for text in given), *_remembered(run, state, origin)]))
    names = [each.run_id for each in found]
    if twice := next((each for each in found if names.count(each.run_id) > 1), None):
        raise UsageError(
            f"--reuse: two runs are named {twice.run_id}, and records identify runs by name",
            hint=f"remove one of them; {twice.root} is the first",
        )
    return found


def require_lenders(spec: RunSpec, named: Iterable[str]) -> None:
    """Check what flags name, before anything is written.

    Raises
    ------
    UsageError, CorruptRecordError
        If a run can lend nothing to this one.
    """
    for lender in spec.terms.reuse[: len(tuple(named))]:
        check_lender(lender, spec.run, dry_run=spec.dry_run)


def record_lenders(reuse: Sequence[RunDir], run: RunDir, state: RunState) -> bool:
    """Let a state say whose answers may be taken over; return whether that is another thing than it said."""
    names = [lender.run_id for lender in reuse]
    places = {each.run_id: place for each in reuse if (place := _place(each, run)) != "."}
    before = listed(state.reuse), state.reuse_places or {}
    state.reuse, state.reuse_places = names or msgspec.UNSET, places or msgspec.UNSET
    return before != (names, places)


def _remembered(run: RunDir, state: RunState | None, origin: Origin | None) -> Iterator[RunDir]:
    """Yield the runs on record. A lost state knows more than the trials do: where a run is kept that is elsewhere."""
    names = listed(origin.reuse if state is None and origin is not None else state.reuse if state else [])
    known: Mapping[str, str] = (state.reuse_places or {}) if state is not None else {}
    for name in names:
        place = known.get(name)
        yield RunDir(run.root.parent if place is None else Path(os.path.normpath(run.root.parent / place)), name)


def _place(lender: RunDir, run: RunDir) -> str:
    return os.path.relpath(lender.root.parent, run.root.parent)


def _found(text: str, run: RunDir) -> RunDir:
    experiments = run.root.parent
    for path in (experiments / f"{_PREFIX}{text}", Path(text)):
        if path.is_dir() and _is_named_as_run(path) and not _is_archive(path):
            absolute = path.absolute()
            folder = path.parent if path.name == absolute.name else absolute.parent
            return RunDir(folder, absolute.name.removeprefix(_PREFIX))
    raise _missing(text, experiments)


def _is_named_as_run(path: Path) -> bool:
    name = path.absolute().name
    return name.startswith(_PREFIX) and RUN_ID_PATTERN.fullmatch(name.removeprefix(_PREFIX)) is not None


def _missing(text: str, experiments: Path) -> UsageError:
    """Return what to do about a run that does not exist: unpack its archive, or name it as it is called."""
    path = Path(text)
    packed = [*sorted((experiments / "archives").glob("*")), path]
    archive = next((each for each in packed if _is_archive_of(each, text)), None)
    if archive is not None:
        return UsageError(
            f"--reuse {text}: this is an archive; answers can be reused only from the folder of a run",
            hint=f"unpack it first: promptrial unarchive {shlex.quote(str(archive))}{place_flag(experiments)}",
        )
    if path.is_dir():
        return UsageError(
            f"--reuse {text}: the folder of a run must be named {_PREFIX}ID",
            hint="rename the folder, or give the name of a run",
        )
    known = known_runs(experiments)
    close = difflib.get_close_matches(text, known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return UsageError(
        f"--reuse {text}: there is no run of this name in {experiments}, and no such folder",
        hint=f"{meant}known runs: {', '.join(known[-_MOST_SHOWN:]) or 'none'}",
    )


def _is_archive_of(path: Path, text: str) -> bool:
    """Whether a path is an archive, of the run of this name or the one that is named by its path."""
    if path == Path(text):
        return _is_archive(path)
    return path.name.removesuffix(".tar.zst") in {text, f"{_PREFIX}{text}"}


def _is_archive(path: Path) -> bool:
    """Whether a path is a packed archive, or the folder of one: the folder of a run has no such manifest."""
    return path.is_file() or (path / _ARCHIVED).is_file()

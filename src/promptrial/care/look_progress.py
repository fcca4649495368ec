"""What a status says about the looks at a trial that is asked in waves: its progress, and no effect. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from promptrial.errors import CorruptRecordError
from promptrial.phases.waves import looks_of, waves_on_record
from promptrial.store.look_records import is_over, taken
from promptrial.store.rundir import RunDir

__all__ = ["waves_said"]


def waves_said(run: RunDir, trials: Iterable[str]) -> Iterator[str]:
    """Yield for each trial, by slug, in which wave it is; of one whose records are damaged, that they are."""
    for slug in trials:
        try:
            yield f"{slug}: {_said(run, slug)}"
        except CorruptRecordError as error:
            yield f"{slug}: {error.message}"


def _said(run: RunDir, slug: str) -> str:
    waves, records = waves_on_record(run), looks_of(run, slug)
    looks = len(taken(records))
    of = f"{looks} of {waves.n_waves}"
    if not is_over(records):
        return f"wave {looks + 1} of {waves.n_waves} is being asked; looks taken: {looks}"
    ended = {"stop": "ended early by its rule", "unblind": "ended by hand", "end": "all waves were asked"}
    return f"asked in waves: {of}; {ended[records[-1].decision]}"

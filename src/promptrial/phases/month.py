"""What all runs of a folder have spent in the present month, in UTC: read from their records, those at work included.

A run that was not written to since the month began has spent nothing in it, and is not read. One that was read is read
again once its records have changed. Dry runs count among themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from promptrial.errors import CorruptRecordError
from promptrial.phases.accounts import is_dry_run
from promptrial.phases.counted import committed_of, is_unpriced, whole_ledger
from promptrial.runtime.clock import Clock
from promptrial.store.folder_lock import folder_lock
from promptrial.store.rundir import RUN_ID_PATTERN, RunDir, run_folders

__all__ = ["FolderMonth"]

_LOOK_EVERY_S: Final = 1.0
"""How long what the others have spent is taken for true, but at a decision."""
_RECORDS: Final = ("trial_manifest.json", "jobs.journal.jsonl")
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class FolderMonth:
    """The runs beside one; a ``jobs.budget.Month``.

    Parameters
    ----------
    run : RunDir
        The run itself, which ``others_usd`` does not count.
    dry_run : bool
    cap_usd : float
        The most that all runs of the folder may spend in one month.
    clock : Clock
    warn : callable
        Says once of a run that it has asked what has no price.
    """

    run: RunDir
    dry_run: bool
    cap_usd: float
    clock: Clock
    warn: Callable[[str], None]
    _known: dict[Path, tuple[_Stamp, float]] = field(default_factory=dict, init=False)
    _looked_at: float | None = field(default=None, init=False)
    _usd: float = field(default=0.0, init=False)
    _named: set[str] = field(default_factory=set, init=False)

    @property
    def name(self) -> str:
        """The present month, as times in records begin."""
        return self.clock.now()[:7]

    def others_usd(self) -> float:
        """Return what the other runs have spent in this month, and what they may spend yet of what they have sent.

        Raises
        ------
        CorruptRecordError, NewerVersionError
            If that cannot be read of one of them.
        """
        now = self.clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= _LOOK_EVERY_S:
            self._usd, self._looked_at = sum(map(self._of, self._others())), now
        return self._usd

    def usd(self) -> float:
        """Return the same of all runs of the folder, the run itself among them.

        Raises
        ------
        CorruptRecordError, NewerVersionError
            As above.
        """
        return self.others_usd() + self._of(self.run)

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Within the block no other process of this folder decides, and what the others have spent is read again."""
        with folder_lock(self.run.root.parent, self.clock):
            self._looked_at = None
            yield

    def _others(self) -> Iterator[RunDir]:
        experiments = self.run.root.parent
        for path in run_folders(experiments):
            run_id = path.name.removeprefix("run_")
            if path != self.run.root and RUN_ID_PATTERN.fullmatch(run_id):
                yield RunDir(experiments, run_id)

    def _of(self, run: RunDir) -> float:
        stamp = _stamp(run)
        begins_ns = datetime.fromisoformat(f"{self.name}-01").replace(tzinfo=UTC).timestamp() * 1e9
        if all(changed_ns < begins_ns for _, changed_ns, _ in stamp):
            return 0.0
        known = self._known.get(run.root)
        if known is None or known[0] != stamp:
            known = self._known[run.root] = stamp, self._read(run)
        return known[1]

    def _read(self, run: RunDir) -> float:
        if is_dry_run(run) != self.dry_run:
            return 0.0
        try:
            found = whole_ledger(run, "the monthly cap includes its spending")
        except CorruptRecordError:
            if run.root.exists():
                raise
            return 0.0  # it was removed while it was read
        lines = [line for line in found.lines if (line.began or "").startswith(self.name)]
        unpriced = sum(line.rows or 0 for line in lines if is_unpriced(line))
        if unpriced and run.run_id not in self._named:
            self._named.add(run.run_id)
            self.warn(
                f"run {run.run_id} has asked {unpriced:,} requests without a price this month, which the monthly cap "
                "cannot include"
            )
        return sum(committed_of(line).total for line in lines)


def _stamp(run: RunDir) -> _Stamp:
    """Return by what it is seen that records of a run have changed: place, time of change and size of each."""
    found: list[tuple[str, int, int]] = []
    for path in _files(run.root.glob("*/results")):
        with suppress(OSError):
            stat = path.stat()
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in sorted(folders):
        yield from (folder / name for name in _RECORDS)

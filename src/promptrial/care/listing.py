"""All runs in a folder at a glance, read from their files: progress, cost and age. Reads only, takes no lock.

Nothing is hashed, and a run whose state cannot be read is listed as such: one damaged run must not hide the others.
"""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import msgspec

from promptrial import registry
from promptrial.care.run_documents import ListDocument, ListedRun, ListedWord
from promptrial.care.status import RunStatus, pilot_ended, read_status
from promptrial.costs.ledger import spent_usd
from promptrial.errors import NewerVersionError, PromptrialError, UsageError
from promptrial.phases.accounts import read_ledger
from promptrial.runtime.clock import Clock
from promptrial.store.change_records import Seal
from promptrial.store.records import RunState
from promptrial.store.rundir import RUN_ID_PATTERN, RUN_NAME, RunDir, run_folders

__all__ = ["latest_run", "list_runs"]


def list_runs(experiments: Path, clock: Clock) -> ListDocument:
    """List the ``run_*`` folders of a folder; none if it does not exist. Raises ``OSError`` if it cannot be read."""
    found = [_listed(path, clock) for path in run_folders(experiments) if path.is_dir()]
    found.sort(key=lambda run: -_seconds(run.updated_at) if run.updated_at else math.inf)
    return ListDocument(schema_version=1, experiments_dir=str(experiments), runs=tuple(found))


def latest_run(experiments: Path, clock: Clock) -> tuple[str, int]:
    """Return the name of the run that changed last, and how many runs there are.

    Raises
    ------
    UsageError
        If there is none.
    """
    found = [run for run in list_runs(experiments, clock).runs if RUN_ID_PATTERN.fullmatch(run.run_id)]
    if not found:
        raise UsageError(
            f"no runs in {experiments}",
            hint="start one with `promptrial run`, or give their folder with --experiments_dir",
        )
    return found[0].run_id, len(found)


def _listed(path: Path, clock: Clock) -> ListedRun:
    run_id = path.name.removeprefix("run_")
    if not RUN_ID_PATTERN.fullmatch(run_id):
        return _unreadable(run_id, "no_state", f"no name of a run: expected {RUN_NAME}; rename the folder")
    try:
        run = RunDir(path.parent, run_id)
        return _described(run, read_status(run, clock), clock)
    except UsageError as error:  # there is no state
        return _unreadable(run_id, "no_state", error.message)
    except NewerVersionError as error:
        return _unreadable(run_id, "newer", error.message)
    except PromptrialError as error:  # a damaged record, or something other than a file in place of the lock
        return _unreadable(run_id, "damaged", error.message)
    except OSError as error:
        return _unreadable(run_id, "damaged", f"{error.filename or path}: {error.strerror or error}")


def _unreadable(run_id: str, word: ListedWord, problem: str) -> ListedRun:
    return ListedRun(
        run_id=run_id, status=word, phases=None, answers=None, expected_answers=None, usd=None, updated_at=None,
        age_s=None, migrated=False, dry_run=False, problem=problem,
    )  # fmt: skip


def _described(run: RunDir, status: RunStatus, clock: Clock) -> ListedRun:
    state = status.state
    updated = _last_update(state)
    return ListedRun(
        run_id=run.run_id,
        status=status.word,
        phases=_phases(status),
        answers=status.rows,
        expected_answers=status.expected_rows,
        usd=spent_usd(read_ledger(run)),
        updated_at=updated,
        age_s=None if updated is None else _age_s(updated, clock),
        migrated=state.migrated is True,
        dry_run=state.dry_run is True,
        problem=None,
        at_cap=status.at_cap or msgspec.UNSET,
        pilot_ended=(not status.working and pilot_ended(state) is not None) or msgspec.UNSET,
        sealed=isinstance(state.seal, Seal) or msgspec.UNSET,
        aa=state.aa is True or msgspec.UNSET,
    )


def _phases(status: RunStatus) -> str:
    """Return how many phases are completed, and how far the one is that comes next."""
    phases = [(name, status.state.phases[name].status) for name in registry.PHASES]
    left = [name for name, word in phases if word != "completed"]
    text = f"{len(phases) - len(left)}/{len(phases)}"
    if not left:
        return text
    begun = next((name for name, word in phases if word not in {"completed", "not_started"}), left[0])
    progress = status.progress.get(begun)
    return f"{text} {begun}" + (f" {progress.done} of {progress.total} {progress.unit}" if progress else "")


def _last_update(state: RunState) -> str | None:
    """Return the latest time in a state; None if it has none, or none that can be read."""
    times = [phase.updated_at for phase in state.phases.values()]
    times += [state.last_checkpoint.timestamp if state.last_checkpoint else None]
    return max((time for time in times if time and not math.isnan(_seconds(time))), key=_seconds, default=None)


def _seconds(time: str) -> float:
    """Return a time as seconds since 1970; NaN if it cannot be read."""
    try:
        moment = dt.datetime.fromisoformat(time)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _age_s(time: str, clock: Clock) -> float:
    """Return the seconds since a time; a clock that was set back makes that 0, never less."""
    return round(max(0.0, clock.timestamp() - _seconds(time)), 3)

"""How far a run is, from its files alone: one word, and what each phase has done. Reads only, and takes no lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from promptrial.errors import UsageError
from promptrial.store import jsonl, records
from promptrial.store.lock import Holder, holder
from promptrial.store.records import Manifest, RunState
from promptrial.store.rundir import RunDir

__all__ = ["RunStatus", "find_run", "read_status"]


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run at a glance.

    ``word`` is ``running``, ``stopping``, ``finished``, ``stopped``, ``failed``, ``crashed`` (a phase was in progress,
    and the process that worked on it is gone) or ``incomplete``. ``rows`` and ``expected_rows`` count answers on disk
    and requests built; None before the build phase.
    """

    word: str
    state: RunState
    holder: Holder | None
    rows: int | None
    expected_rows: int | None


def find_run(experiments: Path, run_id: str) -> RunDir:
    """Return a run that exists.

    Raises
    ------
    UsageError
        If there is no run of that name.
    """
    run = RunDir(experiments, run_id)
    if not run.root.is_dir():
        known = sorted(path.name.removeprefix("run_") for path in experiments.glob("run_*") if path.is_dir())
        raise UsageError(f"no run {run_id} in {experiments}", hint=f"known runs: {', '.join(known[-10:]) or 'none'}")
    return run


def read_status(run: RunDir) -> RunStatus:
    """Read how far a run is.

    Raises
    ------
    UsageError
        If the run has no state yet.
    CorruptRecordError
        If its state is damaged.
    """
    try:
        state = records.load(run.state_path, RunState)
    except FileNotFoundError:
        raise UsageError(
            f"run {run.run_id}: {run.state_path} is not there",
            hint=f"look what would be done: promptrial plan --run_id {run.run_id}",
        ) from None
    by = holder(run.lock_path)
    working = by is not None and by.works
    rows, expected = _rows(run)
    return RunStatus(_word(state, working=working, asked=run.sentinel_path.exists()), state, by, rows, expected)


def _word(state: RunState, *, working: bool, asked: bool) -> str:
    statuses = {phase.status for phase in state.phases.values()}
    if working:
        return "stopping" if asked or state.stop_requested else "running"
    for status, word in (("in_progress", "crashed"), ("failed", "failed"), ("stopped", "stopped")):
        if status in statuses:
            return word
    return "finished" if statuses == {"completed"} else "incomplete"


def _rows(run: RunDir) -> tuple[int | None, int | None]:
    try:
        built = records.load(run.batch_inputs / "manifest.json", Manifest)
    except FileNotFoundError:
        return None, None
    found = 0
    for row in built.facts["parts"]:
        trial = run.trial(row["trial_slug"])
        path = trial.part_results(row["part"])
        found += row["rows"] if path.exists() else jsonl.count(trial.part_rows(row["part"]))
    return found, built.facts["requests"]

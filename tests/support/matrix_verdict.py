"""What must hold of a run in the fault matrix, at every end of a process and at the last: its files beside the ledger.

Nothing runs here. The ledger is the emulator's: what it accepted, in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl
from promptrial.store.part_records import Intent, PartRecord
from promptrial.store.rundir import RunDir, TrialDir
from tests.support.crash_lab import RUN, wreck_problems
from tests.support.matrix_cases import Case
from tests.support.matrix_vendors import KEY, MatrixVendor

__all__ = ["final_problems", "parts_of", "problems_of_wreck"]

_PARTS: Final = 2
_MOST_ATTEMPTS: Final = 3
Ledger = Sequence[dict[str, Any]]


def parts_of(folder: Path) -> dict[str, PartRecord]:
    """Return what a run's records say of its parts, the journal folded in."""
    found: dict[str, PartRecord] = {}
    for trial in _trials(folder):
        manifest = trial.load_manifest()
        found |= manifest.parts if manifest is not None else {}
    return found


def problems_of_wreck(vendor: MatrixVendor, folder: Path, ledger: Ledger) -> Iterator[str]:
    """Yield what must never be seen, however a process ended."""
    yield from _record_problems(folder)
    intents = {vendor.mark_of(intent.key) for part in parts_of(folder).values() for intent in part.intents}
    for key, times in Counter(vendor.key_of(row["facts"]) for row in _of(vendor.create, ledger)).items():
        if key not in intents:
            yield f"job {key} was paid for, and no intent names it"
        if times > 1:
            yield f"job {key} was created {times} times"
    for path in folder.rglob("*"):
        if path.is_file() and KEY.encode() in path.read_bytes():
            yield f"{path.name} holds the key"


def final_problems(case: Case, folder: Path, ledger: Ledger, *, may_park: bool, parked: bool) -> Iterator[str]:
    """Yield what is wrong with what the last process left.

    With ``may_park``, an attempt that was parked and then given up with permission to pay again may have no job; with
    ``parked``, a part may have stayed without one.
    """
    yield from _record_problems(folder, finished=True)
    yield from (f"{path.name} is left over" for path in folder.rglob("*.tmp"))
    parts, jobs = parts_of(folder), _of(case.vendor.create, ledger)
    wanted = _PARTS + case.another_job
    least = _PARTS if case.loses_answers else wanted  # a job that is gone may have left its output: that is fetched
    if len(jobs) > wanted or (len(jobs) < least and not parked):
        yield f"{len(jobs)} jobs were created, not {wanted}"
    intents = [intent for part in parts.values() for intent in part.intents]
    given_up = {"expired", "unknown"} if parked else {"expired"}
    excused = [intent for intent in intents if may_park and intent.job is None and intent.status in given_up]
    yield from _ledger_problems(case.vendor, jobs, [intent for intent in intents if intent not in excused])
    if not (case.loses_requests or case.hides_requests):
        made = Counter(case.vendor.upload_of(row) for row in _of(case.vendor.upload, ledger))
        yield from (f"data set {name} was made {times} times" for name, times in made.items() if times > 1)
    for part in parts:
        yield from _asked_again(folder, part)


def _record_problems(folder: Path, *, finished: bool = False) -> Iterator[str]:
    """Yield what is wrong with the files of a run; what a vendor has garbled is kept as it came."""
    for problem in wreck_problems(folder, finished=finished):
        if not problem.startswith(("results.", "quarantine.")):
            yield problem


def _ledger_problems(vendor: MatrixVendor, jobs: Ledger, intents: Sequence[Intent]) -> Iterator[str]:
    """Compare what was paid for with what is on record as meant."""
    rows = {vendor.key_of(row["facts"]): row["facts"]["rows"] for row in jobs}
    names = {vendor.key_of(row["facts"]): row["id"] for row in jobs}
    named = Counter(intent.key for intent in intents)
    yield from (f"two intents have the key {key}" for key, times in named.items() if times > 1)
    for intent in intents:
        mark = vendor.mark_of(intent.key)
        if mark not in rows:
            yield f"intent {intent.key} ({intent.status}) has no job"
        elif intent.rows != rows[mark]:
            yield f"intent {intent.key} is of {intent.rows} requests, its job of {rows[mark]}"
        elif intent.job != names[mark]:
            yield f"intent {intent.key} has the job {intent.job}, not {names[mark]}"


def _asked_again(folder: Path, part: str) -> Iterator[str]:
    """Yield the requests that were answered and asked again anyway."""
    for trial in _trials(folder):
        answered: set[str] = set()
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            place = trial.part_results(part).parent
            asked, results = place / f"requests.a{attempt}.jsonl", place / f"results.a{attempt}.jsonl"
            again = answered & set(_ids(asked))
            yield from (f"{wire_id} was asked again" for wire_id in sorted(again))
            answered |= set(_ids(results))


def _ids(path: Path) -> Iterator[str]:
    """Yield the readable ids in a file; none if it is missing."""
    for line in jsonl.lines(path) if path.exists() else ():
        try:
            yield row_id(line)
        except ValueError:
            continue


def _trials(folder: Path) -> Iterator[TrialDir]:
    run = RunDir(folder / RUN.parent, "r")
    for path in run.root.glob("*/results"):
        yield run.trial(path.parent.name)


def _of(operation: str, ledger: Ledger) -> Ledger:
    return [row for row in ledger if row["operation"] == operation]

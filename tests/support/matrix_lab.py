"""Where the fault matrix is worked through: a run of two arms at an emulator, its kill, its resumes, and the verdict.

As in ``crash_lab``, everything is imported and run once before the first fork. A run begins with its requests built,
for before that it makes no call. The emulator works in a process of its
own, is told to forget everything before each case, and keeps the ledger that the verdict goes by.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from promptrial.providers.fireworks import FireworksProvider
from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl
from promptrial.store.records import Intent, PartRecord
from promptrial.store.rundir import RunDir, TrialDir
from tests.support import matrix_kills
from tests.support.crash_lab import RUN, in_fork, wreck_problems
from tests.support.emulator_client import EmulatorClient
from tests.support.matrix_cases import Case, Kill, Step, steps_of
from tests.support.matrix_emulator import ACCOUNT, KEY
from tests.support.project import Outcome, Project

__all__ = ["MatrixLab", "Verdict"]

_MOST_RESUMES: Final = 4
_PARTS: Final = 2
_TABLES: Final = ("predictions.csv", "predictions.parquet", "results_combined.jsonl")
_EXECUTION: Final = {
    # Only the emulator's clock counts for jobs, and that moves with calls: what is long here saves calls.
    "poll_interval_s": 600.0,
    "longest_poll_interval_s": 1200.0,
}


@dataclass(kw_only=True)
class Verdict:
    """What became of a case: whether a process was killed, how many resumes it took, what was wrong.

    ``parked`` says that a part ended as ``unknown``, as it may where the vendor does not refuse a second job of a key.
    """

    killed: bool = False
    resumes: int = 0
    parked: bool = False
    problems: list[str] = field(default_factory=list)
    tables: dict[str, bytes] = field(default_factory=dict)


class MatrixLab:
    """The experiment, ready in a folder, and the emulator that it is sent to.

    Parameters
    ----------
    root : Path
        An empty folder.
    url : str
        Where the emulator is.
    """

    def __init__(self, root: Path, url: str) -> None:
        self._emulator = EmulatorClient(url, KEY, ACCOUNT)
        self._cases = 0
        self._alone: dict[str, dict[str, bytes]] = {}
        root.mkdir()
        self.enter(root)
        self._start = _experiment(root / "start").root
        # Once in this very process, so that everything is imported before it is forked.
        _here(self._start, lambda: Project(Path()).run("--to_step", "build"))
        _here(self._folder(), _run)
        self.steps = self._measured()
        self._whole = self._examined(Case(step=self.steps[0])).tables

    def enter(self, root: Path) -> None:
        """Work in this empty folder from now on."""
        self._root = root
        where = {"FIREWORKS_API_BASE": self._emulator.url, "FIREWORKS_API_KEY": KEY, "FIREWORKS_ACCOUNT_ID": ACCOUNT}
        os.environ.update(where)

    def examine(self, case: Case) -> Verdict:
        """Carry out a case and say what is wrong with how it ends."""
        verdict = self._examined(case)
        expected = self._alone_of(case) if case.other_rows else self._whole
        if case.last_code == 0 and not verdict.parked:
            verdict.problems += [
                f"{name} differs" for name in _TABLES if verdict.tables.get(name) != expected.get(name)
            ]
        return verdict

    # --- an undisturbed run ----------------------------------------------------------------------------------------

    def _measured(self) -> list[Step]:
        """Return the calls of an undisturbed run that are looked at: those about the control arm, and about no arm."""
        folder = self._folder()

        def list_calls() -> Outcome:
            calls: list[tuple[Step, str]] = []

            def at(moment: str, step: Step, path: str) -> None:
                if moment == "before":
                    calls.append((step, path))

            matrix_kills.watch_calls(at)
            outcome = _run()
            Path("calls").write_text("".join(f"{step.operation} {step.nth} {path}\n" for step, path in calls))
            return outcome

        _require(in_fork(folder, list_calls).code, _last_words(folder))
        rows = [line.split() for line in (folder / "calls").read_text().splitlines()]
        calls = [Step(operation, int(nth)) for operation, nth, _ in rows]
        key = next(part.intents[0].key for name, part in _parts(folder).items() if "control" in name)
        # The second creation of its kind is for the other arm; its path does not say so.
        ours = [key in path or ("pt-" not in path and nth == "1") for _, nth, path in rows]
        return steps_of(calls, [mine and step.operation != "get_model" for mine, step in zip(ours, calls, strict=True)])

    def _alone_of(self, case: Case) -> dict[str, bytes]:
        """Return what a fault alone ends with, without a kill."""
        alone = replace(case, kill=None)
        if str(alone) not in self._alone:
            self._alone[str(alone)] = self._examined(alone).tables
        return self._alone[str(alone)]

    # --- a case ------------------------------------------------------------------------------------------------------

    def _examined(self, case: Case) -> Verdict:
        folder, verdict = self._folder(), Verdict()
        if case.fault:
            self._emulator.plain.post(f"{self._emulator.url}/__emu/faults", json=[case.rule]).raise_for_status()
        code = self._live(folder, case.kill, verdict)
        while code != 0 and verdict.resumes < _MOST_RESUMES:
            if verdict.resumes == 1 and case.lasting:
                self._emulator.clear_faults()
            flags = self._help(case, folder, verdict)
            verdict.resumes += 1
            code = self._resume(folder, verdict, flags)
        verdict.parked = not FireworksProvider.keyed and _is_parked(folder)
        if code != (1 if verdict.parked else case.last_code):
            verdict.problems.append(f"the last resume ended with {code}: {_last_words(folder)}")
        if case.endured and verdict.resumes and not verdict.parked:
            verdict.problems.append("the run did not outlast it: a resume was needed")
        verdict.problems += self._final_problems(case, folder, parked=verdict.parked)
        verdict.tables = {path.name: path.read_bytes() for name in _TABLES for path in folder.rglob(name)}
        shutil.rmtree(folder)
        return verdict

    def _live(self, folder: Path, kill: Kill | None, verdict: Verdict) -> int:
        def work() -> Outcome:
            if kill is not None:
                matrix_kills.arrange(kill)
            return _run()

        ended = in_fork(folder, work)
        verdict.killed = ended.code == -signal.SIGKILL
        verdict.problems += self._wreck_problems(folder)
        return ended.code

    def _resume(self, folder: Path, verdict: Verdict, flags: tuple[str, ...]) -> int:
        code = in_fork(folder, partial(_run, *flags)).code
        verdict.problems += self._wreck_problems(folder)
        return code

    def _help(self, case: Case, folder: Path, verdict: Verdict) -> tuple[str, ...]:
        """Do what a person does who reads how the last process ended."""
        said = _last_words(folder)
        if case.variant == "stuck" and "has not ended within" in said:
            self._emulator.http.delete(f"batchInferenceJobs/{said.partition('job ')[2].split()[0]}")
        return (
            ("--rebuy",)
            if (case.loses_answers or case.variant == "stuck") and verdict.resumes > 0 and "--rebuy" in said
            else ()
        )

    # --- the verdict -----------------------------------------------------------------------------------------------

    def _wreck_problems(self, folder: Path) -> Iterator[str]:
        """Yield what must never be seen, however a process ended."""
        yield from _record_problems(folder)
        intents = {intent.key for part in _parts(folder).values() for intent in part.intents}
        created = Counter(row["facts"]["display_name"] for row in self._emulator.ledger("create_job"))
        for key, times in created.items():
            if key not in intents:
                yield f"job {key} was paid for, and no intent names it"
            if times > 1:
                yield f"job {key} was created {times} times"
        for path in folder.rglob("*"):
            if path.is_file() and KEY.encode() in path.read_bytes():
                yield f"{path.name} holds the key"

    def _final_problems(self, case: Case, folder: Path, *, parked: bool) -> Iterator[str]:
        yield from _record_problems(folder, finished=True)
        yield from (f"{path.name} is left over" for path in folder.rglob("*.tmp"))
        jobs = self._emulator.ledger("create_job")
        parts = _parts(folder)
        intents = [intent for part in parts.values() for intent in part.intents]
        wanted = _PARTS + case.another_job
        if len(jobs) > wanted or (len(jobs) < wanted and not parked):
            yield f"{len(jobs)} jobs were created, not {wanted}"
        yield from _ledger_problems(jobs, [intent for intent in intents if intent.status != "unknown" or not parked])
        if not case.loses_requests:
            made = Counter(row["id"] for row in self._emulator.ledger("create_dataset"))
            yield from (f"data set {name} was made {times} times" for name, times in made.items() if times > 1)
        for part in parts:
            yield from _asked_again(folder, part)

    def _folder(self) -> Path:
        """Return a new folder in which the experiment can be run, before an emulator that knows nothing of it."""
        self._emulator.plain.delete(f"{self._emulator.url}/__emu/state").raise_for_status()
        self._cases += 1
        folder = self._root / str(self._cases)
        folder.mkdir()
        (folder / "config").symlink_to(self._start / "config")
        if (self._start / RUN).exists():
            shutil.copytree(self._start / RUN, folder / RUN)
        return folder


def _experiment(root: Path) -> Project:
    """Make one trial of two arms with four requests each, at Fireworks."""
    root.mkdir()
    project = Project.make(root)
    project.write_config(
        {
            "provider": "fireworks",
            "models": {"m1": {"id": "accounts/fireworks/models/small"}},
            "limit_items": 2,
            "parts_per_dataset": 1,
            "pricing": None,
            "execution": _EXECUTION,
        }
    )
    return project


def _here(folder: Path, work: Callable[[], Outcome]) -> None:
    """Do some work that must succeed in this process, in a folder."""
    home = Path.cwd()
    os.chdir(folder)
    outcome = work()
    os.chdir(home)
    _require(outcome.code, outcome.err)


def _run(*flags: str) -> Outcome:
    """Take the run in the current folder from its built requests to its predictions; what it says is kept."""
    outcome = Project(Path()).run("--resume", "--to_step", "parse", *flags)
    with Path("said").open("a") as said:
        said.write(outcome.out + outcome.err)
    Path("last words").write_text(outcome.err)
    return outcome


def _last_words(folder: Path) -> str:
    path = folder / "last words"
    return path.read_text()[-1500:] if path.exists() else ""


def _require(code: int, said: str) -> None:
    if code != 0:
        raise RuntimeError(f"an undisturbed run ended with {code}: {said}")


def _record_problems(folder: Path, *, finished: bool = False) -> Iterator[str]:
    """Yield what is wrong with the files of a run; what a vendor has garbled is kept as it came."""
    for problem in wreck_problems(folder, finished=finished):
        if not problem.startswith(("results.", "quarantine.")):
            yield problem


def _parts(folder: Path) -> dict[str, PartRecord]:
    """Return what a run's records say of its parts, the journal folded in."""
    found: dict[str, PartRecord] = {}
    for trial in _trials(folder):
        manifest = trial.load_manifest()
        found |= manifest.parts if manifest is not None else {}
    return found


def _trials(folder: Path) -> Iterator[TrialDir]:
    run = RunDir(folder / RUN.parent, "r")
    for path in run.root.glob("*/results"):
        yield run.trial(path.parent.name)


def _is_parked(folder: Path) -> bool:
    return any(part.status == "unknown" for part in _parts(folder).values())


def _ledger_problems(jobs: list[dict[str, Any]], intents: list[Intent]) -> Iterator[str]:
    """Compare what was paid for with what is on record as meant."""
    named, created = Counter(intent.key for intent in intents), {row["id"]: row for row in jobs}
    yield from (f"two intents have the key {key}" for key, times in named.items() if times > 1)
    for intent in intents:
        if intent.key not in created:
            yield f"intent {intent.key} ({intent.status}) has no job"
        elif intent.rows != created[intent.key]["facts"]["rows"]:
            yield f"intent {intent.key} is of {intent.rows} requests, its job of {created[intent.key]['facts']['rows']}"
        elif intent.job != intent.key:
            yield f"intent {intent.key} has the job {intent.job}"


def _asked_again(folder: Path, part: str) -> Iterator[str]:
    """Yield the requests that were answered, and were asked again all the same."""
    for trial in _trials(folder):
        answered: set[str] = set()
        for attempt in range(1, _MOST_RESUMES):
            place = trial.part_results(part).parent
            asked = place / f"requests.a{attempt}.jsonl"
            again = answered & {row_id(line) for line in jsonl.lines(asked)} if asked.exists() else set()
            yield from (f"{wire_id} was asked again" for wire_id in sorted(again))
            results = place / f"results.a{attempt}.jsonl"
            answered |= set(_ids(results)) if results.exists() else set()


def _ids(path: Path) -> Iterator[str]:
    for line in jsonl.lines(path):
        try:
            yield row_id(line)
        except ValueError:
            continue

"""Where the fault matrix is worked through: a run of two arms at an emulator, its kill, its resumes, and its tables.

As in ``crash_lab``, everything is imported and run once before the first fork. A run begins with its requests built,
for before that it makes no call. The emulator works in a process of its
own, is told to forget everything before each case, and keeps the ledger that ``matrix_verdict`` goes by.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from promptrial import registry
from tests.support import matrix_kills
from tests.support.crash_lab import RUN, in_fork
from tests.support.emulator_client import EmulatorClient
from tests.support.matrix_cases import Case, Kill, Step, steps_of
from tests.support.matrix_vendors import ACCOUNT, KEY, VENDORS, MatrixVendor
from tests.support.matrix_verdict import final_problems, parts_of, problems_of_wreck
from tests.support.project import Outcome, Project

__all__ = ["MatrixLab", "Verdict"]

_MOST_RESUMES: Final = 4
_TABLES: Final = ("predictions.csv", "predictions.parquet", "results_combined.jsonl")
_EXECUTION: Final = {
    # Only the emulator's clock counts for jobs, and that moves with calls: what is long here saves calls.
    "poll_interval_s": 600.0,
    "longest_poll_interval_s": 1200.0,
    "outage_s": 1.0,  # an outage is borne in real time
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
    vendor : str
        The provider that is asked.
    """

    def __init__(self, root: Path, url: str, vendor: str = "fireworks") -> None:
        self._vendor = VENDORS[vendor]
        self._emulator = EmulatorClient(url, KEY, ACCOUNT)
        self._cases = 0
        self._known: dict[str, dict[str, bytes]] = {}
        root.mkdir()
        self.enter(root)
        self._start = _experiment(root / "start", self._vendor, url).root
        # Once in this very process, so that everything is imported before it is forked.
        _here(self._start, lambda: Project(Path()).run("--to_step", "build"))
        _here(self._folder(), _run)
        self.steps = self._measured()
        self._whole = self._examined(Case(vendor=self._vendor, step=self.steps[0])).tables

    def enter(self, root: Path) -> None:
        """Work in this empty folder from now on."""
        self._root = root
        os.environ.update(self._vendor.variables(self._emulator.url))

    def examine(self, case: Case) -> Verdict:
        """Carry out a case and say what is wrong with how it ends."""
        verdict = self._examined(case)
        if not verdict.parked:
            wanted = self._alone(case) if case.other_rows else [self._whole]
            differing = [[name for name in _TABLES if verdict.tables.get(name) != each.get(name)] for each in wanted]
            verdict.problems += [f"{name} differs" for name in min(differing, key=len)]
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
        mine, others = (self._names(folder, arm) for arm in ("control", "treatment"))
        # The second creation of its kind is for the other arm; its path does not say so.
        ours = [_holds(path, mine) or (not _holds(path, others) and nth == "1") for _, nth, path in rows]
        return steps_of(
            calls,
            [each and step.operation not in self._vendor.unmeasured for each, step in zip(ours, calls, strict=True)],
        )

    def _names(self, folder: Path, arm: str) -> set[str]:
        """Return what an arm's requests, job and output are called, by us and by the vendor."""
        keys = {part.intents[0].key for name, part in parts_of(folder).items() if arm in name}
        vendor = self._vendor
        marks = {vendor.mark_of(key) for key in keys}
        jobs = [row for row in self._emulator.ledger(vendor.create) if vendor.key_of(row["facts"]) in marks]
        state = self._emulator.plain.get(f"{self._emulator.url}/__emu/state").json()
        return keys | {name for row in jobs for name in (row["id"], *vendor.names_of(row, state))}

    def _alone(self, case: Case) -> list[dict[str, bytes]]:
        """Return what a fault alone ends with, in either arm.

        After a kill before the first job was created the other arm's may come first: that one need not be looked for.
        """
        found = []
        for nth in (1, 2) if case.kill is not None and case.kill.moment == "before the call" else (1,):
            alone = replace(case, kill=None, step=Step(case.step.operation, nth))
            if str(alone) not in self._known:
                self._known[str(alone)] = self._examined(alone).tables
            found.append(self._known[str(alone)])
        return found

    # --- a case ----------------------------------------------------------------------------------------------------

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
        may_park = not registry.load("provider", self._vendor.provider).keyed
        verdict.parked = may_park and any(part.status == "unknown" for part in parts_of(folder).values())
        if verdict.parked and case.noted:
            verdict.problems.append("a part was parked although a file beside the results names its job")
        if code != (1 if verdict.parked else 0):
            verdict.problems.append(f"the last resume ended with {code}: {_last_words(folder)}")
        if case.endured and verdict.resumes and not verdict.parked:
            verdict.problems.append("the run did not outlast it: a resume was needed")
        verdict.problems += final_problems(case, folder, self._accepted(), may_park=may_park, parked=verdict.parked)
        verdict.tables = {
            path.name: self._vendor.settled(path.read_bytes()) for name in _TABLES for path in folder.rglob(name)
        }
        shutil.rmtree(folder)
        return verdict

    def _accepted(self) -> list[dict[str, Any]]:
        """Return the ledger without the jobs that the vendor took and then had no room for."""
        state = self._emulator.plain.get(f"{self._emulator.url}/__emu/state").json()
        refused = self._vendor.refused(state)
        return [row for row in self._emulator.ledger() if row["id"] not in refused]

    def _live(self, folder: Path, kill: Kill | None, verdict: Verdict) -> int:
        def work() -> Outcome:
            if kill is not None:
                matrix_kills.arrange(kill)
            return _run()

        ended = in_fork(folder, work)
        verdict.killed = ended.code == -signal.SIGKILL
        verdict.problems += problems_of_wreck(self._vendor, folder, self._accepted())
        return ended.code

    def _resume(self, folder: Path, verdict: Verdict, flags: tuple[str, ...]) -> int:
        code = in_fork(folder, partial(_run, *flags)).code
        verdict.problems += problems_of_wreck(self._vendor, folder, self._accepted())
        return code

    def _help(self, case: Case, folder: Path, verdict: Verdict) -> tuple[str, ...]:
        """Do what a person does who reads how the last process ended."""
        said = _last_words(folder)
        stuck = re.search(r"job (\S+) has not ended within", said)
        if case.variant == "stuck" and stuck is not None:
            method, path = self._vendor.cancel_path(stuck[1])
            self._emulator.http.request(method, f"{self._emulator.url}{path}", headers=dict(self._vendor.headers))
        may_rebuy = (case.loses_answers or case.variant == "stuck") and verdict.resumes > 0
        return ("--rebuy",) if may_rebuy and "--rebuy" in said else ()

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


def _holds(path: str, names: set[str]) -> bool:
    return any(name in path for name in names)


def _experiment(root: Path, vendor: MatrixVendor, url: str) -> Project:
    """Make one trial of two arms with four requests each, at a vendor."""
    root.mkdir()
    project = Project.make(root)
    project.write_config(
        {
            "provider": vendor.provider,
            **({"providers": section} if (section := vendor.section(url)) else {}),
            "models": {"m1": {"id": vendor.model}},
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

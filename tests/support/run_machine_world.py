"""One run as the machine sees it: commands in forked processes, and what each of them left. No model of what is right.

Every command is a fork of its own, so whatever a disturbance replaces in it is gone with it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from promptrial.care.status import read_status
from promptrial.errors import CorruptRecordError
from promptrial.store import records
from promptrial.store.records import RunState
from promptrial.store.rundir import RunDir
from tests.support.crash_lab import RUN, in_fork, portrait
from tests.support.crash_vendor import Ledger
from tests.support.project import Outcome, Project
from tests.support.run_machine_faults import UNDIGESTED

__all__ = ["Called", "Planned", "World"]

LOG: Final = "run.log"
LOCK: Final = ".state.lock"
ASKED: Final = "asked.json"
SENTINEL: Final = "STOP_REQUESTED"
STATE: Final = "run_state.json"
CONFIG: Final = "effective_config.yaml"
PRICES: Final = "prices.json"
OF_A_TRIAL: Final = "/trial_manifest.json"
NOT_ON_RECORD: Final = (
    "the configuration that the run was started with is not recorded, so forced changes are not listed"
)
_ASIDE: Final = re.compile(r"\.corrupt\.\d+$|/set_aside/")

Gate = tuple[str, str]
"""A phase and what was decided for it: execute, skip or blocked."""


@dataclass(frozen=True)
class Planned:
    """What ``--plan_only`` says: each phase's gate and reason, and whether the configuration has drifted."""

    gates: tuple[Gate, ...]
    reasons: tuple[str, ...]
    drifted: bool

    @property
    def blocked(self) -> bool:
        """Whether a phase is blocked."""
        return any(verb == "blocked" for _, verb in self.gates)

    @property
    def conditional(self) -> frozenset[str]:
        """The phases that execute only if a phase before them makes other requests than before."""
        pairs = zip(self.gates, self.reasons, strict=True)
        return frozenset(phase for (phase, _), reason in pairs if "only requests that" in reason)


class Called(NamedTuple):
    """How a command ended, what it said, the gates that it logged, and whether its disturbance came about."""

    code: int
    said: str
    gates: tuple[Gate, ...]
    disturbed: bool


class World:
    """A folder with a configuration, a vendor's ledger and perhaps a run.

    Parameters
    ----------
    folder : Path
        As ``crash_lab.Lab.folder`` makes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed = False
        self.run = folder / RUN

    def require(self, holds: bool, otherwise: str) -> None:
        """Fail permanently if a condition does not hold."""
        if not holds:
            self.failed = True
            raise AssertionError(otherwise)

    # --- commands -------------------------------------------------------------------------------------------------

    def plan_is_refused(self, why: str) -> bool:
        """Return whether a plan is refused for a reason; it may change no byte."""
        before = self.digests()
        ended, _ = self._fork("--plan_only", "--json")
        self.require(self.digests() == before, f"the refused plan changed {self.changed(before)}")
        return ended.code == 1 and why in ended.err

    def plan(self, *flags: str) -> Planned:
        """Return what a command would do; it must say so with exit code 0, and change no byte."""
        before = self.digests()
        ended, out = self._fork(*flags, "--plan_only", "--json")
        self.require(ended.code == 0, f"the plan ended with {ended.code}: {ended.err}")
        self.require(self.digests() == before, f"the plan changed {self.changed(before)}")
        document = json.loads(out)
        phases = document["phases"]
        return Planned(
            tuple((row["phase"], row["action"]) for row in phases),
            tuple(row["reason"] for row in phases),
            bool(document["drift"]),
        )

    def call(self, *flags: str, disturb: Callable[[], None] | None = None) -> Called:
        """Run the program with these flags, disturbed if that is asked for."""
        log = self.log()
        kept = log[: log.rfind(b"\n") + 1]
        ended, _ = self._fork(*flags, disturb=disturb)
        self.require(self.log().startswith(kept), "what the log said was changed")
        gates = tuple(_gates(self.log()[len(kept) :]))
        return Called(ended.code, ended.err, gates, (self.folder / "disturbed").exists())

    def _fork(self, *flags: str, disturb: Callable[[], None] | None = None) -> tuple[Outcome, str]:
        for name in ("said", "out", "disturbed"):
            (self.folder / name).unlink(missing_ok=True)

        def work() -> Outcome:
            if disturb is not None:
                disturb()
            outcome = Project(Path()).run(*flags)
            Path("out").write_text(outcome.out)
            return outcome

        ended = in_fork(self.folder, work)
        out = self.folder / "out"
        return Outcome(ended.code, "", ended.said.strip()[-800:]), out.read_text() if out.exists() else ""

    # --- the files on disk ----------------------------------------------------------------------------------------

    def files(self) -> list[str]:
        """Return the files of the run in order, except temporary ones and damaged ones that were renamed."""
        found = (path.relative_to(self.run).as_posix() for path in self.run.rglob("*") if path.is_file())
        return sorted(name for name in found if not name.endswith(".tmp") and not _ASIDE.search(name))

    def records(self) -> list[str]:
        """Return the files among these of which no other one holds a digest."""
        return [name for name in self.files() if name.endswith(UNDIGESTED)]

    def digests(self) -> dict[str, str]:
        """Return the digest of every file of the run, and of the ledger."""
        paths = [*self.run.rglob("*"), *(self.folder / "vendor").glob("*")]
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(paths)
            if path.is_file()
        }

    def changed(self, before: dict[str, str], *but: str) -> list[str]:
        """Return the files that changed, came or went since ``before``, but for some files of the run."""
        now = self.digests()
        names = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
        return sorted(names - {(RUN / name).as_posix() for name in but})

    def leftovers(self) -> list[str]:
        """Return the temporary files that nobody has removed."""
        return sorted(path.name for path in self.run.rglob("*.tmp"))

    def log(self) -> bytes:
        """Return ``run.log``; empty if it is missing."""
        path = self.run / LOG
        return path.read_bytes() if path.exists() else b""

    def state(self) -> Literal["missing", "damaged", "whole"]:
        """Return whether there is a state that loads."""
        try:
            records.load(self.run / STATE, RunState)
        except FileNotFoundError:
            return "missing"
        except CorruptRecordError:
            return "damaged"
        return "whole"

    def origin_is_lost(self) -> bool:
        """Return whether the run has started and no record of its configuration is left."""
        holders = [STATE, *(name for name in self.files() if name.endswith(OF_A_TRIAL))]
        return self.run.exists() and not any(_loads(self.run / name) for name in holders)

    def says_only(self, name: str, drift: str) -> bool:
        """Return whether a record says of changes this one thing."""
        record = json.loads((self.run / name).read_bytes())
        said = record.get("origin", record).get("drift") or []
        return [change["keys"] for change in said] == [[drift]]

    def statuses(self) -> set[str]:
        """Return the different statuses of the phases."""
        return {phase.status for phase in records.load(self.run / STATE, RunState).phases.values()}

    def word(self) -> str:
        """Return what ``promptrial status`` calls the run."""
        return read_status(RunDir(self.folder / RUN.parent, RUN.name.removeprefix("run_"))).word

    def ledger(self) -> Ledger:
        """Return what the vendor was asked."""
        return Ledger.read(self.folder)

    def rows(self) -> dict[str, frozenset[str]]:
        """Return the answers whose lines are whole, as the ledger names them, by the file that holds them."""
        return {
            name: frozenset(_answers(self.run / name))
            for name in self.files()
            if name.endswith(("/results.jsonl", "/results.partial.jsonl"))
        }

    def end(self) -> dict[str, str]:
        """Return the result of the run: a digest of every file, with times in records masked.

        It does not include renamed damaged files and a sentinel that came too late.
        """
        found = portrait(self.folder)
        return {name: digest for name, digest in found.items() if name != SENTINEL and not _ASIDE.search(name)}


def _loads(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return False


def _gates(log: bytes) -> Iterator[Gate]:
    for line in log.split(b"\n")[:-1]:
        event = json.loads(line)
        if event["event"] == "gate":
            yield event["phase"], event["action"]


def _answers(path: Path) -> Iterator[str]:
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            row: dict[str, str] = json.loads(line)
            yield f"{row['job']}/{row['custom_id']}"
        except (ValueError, TypeError, KeyError):
            continue

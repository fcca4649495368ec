"""What must hold in the life of a run: what each command has to end with, may change and may ask for. No drawing here.

What was spoilt from outside is remembered until it is repaired; everything else has to be whole at all times.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from typing import Final

from promptrial import registry
from promptrial.store.lock import RunLock
from tests.support.crash_lab import wreck_problems
from tests.support.run_machine_faults import Fault, spoilt
from tests.support.run_machine_world import (
    ASKED,
    CONFIG,
    LOCK,
    LOG,
    NOT_ON_RECORD,
    OF_A_TRIAL,
    PRICES,
    SENTINEL,
    STATE,
    Called,
    Planned,
    World,
)

__all__ = ["RunModel"]

_PHASES: Final = tuple(registry.PHASES)
_KILLED: Final = -9
_UNIMPORTANT: Final = (LOG, LOCK, SENTINEL)

Disturb = Callable[[], None]


class RunModel:
    """One run, and what is known of it.

    Parameters
    ----------
    world : World
    whole : dict
        What an undisturbed run ends with.
    """

    def __init__(self, world: World, whole: dict[str, str]) -> None:
        self.world = world
        self._whole = whole
        self._spoilt: dict[str, bytes | None] = {}
        self._problems: set[str] = set()
        self._finished = False
        self._origin_lost = False

    # --- what can be done -----------------------------------------------------------------------------------------

    def call(
        self, *flags: str, disturb: Disturb | None = None, exits: tuple[int, ...] = (0,), kills: bool = False
    ) -> int:
        """Run a command, check everything that can be said of it, and return how it ended.

        ``exits`` are the codes with which it may end if its disturbance comes about.
        """
        self._origin_lost = self._origin_lost or self.world.origin_is_lost()
        plan, before, kept, ledger = self._planned(*flags), self.world.digests(), self._kept(), self.world.ledger()
        expected: tuple[int, ...] = (self._expected(flags, plan),)
        called = self.world.call(*flags, disturb=disturb)
        if kills and called.code == _KILLED:
            expected = (_KILLED,)
        elif called.disturbed:
            expected = exits
        self._check_code(called, expected)
        self._check_records()
        self._check_changes(called, before)
        self._check_gates(plan, called)
        self._check_ledger(ledger.lengths, kept)
        if called.code == 0 and set(flags) <= {"--resume", "--force"}:
            self._check_end()
        return called.code

    def onwards(self) -> list[str]:
        """Return the flags that resume the run: none before it has started."""
        return [] if self.world.state() == "missing" else ["--resume"]

    def spoil(self, name: str, fault: Fault, at: int = 0) -> None:
        """Do to a file what a fault does."""
        path = self.world.run / name
        before = path.read_bytes()
        left = spoilt(name, before, fault, at)
        if left is None:
            path.unlink()
        else:
            path.write_bytes(left)
        if name == PRICES:
            self._go_without_prices(before)
            return
        self._spoilt[name] = left
        self._problems |= set(wreck_problems(self.world.folder))
        self._finished = self._finished and name in _UNIMPORTANT

    def _go_without_prices(self, before: bytes) -> None:
        """Without its prices a run does nothing, and says so, until somebody puts them back as they were.

        A run of which no record says whether it kept prices may be one of an earlier version, and goes on without.
        """
        started = self.world.state() != "missing" and not self.world.origin_is_lost()
        if started and CONFIG not in self._spoilt:
            refused = self.world.plan_is_refused(f"{PRICES}: ")
            self.world.require(refused, "a plan was made without the prices")
            digests, ledger = self.world.digests(), self.world.ledger()
            called = self.world.call(*self.onwards())
            self._check_code(called, (1,))
            changed = self.world.changed(digests, *_UNIMPORTANT)
            self.world.require(not changed, f"refused for want of prices, but changed {changed}")
            self.world.require(self.world.ledger() == ledger, "asked for something without prices")
        (self.world.run / PRICES).write_bytes(before)

    def touch(self, name: str) -> None:
        """Change the times of a file, which is no reason to do anything again."""
        before = self.world.plan()
        os.utime(self.world.run / name, (1, 1))
        self.world.require(self.world.plan() == before, "a touched file changed the plan")

    def second_writer(self) -> None:
        """Start a command while another process holds the run."""
        with RunLock(self.world.run / LOCK, since="now"):
            drifted = self.world.plan(*self.onwards()).drifted
            before = self.world.digests()
            called = self.world.call(*self.onwards())
            self._check_code(called, (3 if drifted else 4,))
            self.world.require(not self.world.changed(before), f"refused, but changed {self.world.changed(before)}")

    def finish(self) -> None:
        """Resume the run to its end, which has to be that of an undisturbed one."""
        flags = self.onwards()
        if self.call(*flags) == 3:  # neither what was done nor by which configuration is known: a person has to say so
            self.call(*flags, "--force")

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.world.folder)

    # --- what is known beforehand ---------------------------------------------------------------------------------

    def _planned(self, *flags: str) -> Planned:
        plan = self.world.plan(*flags)
        unsure = self.world.state() != "whole" and CONFIG in self._spoilt
        self.world.require(unsure or not plan.drifted, "nothing changed the configuration, yet the plan says so")
        return plan

    def _expected(self, flags: tuple[str, ...], plan: Planned) -> int:
        state, steps = self.world.state(), bool(set(flags) - {"--resume", "--force"})
        begins = plan.reasons[0] != "not selected"
        if state == "missing":
            if "--resume" in flags or not (begins or CONFIG in self.world.files()):
                return 3
        elif not steps and "--resume" not in flags:
            return 2
        if plan.drifted and "--force" not in flags:
            return 3
        return 1 if plan.blocked else 0

    def _kept(self) -> frozenset[str]:
        """Return the answers that are whole on disk, and of which something is left that says what was asked."""
        known = (
            names
            for file, names in self.world.rows().items()
            if file not in self._spoilt and not (self._origin_lost and self._asked_of(file) in self._spoilt)
        )
        return frozenset().union(*known)

    def _asked_of(self, answers: str) -> str:
        return f"{answers.rpartition('/')[0]}/{ASKED}"

    # --- what must hold afterwards --------------------------------------------------------------------------------

    def _check_code(self, called: Called, expected: tuple[int, ...]) -> None:
        wanted = " or ".join(map(str, expected))
        self.world.require(called.code in expected, f"ended with {called.code} instead of {wanted}: {called.said}")

    def _check_records(self) -> None:
        """State, manifests and lines are whole, except files that were damaged and not repaired yet."""
        for name, left in list(self._spoilt.items()):
            path = self.world.run / name
            if (path.read_bytes() if path.exists() else None) != left:
                del self._spoilt[name]
        problems = set(wreck_problems(self.world.folder))
        self.world.require(problems <= self._problems, f"wrecked: {problems - self._problems}")
        self._problems = problems

    def _check_changes(self, called: Called, before: dict[str, str]) -> None:
        """A refused command changes nothing, a finished run no more than its log; nothing temporary is left."""
        if called.code in {2, 3, 4}:
            self.world.require(not self.world.changed(before), f"refused, but changed {self.world.changed(before)}")
            return
        changed = self.world.changed(before, *_UNIMPORTANT) if self._finished else []
        self.world.require(not changed, f"a finished run changed {changed}")
        if called.code != _KILLED:
            self.world.require(not self.world.leftovers(), f"left over: {self.world.leftovers()}")
            consumed = SENTINEL not in self.world.files()
            self.world.require(called.disturbed or consumed, "a stale sentinel was left")

    def _check_gates(self, plan: Planned, called: Called) -> None:
        """The command did what its plan said, as far as it came."""
        for (phase, planned), (_, done) in zip(plan.gates, called.gates, strict=False):
            maybe = {"skip"} if phase in plan.conditional else set()
            as_planned = done in {planned, *maybe}
            self.world.require(as_planned, f"{phase}: planned to {planned}, but {done}")
        everything = called.code != 0 or len(called.gates) == len(_PHASES)
        self.world.require(everything, f"decided on {called.gates} only")

    def _check_ledger(self, lengths: tuple[int, ...], kept: frozenset[str]) -> None:
        jobs, answers, _ = self.world.ledger()
        asked = Counter(answers[lengths[1] :])
        again = sorted(kept & asked.keys())
        self.world.require(not again, f"asked for again, though on disk: {again}")
        self.world.require(set(asked.values()) <= {1}, f"asked for twice by one process: {asked}")
        self.world.require(len(set(jobs)) == len(jobs), f"created twice: {jobs}")

    def _says_unknown(self, name: str) -> bool:
        return name.endswith((STATE, OF_A_TRIAL)) and self.world.says_only(name, NOT_ON_RECORD)

    def _check_end(self) -> None:
        """The run ended as an undisturbed one does, byte by byte, but for times in records.

        Where every record of what it was started with was lost at once, records say that this is not known.
        """
        end = self.world.end()
        differing = sorted(name for name in end.keys() | self._whole.keys() if end.get(name) != self._whole.get(name))
        # It is made again with the answers alone: nothing goes by it while a record is left.
        differing = [name for name in differing if not (name.endswith(f"/{ASKED}") and name in self._spoilt)]
        if self._origin_lost:
            differing = [name for name in differing if not (name in end and self._says_unknown(name))]
        self.world.require(not differing, f"{differing} differs")
        self.world.require(self.world.statuses() == {"completed"}, f"statuses: {self.world.statuses()}")
        self.world.require(self.world.word() == "finished", f"status says {self.world.word()}")
        self._finished = True

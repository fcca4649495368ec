"""The life of a run as a state machine: what may happen to it, in any order, and what must hold after each step.

Each step is a rule. Before each command its plan is asked for, and the command has to do as the plan said. What the
machine itself has spoilt is remembered until it is repaired; everything else has to be whole at all times. Whatever
happened, each example ends with a plain resume, which has to end as an undisturbed run does.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from promptrial import registry
from promptrial.store.lock import RunLock
from tests.support import run_machine_faults as faults
from tests.support.crash_lab import Lab, wreck_problems
from tests.support.run_machine_faults import DAMAGES, STOPS, Fault, Stop
from tests.support.run_machine_world import CONFIG, LOCK, LOG, SENTINEL, Called, Planned, Whole, World

__all__ = ["RunMachine"]

_PHASES: Final = tuple(registry.PHASES)
_UNIMPORTANT: Final = (LOG, LOCK, SENTINEL)
_EXITS: Final[dict[Stop, int]] = {"sentinel": 5, "SIGTERM": 5, "SIGINT": 5, "SIGTERM twice": 143}
_DOWNLOADED: Final = "/stage_status/downloaded/"
_PREPARED: Final = frozenset({"prepared/open_book.jsonl", "prepared/closed_book.jsonl"})
_ANY: Final = st.integers(0, 1 << 20)
_POINTS: Final = st.one_of(st.integers(0, 40), st.integers(0, 250), st.integers(0, 1200))
_REQUESTS: Final = st.integers(1, 8)
_GATES: Final = st.one_of(
    st.sampled_from(_PHASES).map(lambda name: ("--only_step", name)),
    st.tuples(st.sampled_from(_PHASES), st.sampled_from(_PHASES)).map(
        lambda ends: ("--from_step", min(ends, key=_PHASES.index), "--to_step", max(ends, key=_PHASES.index))
    ),
)


class RunMachine(RuleBasedStateMachine):
    """Drives one run. ``lab`` makes its folders; ``whole`` is what an undisturbed run ends with."""

    lab: ClassVar[Lab]
    whole: ClassVar[Whole]
    forgiving: ClassVar[bool] = True
    """Whether the weaknesses of ``run_machine_known`` are passed over, so that others are found."""
    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.lab.folder())
        self.spoilt: dict[str, bytes | None] = {}
        self.problems: set[str] = set()
        self.lost: set[str] = set()
        self.unaccounted: set[str] = set()
        self.slugs = sorted({name.split("/")[0] for name in self.whole.manifests})
        self.finished = False
        self.failed = False

    # --- commands -------------------------------------------------------------------------------------------------

    @initialize(
        opening=st.sampled_from(("nothing", "to_step", "stop", "kill")),
        step=st.sampled_from(_PHASES[1:]),
        request=_REQUESTS,
        point=_POINTS,
    )
    def begin(self, opening: str, step: str, request: int, point: int) -> None:
        """Bring the run somewhere to start with, so that there are files to do something to."""
        if opening == "to_step":
            self.call("--to_step", step)
        if opening == "stop":
            self.call(disturb=partial(faults.stop_at, request, "sentinel"), exits=5)
        if opening == "kill":
            self.call(disturb=partial(faults.kill_at, point), killed=True)

    @rule()
    def go_on(self) -> None:
        self._step("run" if self.world.state() == "missing" else "resume")
        self.call(*self._onwards())

    @rule(request=_REQUESTS, how=st.sampled_from(STOPS))
    def stop(self, request: int, how: Stop) -> None:
        self._step("stop")
        self.call(*self._onwards(), disturb=partial(faults.stop_at, request, how), exits=_EXITS[how])

    @rule(operation=_POINTS)
    def stop_amid(self, operation: int) -> None:
        self._step("stop")
        called = self.call(*self._onwards(), disturb=partial(faults.stop_amid, operation), exits=None)
        self._check(called is None or called.code in {0, 3, 5}, f"a stop ended with {called}")

    @rule(point=_POINTS)
    def kill(self, point: int) -> None:
        self._step("kill")
        self.call(*self._onwards(), disturb=partial(faults.kill_at, point), killed=True)

    @rule(gate=_GATES, resume=st.booleans())
    def gate(self, gate: tuple[str, ...], resume: bool) -> None:
        self._step("gate")
        self.call(*gate, *(["--resume"] if resume else []))

    @rule(gate=_GATES, point=_POINTS)
    def kill_in_gate(self, gate: tuple[str, ...], point: int) -> None:
        self._step("kill")
        self.call(*gate, disturb=partial(faults.kill_at, point), killed=True)

    @rule(gate=_GATES)
    def plan(self, gate: tuple[str, ...]) -> None:
        self._step("plan")
        self.world.plan(*gate)

    @rule()
    def wrong_command(self) -> None:
        """Start a run that is there, or resume one that is not."""
        self._step("misuse")
        self.call(*([] if self.world.state() != "missing" else ["--resume"]))

    # --- what happens to it from outside --------------------------------------------------------------------------

    @precondition(lambda self: self.world.files())
    @rule(data=st.data(), fault=st.sampled_from(DAMAGES), at=_ANY)
    def corrupt(self, data: st.DataObject, fault: Fault, at: int) -> None:
        self.spoil(data.draw(st.sampled_from(self.world.files()), label="file"), fault, at)

    @precondition(lambda self: self.world.records())
    @rule(data=st.data(), fault=st.sampled_from(DAMAGES), at=_ANY)
    def corrupt_record(self, data: st.DataObject, fault: Fault, at: int) -> None:
        """Damage one of the files that say how far the run is, or hold what is not sealed yet."""
        self.spoil(data.draw(st.sampled_from(self.world.records()), label="file"), fault, at)

    @precondition(lambda self: self.world.files())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.spoil(data.draw(st.sampled_from(self.world.files()), label="file"), "delete")

    def spoil(self, name: str, fault: Fault, at: int = 0) -> None:
        """Do to a file what a fault does; remembered until the file is no longer as the fault left it."""
        if self.forgiving and name == f"{self.slugs[0]}/results/trial_manifest.json":
            return
        self._step("delete" if fault == "delete" else "corrupt")
        path = self.world.run / name
        left = faults.spoilt(name, path.read_bytes(), fault, at)
        if left is None:
            path.unlink()
        else:
            path.write_bytes(left)
        self.spoilt[name] = left
        self.problems |= set(wreck_problems(self.world.folder))
        self.finished = self.finished and name in _UNIMPORTANT
        if name.endswith(("/trial_manifest.json", "/jobs.journal.jsonl")):
            self.lost.add(name.split("/", 1)[0])

    @precondition(lambda self: self.world.files())
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        """Change the times of a file, which is no reason to do anything again."""
        self._step("touch")
        before = self.world.plan()
        os.utime(self.world.run / data.draw(st.sampled_from(self.world.files()), label="file"), (1, 1))
        self._check(self.world.plan() == before, "a touched file changed the plan")

    @precondition(lambda self: self.world.run.exists())
    @rule()
    def leave_sentinel(self) -> None:
        self._step("stale sentinel")
        (self.world.run / SENTINEL).touch()

    @precondition(lambda self: self.world.run.exists())
    @rule()
    def second_writer(self) -> None:
        """Start a command while another process holds the run."""
        self._step("second writer")
        with RunLock(self.world.run / LOCK, since="now"):
            drifted = self.world.plan(*self._onwards()).drifted
            before = self.world.digests()
            called = self.world.call(*self._onwards())
            self._check(called.code == (3 if drifted else 4), f"a second writer ended with {called.code}")
            self._check(not self.world.changed(before), f"a second writer changed {self.world.changed(before)}")

    @rule(request=_REQUESTS)
    def intrude(self, request: int) -> None:
        """Start a second writer while the first one works."""
        self._step("second writer")
        self.call(*self._onwards(), disturb=partial(faults.intrude_at, request, self.world.digests), exits=0)

    # --- what must hold -------------------------------------------------------------------------------------------

    def _onwards(self) -> list[str]:
        return [] if self.world.state() == "missing" else ["--resume"]

    def call(
        self,
        *flags: str,
        disturb: Callable[[], None] | None = None,
        exits: int | None = 0,
        killed: bool = False,
    ) -> Called | None:
        """Run a command, and check everything that can be said of it. ``exits`` is its code if it is disturbed."""
        plan, before, kept = self._planned(*flags), self.world.digests(), self._kept()
        if self.forgiving and self._parses_what_is_not_prepared(plan):
            return None
        expected, ledger = self._expected(flags, plan), self.world.ledger()
        called = self.world.call(*flags, disturb=disturb)
        if killed and called.code == -9:
            expected = -9
        elif called.disturbed:
            expected = called.code if exits is None else exits
        if self.forgiving and "damaged prepared item" in called.said and len(called.gates) == len(_PHASES):
            expected = 1
        self._check(called.code == expected, f"ended with {called.code} instead of {expected}: {called.said}")
        self._repaired()
        problems = set(wreck_problems(self.world.folder))
        self._check(problems <= self.problems, f"wrecked: {problems - self.problems}")
        self.problems = problems
        if called.code in {2, 3, 4}:
            self._check(not self.world.changed(before), f"refused, but changed {self.world.changed(before)}")
            return called
        if self.finished:
            changed = self.world.changed(before, *_UNIMPORTANT)
            self._check(not changed, f"a finished run changed {changed}")
        self._check_gates(plan, called)
        self._check_ledger(ledger.lengths, kept)
        if called.code != -9:
            self._check(not self.world.leftovers(), f"left over: {self.world.leftovers()}")
            self._check(called.disturbed or SENTINEL not in self.world.files(), "a stale sentinel was left")
        if called.code == 0 and set(flags) <= {"--resume", "--force"}:
            self._check_end()
        return called

    def _kept(self) -> frozenset[str]:
        """Return the answers that are whole on disk."""
        if self.forgiving:
            self.unaccounted |= {slug for slug in self.slugs if self._unaccounted(slug)}
        return frozenset().union(
            *(
                names
                for file, names in self.world.rows().items()
                if file not in self.spoilt and file.split("/")[0] not in self.unaccounted
            )
        )

    def _unaccounted(self, slug: str) -> bool:
        """Whether neither the manifest of a trial nor its requests can say whose answers it has."""
        there = self.world.files()
        manifest, built = f"{slug}/results/trial_manifest.json", "batch_inputs/manifest.json"
        gone = {name for name in (manifest, built) if name not in there} | self.spoilt.keys()
        return manifest in gone and any(name == built or name.startswith(f"batch_inputs/{slug}/") for name in gone)

    def _planned(self, *flags: str) -> Planned:
        plan = self.world.plan(*flags)
        unsure = self.world.state() != "whole" and CONFIG in self.spoilt
        self._check(unsure or not plan.drifted, "nothing changed the configuration, yet the plan calls it changed")
        return plan

    def _parses_what_is_not_prepared(self, plan: Planned) -> bool:
        gone = self.spoilt.keys() | (_PREPARED - set(self.world.files()))
        return (
            bool(gone & _PREPARED) and ("parse", "execute") in plan.gates and ("prepare", "execute") not in plan.gates
        )

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

    def _check_gates(self, plan: Planned, called: Called) -> None:
        """The command did what its plan said, as far as it came."""
        for (phase, planned), (_, done) in zip(plan.gates, called.gates, strict=False):
            maybe = phase in plan.conditional or (self.forgiving and phase in plan.unbuilt)
            as_planned = planned == done or (maybe and done == "skip")
            self._check(as_planned, f"{phase}: planned to {planned}, but {done}")
        if called.code == 0:
            self._check(len(called.gates) == len(_PHASES), f"decided on {called.gates} only")

    def _check_ledger(self, lengths: tuple[int, ...], kept: frozenset[str]) -> None:
        jobs, answers, _ = self.world.ledger()
        asked = Counter(answers[lengths[1] :])
        self._check(not kept & asked.keys(), f"asked for again, though on disk: {sorted(kept & asked.keys())}")
        self._check(not asked or max(asked.values()) == 1, f"asked for twice by one process: {asked}")
        self._check(len(set(jobs)) == len(jobs), f"created twice: {jobs}")

    def _check_end(self) -> None:
        """The run ended as an undisturbed one does; of a trial whose manifest was lost, the jobs' names are unknown."""
        end = self.world.end()
        for name in sorted(end.files.keys() | self.whole.files.keys()):
            if name in end.manifests and name.split("/")[0] in self.lost:
                found, wanted = end.manifests[name], self.whole.manifests[name]
                other = {key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)}
                other = {key for key in other if not (self.forgiving and key.startswith(_DOWNLOADED))}
                self._check(not other, f"{name} differs in {sorted(other)}")
            else:
                self._check(end.files.get(name) == self.whole.files.get(name), f"{name} differs")
        self._check(self.world.statuses() == {"completed"}, f"statuses: {self.world.statuses()}")
        self._check(self.world.word() == "finished", f"status says {self.world.word()}")
        self.finished = True

    def _repaired(self) -> None:
        """Forget what was spoilt and is no longer as the machine left it."""
        for name, left in list(self.spoilt.items()):
            path = self.world.run / name
            if (path.read_bytes() if path.exists() else None) != left:
                del self.spoilt[name]

    def _check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.failed = True
            raise AssertionError(otherwise)

    def _step(self, kind: str) -> None:
        self.steps[kind] += 1

    def teardown(self) -> None:
        """Whatever happened: the run can be resumed to its end."""
        try:
            if not self.failed:
                self.finish()
        finally:
            shutil.rmtree(self.world.folder)

    def finish(self) -> None:
        flags = self._onwards()
        called = self.call(*flags)
        if (
            called is not None and called.code == 3
        ):  # neither what was done nor by which configuration is known: a person has to say so
            self.call(*flags, "--force")

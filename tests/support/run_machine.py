"""The life of a run as a state machine: what may happen to it, in any order. What must then hold, the model says.

Each step is a rule. Before each command its plan is asked for, and the command has to do as the plan said. Whatever
happened, each example ends with a plain resume, which has to end as an undisturbed run does.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import ClassVar, Final, Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from promptrial import registry
from tests.support.crash_lab import Lab
from tests.support.run_machine_faults import DAMAGES, STOPS, Fault, Stop, intrude_at, kill_at, stop_amid, stop_at
from tests.support.run_machine_model import RunModel
from tests.support.run_machine_world import SENTINEL, World

__all__ = ["RunMachine"]

Opening = Literal["nothing", "some steps", "a stop", "a kill"]

_PHASES: Final = tuple(registry.PHASES)
_EXITS: Final[dict[Stop, int]] = {"sentinel": 5, "SIGTERM": 5, "SIGINT": 5, "SIGTERM twice": 143}
_OPENINGS: Final[tuple[Opening, ...]] = ("nothing", "some steps", "a stop", "a kill")
_ANYWHERE: Final = st.integers(0, 1 << 20)
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
    whole: ClassVar[dict[str, str]]
    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.lab.folder())
        self.model = RunModel(self.world, self.whole)

    @initialize(opening=st.sampled_from(_OPENINGS), step=st.sampled_from(_PHASES[1:]), request=_REQUESTS, point=_POINTS)
    def begin(self, opening: Opening, step: str, request: int, point: int) -> None:
        """Bring the run somewhere to start with, so that there are files to do something to."""
        if opening == "some steps":
            self.gate(("--to_step", step), resume=False)
        elif opening == "a stop":
            self.stop(request, "sentinel")
        elif opening == "a kill":
            self.kill(point)

    # --- commands -------------------------------------------------------------------------------------------------

    @rule()
    def go_on(self) -> None:
        self._step("run" if self.world.state() == "missing" else "resume")
        self.model.call(*self.model.onwards())

    @rule(request=_REQUESTS, how=st.sampled_from(STOPS))
    def stop(self, request: int, how: Stop) -> None:
        self._step("stop")
        self.model.call(*self.model.onwards(), disturb=partial(stop_at, request, how), exits=(_EXITS[how],))

    @rule(operation=_POINTS)
    def stop_amid(self, operation: int) -> None:
        """Ask for a stop at any moment; one that comes too late stops nothing."""
        self._step("stop")
        self.model.call(*self.model.onwards(), disturb=partial(stop_amid, operation), exits=(0, 5))

    @rule(point=_POINTS)
    def kill(self, point: int) -> None:
        self._step("kill")
        self.model.call(*self.model.onwards(), disturb=partial(kill_at, point), kills=True)

    @rule(gate=_GATES, point=_POINTS)
    def kill_in_gate(self, gate: tuple[str, ...], point: int) -> None:
        self._step("kill")
        self.model.call(*gate, disturb=partial(kill_at, point), kills=True)

    @rule(gate=_GATES, resume=st.booleans())
    def gate(self, gate: tuple[str, ...], resume: bool) -> None:
        self._step("gate")
        self.model.call(*gate, *(["--resume"] if resume else []))

    @rule(gate=_GATES)
    def plan(self, gate: tuple[str, ...]) -> None:
        self._step("plan")
        self.world.plan(*gate)

    @rule(request=_REQUESTS)
    def intrude(self, request: int) -> None:
        """Start a second writer while the first one works."""
        self._step("second writer")
        self.model.call(*self.model.onwards(), disturb=partial(intrude_at, request, self.world.digests))

    @precondition(lambda self: self.world.run.exists())
    @rule()
    def second_writer(self) -> None:
        self._step("second writer")
        self.model.second_writer()

    @rule()
    def wrong_command(self) -> None:
        """Start a run that is there, or resume one that is not."""
        self._step("misuse")
        self.model.call(*([] if self.model.onwards() else ["--resume"]))

    # --- what happens to it from outside --------------------------------------------------------------------------

    @precondition(lambda self: self.world.files())
    @rule(data=st.data(), fault=st.sampled_from(DAMAGES), at=_ANYWHERE)
    def corrupt(self, data: st.DataObject, fault: Fault, at: int) -> None:
        self._step("corrupt")
        self.model.spoil(self._file(data, self.world.files()), fault, at)

    @precondition(lambda self: self.world.records())
    @rule(data=st.data(), fault=st.sampled_from(DAMAGES), at=_ANYWHERE)
    def corrupt_record(self, data: st.DataObject, fault: Fault, at: int) -> None:
        """Damage one of the files that record progress or hold answers that are not sealed yet."""
        self._step("corrupt")
        self.model.spoil(self._file(data, self.world.records()), fault, at)

    @precondition(lambda self: self.world.files())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self._step("delete")
        self.model.spoil(self._file(data, self.world.files()), "delete")

    @precondition(lambda self: self.world.files())
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        self._step("touch")
        self.model.touch(self._file(data, self.world.files()))

    @precondition(lambda self: self.world.run.exists())
    @rule()
    def leave_sentinel(self) -> None:
        self._step("stale sentinel")
        (self.world.run / SENTINEL).touch()

    # --------------------------------------------------------------------------------------------------------------

    @staticmethod
    def _file(data: st.DataObject, names: list[str]) -> str:
        return data.draw(st.sampled_from(names), label="file")

    def _step(self, kind: str) -> None:
        self.steps[kind] += 1

    def teardown(self) -> None:
        """Whatever happened: the run can be resumed to its end."""
        try:
            if not self.world.failed:
                self.model.finish()
        finally:
            self.model.discard()

"""The fault matrix as values: at which call a run meets which fault, and where it is killed. Nothing runs here.

The faults are the emulator's own table, so that a new one joins by itself; the steps are the calls that an undisturbed
run was seen to make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from promptrial_emulator.faults.rules import FAULTS
from tests.support.matrix_vendors import VENDORS, MatrixVendor

__all__ = ["Case", "Kill", "Step", "all_cases", "steps_of"]

Moment = Literal["before the call", "after the call", "before the line after", "after the line after"]
MOMENTS: Final[tuple[Moment, ...]] = (
    "before the call",
    "after the call",
    "before the line after",
    "after the line after",
)
"""When a process is killed: around a call, or around the first line of the journal that follows it."""

_PARTS: Final = 2
_ROLES: Final = 3
"""Calls of one operation have different meanings, the first few; those behind them only repeat the last one's."""
_OF_JOBS: Final = frozenset({"F7", "F9", "F10", "F11", "F12", "F15"})
"""Set when a job is created, and felt later."""
_NEVER_FOR_EVER: Final = _OF_JOBS | {"F8", "F18"}
_TRUE_IF_FOR_EVER: Final = {"vanished", "row_boundary"}
"""Faults that last forever: a vendor that has lost an object, or that omits rows."""
_MORE: Final[Sequence[tuple[str, str, Mapping[str, Any]]]] = (
    ("F2", "json", {"status": 529}),
    ("F7", "hidden", {"delay_s": 250.0}),
    ("F8", "reset", {"delay_s": 250.0}),
    ("F10", "expired", {"share": 0.0}),
    ("F10", "expired", {"share": 1.0}),
    ("F10", "cancelled", {"output": True}),
    ("F11", "code_message", {"share": 1.0}),
    ("F11", "garbage", {"share": 1.0}),
    ("F18", "quota", {"count": 3}),
)
"""Options (or how often it is met) that make another fault of a variant. The delays outlast the settling time."""


class Step(NamedTuple):
    """A call: its operation, and the how-many-th of that operation it is in a run, from 1."""

    operation: str
    nth: int


class Kill(NamedTuple):
    """Where a process is killed."""

    moment: Moment
    step: Step


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run that meets a fault (or none), and is killed (or not).

    ``lasting`` faults are met at that call and at every later one of its operation, also by the first resume. ``made``
    says whether the call comes after a job was created: a vendor that is asked for a job by its key is asked before.
    """

    vendor: MatrixVendor = field(default=VENDORS["fireworks"], repr=False)
    step: Step
    fault: str = ""
    variant: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = False
    kill: Kill | None = None
    made: bool = True

    def __str__(self) -> str:
        options = "".join(f" {name}={value}" for name, value in self.options.items())
        often = " and ever after" if self.lasting else ""
        met = f"{self.fault} {self.variant}{options} at {self.step.operation} {self.step.nth}{often}"
        killed = f"killed {self.kill.moment} {self.kill.step.operation} {self.kill.step.nth}" if self.kill else ""
        return ", ".join(part for part in (met if self.fault else "", killed) if part) or "undisturbed"

    @property
    def rule(self) -> dict[str, Any]:
        """The rule that the emulator is given."""
        return {
            "fault": self.fault,
            "operation": self.step.operation,
            "variant": self.variant,
            "nth": self.step.nth,
            "count": -1 if self.lasting else 1,
            "api": self.vendor.api.name,
            **self.options,
        }

    @property
    def noted(self) -> bool:
        """Whether the process dies once the file beside the results names the job, and before the record does."""
        kill = self.kill
        created = kill is not None and kill.step.operation == self.vendor.create and kill.step.nth <= _PARTS
        return not self.fault and created and kill is not None and kill.moment == "before the line after"

    @property
    def another_job(self) -> bool:
        """Whether one part needs a second job in the end."""
        if self.fault == "F10" and self.options.get("share") == 1.0:
            return False
        return self.loses_answers or self.variant in self.vendor.another_job.get(self.fault, ())

    @property
    def loses_answers(self) -> bool:
        """Whether the vendor loses what was paid for, so that only a person can decide to pay again."""
        if (self.fault, self.variant) == ("F12", "no_rows"):
            return True
        vanished = (self.fault, self.variant) == ("F17", "vanished")
        return vanished and self.step.operation != self.vendor.get_upload and self.made

    @property
    def loses_requests(self) -> bool:
        """Whether the vendor loses what was uploaded."""
        return (self.fault, self.variant) == ("F17", "vanished") and self.step.operation == self.vendor.get_upload

    @property
    def hides_requests(self) -> bool:
        """Whether the vendor does not show what was uploaded when it is looked for: another copy does no harm."""
        hidden = self.fault in {"F7", "F8"} and self.step.operation == self.vendor.upload
        hidden |= self.variant == "hidden" and self.step.operation == self.vendor.get_upload
        return hidden or (self.fault == "F16" and self.step.operation == self.vendor.list_uploads)

    @property
    def other_rows(self) -> bool:
        """Whether the answers are not those of an undisturbed run, and rightly so."""
        return self.variant in self.vendor.other_rows.get(self.fault, ())

    @property
    def endured(self) -> bool:
        """Whether a run must get over it by itself, without a person and a resume."""
        ended = self.variant in {"stuck", "failed", "cancelled", "no_rows"} or "delay_s" in self.options
        unseen = self.variant == "hidden" and self.step.operation in self.vendor.reads
        refused = self.fault == "F17" and not (unseen or self.loses_requests)
        return self.kill is None and not (self.lasting or ended or refused)


def steps_of(calls: Sequence[Step], ours: Sequence[bool]) -> list[Step]:
    """Return the calls in which the part of a run that is looked at differs: per operation the first few and the last.

    Parameters
    ----------
    calls : sequence of Step
        Those of an undisturbed run.
    ours : sequence of bool
        Whether each is about the part that is looked at, or about no part.
    """
    by_operation: dict[str, list[Step]] = {}
    for step, counts in zip(calls, ours, strict=True):
        if counts:
            by_operation.setdefault(step.operation, []).append(step)
    kept = {step for found in by_operation.values() for step in (*found[:_ROLES], found[-1])}
    return [step for step in calls if step in kept]


def all_cases(vendor: MatrixVendor, steps: Sequence[Step]) -> list[Case]:
    """Return every case: each step with each fault that fits it, each killed at each moment, and kills alone."""
    return [
        *(Case(vendor=vendor, step=step, kill=Kill(moment, step)) for step in steps for moment in MOMENTS),
        *(case for step in steps for fault in _faults_at(vendor, step, steps) for case in _around(fault, steps)),
    ]


def _faults_at(vendor: MatrixVendor, step: Step, steps: Sequence[Step]) -> Iterator[Case]:
    first = next(each for each in steps if each.operation == step.operation)
    made = any(each.operation == vendor.create for each in steps[: steps.index(step)])
    for name, kind in FAULTS.items():
        for variant, fits in kind.variants.items():
            if vendor.api.meets(step.operation, fits) and (name not in _OF_JOBS or step == first):
                yield Case(vendor=vendor, step=step, fault=name, variant=variant, made=made)
        for more, variant, options in _MORE:
            if more == name and vendor.api.meets(step.operation, kind.variants[variant]) and step == first:
                yield Case(vendor=vendor, step=step, fault=name, variant=variant, options=options, made=made)


def _around(case: Case, steps: Sequence[Step]) -> Iterator[Case]:
    """Yield a fault without a kill, with a kill at each moment around it, lasting forever, and with later kills."""
    kills: list[Kill | None] = [None, *(Kill(moment, case.step) for moment in MOMENTS)]
    if case.fault in _OF_JOBS and case.step.operation == case.vendor.create:
        later = steps[steps.index(case.step) + 1 :]
        kills += [Kill(moment, step) for step in later for moment in MOMENTS[1:]]
    for kill in kills:
        yield _with(case, kill=kill)
    if case.fault not in _NEVER_FOR_EVER and case.variant not in _TRUE_IF_FOR_EVER:
        yield _with(case, lasting=True)
        yield _with(case, lasting=True, kill=Kill("after the call", case.step))


def _with(case: Case, *, kill: Kill | None = None, lasting: bool = False) -> Case:
    return replace(case, lasting=lasting, kill=kill)

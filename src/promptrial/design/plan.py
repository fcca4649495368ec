"""What each phase would do next, as a value. Pure.

Nothing here reads a file or a clock. ``engine`` gathers the facts (what is done, what is damaged), this module decides,
and the same decision is printed by ``--plan_only`` and followed by a run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from promptrial import registry
from promptrial.errors import UsageError
from promptrial.model.units import RUN, Unit

__all__ = [
    "Action",
    "Fact",
    "FactsOf",
    "InputKind",
    "PhaseSpec",
    "Selection",
    "decide",
    "decide_one",
    "select_phases",
]


@dataclass(frozen=True, slots=True)
class Selection:
    """The phases that were asked for, ``explicit`` when a flag named them, and the trials; None stands for all."""

    phases: frozenset[str]
    explicit: bool
    trials: frozenset[str] | None = None

    def wants(self, unit: Unit) -> bool:
        """Whether a unit was asked for; the whole run always is."""
        return unit.trial is None or self.trials is None or unit.trial in self.trials


def select_phases(only_step: str | None, from_step: str | None, to_step: str | None) -> Selection:
    """Return the phases that ``--only_step`` or ``--from_step``/``--to_step`` select; all nine without them.

    Raises
    ------
    UsageError
        For an unknown name, a range that runs backwards, or ``--only_step`` together with a range.
    """
    names = list(registry.PHASES)
    for flag, name in (("--only_step", only_step), ("--from_step", from_step), ("--to_step", to_step)):
        if name is not None and name not in names:
            raise UsageError(f"{flag}: unknown step {name!r}{registry.near_misses(name, names)}")
    if only_step is not None and (from_step is not None or to_step is not None):
        raise UsageError("--only_step cannot be combined with --from_step or --to_step; phases: " + ", ".join(names))
    if only_step is not None:
        return Selection(frozenset({only_step}), explicit=True)
    first = names.index(from_step) if from_step else 0
    last = names.index(to_step) if to_step else len(names) - 1
    if first > last:
        raise UsageError(f"--from_step {from_step} comes after --to_step {to_step}; the order is: {', '.join(names)}")
    return Selection(frozenset(names[first : last + 1]), explicit=from_step is not None or to_step is not None)


@dataclass(frozen=True, slots=True)
class PhaseSpec:
    """A phase as planning sees it: its name and the phases whose artifacts it reads."""

    name: str
    reads: tuple[str, ...]
    content_addressed: bool = False
    """Whether its work is kept part by part as long as the part's requests are the same, so that a phase upstream that
    runs again does not make it run again."""


InputKind = Literal["program", "scorers", "upstream", "values"]
"""What something is made from: the version of this program (of a phase, a statistic, a table), the scorers (which, of
what settings and version), what other phases have made, and the values of the configuration. The values that a report
is made from hold the program's version."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is on disk of one unit of a phase.

    ``missing`` is empty when the phase is done; otherwise it says what is lacking, in a few words. ``left`` and
    ``total`` count parts where the phase works part by part. ``changed`` says that what it would make may differ from
    what it made before: it never finished, or what it is made from has changed, which is of the kinds in ``differs``.
    ``unsettled`` says that nothing may be lacking after all: that shows when the phases that it reads have run.
    """

    phase: str
    unit: Unit
    missing: str
    left: int | None = None
    total: int | None = None
    changed: bool = False
    unsettled: bool = False
    differs: frozenset[InputKind] = frozenset()

    @property
    def done(self) -> bool:
        """Whether the receipt matches the disk and the plan."""
        return not self.missing


Verb = Literal["execute", "skip", "blocked"]
_ONLY_CHANGED: Final = "re-asks only requests that changed"
_NOT_RUN_YET: Final = "not done yet"
"""What is missing of a unit that has no receipt."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a phase would do, and why. ``units`` are those it would work on.

    ``differs`` are the kinds of what its artifacts were made from that has changed since; none where it only reads of a
    phase that runs again.
    """

    phase: str
    verb: Verb
    reason: str
    units: tuple[Unit, ...] = ()
    done: bool = False
    """Skipped because there is nothing left to do."""
    differs: frozenset[InputKind] = frozenset()

    def __str__(self) -> str:
        if self.verb == "execute":
            return f"to do{self.why}"
        return f"{self.verb} ({self.reason})"

    @property
    def why(self) -> str:
        """The reason in brackets, with a space before it; empty if the phase has simply not run yet."""
        return "" if self.reason == _NOT_RUN_YET else f" ({self.reason})"


def decide(phases: Sequence[PhaseSpec], selection: Selection, facts: Iterable[Fact]) -> tuple[Action, ...]:
    """Decide for every phase, in order, whether it would execute, be skipped or be blocked.

    A phase executes when it is selected and, for some unit, it is not done or a phase that it reads executes. It is
    blocked when something it reads is neither done nor about to be made.
    """
    facts_of = _by_phase(facts).__getitem__
    actions: dict[str, Action] = {}
    for phase in phases:
        actions[phase.name] = decide_one(phase, selection, facts_of, actions)
    return tuple(actions.values())


def _by_phase(facts: Iterable[Fact]) -> defaultdict[str, list[Fact]]:
    """Group facts by their phase; a phase without any has none."""
    by_phase: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_phase[fact.phase].append(fact)
    return by_phase


FactsOf = Callable[[str], list[Fact]]
"""What gives the facts of a phase by its name."""


def decide_one(phase: PhaseSpec, selection: Selection, facts: FactsOf, earlier: Mapping[str, Action]) -> Action:
    """Decide for one phase, given the facts and what was decided (or done) for the phases before it.

    Only the facts that matter are asked for: gathering them reads files.
    """
    if phase.name not in selection.phases:
        return Action(phase.name, "skip", "not selected")
    own = _wanted(facts(phase.name), selection)
    if not own:
        return Action(phase.name, "skip", "nothing to do")
    rerun = [] if phase.content_addressed else [name for name in phase.reads if earlier[name].verb == "execute"]
    units = tuple(fact.unit for fact in own if not fact.done or _touches(fact.unit, rerun, earlier))
    if not units:
        remade = [name for name in phase.reads if _may_change(name, facts, earlier)] if phase.content_addressed else []
        if remade:
            return Action(phase.name, "execute", _ONLY_CHANGED, tuple(f.unit for f in own))
        return Action(phase.name, "skip", "already done", done=True)
    # What the whole run does after its trials waits for every one of them, and blocks none.
    waiting = [unit for unit in units if unit != RUN] or units
    for name in phase.reads:
        if earlier[name].verb == "execute":
            continue
        lacking = next((f for f in facts(name) if not f.done and _among(f.unit, waiting)), None)
        if lacking is not None:
            return Action(phase.name, "blocked", f"needs {name}: {lacking.missing}")
    differs = frozenset(kind for fact in own if not fact.done for kind in fact.differs)
    return Action(phase.name, "execute", _why(own, rerun, units), units, differs=differs)


def _wanted(facts: Sequence[Fact], selection: Selection) -> list[Fact]:
    """Return the facts of the units asked for; the whole run's turn comes only if no other unit is unfinished."""
    waits = any(not fact.done and not selection.wants(fact.unit) for fact in facts)
    return [fact for fact in facts if selection.wants(fact.unit) and not (fact.unit == RUN and waits)]


def _may_change(name: str, facts: FactsOf, earlier: Mapping[str, Action]) -> bool:
    return earlier[name].verb == "execute" and any(fact.changed for fact in facts(name))


def _touches(unit: Unit, rerun: Sequence[str], earlier: Mapping[str, Action]) -> bool:
    return any(_among(unit, earlier[name].units) for name in rerun)


def _among(unit: Unit, units: Sequence[Unit]) -> bool:
    return any(unit.overlaps(other) for other in units)


def _why(own: Sequence[Fact], rerun: Sequence[str], units: Sequence[Unit]) -> str:
    undone = [fact for fact in own if not fact.done]
    if undone and all(fact.unsettled for fact in undone):
        return _ONLY_CHANGED
    totals = [fact.total for fact in undone if fact.total is not None]
    if totals:
        left = sum(fact.left or 0 for fact in undone)
        total = sum(fact.total or 0 for fact in own)
        return f"{left} of {total} parts left"
    known = [fact.unit for fact in own if fact.unit != RUN]
    touched = [unit for unit in known if unit in units]
    noun = "pieces" if any(unit.piece for unit in known) else "trials"
    scope = f"{len(touched)} of {len(known)} {noun}: " if touched and len(known) > 1 else ""
    if undone:
        return scope + undone[0].missing
    return f"{scope}{' and '.join(rerun)} {'runs' if len(rerun) == 1 else 'run'} again"

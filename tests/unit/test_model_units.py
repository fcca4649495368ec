"""A unit of work is the run, a trial or a piece of it; what two of them share decides what concerns which."""

from __future__ import annotations

import itertools

import pytest

from promptrial.design.plan import Action, Fact, PhaseSpec, Selection, decide, decide_one
from promptrial.model.units import RUN, Unit

A, B = Unit("a"), Unit("b")
A1, A2, WAVE_1 = Unit("a", "wave 1"), Unit("a", "wave 2"), Unit(piece="wave 1")
APART = {frozenset(pair) for pair in ((A, B), (A1, B), (A2, B), (A1, A2), (A2, WAVE_1))}
ALL = (RUN, A, B, A1, A2, WAVE_1)


@pytest.mark.parametrize(("one", "other"), list(itertools.product(ALL, ALL)), ids=str)
def test_units_overlap_unless_they_name_different_trials_or_pieces(one: Unit, other: Unit) -> None:
    assert one.overlaps(other) is (frozenset({one, other}) not in APART)


def test_a_phase_in_waves_is_decided_wave_by_wave() -> None:
    waves, reader = PhaseSpec("waves", ()), PhaseSpec("reader", ("waves",))
    facts = [Fact("waves", A1, ""), Fact("waves", A2, "not done yet"), Fact("reader", A1, ""), Fact("reader", A2, "")]
    first, second = decide([waves, reader], Selection(frozenset({"waves", "reader"}), explicit=False), facts)
    assert first.units == second.units == (A2,)
    assert str(first) == "to do (1 of 2 pieces: not done yet)"


def test_only_relevant_facts_are_read_and_an_error_in_them_is_not_missing_work() -> None:
    first, second = PhaseSpec("first", ()), PhaseSpec("second", ("first",))
    asked: list[str] = []

    def facts(name: str) -> list[Fact]:
        asked.append(name)
        if name == "first":
            raise KeyError(name)
        return [Fact(name, RUN, "not done yet")]

    everything = Selection(frozenset({"first", "second"}), explicit=False)
    earlier = {"first": Action("first", "execute", "not done yet", (RUN,))}
    assert decide_one(second, everything, facts, earlier).verb == "execute"
    assert asked == ["second"]  # what has just been made is there
    with pytest.raises(KeyError):
        decide_one(second, everything, facts, {"first": Action("first", "skip", "already done")})
    with pytest.raises(KeyError):
        decide_one(first, everything, facts, {})


def test_an_incomplete_wave_does_not_block_other_waves() -> None:
    waves, reader = PhaseSpec("waves", ()), PhaseSpec("reader", ("waves",))
    facts = [
        Fact("waves", A1, ""),
        Fact("waves", A2, "lost"),
        Fact("reader", A1, "not done yet"),
        Fact("reader", A2, ""),
    ]
    _, action = decide([waves, reader], Selection(frozenset({"reader"}), explicit=True), facts)
    assert (action.verb, action.units) == ("execute", (A1,))
    facts[3] = Fact("reader", A2, "not done yet")
    _, action = decide([waves, reader], Selection(frozenset({"reader"}), explicit=True), facts)
    assert action.verb == "blocked"

"""What each phase would do next, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from promptrial import registry
from promptrial.design.plan import Action, Fact, PhaseSpec, Selection, decide, select_phases
from promptrial.errors import UsageError
from promptrial.model.units import RUN, Unit

PHASES: tuple[PhaseSpec, ...] = tuple(registry.load("phase", name).planned for name in registry.PHASES)
NAMES = tuple(phase.name for phase in PHASES)
WHOLE = ("prepare", "build", "submit", "poll")
ALL = select_phases(None, None, None)


def facts(lacking: Mapping[Any, str], trials: Sequence[str] = ("a",)) -> list[Fact]:
    """Return the facts of a finished run; ``lacking`` says what a phase, or a phase of one trial, lacks."""
    found = []
    for name in NAMES:
        units: list[str | None] = [None] if name in WHOLE else [*trials, *([None] if name == "report" else [])]
        for slug in units:
            found.append(Fact(name, Unit(slug), lacking.get((name, slug), lacking.get(name, ""))))
    return found


def plan(lacking: Mapping[Any, str], selection: Selection = ALL, trials: Sequence[str] = ("a",)) -> dict[str, str]:
    """Return phase -> decision as it is printed."""
    return {action.phase: str(action) for action in decide(PHASES, selection, facts(lacking, trials))}


def test_a_new_run_executes_everything_in_order() -> None:
    actions = decide(PHASES, ALL, facts(dict.fromkeys(NAMES, "not done yet")))
    assert [action.phase for action in actions] == list(NAMES)
    assert {str(action) for action in actions} == {"to do"}


def test_a_finished_run_skips_everything() -> None:
    assert set(plan({}).values()) == {"skip (already done)"}


def test_a_damaged_artifact_makes_its_phase_and_all_that_depend_on_it_run_and_nothing_else() -> None:
    decisions = plan({"score": "per_item_scores.csv damaged"})
    assert decisions["score"] == "to do (per_item_scores.csv damaged)"
    assert decisions["stats"] == decisions["costs"] == "to do (score runs again)"
    assert decisions["report"] == "to do (score and stats and costs run again)"
    assert {decisions[name] for name in (*WHOLE, "parse")} == {"skip (already done)"}


def test_a_lost_leaf_makes_only_itself_run() -> None:
    decisions = plan({"costs": "costs.json missing"})
    assert [name for name, text in decisions.items() if text.startswith("to do")] == ["costs", "report"]


def test_rebuilding_requests_does_not_repeat_paid_work() -> None:
    decisions = plan({"build": "manifest.json missing"})
    assert decisions["submit"] == decisions["poll"] == "skip (already done)"
    assert decisions["parse"] == "to do (build runs again)"


def test_parts_left_are_counted() -> None:
    found = [fact for fact in facts(dict.fromkeys(("parse", "score", "stats", "costs", "report"), "not done yet"))
             if fact.phase != "poll"]  # fmt: skip
    found.append(Fact("poll", RUN, "12 of 24 parts left", 12, 24))
    decisions = {action.phase: str(action) for action in decide(PHASES, ALL, found)}
    assert decisions["submit"] == "skip (already done)"
    assert decisions["poll"] == "to do (12 of 24 parts left)"


def test_parts_left_are_summed_over_the_units_that_count_them() -> None:
    others = [fact for fact in facts({}, trials=("a", "b")) if fact.phase != "parse"]
    lacking = [Fact("parse", Unit("a"), "1 of 2 parts left", 1, 2), Fact("parse", Unit("b"), "not done yet")]
    decisions = {action.phase: str(action) for action in decide(PHASES, ALL, [*others, *lacking])}
    assert decisions["parse"] == "to do (1 of 2 parts left)"


def test_an_unselected_phase_is_skipped_and_blocks_its_dependents() -> None:
    decisions = plan({"score": "per_item_scores missing", "stats": "not done yet"}, select_phases("stats", None, None))
    assert decisions["stats"] == "blocked (needs score: per_item_scores missing)"
    assert {text for name, text in decisions.items() if name != "stats"} == {"skip (not selected)"}


def test_a_blocked_phase_blocks_its_dependents() -> None:
    missing = dict.fromkeys(NAMES, "not done yet")
    decisions = plan(missing, select_phases(None, "build", None))
    assert decisions["prepare"] == "skip (not selected)"
    assert decisions["build"] == "blocked (needs prepare: not done yet)"
    assert decisions["submit"] == "blocked (needs build: not done yet)"
    assert decisions["report"].startswith("blocked (needs prepare")


def test_a_done_phase_is_not_blocked_by_its_inputs() -> None:
    assert plan({"prepare": "open_book.jsonl missing"}, select_phases("build", None, None))["build"] == (
        "skip (already done)"
    )


def test_a_selected_phase_can_run_although_a_later_one_is_not_selected() -> None:
    decisions = plan({"parse": "not done yet", "score": "not done yet"}, select_phases(None, None, "parse"))
    assert decisions["parse"] == "to do"
    assert decisions["score"] == "skip (not selected)"


def test_only_the_trials_that_lack_something_are_worked_on() -> None:
    actions = {a.phase: a for a in decide(PHASES, ALL, facts({("score", "b"): "torn"}, ("a", "b", "c")))}
    assert actions["parse"].units == ()
    assert actions["score"].units == (Unit("b"),)
    assert actions["stats"].units == actions["costs"].units == (Unit("b"),)
    assert actions["report"].units == (Unit("b"), RUN)
    assert str(actions["score"]) == "to do (1 of 3 trials: torn)"
    assert str(actions["stats"]) == "to do (1 of 3 trials: score runs again)"


def test_missing_work_in_one_trial_does_not_block_another() -> None:
    lacking = {("parse", "a"): "missing", ("score", "b"): "missing"}
    (action,) = [a for a in decide(PHASES, select_phases("score", None, None), facts(lacking, ("a", "b")))
                 if a.phase == "score"]  # fmt: skip
    assert action == Action("score", "execute", "1 of 2 trials: missing", (Unit("b"),))


def test_an_action_says_what_kinds_of_input_have_changed() -> None:
    found = [
        Fact("score", Unit("a"), "scorers changed", differs=frozenset({"scorers"})),
        Fact("score", Unit("b"), "plan changed", differs=frozenset({"values"})),
        Fact("score", Unit("c"), ""),
    ]
    (action,) = decide([PhaseSpec("score", ())], ALL, found)
    assert action.differs == {"scorers", "values"}


def test_whole_run_work_touches_every_trial() -> None:
    actions = {a.phase: a for a in decide(PHASES, ALL, facts({"prepare": "gone"}, ("a", "b")))}
    assert actions["score"].units == (Unit("a"), Unit("b"))
    assert actions["report"].units == (Unit("a"), Unit("b"), RUN)


@pytest.mark.parametrize(("lacks", "waits"), [("a", True), ("b", False)])
def test_work_of_the_whole_run_waits_for_unfinished_trials_that_are_not_selected(lacks: str, waits: bool) -> None:
    found = facts({("report", lacks): "gone", ("report", None): "gone"}, ("a", "b"))
    only_b = Selection(ALL.phases, explicit=False, trials=frozenset({"b"}))
    (action,) = [each for each in decide(PHASES, only_b, found) if each.phase == "report"]
    assert action.units == (() if waits else (Unit("b"), RUN))


def test_the_whole_run_is_not_counted_as_a_trial() -> None:
    assert plan({"report": "not done yet"})["report"] == "to do"
    assert plan({("report", None): "aggregate_report.md missing"}, trials=("a", "b"))["report"] == (
        "to do (aggregate_report.md missing)"
    )
    assert plan({"report": "gone"}, trials=("a", "b"))["report"] == "to do (2 of 2 trials: gone)"


def test_a_phase_without_anything_to_work_on_is_skipped() -> None:
    (action,) = decide(PHASES[:1], ALL, [])
    assert str(action) == "skip (nothing to do)"


# --- selection ------------------------------------------------------------------------------------------------------


def test_without_flags_all_nine_phases_are_selected_and_none_by_name() -> None:
    assert ALL.phases == set(registry.PHASES) == set(NAMES)
    assert not ALL.explicit


@pytest.mark.parametrize(
    ("only", "first", "last", "selected"),
    [
        ("parse", None, None, NAMES[4:5]),
        (None, "stats", "report", NAMES[6:]),
        (None, "poll", None, NAMES[3:]),
        (None, None, "build", NAMES[:2]),
        (None, "score", "score", NAMES[5:6]),
    ],
)
def test_flags_select_a_step_or_a_range_with_both_ends(
    only: str | None, first: str | None, last: str | None, selected: tuple[str, ...]
) -> None:
    assert select_phases(only, first, last) == Selection(frozenset(selected), explicit=True)


@pytest.mark.parametrize("flag", [0, 1, 2])
def test_an_unknown_step_names_the_flag_the_near_miss_and_all_nine(flag: int) -> None:
    steps: list[str | None] = [None, None, None]
    steps[flag] = "pars"
    with pytest.raises(UsageError, match="unknown step 'pars'; did you mean 'parse'") as caught:
        select_phases(*steps)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith(("--only_step", "--from_step", "--to_step")[flag])
    assert caught.value.message.endswith("known: " + ", ".join(NAMES))


@pytest.mark.parametrize("steps", [("stats", "parse", None), ("stats", None, "report"), ("stats", "parse", "report")])
def test_one_step_excludes_a_range(steps: tuple[str | None, ...]) -> None:
    with pytest.raises(UsageError, match="--only_step cannot be combined with"):
        select_phases(*steps)


def test_a_range_that_runs_backwards_is_refused_and_lists_the_order() -> None:
    with pytest.raises(UsageError, match=r"--from_step stats comes after --to_step parse.*prepare, build") as caught:
        select_phases(None, "stats", "parse")
    assert caught.value.exit_code == 2


# --- work that is kept part by part ---------------------------------------------------------------------------------


def decided(changes: Mapping[str, Fact]) -> dict[str, str]:
    """Return the decisions on a finished run of one trial with other facts for some phases."""
    known = [changes.get(fact.phase, fact) for fact in facts({})]
    return {action.phase: str(action) for action in decide(PHASES, ALL, known)}


def test_only_parts_whose_requests_change_are_asked_again() -> None:
    decisions = decided({"build": Fact("build", RUN, "plan changed", changed=True)})
    assert decisions["submit"] == decisions["poll"] == "to do (re-asks only requests that changed)"
    assert decisions["parse"] == "to do (build and poll run again)"


def test_a_started_part_that_lost_its_requests_is_asked_again_only_if_they_change() -> None:
    lost = {name: Fact(name, Unit("a"), "requests not built yet", unsettled=True) for name in ("submit", "poll")}
    decisions = decided(lost | {"build": Fact("build", RUN, "not done yet")})
    assert decisions["submit"] == decisions["poll"] == "to do (re-asks only requests that changed)"


def test_a_part_that_never_started_is_certainly_asked() -> None:
    never = {name: Fact(name, Unit("a"), "requests not built yet") for name in ("submit", "poll")}
    decisions = decided(never | {"build": Fact("build", RUN, "not done yet")})
    assert decisions["submit"] == decisions["poll"] == "to do (requests not built yet)"

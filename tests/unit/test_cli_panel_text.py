"""What the panel says of a run, from values alone."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial import registry
from promptrial.care.following import Look, Speed, projected_usd, speed_between
from promptrial.care.live_facts import live_facts, phase_label, spent_text, standing
from promptrial.care.status import Progress, RunStatus
from promptrial.cli.panel_text import cropped, panel_lines
from promptrial.costs.ledger import spending
from promptrial.documents.ledger import ArmSpending
from promptrial.errors import CostCapReached
from promptrial.store.change_records import SpendingCaps
from promptrial.store.records import PhaseState, new_state


def spent(usd: str | None, *, held: str = "0", unpriced: int = 0) -> ArmSpending:
    return ArmSpending(
        spent=None if usd is None else Decimal(usd), used=None, shared=Decimal(0), held=Decimal(held),
        wasted=Decimal(0), attempts=1, unpriced=unpriced, unrecorded=0,
    )  # fmt: skip


def look(
    at: float = 0.0,
    answers: int | None = 10,
    tokens: int = 0,
    *,
    phase: str | None = "poll",
    costs: ArmSpending | None = None,
) -> Look:
    state = new_state("r", "0" * 64)
    for name in registry.PHASES:
        if name == phase:
            break
        state.phases[name] = PhaseState(status="completed")
    status = RunStatus(
        "running", state, None, answers, 40, {"poll": Progress(1, 4, "parts")},
        parts={"submitted": 3, "downloaded": 1},
    )  # fmt: skip
    return Look(at=at, status=status, tokens=tokens, spending=costs or spent("0.5"))


def test_the_panel_shows_all_known_facts() -> None:
    shown = panel_lines("r", look(), Speed(2.0, 310.0, 15.0), "poll: 10 of 40", 80)
    assert shown == [
        "run r: running",
        "[4/9] collecting answers: 1 of 4 parts",
        "answers  [#####...............] 10 of 40",
        "parts    1 downloaded, 3 submitted",
        "speed    2.0 requests/s, 310 tokens/s",
        "left     about 15 s",
        "spent    0.50 USD, about 2.00 in total",
        "now      poll: 10 of 40",
    ]


def test_a_dry_run_is_marked_beside_its_costs() -> None:
    shown = panel_lines("r", replace(look(), dry_run=True), Speed(), "", 80)
    assert shown[0] == "run r: running (dry run: costs nothing)"


def test_the_cap_is_shown_beside_the_amount_spent() -> None:
    seen = look()
    seen.status.state.caps = SpendingCaps(max_usd=10)
    assert spent_text(seen) == "0.50 of at most 10.00 USD, about 2.00 in total"


def test_a_run_that_has_spent_nothing_yet_shows_its_cap() -> None:
    seen = look(costs=spent(None))
    assert spent_text(seen) == ""
    seen.status.state.caps = SpendingCaps(max_usd=10)
    assert spent_text(seen) == "nothing yet of at most 10.00 USD"


def test_an_idle_run_has_no_speed_and_no_predicted_cost() -> None:
    stopped = replace(look(), status=replace(look().status, word="stopped"))
    assert [fact.name for fact in live_facts(stopped, Speed(2.0, 310.0, 15.0))] == [
        "phase",
        "answers",
        "parts",
        "spent",
    ]
    assert spent_text(stopped) == "0.50 USD"


def test_the_predicted_total_cost_is_left_out_once_everything_is_answered() -> None:
    assert spent_text(look(answers=40)) == "0.50 USD"


def test_a_run_that_stopped_at_its_cap_says_so() -> None:
    seen = look()
    seen.status.state.phases["poll"] = PhaseState(status="stopped", last_error=f"{CostCapReached.BEGINNING} 1 USD")
    assert standing(replace(seen, status=replace(seen.status, word="stopped"))) == "stopped at its cost cap"


def test_every_line_except_the_first_and_the_count_is_a_fact_that_a_page_shows_too() -> None:
    speed = Speed(2.0, 310.0, 15.0)
    facts = dict(live_facts(look(), speed))
    assert [*facts] == ["phase", "answers", "parts", "speed", "left", "spent"]
    for line, text in zip(panel_lines("r", look(), speed, "", 80)[1:], facts.values(), strict=True):
        assert line.endswith(text)


def test_unreadable_files_are_named_below_the_last_known_facts() -> None:
    shown = panel_lines("r", look(), Speed(), "", 80, "run_state.json is damaged\n  next: x")
    assert shown[-1] == "files    run_state.json is damaged   next: x"


def test_jobs_in_flight_are_counted_by_provider() -> None:
    seen = look()
    waits = replace(seen, status=replace(seen.status, waiting_for={"fireworks": 3, "openai": 1}))
    assert "jobs     3 jobs at fireworks, 1 job at openai" in panel_lines("r", waits, Speed(), "", 80)


def test_before_files_exist_the_panel_shows_what_this_process_does() -> None:
    assert panel_lines("r", None, Speed(), "prepare: 1 of 2", 80) == ["run r: starting", "now      prepare: 1 of 2"]


def test_unknown_facts_have_no_line() -> None:
    shown = panel_lines("r", look(answers=None, phase=None, costs=spending([])), Speed(), "", 80)
    assert [line.split()[0] for line in shown] == ["run", "[9/9]", "parts"]


@pytest.mark.parametrize(
    ("costs", "line"),
    [
        (
            spent("0.5", held="0.25"),
            "spent    0.50 USD, 0.25 may be billed yet, about 2.00 in total",
        ),
        (spent("0"), "spent    0 USD, about 0 in total"),
        (spent("0.5", unpriced=1), "spent    unknown: some requests have no price"),
        (spent(None), None),
    ],
)
def test_costs_are_shown_if_every_request_has_a_price(costs: ArmSpending, line: str | None) -> None:
    shown = [each for each in panel_lines("r", look(costs=costs), Speed(), "", 100) if each.startswith("spent")]
    assert shown == ([] if line is None else [line])


def test_remaining_requests_are_assumed_to_cost_as_much_as_answered_ones() -> None:
    assert projected_usd(look(answers=10)) == pytest.approx(2.0)
    assert projected_usd(look(answers=80)) == pytest.approx(0.5), "never less than what was spent"
    assert projected_usd(look(answers=0)) is None


def test_speed_is_the_number_of_answers_between_two_readings() -> None:
    speed = speed_between(look(10.0, answers=6, tokens=100), look(15.0, answers=16, tokens=600))
    assert speed == Speed(requests=2.0, tokens=100.0, left_s=12.0)


@pytest.mark.parametrize("last", [look(10.0, answers=20), look(15.0, answers=10), look(15.0, answers=None)])
def test_without_time_or_answers_between_two_readings_no_speed_is_known(last: Look) -> None:
    assert speed_between(look(10.0, answers=10), last) == Speed()


def test_the_remaining_time_is_shown_only_while_answers_are_collected() -> None:
    assert speed_between(look(0.0, answers=1, phase="score"), look(9.0, phase="score")).left_s is None


@given(st.text(max_size=200), st.integers(0, 300), st.integers(-1, 200))
def test_no_line_is_wider_than_the_terminal(text: str, answers: int, width: int) -> None:
    lines = panel_lines("r" * 64, look(answers=answers), Speed(1e9, 1e12, 1e7), text, width)
    assert all(len(line) < max(width, 1) for line in lines)
    assert not any(unicodedata.category(letter) == "Cc" for line in lines for letter in line)


def test_truncated_text_is_marked() -> None:
    assert (cropped("collecting", 10), cropped("collecting", 9), cropped("abc", 2)) == ("collecting", "collec...", "..")


def test_every_phase_says_what_it_does() -> None:
    assert list(registry.PHASE_WORK) == list(registry.PHASES)
    assert [phase_label(name)[:5] for name in registry.PHASES] == [f"[{n}/9]" for n in range(1, 10)]

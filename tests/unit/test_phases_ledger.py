"""The ledger of a run: what became of each attempt, who paid for it, and sums that add up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from promptrial.costs.ledger import decimal_usd, spent_usd
from promptrial.costs.prices import usd
from promptrial.documents.cost_report import Price
from promptrial.documents.ledger import Ledger
from promptrial.phases.ledger import run_ledger
from promptrial.store.part_records import BilledTokens, FileRecord, Intent, PartRecord, ReusedAnswers, ReusedFrom
from promptrial.store.records import TrialManifest

PRICE = Price(input_per_million=3.0, output_per_million=15.0, batch_discount=0.5)
TOKENS = BilledTokens(rows=4, prompt=1001, completion=77)
COST = Decimal("0.002079000")
"""(1001 * 3 + 77 * 15) / 1e6 * 0.5"""


def intent(number: int = 1, status: Any = "completed", asked: str = "q", **facts: Any) -> Intent:
    return Intent(
        key=f"k-a{number}",
        attempt=number,
        status=status,
        request_sha256=asked,
        **{"rows": 4, "estimated_usd": 0.01, "reserved_usd": 0.02, "job": f"job{number}", **facts},
    )


ANSWERED: dict[str, Any] = {"billed": TOKENS, "results": FileRecord("a" * 64, 9, 4)}


def part(*intents: Intent, status: Any = "downloaded", asked: str = "q", **facts: Any) -> PartRecord:
    return PartRecord(
        status=status,
        resume_key="t0_control",
        request_sha256=asked,
        results=FileRecord("b" * 64, 9, 4) if status == "downloaded" else None,
        intents=intents,
        **facts,
    )


def manifest(**parts: PartRecord) -> TrialManifest:
    return TrialManifest(run_id="r", trial={}, prompts={}, temps=[0.0], samples_per_item={}, hosted=True, parts=parts)


def ledger(
    trials: dict[str, TrialManifest], price: Price | None = PRICE, used: float | None = None, cut: Any = None
) -> Ledger:
    return run_ledger("r", trials, cut, lambda _slug, _arm: price, lambda _slug, _arm: used)


def fates(*intents: Intent, **facts: Any) -> list[Any]:
    found = ledger({"t": manifest(t0_control_p001=part(*intents, **facts))})
    return [(line.fate, line.usd.spent, line.usd.held, line.usd.used) for line in found.lines]


HELD, NOTHING = Decimal("0.020000000"), Decimal(0)


@pytest.mark.parametrize(
    ("attempt", "facts", "fate", "spent", "held", "used"),
    [
        (intent(**ANSWERED), {}, "used", COST, NOTHING, COST),
        (intent(status="expired", **ANSWERED), {}, "used", COST, NOTHING, COST),
        (intent(status="pending"), {"status": "pending"}, "not_sent", NOTHING, NOTHING, NOTHING),
        (intent(status="failed", job=None), {"status": "failed"}, "not_sent", NOTHING, NOTHING, NOTHING),
        (intent(status="submitting", job=None), {"status": "submitting"}, "in_flight", NOTHING, HELD, NOTHING),
        (intent(status="unknown", job=None), {"status": "unknown"}, "in_flight", NOTHING, HELD, NOTHING),
        (intent(status="running"), {"status": "running"}, "in_flight", NOTHING, HELD, NOTHING),
        (intent(status="failed"), {"status": "failed"}, "in_flight", NOTHING, HELD, NOTHING),
        (intent(status="running"), {"status": "running", "lost": True}, "lost", NOTHING, HELD, NOTHING),
        (intent(status="expired", job=None), {}, "lost", NOTHING, HELD, NOTHING),
        (intent(status="expired", job=None, billed=BilledTokens()), {}, "not_sent", NOTHING, NOTHING, NOTHING),
        (intent(status="failed", billed=BilledTokens()), {}, "unanswered", NOTHING, NOTHING, NOTHING),
        (intent(status="expired", results=FileRecord("a", 0, 0)), {}, "lost", NOTHING, HELD, NOTHING),
        (intent(billed=TOKENS, results=FileRecord("a", 0, 0)), {}, "lost", COST, NOTHING, NOTHING),
        (intent(status="expired"), {}, "duplicate", NOTHING, HELD, NOTHING),
        (intent(asked="before", **ANSWERED), {}, "superseded", COST, NOTHING, NOTHING),
        (intent(asked="before", status="unknown"), {}, "superseded", NOTHING, HELD, NOTHING),
        (intent(results=FileRecord("a", 9, 4)), {}, "unrecorded", None, None, None),
    ],
)  # fmt: skip
def test_the_outcome_of_an_attempt_decides_how_it_counts(
    attempt: Intent, facts: Any, fate: str, spent: Any, held: Any, used: Any
) -> None:
    assert fates(attempt, **facts) == [(fate, spent, held, used)]


def test_answers_of_unknown_usage_hold_their_share_of_the_reserve() -> None:
    tokens = BilledTokens(rows=4, prompt=1001, completion=77, unknown=1)
    [(_, spent, held, _)] = fates(intent(billed=tokens, results=FileRecord("a", 9, 4)))
    assert (spent, held) == (COST, Decimal("0.005"))


def test_answers_that_another_run_has_paid_for_are_used_and_not_spent() -> None:
    source = ReusedFrom(run_id="o", trial="t", part="p", rows=4, requests_sha256="a", results_sha256="b")
    reused = intent(results=FileRecord("a", 9, 4), reused=ReusedAnswers(at="t", sources=(source,)), job=None)
    assert fates(reused) == [("reused", NOTHING, NOTHING, NOTHING)]
    billed = msgspec.structs.replace(reused, billed=TOKENS)
    assert fates(billed) == [("reused", NOTHING, NOTHING, COST)]
    total = ledger({"t": manifest(t0_control_p001=part(billed))}).total
    assert (total.spent, total.used, total.wasted) == (NOTHING, COST, NOTHING)


def test_an_attempt_without_a_recorded_reserve_holds_its_estimate() -> None:
    import msgspec

    assert fates(intent(status="running", reserved_usd=msgspec.UNSET), status="running")[0][2] == Decimal("0.01")


def test_live_requests_are_used_and_lost_ones_are_not() -> None:
    live = (intent(status="downloaded", billed=TOKENS), intent(2, "expired", billed=TOKENS))
    assert [fate for fate, *_ in fates(live=live)] == ["used", "lost"]


@pytest.mark.parametrize("fate", ["lost", "superseded"])
def test_paid_but_unused_answers_are_wasted_whatever_the_reason(fate: str) -> None:
    unused = {"lost": intent(2, "expired", billed=TOKENS), "superseded": intent(2, "expired", "before", **ANSWERED)}
    live = (intent(status="downloaded", billed=TOKENS), unused[fate])
    found = ledger({"t": manifest(t0_control_p001=part(live=live))})
    assert [line.fate for line in found.lines] == ["used", fate]
    assert (found.total.spent, found.total.used, found.total.wasted) == (2 * COST, COST, COST)


def test_parts_removed_from_the_run_are_superseded() -> None:
    trials = {"t": manifest(t0_control_p001=part(intent(**ANSWERED)), t0_control_p002=part(intent(**ANSWERED)))}
    found = ledger(trials, cut={"t": {"t0_control_p001"}})
    assert [line.fate for line in found.lines] == ["used", "superseded"]
    assert (found.total.spent, found.total.used, found.total.wasted) == (2 * COST, COST, COST)
    assert [line.fate for line in ledger(trials, cut={}).lines] == ["superseded"] * 2


def test_a_shared_part_is_paid_once_and_used_by_each_trial() -> None:
    shared = part(reason="shared with one/t0_control_p001")
    trials = {
        "one": manifest(t0_control_p001=part(intent(**ANSWERED))),
        "two": manifest(t0_control_p001=shared),
        "three": manifest(t0_control_p001=shared),
    }
    found = ledger(trials)
    assert [line.trial for line in found.lines] == ["one"]
    assert (found.total.spent, found.total.used) == (COST, COST)
    for slug in ("two", "three"):
        of = found.trials[slug]
        assert (of.spent, of.used, of.shared, of.attempts) == (None, COST, COST, 0)
        assert found.arms[slug]["control"] == of


def test_trials_that_each_paid_for_the_same_requests_share_nothing() -> None:
    trials = {slug: manifest(t0_control_p001=part(intent(**ANSWERED))) for slug in ("one", "two")}
    trials["three"] = manifest(t0_control_p001=part(reason="shared with one/t0_control_p001"))
    found = ledger(trials)
    for slug in ("one", "two"):
        of = found.trials[slug]
        assert (of.spent, of.used, of.shared) == (COST, COST, NOTHING)
    assert (found.trials["three"].used, found.trials["three"].shared) == (COST, COST)
    assert (found.total.spent, found.total.used) == (2 * COST, 2 * COST)


def test_the_lines_add_up_to_the_total_exactly() -> None:
    each = [
        intent(n, billed=BilledTokens(rows=4, prompt=n, completion=7 * n), results=FileRecord("a", 9, 4))
        for n in range(1, 99)
    ]
    found = ledger({"t": manifest(t0_control_p001=part(*each))})
    assert found.total.spent == sum(line.usd.spent or 0 for line in found.lines)
    assert float(found.total.spent or 0) == pytest.approx(
        sum(usd(n, 7 * n, PRICE) for n in range(1, 99)), abs=1e-9 * 98
    )


def test_a_model_without_a_price_is_unpriced_and_never_free() -> None:
    found = ledger({"t": manifest(t0_control_p001=part(intent(**ANSWERED), intent(2, "running")))}, price=None)
    assert {line.usd.spent for line in found.lines} == {None}
    assert (found.total.spent, found.total.used, found.total.unpriced) == (None, None, 2)


def test_attempts_of_an_earlier_version_use_the_amount_of_the_cost_report() -> None:
    old = intent(results=FileRecord("a", 9, 4))
    found = ledger(
        {"one": manifest(t0_control_p001=part(old)), "two": manifest(t0_control_p001=part(reason="shared with one"))},
        used=0.5,
    )
    assert (found.total.spent, found.total.used, found.total.unrecorded) == (None, Decimal("0.5"), 1)
    assert found.trials["two"].shared == Decimal("0.5")


def test_shared_live_parts_of_an_earlier_version_count_once_for_the_first_trial() -> None:
    trials = {"one": manifest(t0_control_p001=part()), "two": manifest(t0_control_p001=part())}
    assert ledger(trials, used=0.5).total.used == Decimal("0.5")


def test_an_amount_is_rounded_to_a_billionth() -> None:
    assert decimal_usd(1e-10) == 0
    assert str(decimal_usd(2.0)) == "2.000000000"


# --- what a run has spent --------------------------------------------------------------------------------------------


def test_the_spending_of_a_run_counts_every_attempt_and_shared_answers_once() -> None:
    trials = {
        "one": manifest(t0_control_p001=part(intent(asked="before", **ANSWERED), intent(2, **ANSWERED))),
        "two": manifest(t0_control_p001=part()),
    }
    assert spent_usd(ledger(trials)) == float(2 * COST)


def test_the_spending_of_an_earlier_version_is_what_was_used() -> None:
    trials = {"t": manifest(t0_control_p001=part(intent(results=FileRecord("a", 9, 4)), intent(2, **ANSWERED)))}
    assert spent_usd(ledger(trials, used=0.5)) == 0.5
    assert spent_usd(ledger(trials)) is None


def test_unpriced_and_unknown_amounts_have_no_sum() -> None:
    assert spent_usd(ledger({"t": manifest(t0_control_p001=part(intent(**ANSWERED)))}, price=None)) is None
    embedded = {"one": manifest(t0_control_p001=part()), "two": manifest(t0_control_p001=part(asked="q2"))}
    assert spent_usd(ledger(embedded)) is None
    assert spent_usd(ledger(embedded, used=0.25)) == 0.5


def test_live_parts_of_an_earlier_version_count_as_unrecorded_beside_new_ones() -> None:
    live = part(asked="q2", live=(intent(status="downloaded", asked="q2", billed=TOKENS),))
    trial = manifest(t0_control_p001=part(), t0_control_p002=live)
    trial.hosted, trial.engine = False, {"provider": "openai"}
    found = ledger({"t": trial}, used=0.5)
    assert (found.total.unrecorded, found.total.used, spent_usd(found)) == (1, Decimal("0.5"), 0.5)


def test_a_sum_with_an_unpriced_amount_is_unknown() -> None:
    trials = {slug: manifest(t0_control_p001=part(intent(**ANSWERED))) for slug in ("priced", "unpriced")}
    found = run_ledger(
        "r", trials, None, lambda slug, _arm: PRICE if slug == "priced" else None, lambda _slug, _arm: None
    )
    assert found.trials["priced"].spent == found.total.spent == COST
    assert spent_usd(found) is None

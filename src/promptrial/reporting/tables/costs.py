"""What a trial cost, arm by arm, and the sentences that say what prices and counts mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import UNSET

from promptrial.documents.cost_report import Cost, CostReport, Price, shown_notes
from promptrial.model.arms import ArmName, control_first
from promptrial.reporting.cells import Table, amount, count, quantity, rate
from promptrial.reporting.tables.words import good_answer

__all__ = ["costs_table"]

_MIXED: Final = "The cost per answer includes all requests, even those for questions that the scorer skips."


def costs_table(costs: CostReport, *, is_mixed: bool = False) -> Table:
    """Return tokens and USD of each arm, and of all together where there are several.

    ``is_mixed`` says that the criterion of a good answer may leave out some of the items.
    """
    arms: list[tuple[str, Cost]] = [(name, costs.conditions[name]) for name in control_first(costs.conditions)]
    together = [("both" if len(arms) == 2 else "all", costs)] if len(arms) > 1 else []
    is_more_spent = costs.spent_usd is not UNSET
    good = "exact match" if costs.criterion is UNSET else good_answer(costs.criterion).header
    return Table(
        title="Costs",
        headers=(
            "Arm",
            "Requests",
            "Answered",
            f"{good.capitalize()}{'es' if costs.criterion is UNSET else 's'}",
            "Prompt tokens",
            "Answer tokens",
            "All tokens",
            "USD",
            *(["USD spent"] if is_more_spent else []),
            f"USD per {good}",
        ),
        rows=tuple((name, *_cost_cells(cost, is_more_spent=is_more_spent)) for name, cost in (*arms, *together)),
        notes=(*_cost_notes(costs), *([_MIXED] if is_mixed and costs.usd_per_correct is not None else [])),
        align="lrrrrrrrr" + "r" * is_more_spent,
    )


def _cost_cells(cost: Cost, *, is_more_spent: bool) -> tuple[str, ...]:
    return (
        count(cost.requests),
        count(cost.answered),
        quantity(cost.correct),
        count(cost.prompt_tokens),
        count(cost.completion_tokens),
        count(cost.total_tokens),
        amount(cost.usd),
        *([amount(cost.usd if cost.spent_usd is UNSET else cost.spent_usd)] if is_more_spent else []),
        amount(cost.usd_per_correct),
    )


def _cost_notes(costs: CostReport) -> Iterable[str]:
    if costs.criterion is None:
        yield (
            "The number of good answers is not available: no scorer says whether an answer is correct, and "
            "`costs.criterion` is not set."
        )
    elif costs.criterion is not UNSET and (note := good_answer(costs.criterion).note):
        yield note
    own = {} if costs.arm_prices is UNSET else costs.arm_prices
    if not costs.conditions or costs.conditions.keys() - own.keys():  # else no arm is answered by the trial's model
        yield _price_note(costs.price, "")
    for name, price in own.items():
        yield _price_note(price, f" of the {name} arm")
    for alias, words in ({} if costs.unpriced is UNSET else costs.unpriced).items():
        yield f"models.{alias}: {words}."
    yield from _cache_notes(costs)
    for name in control_first(costs.conditions):
        yield from _unknown_note(name, costs)


def _cache_notes(costs: CostReport) -> Iterable[str]:
    """Yield how many prompt tokens were read from a cache, or written to one, by arm where that has a price."""
    written = None if costs.cache_write_tokens is UNSET else costs.cache_write_tokens
    known = (
        (costs.cached_tokens, "came from a cache", costs.cache_read_usd, "cache_read_usd"),
        (written, "were written to a cache", costs.cache_write_usd, "cache_write_usd"),
    )
    for tokens, what, usd, field in known:
        if not tokens or (costs.price is None and usd is UNSET):
            continue
        if usd is UNSET:
            yield f"{count(tokens)} prompt tokens {what}; they are priced like the others."
            continue
        by_arm = [
            f"{amount(value)} in the {name} arm"
            for name in control_first(costs.conditions)
            if (value := getattr(costs.conditions[name], field)) is not UNSET
        ]
        shares = ", ".join(by_arm)
        yield f"{count(tokens)} prompt tokens {what}; they account for {amount(usd)} USD of the cost ({shares})."


def _price_note(price: Price | None, whose: str) -> str:
    if price is None:
        return f"The model{whose} has no price in the configuration: its cost in USD is unknown, not 0."
    discount = f", less {rate(price.batch_discount, 0)} for batches" if price.batch_discount else ""
    return (
        f"Price per million tokens{whose}: {price.input_per_million:g} USD for prompts, "
        f"{price.output_per_million:g} USD for answers{_cache_rates(price)}{discount}."
        f"{_price_source(price)}"
    )


def _price_source(price: Price) -> str:
    """Return where a price is from that the configuration does not give."""
    if price.source is UNSET:
        return ""
    return f" Source: {'; '.join([f'{price.source}, latest price dated {price.dated}', *shown_notes(price)])}."


def _cache_rates(price: Price) -> str:
    rates = (
        (price.cached_input_per_million, "prompt tokens read from a cache"),
        (price.cache_write_per_million, "those written to one"),
    )
    return "".join(f", {value:g} USD for {what}" for value, what in rates if value is not UNSET)


def _unknown_note(name: ArmName, costs: CostReport) -> Iterable[str]:
    arm = costs.conditions[name]
    if arm.tokens_unknown:
        if arm.total_tokens is None:
            so = "its tokens and USD are unknown, not 0"
        else:
            so = "its tokens are a lower bound" if arm.usd is None else "its tokens and USD are lower bounds"
        asked = f"{count(arm.tokens_unknown)} of {count(arm.requests)} requests"  # some have a response and no answer
        yield f"The usage of {asked} of the {name} arm was not reported: {so}."

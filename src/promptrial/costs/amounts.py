"""Tokens x price -> USD, by arm and per good answer. Pure: who counts the tokens is up to the caller.

The document that is returned, ``costs.json``, is described in ``promptrial.documents.cost_report``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import msgspec

from promptrial.costs.prices import usd, usd_of
from promptrial.documents.cost_report import SCHEMA_VERSION, Cost, CostReport, Price
from promptrial.model.arms import CONTROL, ArmName

__all__ = ["TokenUsage", "cost_report"]


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Requests of one arm and the tokens that they took.

    Parameters
    ----------
    requests, answered : int
        Requests asked for, and those that have an answer rather than an error or nothing.
    prompt_tokens, completion_tokens, total_tokens : int
        Sums over the rows whose usage is known. A request that ended in an error counts if its usage was reported,
        because it was paid anyway.
    cached_tokens : int or None
        The part of the prompt tokens that came from a cache; None if no row says.
    cache_write_tokens : int
        The part of them that was written to a cache.
    unknown : int
        Responses, with or without an answer in them, whose prompt or completion tokens the provider did not report.
    empty : int
        Requests whose response came back without an answer: cut off, filtered, spent on reasoning. They were paid.

    Raises
    ------
    ValueError
        If a count is negative, or there are more responses than requests or more unknown ones than responses.
    """

    requests: int
    answered: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    unknown: int = 0
    empty: int = 0
    cache_write_tokens: int = 0

    def __post_init__(self) -> None:
        cache = self.cached_tokens or 0, self.cache_write_tokens
        counts = (self.prompt_tokens, self.completion_tokens, self.total_tokens, *cache)
        if min(counts) < 0:
            raise ValueError(f"{min(counts)} tokens: counts are not negative")
        if min(self.empty, self.answered) < 0 or not 0 <= self.unknown <= self.responses <= self.requests:
            raise ValueError(f"{self.requests} requests, {self.responses} responses, {self.unknown} of unknown usage")

    @property
    def responses(self) -> int:
        """Requests that were carried out."""
        return self.answered + self.empty

    @property
    def known(self) -> bool:
        """Whether any usage was reported, or none was to be expected because nothing was carried out."""
        return self.unknown == 0 or self.unknown < self.responses or self.prompt_tokens + self.completion_tokens > 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        cached = [usage.cached_tokens for usage in (self, other) if usage.cached_tokens is not None]
        return TokenUsage(
            requests=self.requests + other.requests,
            answered=self.answered + other.answered,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            cached_tokens=sum(cached) if cached else None,
            unknown=self.unknown + other.unknown,
            empty=self.empty + other.empty,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
        )


def cost_report(
    usage: Mapping[ArmName, TokenUsage],
    correct: Mapping[ArmName, float | None],
    price: Price | None,
    own: Mapping[ArmName, Price | None] | None = None,
) -> CostReport:
    """Return what a trial cost: of its arms together, and of each arm that was run.

    Parameters
    ----------
    usage : mapping
        One entry for each arm that was run, at least one.
    correct : mapping
        Answers of each arm that meet the criterion. None, or no entry, where nothing was scored.
    price : Price or None
        None for a model without a price: every amount is then null, which is not the same as free.
    own : mapping, optional
        The prices of those arms that have a model of their own.

    Raises
    ------
    ValueError
        If no arm is given.
    """
    if not usage:
        raise ValueError("no arm: a cost report needs the usage of at least one")
    ran = sorted(usage, key=lambda arm: arm != CONTROL)
    prices = {arm: (own or {}).get(arm, price) for arm in ran}
    arms = {arm: _cost(usage[arm], correct.get(arm), prices[arm]) for arm in ran}
    together = _cost(
        reduce(add, [usage[arm] for arm in ran]),
        _sum_or_none([correct.get(arm) for arm in ran]),
        price,
    )
    if own:
        together = _with_amount(together, list(arms.values()))
    return CostReport(
        **msgspec.structs.asdict(together),
        schema_version=SCHEMA_VERSION,
        priced=all(each is not None for each in prices.values()),
        price=price,
        conditions=arms,
        arm_prices=dict(own) if own else msgspec.UNSET,
    )


def _with_amount(cost: Cost, arms: Sequence[Cost]) -> Cost:
    """Return a cost with the amounts of arms, which have prices of their own, added up."""
    amount = _sum_or_none([arm.usd for arm in arms])
    return msgspec.structs.replace(
        cost,
        usd=amount,
        usd_per_correct=_per_correct(amount, cost.correct, cost.tokens_unknown),
        cache_read_usd=_sum_of_set([arm.cache_read_usd for arm in arms]),
        cache_write_usd=_sum_of_set([arm.cache_write_usd for arm in arms]),
    )


def _sum_of_set(amounts: Sequence[float | msgspec.UnsetType]) -> float | msgspec.UnsetType:
    known = [amount for amount in amounts if amount is not msgspec.UNSET]
    return sum(known) if known else msgspec.UNSET


def _cost(usage: TokenUsage, correct: float | None, price: Price | None) -> Cost:
    amount = None if price is None or not usage.known else _amount(usage, price)
    cost = Cost(
        requests=usage.requests,
        answered=usage.answered,
        correct=correct,
        prompt_tokens=usage.prompt_tokens if usage.known else None,
        completion_tokens=usage.completion_tokens if usage.known else None,
        total_tokens=usage.total_tokens if usage.known else None,
        cached_tokens=usage.cached_tokens if usage.known else None,
        tokens_unknown=usage.unknown,
        usd=amount,
        usd_per_correct=_per_correct(amount, correct, usage.unknown),
        cache_write_tokens=usage.cache_write_tokens or msgspec.UNSET,
    )
    if price is None or amount is None:
        return cost
    return msgspec.structs.replace(
        cost,
        cache_read_usd=usd_of(usage.cached_tokens, price.cached_input_per_million, price),
        cache_write_usd=usd_of(usage.cache_write_tokens, price.cache_write_per_million, price),
    )


def _amount(usage: TokenUsage, price: Price) -> float:
    return usd(
        usage.prompt_tokens,
        usage.completion_tokens,
        price,
        cached_tokens=usage.cached_tokens or 0,
        cache_write_tokens=usage.cache_write_tokens,
    )


def _per_correct(amount: float | None, correct: float | None, unknown: int) -> float | None:
    if amount is None or not correct or unknown:  # part of the cost over all good answers would flatter
        return None
    return amount / correct


def _sum_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None

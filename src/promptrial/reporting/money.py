"""What a trial cost, in sentences, and which of it is not known and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import UNSET

from promptrial.documents.cost_report import Cost, CostReport
from promptrial.model import Trial
from promptrial.model.arms import ArmName, control_first
from promptrial.reporting.cells import amount, count, counted
from promptrial.reporting.tables.words import good_answer, listing

__all__ = ["CostKind", "arm_text", "cost_lines", "cost_sentence", "cost_warnings"]

CostKind = Literal["unpriced", "unreported"]


def cost_warnings(trial: Trial, costs: CostReport) -> Iterator[tuple[CostKind, str]]:
    """Yield, for each model that makes the cost unknown, why: its tokens have no price, or were not reported."""
    if costs.usd is not None:
        return
    unpriced, silent = _unpriced(costs), _silent(costs)
    for alias, arms in _by_model(trial, unpriced, costs):
        tokens = sum(arm.total_tokens or 0 for arm in arms)
        if tokens:
            yield "unpriced", f"{count(tokens)} tokens of {alias} have no known price; the cost is unknown, not 0."
        elif costs.total_tokens or silent:
            asked = counted(sum(arm.requests for arm in arms), "request")
            yield (
                "unpriced",
                f"{asked} to {alias} have neither a known price nor a reported usage; the cost is unknown, not 0.",
            )
    for alias, arms in _by_model(trial, silent, costs):
        asked = counted(sum(arm.requests for arm in arms), "request")
        yield "unreported", f"the provider reported no usage for {asked} to {alias}; the cost is unknown, not 0."


def _by_model(trial: Trial, names: Sequence[ArmName], costs: CostReport) -> Iterator[tuple[str, list[Cost]]]:
    """Yield the models of some arms, each with the costs of those arms."""
    own = {arm.name: arm.model.alias for arm in trial.arms}
    aliases = [own.get(name, trial.model.alias) for name in names]
    for alias in dict.fromkeys(aliases):
        yield alias, [costs.conditions[name] for name, other in zip(names, aliases, strict=True) if other == alias]


def _unpriced(costs: CostReport) -> list[ArmName]:
    """Return the arms whose model has no price."""
    own = {} if costs.arm_prices is UNSET else costs.arm_prices
    return [name for name in control_first(costs.conditions) if own.get(name, costs.price) is None]


def _silent(costs: CostReport) -> list[ArmName]:
    """Return the arms whose model has a price, and of which no usage was reported."""
    names, unpriced = control_first(costs.conditions), _unpriced(costs)
    return [name for name in names if costs.conditions[name].total_tokens is None and name not in unpriced]


def _why_unknown(costs: CostReport, names: Mapping[ArmName, str] | None) -> str:
    """Return why the cost in USD is not known: what has no price, and what was not reported."""
    unpriced, silent = ([arm_text(name, names) for name in found] for found in (_unpriced(costs), _silent(costs)))
    if costs.arm_prices is UNSET and unpriced:
        reasons = ["the model has no price in the configuration (`pricing`)"]
    elif unpriced:
        models = "the model" if len(unpriced) == 1 else "the models"
        have = "has" if len(unpriced) == 1 else "have"
        reasons = [f"{models} of {listing(unpriced)} {have} no price in the configuration (`pricing`)"]
    else:
        reasons = []
    return ", and ".join([*reasons, *([f"the provider reported no usage for {listing(silent)}"] if silent else [])])


def arm_text(name: ArmName, names: Mapping[ArmName, str] | None) -> str:
    """Return what an arm is called in a sentence; ``names`` are what arms are called, if not by their own."""
    return f"the {name} arm" if names is None else names.get(name, name)


def cost_sentence(costs: CostReport, names: Mapping[ArmName, str] | None = None) -> str:
    """Return what the arms cost, or why that is not known; ``names`` are what arms are called, if not by their own."""
    arms = [(name, costs.conditions[name]) for name in control_first(costs.conditions)]
    if costs.total_tokens is None:
        return "Cost: unknown, because the provider reported no usage."
    bound, tokens = _bound(costs), f"{_bound(costs)}{count(costs.total_tokens)} tokens"
    if costs.usd is None:
        known = [f"{_usd(cost)} USD for {arm_text(name, names)}" for name, cost in arms if cost.usd is not None]
        why = f"the cost in USD is unknown, because {_why_unknown(costs, names)}"
        return f"Cost: {tokens}; {why}.{f' Known: {listing(known)}.' if known else ''}"
    by_arm = listing([f"{_usd(cost)} for {arm_text(name, names)}" for name, cost in arms])
    good = "exact match" if costs.criterion is UNSET else good_answer(costs.criterion).phrase
    each = "" if costs.usd_per_correct is None else f", {amount(costs.usd_per_correct)} USD per {good}"
    return f"Cost: {bound}{amount(costs.usd)} USD ({by_arm}), {tokens}{each}.{_judges(costs)}{_spent(costs)}"


def _bound(cost: Cost) -> str:
    """Return what precedes an amount that may be incomplete, because the usage of some was not reported."""
    return "at least " if cost.tokens_unknown else ""


def _usd(cost: Cost) -> str:
    return "unknown" if cost.usd is None else f"{_bound(cost)}{amount(cost.usd)}"


def _judges(costs: CostReport) -> str:
    """Return what the judges have cost besides."""
    if costs.judges_usd is UNSET:
        return ""
    return (
        f" Judges cost {'an unknown amount' if costs.judges_usd is None else f'{amount(costs.judges_usd)} USD'} more."
    )


def cost_lines(costs: CostReport, names: Mapping[ArmName, str], *, dry_run: bool) -> list[str]:
    """Return what the answers cost, and beside it what was spent: nothing in a dry run."""
    used = cost_sentence(costs, names).removesuffix(_spent(costs))
    if costs.usd is None:
        return [used]
    if dry_run:
        return [used, "Spent: nothing (dry run). The cost above is the emulator's tokens at the real model's prices."]
    return [used, _spent(costs).strip() or _spent_on_answers(costs)]


def _spent_on_answers(costs: CostReport) -> str:
    """Return what was spent, all of it for what is used."""
    if costs.judges_usd is UNSET:
        return f"Spent: {_bound(costs)}{amount(costs.usd)} USD, all of it on these answers."
    if costs.judges_usd is None or costs.usd is None:
        return "Spent: unknown, because the price or the usage of a judge is not known."
    spent = f"{_bound(costs)}{amount(costs.usd + costs.judges_usd)} USD"
    return f"Spent: {spent}, all of it on these answers and their verdicts."


def _spent(costs: CostReport) -> str:
    """Return what was spent besides, where that is more than what the answers cost."""
    if costs.spent_usd is UNSET:
        return ""
    held = "" if costs.held_usd is UNSET else f", and up to {amount(costs.held_usd)} USD more may have been billed"
    spent = f" Spent: {_bound(costs)}{amount(costs.spent_usd)} USD{held}"
    return f"{spent}, including answers that were lost and requests that are no longer needed."

"""The tables of a run with several trials: their primary tests side by side, corrected together, and what each cost.

Pure. The corrected p-values come from the caller, since reporting computes no statistic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from promptrial.documents.significance import Endpoint
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting.cells import (
    MISSING,
    Table,
    amount,
    count,
    counted,
    effect,
    level,
    p_value,
    points_decimals,
    rate,
    temperature,
)
from promptrial.reporting.facts import SpendingFacts, TrialResult, arm_differences
from promptrial.reporting.tables.contrasts import SIDE_HEADERS, with_contrasts
from promptrial.reporting.tables.effects import caution_notes, decision, decision_text, primary_endpoints
from promptrial.reporting.tables.missing import rule_text
from promptrial.reporting.tables.words import listing, metric_text, score_unit

__all__ = [
    "ONE_CONTROL",
    "PrimaryKey",
    "aggregate_rows",
    "aggregate_table",
    "one_control_text",
    "primary_p_values",
    "rejected",
    "trials_table",
]

PrimaryKey = tuple[str, Contrast, str, float]
"""A primary test of a run: trial slug, contrast, measure, temperature."""


def aggregate_rows(results: Sequence[TrialResult]) -> list[tuple[PrimaryKey, TrialResult, Endpoint]]:
    """Return the primary endpoints of all trials, trial by trial."""
    return [
        ((result.facts.trial.slug, row.compared, row.metric, row.temp), result, row)
        for result in results
        for row in primary_endpoints(result.significance)
    ]


def primary_p_values(results: Sequence[TrialResult]) -> dict[PrimaryKey, float | None]:
    """Return the p-values that are to be corrected together; None where a test could not be made."""
    return {key: row.p for key, _, row in aggregate_rows(results)}


def rejected(result: TrialResult, adjusted: float | None) -> bool | None:
    """Return whether an adjusted p-value is at or below the level of the trial; None without one."""
    return None if adjusted is None else adjusted <= result.significance.settings.alpha


def aggregate_table(
    results: Sequence[TrialResult], adjusted: Mapping[PrimaryKey, float | None], *, by_max_t: bool = False
) -> Table:
    """Return one row for each primary endpoint of each trial.

    Parameters
    ----------
    results : sequence of TrialResult
    adjusted : mapping
        For each key of ``primary_p_values``: its p-value after correction over all of them.
    by_max_t : bool
        Whether max-T corrected them; otherwise Holm's method did.

    Raises
    ------
    KeyError
        If a primary test has no entry in ``adjusted``.
    """
    rows = aggregate_rows(results)
    levels = list(dict.fromkeys(level(result.significance.confidence_of(row)) for _, result, row in rows))
    tested = sum(row.p is not None for _, _, row in rows)
    table = Table(
        title="Primary endpoints of all trials",
        headers=(
            "Trial",
            "Measure",
            "Temp.",
            "Pairs",
            *SIDE_HEADERS,
            f"Difference, points ({' or '.join(levels)} CI)",
            _other_rule_header(results),
            "p",
            "Adjusted within trial",
            "Adjusted over all trials",
            "Decision over all trials",
        ),
        rows=tuple(_aggregate_row(key, result, row, adjusted[key]) for key, result, row in rows),
        notes=(
            *_over_all(tested, by_max_t=by_max_t),
            *(f"{key[0]}: {note}" for key, _, row in rows for note in caution_notes([row])),
        ),
        align="llrrrrrrrrrl",
    )
    return with_contrasts(table, [row for _, _, row in rows])


ONE_CONTROL: Final = "Trials that share a control"
"""Heads what trials show together."""


def one_control_text(trials: Sequence[str]) -> str:
    """Return which trials are put together, and why."""
    return f"These trials asked the same control once: {listing(trials)}."


def _over_all(tested: int, *, by_max_t: bool) -> Iterator[str]:
    """Yield how the tests of all trials were corrected together."""
    if by_max_t:
        yield f"Adjusted over all trials: step-down max-T over {counted(tested, 'primary test')} with a shared control."
        return
    yield f"Adjusted over all trials: Holm's method over {counted(tested, 'primary test')}."
    yield "Holm's method is valid for dependent tests, such as those of trials with the same items or control."


def _other_rule_header(results: Sequence[TrialResult]) -> str:
    """Return how missing answers are taken in the column beside the effects that decide."""
    failing = any(result.significance.settings.missing == "failure" for result in results)
    return f"Missing answers {rule_text('exclude' if failing else 'failure')}, points"


def trials_table(results: Sequence[TrialResult], spending: SpendingFacts | None = None) -> Table:
    """Return the trials with their requests, what is missing in each arm, tokens and costs.

    ``spending`` is what the run has cost in all, if that is to be told.
    """
    arms = tuple(dict.fromkeys(name for result in results for name in result.significance.arm_names))
    return Table(
        title="Trials",
        headers=(
            "Trial",
            "Model",
            "Prompt set",
            "Items",
            "Requests",
            *(f"Missing in {name}" for name in arms),
            "Tokens",
            "USD",
        ),
        rows=tuple(_trial_row(result, arms) for result in results),
        notes=(
            *_trials_notes(results),
            *_spending_notes(spending, is_dry=any(result.facts.run.dry_run for result in results)),
        ),
        align="lllrr" + "r" * len(arms) + "rr",
    )


def _trials_notes(results: Sequence[TrialResult]) -> Iterator[str]:
    for result in results:
        differences = arm_differences(result.facts.trial)
        if differences:
            yield f"Differences between the arms of {result.facts.trial.slug}: {differences}."
    if any(result.costs.usd is None for result in results):
        yield "If a trial shows no USD, a model of its arms has no price, or its usage was not reported."
    shared = sum(result.facts.shared_requests for result in results)
    if shared:
        yield (
            f"{count(shared)} requests are the same in several trials (for example those of a "
            "shared control): each was asked and paid for once, and is "
            "included in the figures of every trial that uses it."
        )


def _spending_notes(spending: SpendingFacts | None, *, is_dry: bool) -> Iterator[str]:
    if spending is not None:
        held = f" Up to {amount(spending.held_usd)} USD more may be billed." if spending.held_usd else ""
        verb = "would have cost" if is_dry else "cost"
        share = (
            ", all of it for the answers that are analysed"
            if math.isclose(spending.spent_usd, spending.used_usd)
            else f"; the answers that are analysed account for {amount(spending.used_usd)} USD of that"
        )
        yield f"All attempts {verb} {amount(spending.spent_usd)} USD{share}.{held}"


def _aggregate_row(key: PrimaryKey, result: TrialResult, row: Endpoint, adjusted: float | None) -> tuple[str, ...]:
    unit, alpha = score_unit(row.metric), result.significance.settings.alpha
    decimals = points_decimals(row.ci_low, row.ci_high, unit, row.difference)
    overall = decision(row) if row.p is None else decision_text(row, significant=rejected(result, adjusted))
    return (
        key[0],
        metric_text(row.metric).label,
        temperature(row.temp),
        count(row.n_pairs),
        *(rate(arm.mean_paired, decimals, unit) for arm in row.arms),
        effect(row.difference, row.ci_low, row.ci_high, unit),
        _other_rule(row),
        p_value(row.p, alpha),
        p_value(row.p_adjusted, alpha),
        p_value(adjusted, alpha),
        overall,
    )


def _other_rule(row: Endpoint) -> str:
    found = row.missing_sensitivity
    if found is None:
        return MISSING
    return effect(found.difference, found.ci_low, found.ci_high, score_unit(row.metric))


def _trial_row(result: TrialResult, arms: Sequence[ArmName]) -> tuple[str, ...]:
    trial, costs = result.facts.trial, result.costs
    attrition = [result.significance.attrition.get(name) for name in arms]
    return (
        trial.slug,
        trial.model.alias,
        trial.prompt_set,
        count(result.facts.run.n_items),
        count(costs.requests),
        *(count(None if arm is None else arm.missing) for arm in attrition),
        count(costs.total_tokens),
        amount(costs.usd),
    )

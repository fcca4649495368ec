"""Missing answers beside the effects: the effect under the other rule, and arms that lost answers unequally. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from promptrial.documents.missing import AttritionTest, MissingRule, MissingSensitivity
from promptrial.documents.significance import Endpoint, Significance
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting.cells import (
    ScoreUnit,
    Table,
    count,
    effect,
    effect_in_words,
    level,
    p_phrase,
    p_value,
    points_decimals,
    rate,
    temperature,
)
from promptrial.reporting.tables.contrasts import SIDE_HEADERS, contrast_suffix, side_phrases, with_contrasts
from promptrial.reporting.tables.remarks import plain
from promptrial.reporting.tables.words import listing, metric_text, score_unit, subset_text

__all__ = ["attrition_notes", "missing_rule_table", "rule_text", "scope_phrase", "sensitivity_notes"]

_RULES: Final[dict[MissingRule, str]] = {"exclude": "left out", "failure": "counted as failures"}


def rule_text(rule: MissingRule) -> str:
    """Return what is done with missing answers, in words."""
    return _RULES[rule]


def missing_rule_table(significance: Significance) -> Table:
    """Return the primary effects under the rule for missing answers that does not decide.

    Without rows where only one arm was run, and in documents of versions that did not have them.
    """
    rows = [(row, row.missing_sensitivity) for row in significance.endpoints if row.missing_sensitivity is not None]
    rule: MissingRule = "exclude" if significance.settings.missing == "failure" else "failure"
    reasons = (
        f"{metric_text(row.metric).label}{contrast_suffix(row)}: {plain(found.reason)}."
        for row, found in rows
        if found.reason is not None
    )
    table = Table(
        title=f"Primary endpoints, missing answers {rule_text(rule)}",
        headers=(
            "Measure",
            "Temp.",
            "Pairs",
            *SIDE_HEADERS,
            f"Difference, points ({level(significance.settings.confidence)} CI)",
            "p",
        ),
        rows=tuple(
            (metric_text(row.metric).label, temperature(row.temp), *_cells(found, score_unit(row.metric)))
            for row, found in rows
        ),
        notes=(
            f"In the main result, missing answers are {rule_text(significance.settings.missing)}.",
            "A missing answer that counts as a failure is given the worst score possible for its item.",
            "These p-values are not adjusted.",
            *dict.fromkeys(reasons),
        ),
        align="lrrrrrr",
    )
    return with_contrasts(table, [row for row, _ in rows])


def sensitivity_notes(endpoints: Iterable[Endpoint], names: Mapping[ArmName, str] | None = None) -> Iterator[str]:
    """Yield the effect under the other rule of each endpoint that lacks answers; ``names`` are what arms are called."""
    for row in endpoints:
        found, lost = row.missing_sensitivity, row.attrition
        if found is None or lost is None or not any(missing for missing, _ in lost.missing_of_planned):
            continue
        name = f"{metric_text(row.metric).label}{contrast_suffix(row, names)} at temperature {temperature(row.temp)}"
        figures = (
            f"not available: {plain(found.reason or 'no reason given')}"
            if found.difference is None
            else f"{effect_in_words(found.difference, found.ci_low, found.ci_high, score_unit(row.metric))}, "
            f"{p_phrase(found.p)}"
        )
        yield f"{name}, missing answers {rule_text(found.missing)}: {figures}."


def attrition_notes(endpoints: Iterable[Endpoint], sides: tuple[str, str] | None = None) -> Iterator[str]:
    """Yield what the two sides lost where they lost it unequally: endpoints of the same items together.

    ``sides`` names them; without it the names are those of the arms.
    """
    groups: dict[tuple[AttritionTest, Contrast, str, str, float], dict[str, None]] = {}
    for row in endpoints:
        if row.attrition is not None and row.attrition.differs:
            where = contrast_suffix(row), subset_text(row.scope, row.subset), row.temp
            groups.setdefault((row.attrition, row.compared, *where), {})[metric_text(row.metric).label] = None
    for (found, arms, contrast, subset, temp), metrics in groups.items():
        said = _lost_unequally(found, arms, sides)
        yield f"{listing(list(metrics))} ({scope_phrase(contrast, subset, temp)}): {said}."


def scope_phrase(contrast: str, subset: str, temp: float) -> str:
    """Return what an effect is about, for brackets; ``contrast`` as ``contrast_suffix`` has it.

    Examples
    --------
    >>> scope_phrase("", "all items", 0.0), scope_phrase(", short vs control", "open-book", 0.7)
    ('all items, temperature 0', 'short vs control, open-book, temperature 0.7')
    """
    return f"{contrast}, {subset}, temperature {temperature(temp)}".removeprefix(", ")


def _lost_unequally(found: AttritionTest, arms: Contrast, sides: tuple[str, str] | None = None) -> str:
    """Return what the two sides lost and how improbable that is by chance."""
    who = "the arms" if sides is None else listing(sides)
    lost = [
        f"{count(missing)} of {count(planned)} ({rate(missing / planned)}) in {side}"
        for side, (missing, planned) in zip(sides or side_phrases(arms), found.missing_of_planned, strict=True)
    ]
    return f"{who} lost different shares of their {found.lost}: {listing(lost)} ({p_phrase(found.p)})"


def _cells(found: MissingSensitivity, unit: ScoreUnit) -> tuple[str, ...]:
    decimals = points_decimals(found.ci_low, found.ci_high, unit, found.difference)
    return (
        count(found.n_pairs),
        *(rate(mean, decimals, unit) for mean in found.means),
        effect(found.difference, found.ci_low, found.ci_high, unit),
        p_value(found.p),
    )

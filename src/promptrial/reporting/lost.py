"""Whether so many answers of an arm are missing that its effects must not be relied on, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from promptrial.documents.missing import MissingRule
from promptrial.documents.significance import Endpoint
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import count, effect_in_words
from promptrial.reporting.tables.missing import rule_text
from promptrial.reporting.tables.words import listing, metric_text, score_unit

__all__ = ["lost_answers", "lost_by", "lost_sentence"]

MOST_LOST: Final = 0.1
"""The share of its answers that an arm may lack, while the other lacks fewer, before a finding begins with that."""


def lost_by(row: Endpoint) -> dict[ArmName, tuple[int, int]]:
    """Return the arms of an endpoint that lost too many answers, with how many they lost of how many planned ones.

    That is where its arms differ in what they lost, by the test of unequal losses: those that lost more than
    ``MOST_LOST``. Nothing where they lost alike.
    """
    lost = row.attrition
    if lost is None or not lost.differs:
        return {}
    sides = zip(row.compared.sides, lost.missing_of_planned, strict=True)
    return {side: (missing, planned) for side, (missing, planned) in sides if missing > MOST_LOST * planned}


def lost_sentence(rows: Sequence[Endpoint], names: Mapping[ArmName, str]) -> str:
    """Return that endpoints must not be relied on, and which arms lost too many answers; empty if none did."""
    lost = {side: found for row in rows for side, found in lost_by(row).items()}
    if not lost:
        return ""
    what = next(row.attrition.lost for row in rows if row.attrition is not None and lost_by(row))
    worst, *others = sorted(lost, key=lambda side: lost[side][0] / lost[side][1], reverse=True)
    of = {side: f"{count(m)} of {count(n)}" for side, (m, n) in lost.items()}
    said = listing(
        [
            f"{of[worst]} {what} from {names.get(worst, worst)} are missing",
            *(f"{of[side]} from {names.get(side, side)}" for side in others),
        ]
    )
    return f"Do not rely on this result: {said}."


def lost_answers(
    rows: Sequence[Endpoint], names: Mapping[ArmName, str], missing: MissingRule, lead: str, figures: str
) -> tuple[str, str] | None:
    """Return lead and figures of a finding that arms lack too many answers for; None if they do not.

    Parameters
    ----------
    rows : sequence of Endpoint
        Those that the finding is about: one, or that of each contrast where it is about all arms.
    names : mapping
        What arms are called.
    missing : {"exclude", "failure"}
        What was done with missing answers. The effect under the other rule is said before the finding as it was.
    lead, figures : str
        The finding as it was.
    """
    said = lost_sentence(rows, names)
    if not said:
        return None
    otherwise = _otherwise(rows[0]) if len(rows) == 1 else ""
    return said, f"{otherwise} With missing answers {rule_text(missing)}: {lead}{figures}"


def _otherwise(row: Endpoint) -> str:
    found = row.missing_sensitivity
    if found is None or found.difference is None:
        return ""
    figures = effect_in_words(found.difference, found.ci_low, found.ci_high, score_unit(row.metric))
    metric = metric_text(row.metric).label
    return f" With missing answers {rule_text(found.missing)}: {metric} {figures}."

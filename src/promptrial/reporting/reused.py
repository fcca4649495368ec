"""What a report says about answers that were taken over from other runs: how many, how old, and of which arms. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from promptrial.model.arms import ArmName
from promptrial.reporting.cells import count
from promptrial.reporting.facts import ReuseFacts
from promptrial.reporting.tables.words import listing

__all__ = ["reuse_sentences", "reuse_warnings"]

OLD_DAYS: Final = 1
"""Answers of one arm that were asked for so many days ago are warned of: a model may have changed since."""


def reuse_sentences(reused: Sequence[ReuseFacts]) -> Iterator[str]:
    """Yield a sentence for each arm and run: how many answers were taken over, and when they were asked for."""
    for each in reused:
        yield (
            f"{count(each.rows)} of {count(each.of)} {each.arm} answers were reused from run {each.run_id}, "
            f"{_age(each.oldest_days)}."
        )


def reuse_warnings(reused: Sequence[ReuseFacts], arms: Sequence[ArmName]) -> Iterator[str]:
    """Yield a warning, without its capital, if arms of a trial were asked for at different times.

    Parameters
    ----------
    reused : sequence of ReuseFacts
    arms : sequence of str
        The arms that were run.
    """
    old = dict.fromkeys(arms, 0)
    for each in reused:
        if each.oldest_days is None or each.oldest_days >= OLD_DAYS:
            old[each.arm] = old.get(each.arm, 0) + each.rows
    if len(set(old.values())) < 2:
        return
    by_arm = listing([f"{count(rows)} in the {name} arm" for name, rows in old.items()])
    yield (
        "the arms were asked at different times. Answers from another run, a day or more older or of unknown age: "
        f"{by_arm}. If the model has changed since, this can look like an effect of the prompt."
    )


def _age(days: int | None) -> str:
    if days is None:
        return "asked at an unknown time"
    if days < 1:
        return "asked less than a day earlier"
    return f"asked {count(days)} {'day' if days == 1 else 'days'} earlier"

"""What changed between the arms of each contrast, as ``report.md`` shows it: counts, and the first items."""

from __future__ import annotations

from itertools import islice

from promptrial.model.arms import Contrast
from promptrial.phases.side_by_side import Answer, Outcome, SideBySide
from promptrial.phases.spec import RunSpec
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.markdown import MOST_CHANGED, ChangedItem, WhatChanged
from promptrial.reporting.plots.bars import Changed

__all__ = ["what_changed"]


def what_changed(spec: RunSpec, result: TrialResult) -> list[WhatChanged]:
    """Return what changed in each contrast of a scored trial; nothing where no scorer tells."""
    sides = SideBySide(spec.run, result.facts.trial, spec.config.stats.primary)
    return [] if sides.judge is None else [_changed(sides, contrast) for contrast in sides.contrasts]


def _changed(sides: SideBySide, contrast: Contrast) -> WhatChanged:
    return WhatChanged(
        contrast,
        Changed.of(dict(sides.counts(contrast).items()), sides.judge or "", len(sides.trial.temps)),
        _items(sides, contrast, "fixed"),
        _items(sides, contrast, "broken"),
    )


def _items(sides: SideBySide, contrast: Contrast, outcome: Outcome) -> tuple[ChangedItem, ...]:
    numbers = [*islice(sides.with_outcome(contrast, outcome), MOST_CHANGED)]
    found = []
    for number, answers in zip(numbers, sides.answers_of(numbers), strict=True):
        item, (first, second) = sides.item(number), contrast.sides
        found.append(ChangedItem(item.question, item.answers, (_texts(answers[first]), _texts(answers[second]))))
    return tuple(found)


def _texts(answers: list[Answer]) -> tuple[str, ...]:
    return tuple(answer.text if answer.text is not None else f"(no answer: {answer.error})" for answer in answers)

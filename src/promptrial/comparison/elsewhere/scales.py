"""On what scale a measure is: declared, or else inferred from the scores, which is then said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from promptrial.comparison.elsewhere.collecting import Answers
from promptrial.comparison.elsewhere.rows import SEE, ReadingNotes
from promptrial.documents.scorers import NARROWEST_RANGE, Declaration
from promptrial.documents.significance import Wanted
from promptrial.errors import UsageError

__all__ = ["MULTIPLY", "Declared", "measure_names", "scale_of", "too_narrow"]

MULTIPLY: Final = "multiply the scores by a power of ten"
_ROUND_OFF: Final = 1e-12
"""Scores that differ by less, relative to the largest, are equal."""


class Declared(NamedTuple):
    """What flags declare of the primary measures; None for what they leave open."""

    range: tuple[float, float] | None = None
    binary: bool = False
    wanted: Wanted | None = None

    @property
    def has_scale(self) -> bool:
        """Whether the scale is declared."""
        return self.binary or self.range is not None


def scale_of(answers: Answers, measure: str, declared: Declared, notes: ReadingNotes) -> tuple[Declaration, str]:
    """Return what is known of a measure, and the sentence that says how its scale was inferred; empty if declared.

    Raises
    ------
    DataError
        If a score does not fit what was declared; says where it is.
    UsageError
        If nothing was declared, and the scores are too near to each other to compute with.
    """
    found = answers.measures[measure]
    scores = found.scores[~np.isnan(found.scores)]
    wanted = declared.wanted or notes.directions.get(measure)
    if declared.has_scale:
        ends = declared.range or (0.0, 1.0)
        _check(answers, measure, ends, is_binary=declared.binary)
        return _declaration(measure, ends, wanted, is_binary=declared.binary), ""
    if bool(((scores == 0) | (scores == 1)).all()):
        text = f"{measure} is assumed to be 0 or 1, because every score is; to confirm this, add --binary."
        return _declaration(measure, (0.0, 1.0), wanted, is_binary=True), text
    narrow = too_narrow(answers, measure)
    if narrow:
        raise UsageError(
            f"the scale of {measure} cannot be inferred: {narrow}",
            hint=f"{MULTIPLY}, or name another measure with --primary",
        )
    low, high = float(scores.min()), float(scores.max())
    ends = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high if high > low else low + 1)
    text = (
        f"{measure} is assumed to range from {ends[0]:g} to {ends[1]:g}, because its {scores.size:,} scores do; "
        "to confirm this, add --range LOW:HIGH."
    )
    return _declaration(measure, ends, wanted, is_binary=False), text


def too_narrow(answers: Answers, measure: str) -> str:
    """Return why the scores of a measure are too near to each other to compute with; empty if they are not."""
    scores = answers.measures[measure].scores
    low, high = float(np.nanmin(scores)), float(np.nanmax(scores))
    if not _ROUND_OFF * max(abs(low), abs(high)) < high - low < NARROWEST_RANGE:
        return ""
    return (
        f"its scores, {low:g} to {high:g}, are less than {NARROWEST_RANGE:g} apart, which is too little to compute with"
    )


def measure_names(measures: Sequence[str]) -> dict[str, str]:
    """Return, for each measure, the name that results and gates call it by: letters, digits and underscores, each once.

    Examples
    --------
    >>> measure_names(["acc", "exact_match,strict-match", "exact match strict match"])
    {'acc': 'acc', 'exact_match,strict-match': 'exact_match_strict_match', 'exact match strict match': \
'exact_match_strict_match_2'}
    """
    found: dict[str, str] = {}
    for measure in measures:
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in measure).strip("_")
        name, number = plain or "measure", 1
        while name in found.values():
            number += 1
            name = f"{plain or 'measure'}_{number}"
        found[measure] = name
    return found


def _declaration(measure: str, ends: tuple[float, float], wanted: Wanted | None, *, is_binary: bool) -> Declaration:
    return Declaration(
        label=measure,
        meaning="Scored elsewhere.",
        scale="binary" if is_binary else "continuous",
        direction=wanted,
        range=ends,
    )


def _check(answers: Answers, measure: str, ends: tuple[float, float], *, is_binary: bool) -> None:
    rows, scores = answers.measures[measure]
    low, high = ends
    wrong = (scores < low) | (scores > high)
    if is_binary:
        wrong |= ~np.isnan(scores) & (scores != low) & (scores != high)
    if not wrong.any():
        return
    at = int(np.argmax(wrong))
    row = int(rows[at])
    allowed = f"{low:g} or {high:g}" if is_binary else f"from {low:g} to {high:g}"
    flag = "--binary" if is_binary else "--range"
    raise answers.place(row).error(
        f"item {answers.items[int(answers.item[row])]!r} has the score {scores[at]:g} of {measure}; with {flag} it is "
        f"{allowed}",
        hint=f"correct the score, or declare another scale with --range LOW:HIGH; {SEE}",
    )

"""What built-in scorers ask of an answer, in plain words for pages. Pure; declarations keep the form that is stored."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["asked"]

_ABSTAINS: Final = "If the question has no answer: does the model abstain?"
_PLAIN: Final = {
    r"Does the answer (contain|begin with) an accepted one or, if the question has no answer, is it a refusal\?":
        rf"Does the answer \1 an accepted answer? {_ABSTAINS}",
    r"Is the normalised answer an accepted one or, if the question has no answer, a refusal\?":
        f"Is the normalised answer equal to an accepted answer? {_ABSTAINS}",
    r"Is the last number in the answer that of an accepted answer or, if the question has no answer, is it a refusal\?":
        f"Is the last number in the answer that of an accepted answer? {_ABSTAINS}",
    r"Does (the (?:whole )?answer) match one of the accepted patterns or, if the question has no answer, "
    r"is it a refusal\?":
        rf"Does \1 match one of the accepted patterns? {_ABSTAINS}",
    r"Does the model decline to answer\? This is right if the question has no answer, and wrong otherwise\.":
        "Does the model abstain? An abstention is right if the question has no answer, and wrong otherwise.",
    r"How much do the tokens of the answer overlap with those of the closest accepted one\?":
        "How much do the tokens of the answer overlap with those of the closest accepted answer?",
    r"How similar are the letters of the answer to those of the closest accepted one\?":
        "How similar are the letters of the answer to those of the closest accepted answer?",
    r"How long is the longest sequence of words, in order, that the answer shares with the closest accepted one\?":
        "How long is the longest sequence of words, in order, that the answer shares with the closest accepted answer?",
}  # fmt: skip
"""What a scorer declares, as a pattern, and what pages write instead; what follows it, as of ``extract``, stays."""


@lru_cache
def asked(meaning: str) -> str:
    """Return what a scorer asks, in plain words; one that is plain already, or a user's own, stays as it is.

    Examples
    --------
    >>> asked("Is the normalised answer an accepted one or, if the question has no answer, a refusal?")
    'Is the normalised answer equal to an accepted answer? If the question has no answer: does the model abstain?'
    >>> asked("Is the answer polite?")
    'Is the answer polite?'
    """
    for pattern, words in _PLAIN.items():
        if found := re.match(pattern, meaning):
            return found.expand(words) + meaning[found.end() :]
    return meaning

"""The scorer's self-test: every refusal that the prompts mandate is recognised, however a model may typeset it.

Run before any request is sent. A refusal that the scorer takes for an answer would turn a prompt's success into
false answers, and nothing in the results would show it.
"""

# ruff: noqa: RUF001 - quote marks of every kind are what this module is about

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final

from promptrial.errors import SelfTestError
from promptrial.scoring.base import ScoringSettings
from promptrial.scoring.refusals import is_abstention

__all__ = ["KNOWN_ANSWERS", "mandated_refusals", "run", "variants"]

KNOWN_ANSWERS: Final = (
    "Unknown Pleasures",
    "The Unknown",
    "The Unknown Soldier",
    "No Answer (film)",
    "Don't Know Why",
    "I Don’t Know How to Love Him",
    "I don't know, but I think it is Paris",
    "No Country for Old Men",
    "Not Fade Away",
    "None",
    "42",
)
"""Answers that look like refusals; taking one for an abstention fails the self-test."""

_APOSTROPHES: Final = ("'", "’", "‘", "`", "´")
_WRAPPERS: Final = (
    ("", ""),
    ('"', '"'),
    ("“", "”"),
    ("'", "'"),
    ("‘", "’"),
    ("`", "`"),
    ("**", "**"),
    ("*", "*"),
    ("_", "_"),
)
_TRAILERS: Final = ("", ".", "!", "…", "..", "...")
_MARGINS: Final = (("", ""), (" ", "  "), ("\n", "\n"), ("\t", "\r\n"))

_QUOTED: Final = r"[\"“”]([^\"“”\n]*\w[^\"“”\n]*)[\"“”]"
_MANDATE: Final = re.compile(
    rf"""
    (?P<denied>(?:\b(?:never|not|avoid|without|than)|n['’]t)\s+(?:(?:just|only|simply|ever|to)\s+)?)?
    \b(?:(?:reply|answer|respond|say|write|output|return|state)
         (?:\s+(?:exactly|only|just|simply|with|the|words?|phrase|this))*
       |exactly)
    \s*:?\s*
    {_QUOTED}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def mandated_refusals(text: str) -> list[str]:
    r"""Return the refusals that a prompt or task instruction tells the model to use, in order, each once.

    The convention: a refusal is in double quotes, straight or curly, on one line, right after ``exactly`` or
    after one of *reply, answer, respond, say, write, output, return, state* (between them only *exactly, only, just,
    simply, with, the, word(s), phrase, this* and a colon). A mandate that is denied (``never say "..."``) is not one.

    Examples
    --------
    >>> mandated_refusals('If the passage does not say, reply exactly "I don\'t know." and nothing else.')
    ["I don't know."]
    >>> mandated_refusals('Never say "As a model". Otherwise answer with the word “unanswerable”.')
    ['unanswerable']
    """
    found = (match for match in _MANDATE.finditer(text) if match["denied"] is None)
    return list(dict.fromkeys(match[match.re.groups].strip() for match in found))


def variants(refusal: str) -> Iterator[str]:
    """Yield the refusal in every casing, apostrophe, wrapper (quotes, markdown), trailing punctuation and margin."""
    stem = re.sub(r"[.!…\s]+$", "", refusal)
    casings = dict.fromkeys((refusal, stem, stem.lower(), stem.upper(), stem.title(), stem.capitalize()))
    quoted = (re.sub("['’‘`´]", apostrophe, casing) for casing, apostrophe in itertools.product(casings, _APOSTROPHES))
    worded = dict.fromkeys(quoted)
    for body, (left, right), trailer in itertools.product(worded, _WRAPPERS, _TRAILERS):
        for text in dict.fromkeys((f"{left}{body}{trailer}{right}", f"{left}{body}{right}{trailer}")):
            for before, after in _MARGINS:
                yield f"{before}{text}{after}"


def run(refusals: Iterable[str], settings: ScoringSettings) -> int:
    """Check that every typesetting of every refusal is an abstention, and that no known answer is.

    Returns
    -------
    int
        How many texts were checked.

    Raises
    ------
    SelfTestError
        Naming the first refusal or answer that the scorer misjudges.
    """
    checked = 0
    for refusal in dict.fromkeys(refusals):
        for variant in variants(refusal):
            checked += 1
            if not is_abstention(variant, settings.extra_refusals):
                raise SelfTestError(
                    f"a prompt mandates the abstention {refusal!r}, but the scorer takes {variant!r} for an answer",
                    hint="add it to scoring.extra_refusals in the configuration, or reword the prompt",
                )
    for answer in KNOWN_ANSWERS:
        checked += 1
        if is_abstention(answer, settings.extra_refusals):
            raise SelfTestError(
                f"the scorer takes the answer {answer!r} for an abstention",
                hint="take it out of scoring.extra_refusals in the configuration",
            )
    return checked

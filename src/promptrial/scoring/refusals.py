"""What counts as a refusal: the normal form of a text, and the anchored patterns that the whole of it must match.

An answer is an abstention only if *all* of it says "I do not know" in one way or another. The text is brought into a
normal form first (``refusal_form``), and so is everything that it is compared with, so casing, quote style, markup
and punctuation never decide. What follows from that:

* ``I don’t know.`` and ``**I DON'T KNOW**`` are abstentions; so are ``Unknown`` and
  ``The passage does not say who won.``
* ``Unknown Pleasures``, ``Don't Know Why`` and ``I Don't Know How to Love Him`` are answers: a refusal by the model
  itself takes only the tails listed here, never a free one, because titles begin like that.
* ``I don't know, but I think it is Paris`` is an answer: it commits itself, and is scored on what it says.
* A text without a single word (``...``) is no abstention: it does not say so, unless an extra refusal has none either.
* A text of more than 400 characters is an answer: nobody needs so many to decline.
* ``None`` and ``Nobody`` are answers, since they can be true ones.
"""

# ruff: noqa: RUF001, RUF002, RUF003 - quote marks of every kind are what this module is about

from __future__ import annotations

import re
import string
import unicodedata
from functools import lru_cache
from typing import Final

__all__ = ["is_abstention", "refusal_form"]

_BREAK: Final = "\n"
_MAX_CHARACTERS: Final = 400

# --- normal form ---------------------------------------------------------------------------------------------------

_APOSTROPHES: Final = "'`´‘’‛ʼʹʻˈ′"
_SENTENCE_ENDS: Final = ".!?;:…\n\r\u2028\u2029¡¿。"


def _normal_table() -> dict[int, str | None]:
    """Apostrophes and invisible characters vanish, sentence ends become a break, other punctuation a space."""
    table: dict[int, str | None] = dict.fromkeys(map(ord, string.punctuation), " ")
    for code in (*range(0x80, 0x3100), 0xFEFF):
        category = unicodedata.category(chr(code))
        if category == "Cf":
            table[code] = None
        elif category[0] == "P":
            table[code] = " "
    table.update(dict.fromkeys(map(ord, _SENTENCE_ENDS), _BREAK))
    table.update(dict.fromkeys(map(ord, _APOSTROPHES), None))
    return table


_TABLE: Final = _normal_table()
# The same for ASCII bytes, several times as fast.
_ASCII_DELETED: Final = b"'`"
_ASCII_TABLE: Final = bytes(ord(_TABLE.get(code) or chr(code).lower()) for code in range(128)) + bytes(range(128, 256))


def refusal_form(text: str) -> str:
    r"""Return the text as refusals are compared: case-folded words, each sentence on a line.

    Examples
    --------
    >>> refusal_form("“I don’t KNOW.”\n")
    'i dont know'
    >>> refusal_form("Sorry! I do *not* know...")
    'sorry\ni do not know'
    """
    return _BREAK.join(segment for part in _translated(text).split(_BREAK) if (segment := " ".join(part.split())))


def _translated(text: str) -> str:
    if text.isascii():
        return text.encode().translate(_ASCII_TABLE, _ASCII_DELETED).decode()
    # Quotes first: the compatibility form of ´ is a space and a combining accent. Then again for what it revealed.
    return unicodedata.normalize("NFKC", text.translate(_TABLE)).casefold().translate(_TABLE)


# --- patterns, on the normal form of one sentence ------------------------------------------------------------------

_PASSAGE = r"(?:passage|text|context|paragraph|article|document|excerpt|information|material|source)"
_SOURCE = (
    r"(?:(?:the|this|that|your) )?(?:(?:given|provided|above|supplied|following) )?"
    rf"{_PASSAGE}(?: (?:provided|given|above|supplied|alone|itself|only))?"
)
_BASIS = rf"(?:(?:based )?(?:only |solely )?(?:upon|on|from|in|within|by|with|using|given|according to) {_SOURCE})"
_QUESTION = r"(?:(?:the|this|that|your) question)"
_OBJECT = rf"(?:it|this|that|{_QUESTION}|(?:the|an|any|a definite) answer(?: to {_QUESTION})?)"
_SUBJECT = rf"(?:{_OBJECT}|this information|the information)"
_SURE = r"(?:for sure|for certain|with certainty|at this time|yet)"
_TO_ANSWER = rf"(?:to (?:answer|say|tell|determine|know)(?: {_OBJECT})?)"
_FACT = r"(?:information|info|context|data|evidence|details?|knowledge)"
_CANNOT = r"(?:cannot|can not|cant|could not|couldnt)"
_SELF = r"(?:i|we)"
_SELF_IS = r"(?:im|i am|we are)"
_UNKNOWN = r"(?:unknown|unanswerable|not answerable|not known|unclear|undetermined|indeterminate)"
_NOT_STATED = (
    r"(?:not (?:directly |explicitly |clearly )?"
    r"(?:stated|mentioned|specified|given|provided|found|available|included|contained|present|indicated|disclosed))"
)
# A free clause may stand only where the passage is spoken of, and only one that does not go on to answer.
_COMMITTING = (
    r"(?:but|however|although|though|yet|still|likely|probably|perhaps|maybe|may|might|think|believe|guess|assume"
    r"|suggests?|implies|imply|says?|instead|except|rather|so|therefore|thus|because|and)"
)
_FREE_WORD = rf"(?: (?!{_COMMITTING}\b)\w+)"
_CLAUSE = (
    r"(?: (?:who|whom|whose|what|when|where|which|why|how|whether|if|any|anything|the|a|an|this|that|such|its|their"
    rf"|his|her|about|enough){_FREE_WORD}{{0,25}})"
)

_CORES: Final = {
    "I don't know the answer": (
        rf"(?:{_SELF} )?(?:(?:really|honestly|simply|just|still) )?(?:(?:dont|do not) (?:(?:really|actually) )?know"
        rf"|dunno|idk)(?: {_OBJECT})?(?: {_SURE})?"
    ),
    "I don't have enough information": (
        rf"(?:{_SELF} )?(?:dont|do not) (?:currently )?have "
        rf"(?:{_OBJECT}|(?:enough|sufficient|any|the|this|that) {_FACT}|(?:an|any) idea|a clue)"
    ),
    "I'm not sure about that": (
        rf"(?:{_SELF_IS} )?(?:really )?(?:not (?:sure|certain)|unsure|uncertain)(?: (?:about|of))?(?: {_OBJECT})?"
    ),
    "I cannot answer this question": (
        rf"(?:{_SELF} {_CANNOT}|cannot|cant|(?:{_SELF_IS} )?(?:unable|not able) to)"
        r" (?:answer|say|tell|determine|find|provide|give|know|verify|confirm)"
        rf"(?: {_OBJECT})?(?: {_SURE})?"
    ),
    "I have no idea": rf"(?:{_SELF} have )?no (?:idea|clue)",
    "The answer is unknown": (
        rf"(?:{_SUBJECT} (?:is|was|remains) )?(?:currently )?(?:{_UNKNOWN}|{_NOT_STATED}|not {_BASIS})"
    ),
    "It cannot be determined": (
        rf"(?:{_SUBJECT} )?{_CANNOT} be (?:determined|answered|found|known|inferred|established|deduced)"
    ),
    "There is not enough information": (
        rf"(?:(?:there (?:is|was)|{_SELF} have) )?(?:no|not enough|insufficient|not sufficient|inadequate)"
        rf" (?:{_FACT}|answer)(?: (?:is |was )?(?:given|provided|available|found|stated))?(?: {_BASIS})?"
    ),
    "N/A": r"n a",
    "It does not say": rf"it (?:does not|doesnt) (?:say|state|specify|mention)(?: {_OBJECT})?",
    "The passage does not say who won": (
        rf"{_SOURCE} (?:does not|doesnt|did not|didnt) (?:explicitly |directly |actually )?"
        r"(?:say|state|mention|specify|provide|contain|give|tell|include|answer|indicate|discuss|explain|address"
        rf"|reveal|have)(?: {_OBJECT}|{_CLAUSE})?"
    ),
    "The date is not mentioned in the passage": (
        rf"\w+{_FREE_WORD}{{0,20}} (?:is|are|was|were) {_NOT_STATED} {_BASIS}"
    ),
}
"""What a refusal says, under an example of each."""

_REGRET = r"(?:(?:im |i am )?(?:very |so )?sorry|i apologi[sz]e|apologies|unfortunately|(?:im|i am) afraid)"
_ANSWER = r"(?:(?:the |my )?(?:final )?answer(?: is)?)"
_PREFACE = rf"(?:(?:{_REGRET}(?: but)?|{_ANSWER}|{_BASIS}|as an ai(?: language)?(?: model| assistant)?) )"
_TAIL = rf"(?: {_TO_ANSWER})?(?: {_BASIS})?(?: (?:im |i am )?sorry)?"
_ONE = rf"{_PREFACE}{{0,2}}(?:{'|'.join(_CORES.values())}){_TAIL}"
_REFUSAL: Final = re.compile(rf"{_ONE}(?: (?:(?:and|as|because|since) )?{_ONE}){{0,2}}")
# A sentence of its own that says nothing either way.
_FILLER: Final = re.compile(rf"{_REGRET}|{_ANSWER}|response|a|{_BASIS}")
# Every pattern above holds one of these words, so a text without any is no refusal and costs no matching.
_NEGATIONS: Final = frozenset(
    {"cannot", "cant", "couldnt", "didnt", "doesnt", "dont", "dunno", "idk", "inadequate", "indeterminate"}
    | {"insufficient", "n", "no", "not", "unable", "unanswerable", "uncertain", "unclear", "undetermined"}
    | {"unknown", "unsure"}
)


def is_abstention(text: str, extra_refusals: tuple[str, ...] = ()) -> bool:
    """Tell whether the whole text is a refusal to answer.

    Parameters
    ----------
    text : str
        The raw response.
    extra_refusals : tuple of str
        Further texts that are refusals, compared in the same normal form.

    Examples
    --------
    >>> is_abstention("I don’t know.")
    True
    >>> is_abstention("Unknown Pleasures")
    False
    >>> is_abstention("No comment", extra_refusals=("no comment!",))
    True
    """
    if len(text) > _MAX_CHARACTERS:
        return False
    words = _translated(text).split()
    if extra_refusals and " ".join(words) in _wordings(extra_refusals):
        return True
    if _NEGATIONS.isdisjoint(words):
        return False
    return _is_refusal(refusal_form(text), extra_refusals)


@lru_cache(maxsize=16_384)
def _is_refusal(form: str, extra_refusals: tuple[str, ...]) -> bool:
    """Tell whether each sentence refuses or says nothing, and one at least refuses."""
    sentences = form.split(_BREAK)
    extra = _wordings(extra_refusals)
    refusing = [sentence in extra or _REFUSAL.fullmatch(sentence) is not None for sentence in sentences]
    return any(refusing) and all(
        refuses or _FILLER.fullmatch(sentence) for refuses, sentence in zip(refusing, sentences, strict=True)
    )


@lru_cache(maxsize=64)
def _wordings(refusals: tuple[str, ...]) -> frozenset[str]:
    return frozenset(refusal_form(refusal).replace(_BREAK, " ") for refusal in refusals)

"""What announces the choice that an answer names: statements, conclusions, and what only looks like them. Pure.

``choosing`` reads what stands behind a cue; here is which words are one.
"""

# ruff: noqa: RUF001 - marks of every kind

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "CONCLUSION",
    "INLINE_LIST",
    "IS_SUBJECT",
    "LEADS",
    "LIST_ITEM",
    "REFUTES",
    "STATEMENT",
    "is_of_none",
    "is_title",
]

STATEMENT: Final = re.compile(
    r"\b(?:answer|choice|option|antwort|respuesta|réponse|risposta|resposta|antwoord)\b[*_ ]{0,4}"
    r"(?:\([^()\n]{0,20}\) ?)?"
    r"(?:(?:is|was|would be|must be|should be|has to be|ist|lautet|es|est|è|é)\b|[:：])"
    r"|(?:答案|答え|正解|정답|ответ)[是はは은:： ]{0,3}[:：是]?"
    r"|\\boxed\s?\{|<(?:final[_ -]?)?(?:answer|choice|option)>",
    re.IGNORECASE,
)
_OF_NONE: Final = re.compile(
    r"\b(?:(?:each|every|any|all|no|which|by|another|next|first|second|third|fourth|fifth"
    r"|jede[rnms]?|welche[rs]?|chaque|quelle|cada|ogni|elke|iedere|welk)"
    r"(?:\s(?:one|of|these|those|following|possible|given|other|single|individual|remaining|answer|multiple|choice))*"
    r"|(?:each|every|any)\sof\sthe(?:\s\w{1,20})?"
    r"|(?:whether|if|ob|si|se)(?:\s(?:the|a|an|any|this|that|answer|correct|right|best|die|la|het))*)\s$"
    r"|[每各哪](?:一?[个個]|一)?$",
    re.IGNORECASE,
)
_LONGEST_BEFORE: Final = 60
_TITLE: Final = re.compile(
    r"[\s#>*_-]*(?:(?:the|my|our|so|final|correct|right|best|most likely)\s){0,4}", re.IGNORECASE
)
CONCLUSION: Final = re.compile(
    r"\b(?:therefore|thus|hence|so|consequently|accordingly|in conclusion|daher|somit|deshalb|por (?:lo )?tanto|donc"
    r"|quindi|portanto|dus|daarom|поэтому|значит)\b"
    r"|(?:所以|因此|故|したがって|よって|따라서)[,，、 ]?(?:我?[选選](?![项項])[择擇]?)?|我?[选選](?![项項])[择擇]?"
    r"|\b(?<!not )(?:conclusion|final|correct|result|solution|verdict|selected|selection|pick|response)[*_]{0,3}[:：]"
    r"|\bI(?:['’](?:d|ll|ve)|\swould|\swill|\shave)?\s"
    r"(?:choose|chose|chosen|pick|picked|select|selected|say|go with|went with)\b"
    r"|\b(?:correct|right|best)\s\w{1,20}\s(?:is|must be|would be|should be)\b|=>|[→⇒∴]",
    re.IGNORECASE,
)
LEADS: Final = re.compile(
    r"[\s,:*_]{0,9}(?:(?:it|this|that)(?:['’]s|\s(?:is|must be|has to be|would be))\b|we\s(?:choose|pick|select)\b)?",
    re.IGNORECASE,
)
"""What may stand between a conclusion and what it names."""
REFUTES: Final = re.compile(
    r"n[o'’]t\b|\b(?:nor|neither|no|never|rather|instead|wrong|incorrect|false|out|unlikely|eliminat\w*|exclud\w*"
    r"|reject\w*|discard\w*)\b|\?",
    re.IGNORECASE,
)
"""What a sentence has that may conclude that a choice is not the right one."""
LIST_ITEM: Final = re.compile(
    r"[ \t>#*_]{0,6}(?:(?:option|choice)\s[(\[]?[A-Z][)\]]?[*_]{0,2}\s?[:：.)-]|(?:[-*•+]|[0-9]{1,2}[.)])\s)",
    re.IGNORECASE,
)
INLINE_LIST: Final = re.compile(
    r"(?<![^\s(\[*_])A[*_]{0,2}[).:：\]](?=[\s*_]).{1,500}?[\s*_(\[]B[*_]{0,2}[).:：\]][\s*_]"
)
"""The first two choices of a list that is written in one line."""
IS_SUBJECT: Final = re.compile(
    r"[)\]*_]{0,3}\s(?:is|was|has|does|would|can|could)\b(?!\s(?:also\s)?(?:the|correct|right|true|best|most|my|our|what|be)\b)"
)
"""What makes a letter the subject of a sentence that says something of it, as in "so B is in England"."""


def is_of_none(text: str, start: int) -> bool:
    """Tell whether what stands before a cue makes it one that is about no choice in particular.

    Examples
    --------
    >>> texts = ("Look at each option: A", "Which answer is B?", "All in all the answer is B", "No, the answer is B")
    >>> [is_of_none(text, STATEMENT.search(text).start()) for text in texts]
    [True, True, False, False]
    """
    return _OF_NONE.search(text[max(0, start - _LONGEST_BEFORE) : start]) is not None


def is_title(text: str, start: int) -> bool:
    """Tell whether a cue begins its line, as in "**Final answer:**"."""
    begin = max(text.rfind("\n", 0, start) + 1, start - _LONGEST_BEFORE)
    return _TITLE.fullmatch(text, begin, start) is not None

"""What announces the choice that an answer names: statements, conclusions, and what only looks like them. Pure.

``choosing`` reads what is after a cue; here is which words are one.
"""

# ruff: noqa: RUF001 - marks of every kind

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "CONCLUSION",
    "IS_SUBJECT",
    "LEADS",
    "LIST_ITEM",
    "NO_MORE",
    "SECOND_LABEL",
    "STATEMENT",
    "is_of_none",
    "is_title",
    "refutes",
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
_CHOOSES: Final = (
    r"我?[选選](?![项項])[择擇]?|\b(?:in conclusion|(?<!not )(?:conclusion|final|correct|result|solution|verdict"
    r"|selected|selection|pick|response)[*_]{0,3}[:：])"
    r"|\bI(?:['’](?:d|ll|ve)|\swould|\swill|\shave)?\s"
    r"(?:choose|chose|chosen|pick|picked|select|selected|go with|went with)\b"
)
CONCLUSION: Final = re.compile(
    rf"(?P<chooses>{_CHOOSES})"
    r"|\b(?:therefore|thus|hence|so|consequently|accordingly|daher|somit|deshalb|por (?:lo )?tanto|donc|quindi|portanto"
    r"|dus|daarom|поэтому|значит)\b|(?:所以|因此|故|したがって|よって|따라서)[,，、 ]?"
    r"|\bI(?:['’]d|\swould)?\ssay\b|\b(?:correct|right|best)\s\w{1,20}\s(?:is|must be|would be|should be)\b"
    r"|(?<![A-Z]\s)(?:=>|[→⇒∴])",
    re.IGNORECASE,
)
"""What announces a conclusion; ``chooses`` is one that says that it is the answer, as "I choose" and "final:" do."""
LEADS: Final = re.compile(
    r"[\s,:*_]{0,9}(?:(?:it|this|that)(?:['’]s|\s(?:is|must be|has to be|would be))\b|we\s(?:choose|pick|select)\b)?",
    re.IGNORECASE,
)
"""What may be between a conclusion and what it names."""
_REASON: Final = r",?\s(?:because|since|given|due)\b"
_REFUTES: Final = re.compile(
    r"n[o'’]t\b|\b(?:nor|neither|no|never|rather|instead|wrong|incorrect|false|out|unlikely|eliminat\w*|exclud\w*"
    r"|reject\w*|discard\w*)\b|\?",
    re.IGNORECASE,
)
"""What a sentence has that may conclude that a choice is not the right one."""
LIST_ITEM: Final = re.compile(
    r"[ \t>#*_]{0,6}(?:(?:option|choice)\s[(\[]?[A-Z][)\]]?[*_]{0,2}\s?[:：.)-]|(?:[-*•+]|[0-9]{1,2}[.)])\s)",
    re.IGNORECASE,
)
SECOND_LABEL: Final = re.compile(r"[\s*_(\[]B[*_]{0,2}[).:：\]](?=[\s*_])")
"""The second choice of a list that is written in one line."""
IS_SUBJECT: Final = re.compile(
    r"[)\]*_]{0,3}\s(?:is|was|has|does|would|can|could)\b(?!\s(?:also\s)?(?:the|correct|right|true|best|most|my|our|what|be)\b)"
)
"""What makes a letter the subject of a sentence that says something of it, as in "so B is in England"."""
_TO_BE_RIGHT: Final = (
    r"(?:is|was|must be|has to be|would be|should be|seems|ist|es|est|è|é)\s"
    r"(?:(?:also|the|my|our|only|most|la|le|de|die|het)\s){0,3}"
    r"(?:correct[ae]?|right|true|best|answer|choice|solution|appropriate|accurate|what|most likely|only one|richtig"
    r"|korrekt|juist|juste|bonne|corrett?[ao]|giust[ao])\b"
)
NO_MORE: Final = re.compile(
    r"[*_)\]}\"'”’»]{0,4}(?:\s?\([^()]{0,200}\))?(?:[\s*_]{0,3}$|:(?=\s)|[。、]|\s[-–—]{1,2}\s(?!\d)"
    rf"|{_REASON}|,?\sas\b(?!\s(?:well|a|an|the)\b)|,\sfor\b|(?P<insertion>,[^,]*$)"
    rf"|\s{_TO_BE_RIGHT}|\s(?:fits|matches|remains)(?:\s(?:best|better|the (?:description|question)))?[\s*_]{{0,3}}$"
    r"|(?:是|が|이|가)?\s?(?:正[确確]|正解|정답|[对對])|です|입니다)",
    re.IGNORECASE,
)
"""What is after a choice that a sentence concludes with: the end, a reason, or that it is right.

One comma may follow. A sentence with a verb after an insertion ("so B, however, is large") has two.
"""


def is_of_none(text: str, start: int) -> bool:
    """Tell whether what is before a cue makes it one that is about no choice in particular.

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


def refutes(sentence: str) -> bool:
    """Tell whether a sentence denies or asks; what it gives as a reason may deny."""
    return _REFUTES.search(re.split(_REASON, sentence, maxsplit=1)[0]) is not None

r"""Which choice of a multiple-choice question an answer names: by letter, by number or by its text. Pure.

The first of these rules that finds anything decides; if it finds several different choices, the answer names none.

1. **Nothing but a choice.** The whole answer, else its last line, is a letter ("B", "(b)", "**B.**", "Option B"), the
   text of a choice, or its number; in tags too ("<answer>B</answer>"). A text goes before a number: "8" is the choice
   "8" and not the eighth.
2. **A statement.** What follows the last "answer is", "answer:", "correct choice is", ``\boxed{``, ``<answer>`` and the
   like begins with a letter, or names choices by their text. "Option B is correct" is a statement too. What speaks of
   all choices or of none in particular ("each option:", "which answer is", "if the answer is"), or only opens a list of
   the choices, is not a statement.
3. **A conclusion.** In the last line, unless that is an item of a list, what follows the last "therefore", "so",
   "I choose", "final:", "correct:" and the like is a choice and no more, a choice with a reason, or a choice that is
   said to be right. What says something else of a choice ("so B is in England", "so Paris comes second") concludes
   nothing. Below a first line that is nothing but a choice, only "I choose", "final:" and the like conclude.
4. **A first line** that is nothing but a choice: its letter, its text or both ("B. Paris"); unless a list begins there.
5. **A labelled line.** Lines that begin with a letter and a mark ("B. Paris", "(B) Paris", "B) …", "B: …"), and with
   such a line all letters in brackets. A last line that repeats a letter with its text decides alone, unless it is the
   end of a second list, or denies.
6. **A text.** Choices whose text is in the answer as whole words; one that is only within a longer one that was
   found ("York" in "New York") does not count.
7. **A letter.** Capital letters that stand alone, and any in brackets or bold.

"A" and "I" are letters only where they can be neither an article nor a pronoun: alone on a line, before a mark, in
brackets or bold, beside "and" or "or" and another letter, or before a word that only a reason begins with. "The answer
is A because" names A, "The answer is a cat" none, and "The answer is B, a type of rock" B alone.

Texts are compared as they are written, white space and case aside, and then by their words; where choices differ only
in what is not a word (5 and -5, 10% and $10, "p > 0.05" and "p < 0.05"), only as they are written (``choice_texts``).

What is denied names nothing: letters and texts after "not", "neither … nor", "rather than" and "instead of", and
letters that are said to be wrong. "The answer is not A" names none; "not B but C" names C.
"""

# ruff: noqa: RUF001 - quotes and marks of every kind

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Final

from promptrial.scoring.choice_cues import (
    CONCLUSION,
    IS_SUBJECT,
    LEADS,
    LIST_ITEM,
    NO_MORE,
    SECOND_LABEL,
    STATEMENT,
    is_of_none,
    is_title,
    refutes,
)
from promptrial.scoring.choice_texts import MARKS, Choices, bare, choices_of, named, plain

__all__ = ["chosen"]

_DECORATION: Final = f"{MARKS}$"
_LABEL: Final = r"(?:option|choice|answer|letter|number|no\.)"
_LETTER: Final = r"[A-Za-z]"
_APART: Final = r"(?<![A-Za-z0-9_À-ɏ'’\-+#&])"
_ENDS: Final = r"(?![A-Za-z0-9_À-ɏ'’\-+#&])"
_ALONE: Final = re.compile(rf"(?:{_LABEL}\s{{0,3}})?[(\[{{]?\s?({_LETTER}|[0-9]{{1,2}})\s?[)\]}}]?", re.IGNORECASE)
_SAID_TO_BE: Final = re.compile(
    rf"(?:\b(?:option|choice|answer|letter)\s[(\[*]{{0,3}}({_LETTER})[)\]*]{{0,3}}|{_APART}((?-i:[A-Z])))"
    r"\s(?:is|would be|must be)\s(?:the\s)?(?:most\s|only\s)?(?:correct|right|best|true|appropriate|accurate)\b",
    re.IGNORECASE,
)
_ONE: Final = (
    rf"(?:(?:option|choice|answer|letter)\s[(\[*]{{0,3}}{_LETTER}{_ENDS}|[(\[]{_LETTER}[)\]]|{_APART}[B-HJ-Z]{_ENDS}"
    rf"|{_APART}[AI](?=[*_]{{0,2}}(?:[^\w\s'’\-+#&]|\s(?:is|and|or|nor|but|because|since|as)\b|\s?$)))[)\]*]{{0,3}}"
)
"""A letter in a sentence that can be neither an article nor a pronoun."""
_NOT: Final = r"(?:\b(?:[Nn]ot|NOT)|\b[Cc]annot|\b[Nn]either|\bnor|\brather than|\binstead of|n['’]t)"
_DENIED: Final = re.compile(
    rf"{_NOT}\s(?:(?:be|the|necessarily|likely)\s){{0,3}}[(\[*]{{0,3}}{_ONE}(?:,?\s(?:or|nor)\s{_ONE})*"
    rf"|(?:(?:{_ONE}(?:,\s|,?\s(?:and|or|nor)\s)){{1,6}}{_ONE}\s(?:are|were)|{_ONE}\s(?:is|was))\s?"
    r"(?:(?:not|n['’]t)(?=[^\w\s]|$|\s(?:the\s)?(?:correct|right|answer|true|best)\b)"
    r"|(?:clearly\s|also\s|both\s|all\s)?(?:wrong|incorrect|false)\b)",
    re.MULTILINE,
)
_MAY_DENY: Final = re.compile(r"n[o'’]t|nor|neither|rather|instead|wrong|incorrect|false", re.IGNORECASE)
"""What every denial has somewhere; most answers have none."""
_BEGINS_DENIED: Final = re.compile(rf"[\s*_`:：]{{0,9}}{_NOT}\b", re.IGNORECASE)
_MASK: Final = "\0"
_FILLER: Final = re.compile(
    r"(?:[\s\0*_`:：\"'“‘$]|\\(?:text|mathrm|textbf|boxed)\b"
    r"|\b(?:the|definitely|clearly|most likely|likely|probably|therefore|thus|indeed|simply|actually|correct|best"
    r"|but|rather|instead)\b"
    rf"|{_LABEL}(?![A-Za-z]))*",
    re.IGNORECASE,
)
_LED: Final = re.compile(rf"(?P<open>[(\[{{]?)\s?(?P<letter>{_LETTER}){_ENDS}\s?(?P<close>[)\]}}]?)")
_ANOTHER: Final = re.compile(
    rf"[\s*_]{{0,3}}(?:,|/|&|\band\b|\bor\b|, (?:and|or)\b)[\s*_]{{0,3}}(?:{_LABEL}\s)?"
    rf"[(\[]?(?P<letter>{_LETTER}){_ENDS}"
)
_CLAUSE: Final = re.compile(
    r"[)\]*_]{0,3}\s(?:is|are|was|were|isn|aren|has|does|would|can|could|cannot)\b(?!\s(?:also\s)?(?:correct|right|true)\b)"
)
"""What makes a letter the subject of a sentence of its own, as in "C, A is wrong"."""
_GOES_ON: Final = re.compile(
    r"[*_ ]*(?:$|[^\w\s]|\n|(?:because|since|as|and|or|but|for|due|given|which|is|with|that|where|while|not"
    r"|fits|matches|remains|seems)\b)"
)
_LABELLED: Final = re.compile(
    rf"^[ \t>#*_-]{{0,6}}(?:[(\[]({_LETTER})[)\]]|({_LETTER})[*_]{{0,2}}[).:：\]-](?=[\s*_]|$))", re.MULTILINE
)
_WITH_TEXT: Final = re.compile(
    rf"(?:(?:option|choice)\s)?[(\[]?(?P<letter>{_LETTER}){_ENDS}[)\]*_.:\s-]{{1,6}}(?P<text>.+)"
    rf"|(?P<text_first>.+?)[*_]{{0,2}}\s[(\[](?P<letter_last>{_LETTER})[)\]]",
    re.IGNORECASE,
)
"""A letter with the text of its choice: "B. Paris", "**B**: Paris", "B (Paris)", "Option B) Paris", "Paris (B)"."""
_BRACKETED: Final = re.compile(rf"[(\[]({_LETTER})[)\]]")
_STANDING: Final = re.compile(
    rf"[(\[]({_LETTER})[)\]]|\*\*({_LETTER})\*\*|{_APART}([B-HJ-Z]){_ENDS}"
    rf"|{_APART}([AI])(?=[*_]{{0,2}}\s?(?:[.,;:!?)/&]|$|(?:and|or)\s[(*]{{0,2}}[A-Z](?![A-Za-z'’])))"
    rf"|(?:\b(?:and|or)\s|[/&]\s?)([AI])(?![A-Za-z'’]|\s[a-z])"
)
_TAGGED: Final = re.compile(r"<([A-Za-z_]{2,20})>(.*)</\1>", re.DOTALL)
_SENTENCE_ENDS: Final = re.compile(r"[.;!?](?:\s|$)|</")
_LONGEST_LINE: Final = 2000
_MOST_CUES: Final = 20
_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""The full-width forms of ASCII characters."""


def chosen(text: str, choices: tuple[str, ...], first: int = 1) -> int | None:
    """Return the place of the choice that an answer names, from 0; None if it names none, or several.

    Parameters
    ----------
    text : str
        The answer.
    choices : tuple of str
        The texts of the choices in order, at most 26.
    first : int
        The number of the first choice, where an answer names it by number.

    Examples
    --------
    >>> legs = ("6", "8", "10")
    >>> [chosen(text, legs) for text in ("(B)", "The answer is B.", "8", "b", "Answer: (B) 8", "A spider has eight.")]
    [1, 1, 1, 1, 1, None]
    """
    known, text = choices_of(choices), plain(text if text.isascii() else text.translate(_WIDE))
    for rule in (_alone, _stated, _concluded, _opened, _labelled, _named, _standing):
        found = rule(text, known, first)
        if found:
            return next(iter(found)) if len(found) == 1 else None
    return None


def _alone(text: str, known: Choices, first: int) -> set[int]:
    last = _last_line(text)
    return _only(text, known, first) or (_only(last, known, first) if last != text else set())


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip(_DECORATION)), "")


def _opened(text: str, known: Choices, first: int) -> set[int]:
    """Return the choice that the first line is and no more, unless it begins a list of the choices.

    A list continues with another choice in the same form. One that starts again with the first choice explains the
    answer above it.
    """
    lines = [line for line in text.splitlines() if line.strip(_DECORATION)]
    if len(lines) < 2:
        return set()  # a single line is the whole answer
    with_text = _with_text(lines[0], known)
    found = with_text or _only(lines[0], known, first)
    is_item = with_text or LIST_ITEM.match(lines[0])
    below = (
        _with_text(line, known) or _item(line, known) if is_item else _only(line, known, first) for line in lines[1:]
    )
    others = (places for places in below if places and places != found)
    return found if found and next(others, {0}) == {0} else set()


def _with_text(line: str, known: Choices) -> set[int]:
    """Return the choice that a line names by its letter and its text, and nothing else."""
    core = bare(line, _DECORATION, "#>")
    match = _WITH_TEXT.fullmatch(core) if len(core) <= _LONGEST_LINE else None
    if match is None:
        return set()
    places = _places([match["letter"] or match["letter_last"]], known)
    return places if known.text(match["text"] or match["text_first"]) == places else set()


def _only(text: str, known: Choices, first: int) -> set[int]:
    """Return the choice that a text names if it is nothing but its letter, its text or its number."""
    core = bare(text, _DECORATION, "#>")
    if not core or len(core) > _LONGEST_LINE:
        return set()
    if core[0] == "<" and (tagged := _TAGGED.fullmatch(core)):
        return _only(tagged[2], known, first)
    match = _ALONE.fullmatch(core)
    if match and match[1].isalpha():
        return _places([match[1]], known)
    found = None if _LABELLED.match(core) else known.text(text)
    if found is not None:
        return found
    place = int(match[1]) - first if match else -1
    return {place} if 0 <= place < known.size else set()


def _stated(text: str, known: Choices, first: int) -> set[int]:
    masked = _without_denied(text)
    cues = [
        match.end()
        for match in [*STATEMENT.finditer(masked)][-_MOST_CUES:]
        if not (is_of_none(masked, match.start()) or _opens_a_list(masked, match, known))
    ]
    said = [
        match
        for match in _SAID_TO_BE.finditer(masked)
        if _places([match[1] or match[2]], known) and not is_of_none(masked, match.start())
    ]
    if said and said[-1].end() > max(cues, default=-1):
        return _places([said[-1][1] or said[-1][2]], known)
    for end in reversed(cues):
        tail = masked[end : end + _LONGEST_LINE]
        begin = _filled(tail, 0)
        start = end + len(tail[:begin].rstrip("$"))
        sentence = _sentence(text[start : end + _LONGEST_LINE])
        found = _written(sentence, known) or _led(tail[begin:], known) or _in_sentence(sentence, known, first)
        if found or not _BEGINS_DENIED.match(text, end):
            return found
    return set()


def _filled(tail: str, start: int) -> int:
    """Return where the words end that may be between a cue and what it names."""
    filler = _FILLER.match(tail, start)
    return filler.end() if filler else start


def _opens_a_list(text: str, cue: re.Match[str], known: Choices) -> bool:
    """Whether a cue ends in a colon with nothing but a list below: the first choice, then the second.

    After a title ("**Final answer:**"), and after "the answer is:", there may be text between the choices of an
    explanation, but not of a list; after "the answer is:" no empty line either. What denies is not an item of a list.
    """
    head, _, below = text[cue.end() : cue.end() + _LONGEST_LINE].partition("\n")
    ends = cue[0][-1] in ":："
    if head.strip(_DECORATION) or not (ends or ":" in head or "：" in head):
        return False
    lines = [line for line in below.strip().splitlines() if not ends or line.strip(_DECORATION)]
    places = [set() if refutes(line) else _item(line, known) for line in lines]
    if ends and not is_title(text, cue.start()):
        places = [*places[:1], *filter(None, places[1:])]
    return places[:2] == [{0}, {1}]


def _item(line: str, known: Choices) -> set[int]:
    """Return the choice that an item of a list is about; none if the line is no such item."""
    label = _LABELLED.match(line)
    if label:
        return _places([label[1] or label[2]], known)
    found = named(line, known) if LIST_ITEM.match(line) else set()
    return found if len(found) == 1 else set()


def _concluded(text: str, known: Choices, first: int) -> set[int]:
    """Return the choices that the last line concludes with, if it is not an item of a list."""
    line = _without_denied(_last_line(text)[-_LONGEST_LINE:])
    label = _LABELLED.match(line)
    if (LIST_ITEM.match(line) or label) and not (label and _begins_inline(line, label, known)):
        return set()
    cues = [*CONCLUSION.finditer(line)]
    is_opened = bool(cues and _opened(text, known, first))
    for cue in reversed([cue for cue in cues if cue["chooses"] or not is_opened][-_MOST_CUES:]):
        leads = LEADS.match(line, cue.end())
        begin = _filled(line, leads.end() if leads else cue.end())
        start = len(line[:begin].rstrip("$"))
        sentence = _SENTENCE_ENDS.split(line[start:], maxsplit=1)[0]
        if refutes(line[start : start + len(sentence) + 1]):
            continue
        found = _written(sentence, known) or _no_more(sentence, known, first)
        if not found and cue["chooses"] and not is_opened:
            found = _begun(sentence, known)
        if found:
            return found
    return set()


def _begun(sentence: str, known: Choices) -> set[int]:
    """Return the choices whose letters a sentence begins with, unless it says something else of them."""
    letters, end = _letters(sentence, known)
    return set() if IS_SUBJECT.match(sentence, end) else letters


def _no_more(sentence: str, known: Choices, first: int) -> set[int]:
    """Return the choices that a sentence consists of, besides a reason or that they are right."""
    letters, end = _letters(sentence, known)
    for match in islice(NO_MORE.finditer(sentence, end), _MOST_CUES):
        behind = sentence[end : match.start()]
        is_all = letters and (not behind.strip(_DECORATION) or known.text(behind) == letters)
        found = letters if is_all else _only(sentence[: match.start()], known, first)
        if found and not (match["insertion"] and named(match["insertion"], known) - found):
            return found
    return set()


@lru_cache(maxsize=4)
def _without_denied(text: str) -> str:
    """Return the text, as long as it was, without the letters that it denies: "not B", "A is wrong"."""
    return _DENIED.sub(lambda match: _MASK * len(match[0]), text) if _MAY_DENY.search(text) else text


def _led(tail: str, known: Choices) -> set[int]:
    """Return the choices whose letters a text begins with."""
    return _letters(tail, known)[0]


def _letters(tail: str, known: Choices) -> tuple[set[int], int]:
    """Return the choices whose letters a text begins with, and where the letters end."""
    match = _LED.match(tail)
    if match is None or (match["open"] and not match["close"]):
        return set(), 0
    end = match.end() if match["close"] else match.end("letter")
    is_word = match["letter"] in "AaIi" and not match["close"]
    if is_word and not _GOES_ON.match(tail, end):
        return set(), 0
    letters = [match["letter"]]
    while (more := _ANOTHER.match(tail, end)) and _is_another(more, tail):
        letters.append(more["letter"])
        end = more.end()
    return _places(letters, known), end


def _is_another(more: re.Match[str], tail: str) -> bool:
    """Whether a letter after the first one is a further choice, and neither an article nor the next sentence."""
    end = more.end()
    is_word = more["letter"] in "AaIi" and tail[end : end + 1] not in {")", "]"}
    return not _CLAUSE.match(tail, end) and (not is_word or _GOES_ON.match(tail, end) is not None)


def _sentence(tail: str) -> str:
    """Return the first sentence of the first line of a text."""
    return _SENTENCE_ENDS.split(bare(tail, MARKS).split("\n", 1)[0], maxsplit=1)[0]


def _written(sentence: str, known: Choices) -> set[int]:
    """Return the choice that a sentence is as it is written; a letter alone is no text."""
    if len(sentence) < 2 or len(core := sentence.rstrip(" }$")) < 2:
        return set()
    return known.as_written(sentence) or (known.as_written(core) if core != sentence else set())


def _in_sentence(sentence: str, known: Choices, first: int) -> set[int]:
    """Return the choices that a sentence names by their texts, else by number."""
    found = (_only(each, known, first) for each in (sentence, sentence.rstrip(" }$"), sentence.strip(" })]$")))
    return next(filter(None, found), None) or named(sentence, known)


def _labelled(text: str, known: Choices, first: int) -> set[int]:
    del first
    text = _without_denied(text)
    lines = [match for match in _LABELLED.finditer(text) if _places([match[1] or match[2]], known)]
    letters = [(match[1] or match[2]).upper() for match in lines]
    if letters and letters[-1] in letters[:-1] and len(set(letters)) == len(letters) - 1:
        rest, _, below = text[lines[-1].end() :].partition("\n")
        last = _places(letters[-1:], known)
        if not below.strip(_DECORATION) and named(rest, known) == last and not refutes(rest):
            return last
    is_list = letters == ["A"] and _begins_inline(text, lines[0], known)
    labels = _places([*letters, "B"] if is_list else letters, known)
    return labels | _places((match[1] for match in _BRACKETED.finditer(text)), known) if labels else labels


def _begins_inline(text: str, label: re.Match[str], known: Choices) -> bool:
    """Whether a line goes on from its first choice to the second as a list does: after its text or a mark."""
    line = text[label.end() : label.end() + _LONGEST_LINE].partition("\n")[0]
    second = SECOND_LABEL.search(line) if (label[1] or label[2]).upper() == "A" else None
    if second is None:
        return False
    between = line[: second.start()]
    return between.rstrip()[-1:] in {*".,;:!?|"} or known.text(between) == {0}


def _named(text: str, known: Choices, first: int) -> set[int]:
    del first
    return named(text, known)


def _standing(text: str, known: Choices, first: int) -> set[int]:
    del first
    found = _STANDING.finditer(_without_denied(text))
    return _places((next(filter(None, match.groups())) for match in found), known)


def _places(letters: Iterable[str], known: Choices) -> set[int]:
    return {place for place in map(known.letter, letters) if place is not None}

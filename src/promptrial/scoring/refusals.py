"""What counts as a refusal: whether *all* of a text declines to answer. The wordings are in ``refusal_table``.

A text is cut into sentences and these into clauses. It is an abstention if at least one clause declines and every
other one declines too or says nothing: a regret ("Sorry"), a label ("Answer:"), an explanation that commits to no
answer ("The passage gives only the year."). Markup, casing, quote style, apostrophes and punctuation do not decide,
with one exception: what is spelt like a title ("I Don't Know Why") is an answer. What follows from that:

* ``I don’t know who owned it.``, ``**UNKNOWN**``, ``Answer: N/A`` and ``No lo sé.`` are abstentions.
* ``Unknown Pleasures``, ``I Don't Know How to Love Him`` and ``No Answer (album)`` are answers.
* ``I don't know, Paris?`` and ``The passage does not say, but it was Rollo.`` are answers: they commit to something,
  and are scored on what they say.
* A text without a single word (``...``) is not an abstention, unless an extra refusal has no word either.
* A text of more than 400 characters is an answer: declining takes fewer.
* ``None`` and ``Nobody`` are answers, since they can be true ones.

Patterns are compiled when a text first needs them, one language at a time.
"""

# ruff: noqa: RUF001, RUF002, RUF003 - quote marks of every kind are what this module is about

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Final, Literal, NamedTuple

from promptrial.scoring.characters import NUL
from promptrial.scoring.phrases import Phrases, Speech, Vocabulary
from promptrial.scoring.refusal_table import CONTRACTIONS, LANGUAGES, REASONS

__all__ = ["are_abstentions", "is_abstention", "refusal_form"]

_BREAK: Final = "\n"
_SOFT: Final = "\t"
_MAX_CHARACTERS: Final = 400
_MAX_CLAUSES: Final = 12
_MAX_JOINTS: Final = 3
"""How many joints of a sentence are tried, and how many times over."""
_MAX_FILLERS: Final = 3
_FREE_WORDS: Final = 25
_FREE_CHARACTERS: Final = 40

# --- normal form ---------------------------------------------------------------------------------------------------

_APOSTROPHES: Final = "'`´‘’‛ʼʹʻˈ′"
_SENTENCE_ENDS: Final = ".!?;:…\n\r\u2028\u2029¡¿。।॥؟؛۔"
_CLAUSE_ENDS: Final = ",()[]{}–—،、"


def _marks(codes: Iterable[int]) -> dict[int, str | None]:
    """Apostrophes and invisible characters vanish, sentences and clauses break, other punctuation is a space."""
    table: dict[int, str | None] = dict.fromkeys(map(ord, string.punctuation), " ")
    for code in codes:
        category = unicodedata.category(chr(code))
        if category == "Cf":
            table[code] = None
        elif category[0] == "P":
            table[code] = " "
    table.update(dict.fromkeys(map(ord, _SENTENCE_ENDS), _BREAK))
    table.update(dict.fromkeys(map(ord, _CLAUSE_ENDS), _SOFT))
    table.update(dict.fromkeys(map(ord, _APOSTROPHES), None))
    return table


@cache
def _table() -> dict[int, str | None]:
    return _marks((*range(0x80, 0x3100), 0xFEFF))


# The same for ASCII bytes, several times as fast.
_ASCII_DELETED: Final = b"'`"
_ASCII_MARKS: Final = _marks(())
_ASCII_TABLE: Final = bytes(ord(_ASCII_MARKS.get(code) or chr(code).lower()) for code in range(128)) + bytes(
    range(128, 256)
)


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
    table = _table()
    return unicodedata.normalize("NFKC", text.translate(table)).casefold().translate(table)


# --- what surrounds the words ----------------------------------------------------------------------------------------

_TAG_NAMES: Final = (
    "s|answer|final|final_answer|response|output|result|p|b|i|u|em|strong|br|div|span|code|pre|del|eos|bos|pad|unk"
    "|end_of_turn|start_of_turn|end_of_text|begin_of_text|eot|eod|endoftext|im_end|im_start"
)
_TAGS: Final = (
    rf"</?(?:{_TAG_NAMES})\s?/?>|<[|｜][^<>\n]{{1,40}}[|｜]>|\[/?(?:INST|EOS|BOS|SEP|PAD|CLS|END|SYS)\]"
    r"|\\(?:boxed|text|textbf|textit|mathrm|mathbf)\b"
)
_LIST_MARK: Final = r"^[ \t]*(?:[-*+•>#]+[ \t]+|\(?\d[.)][ \t]+)"
_ABBREVIATED: Final = (
    r"(?<=\b[A-Z])\.(?=\s?[A-Za-z])|(?<=\b(?:Dr|Mr|Ms|St|Jr|Sr|vs|Mt|Ft|Lt|Co|No))\.(?=\s)"
    r"|(?<=\b(?:Mrs|etc|Gen|Col|Sgt|Rev|Inc|Ltd))\.(?=\s)|(?<=\b(?:Prof|Capt|Corp))\.(?=\s)|(?<=\d)[.,](?=\d)"
)
_SHRUG: Final = "🤷"


@cache
def _surroundings() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return what is taken out (tags, list marks), whatis no end of a sentence, and dashes that end a clause."""
    return (
        re.compile(rf"{_TAGS}|{_LIST_MARK}", re.MULTILINE | re.IGNORECASE),
        re.compile(_ABBREVIATED),
        re.compile(r"\s--?-?\s"),
    )


def _bare(text: str) -> str:
    tags, abbreviated, dashes = _surroundings()
    text = dashes.sub(" – ", abbreviated.sub("", tags.sub(" ", text)))
    return text if text.isascii() else "".join(" " if _is_pictogram(character) else character for character in text)


def _is_pictogram(character: str) -> bool:
    """Tell emoji and what modifies them from the characters of words and from accents that stand alone."""
    if character < "\u2100":
        return False
    return unicodedata.category(character) in {"So", "Sk", "Me"} or character in "\ufe0e\ufe0f"


def _is_title(text: str) -> bool:
    """Tell whether all longer words are capitalised, as in titles, but not the whole text."""
    words = [word for word in re.findall(r"[^\W\d_][\w'’]*", text) if len(word) > 3]
    return len(words) > 1 and all(word[0].isupper() for word in words) and not text.isupper()


# --- languages -------------------------------------------------------------------------------------------------------


class _Book(NamedTuple):
    """The table of one language, read."""

    refusals: Phrases
    untitled: Phrases
    fillers: tuple[Phrases, ...]
    explanations: Phrases
    joints: frozenset[str]
    continues: frozenset[str]
    committing: tuple[Sequence[str], ...]
    spoken: Callable[[Sequence[str]], Sequence[str]]
    """From the words of a clause to what phrases are compared with."""


@cache
def _book(code: str) -> _Book:
    language = LANGUAGES[code]
    split = _split if language.spaced else _characters
    vocabulary = Vocabulary(language.pieces, split, _FREE_WORDS if language.spaced else _FREE_CHARACTERS)
    # English labels ("Answer:") are before answers in every language.
    labels = () if code == "en" or not language.spaced else _book("en").fillers
    return _Book(
        refusals=vocabulary.phrases(language.refusals),
        untitled=vocabulary.phrases(language.untitled),
        fillers=(vocabulary.phrases(language.fillers), *labels),
        explanations=vocabulary.phrases(language.explanations),
        joints=frozenset(_split(language.joints)),
        continues=frozenset(_split(language.continues)),
        committing=tuple(map(split, language.committing.split("|"))) if language.committing else (),
        spoken=_written_out if code == "en" else list if language.spaced else "".join,
    )


def _written_out(words: Sequence[str]) -> list[str]:
    """Expand English contractions."""
    return " ".join([CONTRACTIONS.get(word, word) for word in words]).split()


def _split(text: str) -> list[str]:
    return _unaccented(text).split()


def _characters(text: str) -> list[str]:
    return list(_unaccented(text).replace(" ", "").replace(_BREAK, ""))


_ACCENTS: Final = re.compile("[\u0300-\u036f\u064b-\u0652\u0670]")


def _unaccented(text: str) -> str:
    """Return the normal form of a word without accents and vowel points, which are often left out."""
    return _unaccented_lines(text).replace(_SOFT, " ").strip()


def _unaccented_lines(text: str) -> str:
    folded = _translated(text)
    if folded.isascii():
        return folded
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))


@cache
def _triggers() -> dict[str, tuple[str, ...]]:
    """Return word -> the languages in whose refusals it may be."""
    found: dict[str, tuple[str, ...]] = {}
    for code, language in LANGUAGES.items():
        if language.spaced:
            for word in map(_unaccented, language.triggers.split()):
                found[word] = (*found.get(word, ()), code)
    return found


@cache
def _scripts() -> dict[str, re.Pattern[str]]:
    """Return the characters that show a language which is written without spaces."""
    return {code: re.compile(f"[{each.triggers}]") for code, each in LANGUAGES.items() if not each.spaced}


def _languages(form: str) -> list[str]:
    triggers = _triggers()
    found = dict.fromkeys(code for word in form.split() for code in triggers.get(word, ()))
    if not form.isascii():
        found |= dict.fromkeys(code for code, script in _scripts().items() if script.search(form))
    return list(found)


# --- judging ---------------------------------------------------------------------------------------------------------

_Verdict = Literal["refuses", "says nothing", "commits"]


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
    if not words or (not extra_refusals and text.isascii() and _triggers().keys().isdisjoint(words)):
        return False
    return _is_refusal(text, extra_refusals)


def are_abstentions(texts: Sequence[str], extra_refusals: tuple[str, ...] = ()) -> list[bool]:
    """Return what ``is_abstention`` says about each text; ASCII texts are searched together for words that may.

    Examples
    --------
    >>> are_abstentions(["Unknown.", "Rollo", "No lo s\u00e9."])
    [True, False, True]
    """
    parted = NUL.join(texts)
    if extra_refusals or not parted.isascii() or parted.count(NUL) >= max(len(texts), 1):
        return [is_abstention(text, extra_refusals) for text in texts]
    triggers, forms = _triggers().keys(), _translated(parted).split(NUL)
    return [
        not triggers.isdisjoint(form.split()) and is_abstention(text) for text, form in zip(texts, forms, strict=False)
    ]


@lru_cache(maxsize=16_384)
def _is_refusal(text: str, extra_refusals: tuple[str, ...]) -> bool:
    """Tell whether each sentence refuses or says nothing, and one at least refuses."""
    bare = _bare(text)
    form = _unaccented_lines(bare)
    if _SHRUG in text and not form.split():
        return True
    return _abstains(form, extra_refusals, _is_title(bare))


@lru_cache(maxsize=16_384)
def _abstains(form: str, extra_refusals: tuple[str, ...], titled: bool) -> bool:  # noqa: FBT001 - part of the key
    """Judge a normal form, which the spellings of a refusal share, so that a self-test judges few of them."""
    extra = _wordings(extra_refusals)
    languages = _languages(form)
    judges = [_Judge(code, extra, titled=titled) for code in languages or (["en"] if extra else [])]
    return any(judge.abstains(form) for judge in judges)


class _Judge:
    """Judges the clauses of one text by the table of one language."""

    def __init__(self, code: str, extra: frozenset[str], *, titled: bool) -> None:
        self._book = _book(code)
        self._refusals = (self._book.refusals,) if titled else (self._book.refusals, self._book.untitled)
        self._extra = extra
        self._known: dict[str, _Verdict] = {}

    def abstains(self, form: str) -> bool:
        """Tell whether no sentence commits to an answer and one at least refuses."""
        sentences = [clauses for line in form.split(_BREAK) if (clauses := _clauses(line))]
        if sentences and sentences[0][0][0] in REASONS:
            return False  # "Because ..." answers a question
        verdicts = [self._sentence(clauses) for clauses in sentences]
        return "refuses" in verdicts and "commits" not in verdicts

    def _sentence(self, clauses: Sequence[Sequence[str]]) -> _Verdict:
        """Judge a sentence by the best way of taking its clauses together."""
        if len(clauses) > _MAX_CLAUSES:
            return "commits"
        best: list[_Verdict] = ["says nothing"]  # of what is before each clause
        for end in range(1, len(clauses) + 1):
            found: _Verdict = "commits"
            for start in reversed(range(end)):
                words = [word for clause in clauses[start:end] for word in clause]
                found = _better(found, _together(best[start], self._words(words, _MAX_JOINTS)))
                if clauses[start][0] not in self._book.continues:
                    break
            best.append(found)
        return best[-1]

    def _words(self, words: Sequence[str], joints: int) -> _Verdict:
        """Judge words without a break, whole or else on either side of a joint such as *because*."""
        found = self._whole(words)
        while found == "commits" and words and words[0] in self._book.joints:
            words = words[1:]
            found = self._whole(words)
        if found == "refuses" or not joints:
            return found
        for index in [index for index, word in enumerate(words) if word in self._book.joints][:_MAX_JOINTS]:
            before = self._whole(words[:index])
            if before != "commits":
                found = _better(found, _together(before, self._words(words[index + 1 :], joints - 1)))
        return found

    def _whole(self, words: Sequence[str]) -> _Verdict:
        """Judge words that are taken as one; each run of words of a text is compared once."""
        text = " ".join(words)
        if text not in self._known:
            self._known[text] = self._compared(words, text)
        return self._known[text]

    def _compared(self, words: Sequence[str], text: str) -> _Verdict:
        if words and text in self._extra:
            return "refuses"
        book = self._book
        speech = Speech(book.spoken(words), book.committing)
        start = self._after_fillers(speech)
        if any(phrases.match(speech, start) & speech.end for phrases in self._refusals):
            return "refuses"
        silent = (start | book.explanations.match(speech, start)) & speech.end
        return "says nothing" if silent else "commits"

    def _after_fillers(self, speech: Speech) -> int:
        """Return the positions after none to three fillers."""
        reached = 1
        for _ in range(_MAX_FILLERS):
            for fillers in self._book.fillers:
                reached |= fillers.match(speech, reached)
        return reached


def _better(one: _Verdict, other: _Verdict) -> _Verdict:
    order: tuple[_Verdict, ...] = ("refuses", "says nothing", "commits")
    return min(one, other, key=order.index)


def _together(one: _Verdict, other: _Verdict) -> _Verdict:
    if "commits" in (one, other):
        return "commits"
    return _better(one, other)


def _clauses(line: str) -> list[list[str]]:
    return [words for clause in line.split(_SOFT) if (words := clause.split())]


@lru_cache(maxsize=64)
def _wordings(refusals: tuple[str, ...]) -> frozenset[str]:
    """Return the normal forms, and the unaccented ones that clauses are compared with."""
    forms = [refusal_form(refusal).replace(_BREAK, " ") for refusal in refusals]
    return frozenset((*forms, *map(_unaccented, forms)))

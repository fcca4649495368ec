"""How each official evaluation reduces an answer to comparable words: the normalisers and the rules that go with them.

The *format* of the question file decides which rules apply, since each format has an official script of its own; the
configuration may choose others. Comparing is the business of ``exact_match`` and ``token_f1``.
"""

# ruff: noqa: RUF001, RUF002 - quote marks of every kind are what this module is about

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from promptrial.errors import ConfigError
from promptrial.registry import DATASETS, near_misses
from promptrial.scoring.characters import NUL, split_unspaced

__all__ = [
    "CUSTOM",
    "EXACT",
    "NQ_OPEN",
    "RULES",
    "SQUAD_V1",
    "SQUAD_V2",
    "TRIVIAQA",
    "EvaluationRules",
    "Tokens",
    "rules_for",
    "without_articles",
]

_ARTICLES: Final = frozenset({"a", "an", "the"})
_ARTICLE: Final = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION: Final = string.punctuation.encode()
_PUNCTUATION_TO_SPACE: Final = bytes.maketrans(_PUNCTUATION, b" " * len(_PUNCTUATION))


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationRules:
    """One official evaluation: its normaliser and how it treats what normalises to nothing.

    Attributes
    ----------
    name : str
    bare : callable
        Text to lower-case text without punctuation, articles and white space as they were: the part of the
        normaliser that differs.
    drops_empty_golds : bool
        Whether accepted answers without a token are left out (unless no other is left).
    f1_of_empties : float
        Token F1 of a prediction and an accepted answer that both have no token.
    articles : bool
        Whether articles are words like others.
    characters : bool
        Whether the characters of scripts without spaces are tokens; otherwise all between two spaces is one.
    keeps_wordless : bool
        Whether a text that would be normalised to nothing keeps its articles, or else its punctuation.
    """

    name: str
    bare: Callable[[str], str]
    drops_empty_golds: bool
    f1_of_empties: float
    articles: bool = False
    characters: bool = False
    keeps_wordless: bool = False

    def words(self, text: str) -> list[str]:
        """Return the words of the normalised text, as spaces divide it: what exact match compares."""
        words = self.bare(text).split()
        kept = self._kept(words)
        return words or text.lower().split() if self.keeps_wordless and not kept else kept

    def is_wordless(self, text: str) -> bool:
        """Tell whether a text is nothing but what is deleted from any other: articles and punctuation."""
        return not self._kept(self.bare(text).split())

    def _kept(self, words: list[str]) -> list[str]:
        return words if self.articles else without_articles(words)

    def words_of_each(self, texts: Sequence[str]) -> list[list[str]]:
        """Return what ``words`` does of each text. All are bared as one, parted by NUL, which is faster."""
        parted = NUL.join(texts)
        if self.keeps_wordless or parted.count(NUL) >= max(len(texts), 1):  # a text holds one
            return [self.words(text) for text in texts]
        bare = self.bare(parted)
        found = [each.split() for each in bare.split(NUL)] if texts else []
        if self.articles:
            return found
        if bare.replace(NUL, "").replace(" ", "").isalnum():  # no word has an article within
            return [words if _ARTICLES.isdisjoint(words) else without_articles(words) for words in found]
        return [without_articles(words) for words in found]

    def split(self, words: list[str]) -> list[str]:
        """Return the tokens of words: what token F1 compares."""
        return split_unspaced(words) if self.characters else words

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of the normalised text."""
        return self.split(self.words(text))

    def normalize(self, text: str) -> str:
        """Return the normalised text: its words with one space between."""
        return " ".join(self.words(text))

    def __str__(self) -> str:
        """The name, and what tokens are where they are not words."""
        return f"{self.name}, by character" if self.characters else self.name

    def haystack(self, text: str) -> str:
        """Return a text in which ``f" {token} "`` is found exactly if the token is one of the text's.

        Articles may be left in it, which no token is. Made for passages: it costs a tenth of a set of their tokens,
        and most passages are searched only for the few words of two answers.
        """
        bare = self.bare(text)
        if self.characters and not bare.isascii():
            return f" {' '.join(self.split(bare.split()))} "
        if (bare.isascii() and bare.isprintable()) or bare.replace(" ", "").isalnum():  # the first is the faster test
            return f" {bare} "
        words = bare.split()
        if any(_ARTICLE.search(word) for word in words if not word.isalnum()):
            words = without_articles(words)
        return f" {' '.join(words)} "


def squad_bare(text: str) -> str:
    """Return a text as SQuAD 2.0 bares it: lower case, ASCII punctuation deleted; other (``’``, ``–``) stays.

    References
    ----------
    Rajpurkar, Jia and Liang 2018, official script ``evaluate-v2.0.py``, ``normalize_answer``.

    Examples
    --------
    >>> squad_bare("The Duke's  army, in A.D. 1066")
    'the dukes  army in ad 1066'
    """
    return _translated(text.lower(), None, _PUNCTUATION)


def nq_open_bare(text: str) -> str:
    """Return a text as NQ-open bares it: SQuAD's way, after Unicode decomposition (NFD).

    References
    ----------
    Lee, Chang and Toutanova 2019, ``language/orqa/utils/eval_utils.py``, ``normalize_answer``.

    Examples
    --------
    >>> nq_open_bare("Beyonce\u0301") == nq_open_bare("Beyonc\u00e9")
    True
    """
    return squad_bare(text if text.isascii() else unicodedata.normalize("NFD", text))


def triviaqa_bare(text: str) -> str:
    """Return a text as TriviaQA bares it: lower case, punctuation made a space, so that ``O'Neil`` is two words.

    Punctuation is ASCII's and the quotes ``‘ ’ ´``.

    References
    ----------
    Joshi et al. 2017, official script ``triviaqa_evaluation.py``, ``normalize_answer``.

    Examples
    --------
    >>> triviaqa_bare("Tatum O\u2019Neil_(The Actress)")
    'tatum o neil  the actress '
    """
    bare = _translated(text.lower(), _PUNCTUATION_TO_SPACE, b"")
    if not bare.isascii():
        bare = bare.replace("‘", " ").replace("’", " ").replace("´", " ")
    return bare


def without_articles(words: list[str]) -> list[str]:
    r"""Return the words with *a*, *an* and *the* taken out wherever they are between word boundaries.

    Equal to ``re.sub(r"\b(a|an|the)\b", " ", " ".join(words)).split()``, as the official scripts have it, at a fraction
    of the cost: a boundary inside a word needs a character that is neither letter nor digit, so only words that have
    one are shown to the regular expression. (The underscore, the one exception, is gone from all words by now.)

    Examples
    --------
    >>> without_articles(["the", "theatre", "–the–", "play"])
    ['theatre', '–', '–', 'play']
    """
    if "".join(words).isalnum():
        return words if _ARTICLES.isdisjoint(words) else [word for word in words if word not in _ARTICLES]
    kept: list[str] = []
    for word in words:
        if not word.isalnum():
            kept.extend(_ARTICLE.sub(" ", word).split())
        elif word not in _ARTICLES:
            kept.append(word)
    return kept


def _translated(text: str, table: bytes | None, deleted: bytes) -> str:
    """Translate the ASCII characters of a text as bytes: up to 20 times as fast as ``str.translate``.

    In UTF-8 a byte below 128 is always a character of its own. Text from a model may hold lone surrogates.
    """
    return text.encode("utf-8", "surrogatepass").translate(table, deleted).decode("utf-8", "surrogatepass")


def as_it_stands(text: str) -> str:
    """Return the text: casing, punctuation and articles count; white space alone does not."""
    return text


SQUAD_V2: Final = EvaluationRules("squad_v2", squad_bare, drops_empty_golds=True, f1_of_empties=1.0)
SQUAD_V1: Final = EvaluationRules("squad_v1", squad_bare, drops_empty_golds=False, f1_of_empties=0.0)
"""SQuAD 1.1 (``evaluate-v1.1.py``): the normaliser of 2.0, but every accepted answer counts, and no token in common is
an F1 of 0 even where both have none."""
NQ_OPEN: Final = EvaluationRules("nq_open", nq_open_bare, drops_empty_golds=False, f1_of_empties=1.0)
"""NQ-open defines exact match alone; its token F1 here is SQuAD's under this normaliser."""
TRIVIAQA: Final = EvaluationRules("triviaqa", triviaqa_bare, drops_empty_golds=False, f1_of_empties=0.0)
EXACT: Final = EvaluationRules("exact", as_it_stands, drops_empty_golds=False, f1_of_empties=1.0, articles=True)
"""No official evaluation: the texts as they are."""
LETTERS: Final = replace(SQUAD_V2, name="letters", characters=True, keeps_wordless=True)
"""No official evaluation: for accepted answers such as "A", which SQuAD's rules take for an article."""

CUSTOM: Final = replace(SQUAD_V2, characters=True)
"""Data sets without an official evaluation."""

RULES: Final = {rules.name: rules for rules in (SQUAD_V2, SQUAD_V1, NQ_OPEN, TRIVIAQA, EXACT, LETTERS)}
Tokens = Literal["words", "characters"]


def rules_for(format_name: str, name: str | None = None, tokens: Tokens | None = None) -> EvaluationRules:
    """Return the rules of a data set.

    Parameters
    ----------
    format_name : str
        Its format. One without an official evaluation of its own (``custom``) has SQuAD 2.0's, by character where
        the script has no spaces.
    name : str, optional
        The rules that were chosen instead: a key of ``RULES``.
    tokens : {"words", "characters"}, optional
        What tokens are in scripts without spaces, where that was chosen.

    Raises
    ------
    ConfigError
        If the format is not in the registry, or the name not in ``RULES``.
    """
    if format_name not in DATASETS:
        raise ConfigError(f"unknown dataset format {format_name!r}{near_misses(format_name, DATASETS)}")
    if name is not None and name not in RULES:
        raise ConfigError(f"unknown rules {name!r}{near_misses(name, RULES)}")
    rules = RULES[name] if name is not None else RULES.get(format_name, CUSTOM)
    characters = rules.characters if tokens is None else tokens == "characters"
    return rules if characters == rules.characters else replace(rules, characters=characters)

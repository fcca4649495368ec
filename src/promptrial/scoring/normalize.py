"""How each official evaluation reduces an answer to comparable words: the normalisers and the rules that go with them.

What is compared is decided by the *format* of the question file, since each format has an official script of its own.
Comparing is the business of ``exact_match`` and ``token_f1``.
"""

# ruff: noqa: RUF001, RUF002 - quote marks of every kind are what this module is about

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from promptrial.errors import ConfigError
from promptrial.registry import DATASETS, near_misses

__all__ = [
    "NQ_OPEN",
    "SQUAD_V2",
    "TRIVIAQA",
    "EvaluationRules",
    "nq_open_bare",
    "rules_for",
    "squad_bare",
    "triviaqa_bare",
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
    """

    name: str
    bare: Callable[[str], str]
    drops_empty_golds: bool
    f1_of_empties: float

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of the normalised text."""
        return without_articles(self.bare(text).split())

    def normalize(self, text: str) -> str:
        """Return the normalised text: its tokens with one space between."""
        return " ".join(self.tokens(text))

    def haystack(self, text: str) -> str:
        """Return a text in which ``f" {token} "`` is found exactly if the token is one of the text's.

        Articles may be left in it, which no token is. Made for passages: it costs a tenth of a set of their tokens,
        and most passages are searched only for the few words of two answers.
        """
        bare = self.bare(text)
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
    r"""Return the words with *a*, *an* and *the* taken out wherever they stand between word boundaries.

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


SQUAD_V2: Final = EvaluationRules("squad_v2", squad_bare, drops_empty_golds=True, f1_of_empties=1.0)
NQ_OPEN: Final = EvaluationRules("nq_open", nq_open_bare, drops_empty_golds=False, f1_of_empties=1.0)
"""NQ-open defines exact match alone; its token F1 here is SQuAD's under this normaliser."""
TRIVIAQA: Final = EvaluationRules("triviaqa", triviaqa_bare, drops_empty_golds=False, f1_of_empties=0.0)

_OWN_RULES: Final = {rules.name: rules for rules in (SQUAD_V2, NQ_OPEN, TRIVIAQA)}


def rules_for(format_name: str) -> EvaluationRules:
    """Return the rules of a dataset format. A format without an official evaluation of its own has SQuAD 2.0's.

    Raises
    ------
    ConfigError
        If the name is not a dataset format of the registry.
    """
    if format_name not in DATASETS:
        raise ConfigError(f"unknown dataset format {format_name!r}{near_misses(format_name, DATASETS)}")
    return _OWN_RULES.get(format_name, SQUAD_V2)

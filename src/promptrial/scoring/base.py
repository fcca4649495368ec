"""The values that scorers share. ``panel`` runs scorers on them.

An item is prepared once (``prepare_gold``), an answer once (``prepare_answer``); every scorer reads what was prepared.

**The scored prediction.** SQuAD 2.0 has a system say "no answer" with the empty string. A chat model says it with the
refusal that its prompt mandates, so an abstention counts as that null prediction: right (exact match and F1 are 1) on
an unanswerable item, wrong (0) on an answerable one. An accepted answer that reads as a refusal ("Unknown") is an
answer where it is accepted. Any other response is scored as it is. Errors are not answers: a completion without an
answer is missing and must not be given to ``panel.score_answer``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from promptrial.model import Item
from promptrial.registry import DEFAULT_PACK, load
from promptrial.scoring.contract import Response, Scorer
from promptrial.scoring.normalize import EvaluationRules, rules_for
from promptrial.scoring.refusals import is_abstention
from promptrial.scoring.support import Passage, Passages

if TYPE_CHECKING:
    from promptrial.scoring.extracts import Extract

__all__ = [
    "NOTHING",
    "AcceptedAnswers",
    "Gold",
    "PreparedAnswer",
    "ScoringSettings",
    "accepted_answers",
    "accepted_of",
    "forget_passages",
    "load_scorers",
    "prepare_answer",
    "prepare_extracted",
    "prepare_gold",
]


NOTHING: Final = " "
"""The normalised form of what was not found: no text is normalised to it."""
_PASSAGES: Final = Passages(1 << 24)
"""Of all items: questions about one passage are far apart in a sample."""


def forget_passages() -> None:
    """Free the memory of the passages that were prepared: up to 64 MB."""
    _PASSAGES.forget()


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """How items and answers are prepared for every scorer.

    Attributes
    ----------
    extra_refusals : tuple of str
        Texts that are abstentions besides those recognised anyway.
    """

    extra_refusals: tuple[str, ...] = ()


class AcceptedAnswers(msgspec.Struct, frozen=True, gc=False):
    """The accepted answers of one item, normalised.

    ``normalized`` holds each distinct one, ``tokens`` the tokens of each, and ``vocabulary`` the tokens of them all.
    ``f1_of_empties`` is the token F1 of an answer that matches one without a token.
    """

    normalized: frozenset[str]
    tokens: tuple[list[str], ...]
    vocabulary: frozenset[str]
    f1_of_empties: float


class Gold(msgspec.Struct, frozen=True, dict=True):
    """An item, prepared for scoring any number of answers to it.

    What is made of the passage is made when first asked for, and is as long as the passage: the memory that
    prepared items take is bounded by how many of them the caller holds.
    """

    item: Item
    rules: EvaluationRules
    accepted: AcceptedAnswers
    settings: ScoringSettings

    @cached_property
    def wordless(self) -> tuple[str, ...]:
        """The accepted answers without a word, such as "+" and "A"; most official rules normalise them to nothing."""
        return tuple(text for text in self.item.answers if self.rules.is_wordless(text))

    @property
    def haystack(self) -> str:
        """The passage as a text to look tokens up in; see ``EvaluationRules.haystack``."""
        return self.passage.made(self.rules.haystack)

    @cached_property
    def passage(self) -> Passage:
        """The passage as claims are looked for in it; of a closed-book item, one of no words."""
        return _PASSAGES.of(self.item.context or "")


class PreparedAnswer(msgspec.Struct, frozen=True, gc=False):
    """A response, prepared for scoring.

    Of an abstention ``normalized``, ``tokens`` and ``text`` are empty: it is the null prediction. ``response`` is the
    response as it is on record, whether it abstains or not.
    """

    abstained: bool
    normalized: str
    tokens: list[str]
    text: str
    response: Response


def load_scorers() -> dict[str, Scorer]:
    """Return the scorers of the default pack by column, in order, with their default settings."""
    return {name: load("scorer", kind)() for name, kind in DEFAULT_PACK.items()}


def accepted_answers(answers: Sequence[str], rules: EvaluationRules) -> AcceptedAnswers:
    """Prepare accepted answers as the official evaluation reads them.

    No answers at all (an unanswerable question), or under SQuAD's rules none that has a token, stands for the one
    accepted answer ``""``.
    """
    return accepted_of(map(rules.words, dict.fromkeys(answers)), rules)


def accepted_of(answers: Iterable[list[str]], rules: EvaluationRules) -> AcceptedAnswers:
    """Return what ``accepted_answers`` does, given the words of each."""
    tokens = {" ".join(words): rules.split(words) for words in answers}
    if rules.drops_empty_golds:
        tokens.pop("", None)
    if not tokens:
        tokens = {"": []}
    vocabulary = frozenset().union(*tokens.values())
    return AcceptedAnswers(frozenset(tokens), tuple(tokens.values()), vocabulary, rules.f1_of_empties)


def prepare_gold(item: Item, rules: EvaluationRules | str, settings: ScoringSettings) -> Gold:
    """Prepare an item to be scored by rules, or by those of a dataset format.

    Raises
    ------
    ConfigError
        If the format is not in the registry.
    """
    if isinstance(rules, str):
        rules = rules_for(rules)
    return Gold(item, rules, accepted_answers(item.answers, rules), settings)


def prepare_answer(gold: Gold, response: Response) -> PreparedAnswer:
    """Prepare a response to an item; every abstention is the same null prediction.

    What equals an accepted answer is not an abstention, whatever it reads like.
    """
    text = response.text
    abstained = is_abstention(text, gold.settings.extra_refusals)
    if abstained and gold.item.is_unanswerable:
        return PreparedAnswer(True, "", [], "", response)
    words = gold.rules.words(text)
    normalized = " ".join(words)
    if abstained and (not words or normalized not in gold.accepted.normalized):
        return PreparedAnswer(True, "", [], "", response)
    return PreparedAnswer(False, normalized, gold.rules.split(words), text, response)


def prepare_extracted(gold: Gold, response: Response, extract: Extract) -> tuple[PreparedAnswer, bool]:
    """Prepare what ``extract`` finds in a response; the second value tells whether every step found something.

    Where there is nothing to score, a response that declines as a whole is an abstention. Any other is an empty answer
    that equals no accepted one, not even that of a question without an answer, since it does not decline.
    """
    text, complete = extract(response.text)
    if text is not None:
        answer = prepare_answer(gold, msgspec.structs.replace(response, text=text))
        return answer, complete or answer.abstained
    whole = prepare_answer(gold, response)
    if whole.abstained:
        return whole, True
    return PreparedAnswer(False, NOTHING, [], "", msgspec.structs.replace(response, text="")), False

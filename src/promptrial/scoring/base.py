"""The values that scorers share, and ``score_answer``, which runs scorers on one answer.

An item is prepared once (``prepare_gold``), an answer once (``prepare_answer``); every scorer reads what was prepared.

**The scored prediction.** SQuAD 2.0 has a system say "no answer" with the empty string. A chat model says it with the
refusal that its prompt mandates, so an abstention counts as that null prediction: right (exact match and F1 are 1) on
an unanswerable item, wrong (0) on an answerable one. An accepted answer that reads as a refusal ("Unknown") is an
answer where it is accepted. Any other response is scored as it stands. Errors are not answers: a completion without an
answer is missing and must not be given to ``score_answer``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from promptrial.errors import INTERRUPTS, PromptrialError, ScoreError, in_one_sentence
from promptrial.model import Item
from promptrial.registry import DEFAULT_PACK, load
from promptrial.scoring.contract import BatchScorer, Response, Scorer, item_tests
from promptrial.scoring.normalize import EvaluationRules, rules_for
from promptrial.scoring.refusals import is_abstention
from promptrial.scoring.support import Passage, Passages

if TYPE_CHECKING:
    from promptrial.scoring.extracts import Extract

__all__ = [
    "AcceptedAnswers",
    "Gold",
    "Panel",
    "PreparedAnswer",
    "ScoringSettings",
    "accepted_answers",
    "load_scorers",
    "prepare_answer",
    "prepare_extracted",
    "prepare_gold",
    "score_answer",
    "worst_scores",
]


_NOTHING: Final = " "
"""The normalised form of what was not found: no text is normalised to it."""
_SHARED: Final = 16
"""How many passages are kept as texts to look tokens up in: the next item may have the same one."""
_PASSAGES: Final = Passages(1 << 24)
"""Of all items: questions about one passage stand far apart in a sample."""


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
        """The accepted answers that the rules normalise to nothing, such as "+"; they are equal in the official one."""
        return tuple(text for text in self.item.answers if not self.rules.words(text))

    @cached_property
    def haystack(self) -> str:
        """The passage as a text to look tokens up in; see ``EvaluationRules.haystack``."""
        return _haystack(self.rules, self.item.context or "")

    @cached_property
    def passage(self) -> Passage:
        """The passage as claims are looked for in it; of a closed-book item, one of no words."""
        return _PASSAGES.of(self.item.context or "")


@lru_cache(maxsize=_SHARED)
def _haystack(rules: EvaluationRules, text: str) -> str:
    return rules.haystack(text)


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


def worst_scores(item: Item, scorers: Mapping[str, Scorer]) -> tuple[float, ...]:
    """Return, by each scorer, what a missing answer to the item counts as where it counts as a failure.

    NaN where the scorer does not apply to the item.

    Raises
    ------
    ScoreError
        If a scorer fails, or says a worst score outside its declared range; names the scorer and the item.
    """
    return tuple([_worst(name, scorer, item) for name, scorer in scorers.items()])


def accepted_answers(answers: Sequence[str], rules: EvaluationRules) -> AcceptedAnswers:
    """Prepare accepted answers as the official evaluation reads them.

    No answers at all (an unanswerable question), or under SQuAD's rules none that has a token, stands for the one
    accepted answer ``""``.
    """
    tokens = {" ".join(words): rules.split(words) for words in map(rules.words, dict.fromkeys(answers))}
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

    What equals an accepted answer is no abstention, whatever it reads like.
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
    return PreparedAnswer(False, _NOTHING, [], "", msgspec.structs.replace(response, text="")), False


_Row = tuple[
    str,
    Callable[[Item], bool] | None,
    Callable[[Gold, PreparedAnswer], float],
    Callable[[Item], float] | None,
    float,
    float,
    bool,
    bool,
]


def _applies(scorer: Scorer) -> Callable[[Item], bool] | None:
    """Return what tells whether a scorer applies to an item, as fast as can be; None if it applies to all."""
    tests = item_tests(scorer.declared.needs)
    if type(scorer).applies is not Scorer.applies or len(tests) > 1:
        return scorer.applies
    return tests[0] if tests else None


def _of_nothing(scorer: Scorer) -> Callable[[Item], float] | None:
    """Return what gives the score of an answer in which there was nothing to score; None if it is measured as empty.

    Where a direction is declared it is the worst, so that an empty text cannot be right: "at most 5 words" would hold.
    """
    return None if scorer.declared.direction is None else scorer.worst


class Panel:
    """Scorers, laid out once to score many answers: what they declare does not change.

    Each of ``extracts`` says what of an answer the scorer of its name is given; it is looked for once for all scorers
    that have the same. Where it finds nothing to score, a scorer with a direction gives its worst score.
    """

    def __init__(self, scorers: Mapping[str, Scorer], extracts: Mapping[str, Extract] | None = None) -> None:
        self._names = list(scorers)
        self._batched = {name: scorer for name, scorer in scorers.items() if isinstance(scorer, BatchScorer)}
        self._rows: list[_Row] = [
            (
                name,
                _applies(scorer),
                scorer.score,
                _of_nothing(scorer),
                *scorer.declared.range,
                scorer.declared.scale == "continuous",
                scorer.may_miss,
            )
            for name, scorer in scorers.items()
            if name not in self._batched
        ]
        groups: dict[Extract | None, list[str]] = {}
        for name in self._names:
            groups.setdefault((extracts or {}).get(name), []).append(name)
        self._layout = [
            (extract, names, [row for row in self._rows if row[0] in names], [n for n in names if n in self._batched])
            for extract, names in groups.items()
        ]
        self._is_plain = not extracts and not self._batched
        self._answers = 0
        self._not_found: Counter[str] = Counter()

    def score(self, gold: Gold, response: Response) -> tuple[float, ...]:
        """Return what ``score_answer`` does."""
        return self.score_all([(gold, response)])[0]

    def score_all(self, pairs: Sequence[tuple[Gold, Response]]) -> list[tuple[float, ...]]:
        """Return what ``score_answer`` does for each pair of an item and a response, in order."""
        if self._is_plain:
            return self._score_plainly([(gold, prepare_answer(gold, response)) for gold, response in pairs])
        self._answers += len(pairs)
        columns: dict[str, list[float]] = {}
        for extract, names, rows, batched in self._layout:
            answers = [(gold, self._prepared(gold, response, extract, names)) for gold, response in pairs]
            scored = [self._score(rows, gold, answer) for gold, answer in answers]
            columns |= {row[0]: [scores[place] for scores in scored] for place, row in enumerate(rows)}
            columns |= {name: _score_batch(name, self._batched[name], answers) for name in batched}
        return list(zip(*(columns[name] for name in self._names), strict=True))

    def _score_plainly(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> list[tuple[float, ...]]:
        """Score by column, which is faster; if anything is wrong, again answer by answer, which tells of what."""
        columns = [_column(row, answers) for row in self._rows]
        found = [column for column in columns if column is not None]
        if len(found) < len(columns):
            return [tuple(self._score(self._rows, gold, answer)) for gold, answer in answers]
        return list(zip(*found, strict=True)) if found else [()] * len(answers)

    def _prepared(self, gold: Gold, response: Response, extract: Extract | None, names: list[str]) -> PreparedAnswer:
        if extract is None:
            return prepare_answer(gold, response)
        answer, complete = prepare_extracted(gold, response, extract)
        if not complete:
            self._not_found.update(names)
        return answer

    def take_counts(self) -> tuple[int, Counter[str]]:
        """Return how many answers were scored since it was last asked, and by scorer, in how many a step found nothing.

        Answers are counted where a scorer has an ``extract``, or takes many at once.
        """
        counts = self._answers, self._not_found
        self._answers, self._not_found = 0, Counter()
        return counts

    def _score(self, rows: list[_Row], gold: Gold, answer: PreparedAnswer) -> list[float]:
        item, is_nothing = gold.item, answer.normalized == _NOTHING
        scores: list[float] = []
        name = ""
        try:
            for name, applies, measure, of_nothing, low, high, continuous, may_miss in rows:
                if applies is not None and not applies(item):
                    scores.append(math.nan)
                    continue
                score = of_nothing(item) if is_nothing and of_nothing is not None else measure(gold, answer)
                fits = score in (low, high) or (continuous and low < score < high)
                if not (fits or (may_miss and math.isnan(score))):
                    _refuse(name, item, "score", score, (low, high), continuous=continuous)
                scores.append(score + 0.0)  # a float, also of what is a truth value
        except (PromptrialError, *INTERRUPTS):
            raise
        except BaseException as error:  # the edge to code that may be the user's
            raise _failed(name, item, error) from error
        return scores


def _column(row: _Row, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> list[float] | None:
    """Return the column of a scorer of whole answers; None if it fails, or a score is out of its range."""
    _, applies, measure, _, low, high, continuous, may_miss = row
    try:
        asked = answers if applies is None else [each for each in answers if applies(each[0].item)]
        scores = [measure(gold, answer) for gold, answer in asked]
        known = [score for score in scores if not math.isnan(score)] if may_miss else scores
        if not {low, high}.issuperset(known) and not (
            continuous and all(score in (low, high) or low < score < high for score in known)
        ):
            return None
        column = [score + 0.0 for score in scores]  # floats, also of what is a truth value
        if applies is None:
            return column
        rest = iter(column)
        return [next(rest) if applies(gold.item) else math.nan for gold, _ in answers]
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001 - the edge to code that may be the user's
        return None


def _score_batch(name: str, scorer: BatchScorer, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> list[float]:
    """Return the column of a scorer that takes many answers at once."""
    (low, high), continuous = scorer.declared.range, scorer.declared.scale == "continuous"
    column = [math.nan] * len(answers)
    applies, places = _applies(scorer), list[int]()
    for place, (gold, answer) in enumerate(answers):
        if answer.normalized == _NOTHING and _of_nothing(scorer) is not None:
            column[place] = _worst(name, scorer, gold.item)
        elif applies is None or applies(gold.item):
            places.append(place)
    if not places:
        return column
    scores = scorer.score_batch([answers[place] for place in places])
    for place, score in zip(places, scores, strict=True):
        if not (score in (low, high) or (continuous and low < score < high)):
            _refuse(name, answers[place][0].item, "score", score, (low, high), continuous=continuous)
        column[place] = score + 0.0
    return column


def score_answer(gold: Gold, response: Response, scorers: Mapping[str, Scorer]) -> tuple[float, ...]:
    """Return the score of a response by each scorer, in order; NaN where the scorer does not apply to the item.

    Raises
    ------
    ScoreError
        If a scorer fails, or gives a score outside its declared range; names the scorer and the item.

    Examples
    --------
    >>> item = Item(id="1", dataset="nq", question="Who led the Normans?", answers=("Rollo", "Duke Rollo"))
    >>> gold = prepare_gold(item, "nq_open", ScoringSettings())
    >>> score_answer(gold, Response("The viking Rollo"), load_scorers())
    (0.0, 0.6666666666666666, 0.0, nan, nan)
    """
    return Panel(scorers).score(gold, response)


def _refuse(name: str, item: Item, what: str, score: float, ends: tuple[float, float], *, continuous: bool) -> NoReturn:
    low, high = ends
    allowed = f"from {low:g} to {high:g}" if continuous else f"{low:g} or {high:g}"
    raise ScoreError(
        f"scorer {name}: the {what} of item {item.id!r} of {item.dataset} is {score!r}; its range: {allowed}",
        hint="correct the scorer, or the range that it declares",
    )


def _worst(name: str, scorer: Scorer, item: Item) -> float:
    try:
        if not scorer.applies(item):
            return math.nan
        worst, (low, high) = scorer.worst(item), scorer.declared.range
        continuous = scorer.declared.scale == "continuous"
        if not (worst in (low, high) or (continuous and low < worst < high)):
            _refuse(name, item, "worst score", worst, (low, high), continuous=continuous)
        return float(worst)
    except (PromptrialError, *INTERRUPTS):
        raise
    except BaseException as error:  # likewise
        raise _failed(name, item, error) from error


def _failed(name: str, item: Item, error: BaseException) -> ScoreError:
    """Return the one sentence about an exception in a scorer, which may be the user's own code."""
    said = in_one_sentence(error)
    return ScoreError(
        f"scorer {name} failed on item {item.id!r} of {item.dataset}: {said}",
        hint="correct the scorer, then resume the run; only score to report run again",
    )

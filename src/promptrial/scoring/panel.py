"""Scorers, laid out once to score many answers, and ``score_answer``, which scores one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import NamedTuple, NoReturn, Self

from promptrial.errors import INTERRUPTS, PromptrialError, ScoreError, in_one_sentence
from promptrial.model import Item
from promptrial.scoring.base import NOTHING, Gold, PreparedAnswer, prepare_extracted
from promptrial.scoring.batches import prepare_answers
from promptrial.scoring.contract import BatchScorer, Response, Scorer, item_tests
from promptrial.scoring.extracts import Extract

__all__ = ["Panel", "score_answer", "scores_one_by_one", "worst_scores"]


def worst_scores(item: Item, scorers: Mapping[str, Scorer]) -> tuple[float, ...]:
    """Return, by each scorer, what a missing answer to the item counts as where it counts as a failure.

    NaN where the scorer does not apply to the item.

    Raises
    ------
    ScoreError
        If a scorer fails, or says a worst score outside its declared range; names the scorer and the item.
    """
    return tuple([_worst(name, scorer, item) for name, scorer in scorers.items()])


_Many = Callable[[Sequence[tuple[Gold, PreparedAnswer]]], Sequence[float]]


class _Measure(NamedTuple):
    """A scorer, and what it says about itself that is asked for each answer."""

    name: str
    applies: Callable[[Item], bool] | None
    score: Callable[[Gold, PreparedAnswer], float]
    of_nothing: Callable[[Item], float] | None
    low: float
    high: float
    continuous: bool
    may_miss: bool
    many: _Many | None
    """As ``score``, for many answers at once."""

    @classmethod
    def of(cls, name: str, scorer: Scorer) -> Self:
        """Lay a scorer out."""
        declared = scorer.declared
        return cls(
            name,
            _applies(scorer),
            scorer.score,
            _of_nothing(scorer),
            *declared.range,
            declared.scale == "continuous",
            scorer.may_miss,
            _many(scorer),
        )


def _many(scorer: Scorer) -> _Many | None:
    """Return how a scorer scores many answers at once; None if a class below has a ``score`` of its own."""
    nearest = next(kind for kind in type(scorer).__mro__ if not {"score", "score_many"}.isdisjoint(vars(kind)))
    return scorer.score_many if "score_many" in vars(nearest) else None


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
        self._measures = [_Measure.of(name, each) for name, each in scorers.items() if name not in self._batched]
        groups: dict[Extract | None, list[str]] = {}
        for name in self._names:
            groups.setdefault((extracts or {}).get(name), []).append(name)
        self._layout = [
            (extract, [each for each in self._measures if each.name in names], [n for n in names if n in self._batched])
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
        columns = self.score_columns(pairs)
        return list(zip(*columns, strict=True)) if columns else [()] * len(pairs)

    def score_columns(self, pairs: Sequence[tuple[Gold, Response]]) -> list[list[float]]:
        """Return the same by scorer: for each, the scores of all pairs."""
        if not self._is_plain:
            self._answers += len(pairs)
        columns: dict[str, list[float]] = {}
        for extract, measures, batched in self._layout:
            answers = self._prepared(pairs, extract, [*(each.name for each in measures), *batched])
            names = [each.name for each in measures]
            columns |= zip(names, _columns(measures, answers, in_parts=extract is not None), strict=True)
            columns |= {name: _score_batch(name, self._batched[name], answers) for name in batched}
        return [columns[name] for name in self._names]

    def _prepared(
        self, pairs: Sequence[tuple[Gold, Response]], extract: Extract | None, names: list[str]
    ) -> list[tuple[Gold, PreparedAnswer]]:
        golds = [gold for gold, _ in pairs]
        if extract is None:
            return list(zip(golds, prepare_answers(pairs), strict=True))
        found = [prepare_extracted(gold, response, extract) for gold, response in pairs]
        self._not_found.update(name for _, complete in found if not complete for name in names)
        return [(gold, answer) for gold, (answer, _) in zip(golds, found, strict=True)]

    def take_counts(self) -> tuple[int, Counter[str]]:
        """Return how many answers were scored since it was last asked, and by scorer, in how many a step found nothing.

        Answers are counted where a scorer has an ``extract``, or takes many at once.
        """
        counts = self._answers, self._not_found
        self._answers, self._not_found = 0, Counter()
        return counts


def _columns(
    measures: Sequence[_Measure], answers: Sequence[tuple[Gold, PreparedAnswer]], *, in_parts: bool
) -> list[list[float]]:
    """Return the column of each scorer; if anything is wrong, after all answer by answer, which tells of what.

    Where answers are parts of responses there may be nothing to score in one, which only the slower way knows.
    """
    asked: dict[int, list[bool]] = {}
    found = [None if in_parts else _column(each, answers, asked) for each in measures]
    known = [column for column in found if column is not None]
    if len(known) == len(measures):
        return known
    rows = [scores_one_by_one(measures, gold, answer) for gold, answer in answers]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in measures]


def scores_one_by_one(measures: Sequence[_Measure], gold: Gold, answer: PreparedAnswer) -> list[float]:
    """Return the score of an answer by each scorer."""
    item, is_nothing = gold.item, answer.normalized == NOTHING
    scores: list[float] = []
    name = ""
    try:
        for name, applies, measure, of_nothing, low, high, continuous, may_miss, _ in measures:
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


def _column(
    measure: _Measure, answers: Sequence[tuple[Gold, PreparedAnswer]], asked: dict[int, list[bool]]
) -> list[float] | None:
    """Return the column of a scorer of whole answers; None if it fails, or a score is out of its range.

    ``asked`` are the answers to items that a scorer applies to, by the function that tells.
    """
    try:
        mask = _mask(measure.applies, answers, asked)
        own = answers if mask is None else list(compress(answers, mask))
        scores = [measure.score(*each) for each in own] if measure.many is None else measure.many(own)
        if not _fit(measure, [each for each in scores if not math.isnan(each)] if measure.may_miss else scores):
            return None
        column = [score + 0.0 for score in scores]  # floats, also of what is a truth value
        if mask is None:
            return column
        rest = iter(column)
        return [next(rest) if is_own else math.nan for is_own in mask]
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001 - the edge to code that may be the user's
        return None


def _mask(
    applies: Callable[[Item], bool] | None,
    answers: Sequence[tuple[Gold, PreparedAnswer]],
    asked: dict[int, list[bool]],
) -> list[bool] | None:
    """Return which answers are to items that a scorer applies to; None for all."""
    if applies is None:
        return None
    if id(applies) not in asked:
        asked[id(applies)] = [applies(gold.item) for gold, _ in answers]
    mask = asked[id(applies)]
    return None if all(mask) else mask


def _fit(measure: _Measure, scores: Sequence[float]) -> bool:
    """Tell whether all scores are in the range of a scorer."""
    low, high = measure.low, measure.high
    if {low, high}.issuperset(scores):
        return True
    return measure.continuous and not any(map(math.isnan, scores)) and low <= min(scores) and max(scores) <= high


def _score_batch(name: str, scorer: BatchScorer, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> list[float]:
    """Return the column of a scorer that takes many answers at once."""
    (low, high), continuous = scorer.declared.range, scorer.declared.scale == "continuous"
    column = [math.nan] * len(answers)
    applies, places = _applies(scorer), list[int]()
    for place, (gold, answer) in enumerate(answers):
        if answer.normalized == NOTHING and _of_nothing(scorer) is not None:
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
    >>> from promptrial.scoring.base import ScoringSettings, load_scorers, prepare_gold
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

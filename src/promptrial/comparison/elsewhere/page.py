"""The page of an analysis: its items and what became of them, from the scores and the texts that were kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from promptrial import __version__
from promptrial.comparison.elsewhere.analysing import Analyzed, declarations_of
from promptrial.comparison.elsewhere.collecting import Answers
from promptrial.comparison.elsewhere.rows import RowTexts
from promptrial.model import Item
from promptrial.model.arms import Contrast
from promptrial.phases.side_by_side import OUTCOMES, outcome_codes
from promptrial.reporting.page.content import Distribution
from promptrial.reporting.page.elsewhere import AnalysisPage, analysis_page
from promptrial.reporting.page.items import PageAnswer, PageItem, PageScores, packed_items
from promptrial.reporting.plots.bars import Changed
from promptrial.reporting.plots.scores import histogram
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables.words import wording
from promptrial.stats.pairing import FloatArray, IntArray

__all__ = ["page_of"]

_MOST_ITEMS: Final = 20_000
_DIGITS: Final = 6
_CHANGED: Final = 2
"""Outcomes that are changes, the first of ``OUTCOMES``."""


def page_of(analyzed: Analyzed) -> str:
    """Return the page, of at most about 15 MB: where there are more items, those that changed come first."""
    document, scores = analyzed.document, _Scores(analyzed)
    names = document.arms
    codes = {
        " against ".join(names[side] for side in reversed(each.sides)): scores.outcomes(each)
        for each in analyzed.table.contrasts
    }
    packed = packed_items(scores.common(), scores.items([*codes.values()]))
    with wording(declarations_of(document)):
        return analysis_page(
            AnalysisPage(
                analysis=document,
                verdict=analyzed.verdict,
                significance=as_shares(document.significance),
                changed={name: _changed(each, document.measures[0].name) for name, each in codes.items()},
                distributions=list(scores.distributions()),
                packed=packed,
                n_items=document.n_items,
                n_texts=scores.n_texts,
                version=__version__,
            )
        )


class _Scores:
    """The scores by measure, item and arm: arrays of shape (n_items, n_arms), NaN where there is none."""

    def __init__(self, analyzed: Analyzed) -> None:
        table, self._document = analyzed.table, analyzed.document
        self._table, self._groups = table, analyzed.groups
        shape = len(table.item_keys), len(table.arm_names)
        self._counts = np.zeros(shape, dtype=np.int64)
        self._counts[table.item, table.arm] = table.n_samples
        self._scores: dict[str, FloatArray] = {}
        for name, column in table.metrics.items():
            self._scores[name] = np.full(shape, np.nan)
            self._scores[name][table.item, table.arm] = column
        self._declared = declarations_of(analyzed.document)
        self._texts = _Texts(analyzed.answers, list(analyzed.document.arms.values()))
        self._judge = analyzed.document.measures[0].name

    @property
    def n_texts(self) -> int:
        """How many items have a text."""
        return self._texts.n_questions

    def outcomes(self, contrast: Contrast) -> IntArray:
        """Return what became of each item on the first primary measure, as places in ``OUTCOMES``."""
        sides = [list(self._table.arm_names).index(side) for side in contrast.sides]
        lost = (self._counts[:, sides] == 0).any(axis=1)
        return outcome_codes(self._scores[self._judge][:, sides], lost, self._declared[self._judge])

    def distributions(self) -> Iterator[Distribution]:
        """Yield the distribution of each continuous measure."""
        for name, declared in self._declared.items():
            if declared.scale == "continuous":
                found = self._scores[name]
                shares = {
                    label: histogram(found[~np.isnan(found[:, at]), at].tolist(), *declared.range)
                    for at, label in enumerate(self._document.arms.values())
                }
                yield Distribution(name, declared.range, shares)

    def common(self) -> PageScores:
        """Return what the items have in common."""
        arms = self._table.arm_names
        pairs = [each.sides for each in self._table.contrasts]
        return PageScores(
            arms=tuple(self._document.arms.values()),
            contrasts=tuple((arms.index(first), arms.index(second)) for first, second in pairs),
            labels={name: each.label for name, each in self._declared.items()},
            judge=self._judge,
            abstention=None,
            outcomes=OUTCOMES,
            temps=(0.0,),
            files={},
            lower_is_better=self._declared[self._judge].direction == "lower",
        )

    def items(self, codes: Sequence[IntArray]) -> Iterator[PageItem]:
        """Yield the items for the page, in order."""
        for at in self._chosen(codes):
            scores = {
                name: [None if math.isnan(each) else round(each, _DIGITS) for each in column[at].tolist()]
                for name, column in self._scores.items()
            }
            yield PageItem(
                at + 1,
                self._item(at),
                0.0,
                tuple(int(each[at]) for each in codes),
                scores,
                self._answers(at, scores[self._judge]),
            )

    def _item(self, at: int) -> Item:
        name, group = self._table.item_keys[at], self._groups[at] if self._groups else ""
        asked = self._texts.question(name)
        return Item(id=name, dataset=group, question=asked.question, answers=(asked.gold,) if asked.gold else ())

    def _answers(self, at: int, scores: Sequence[float | None]) -> list[list[PageAnswer]]:
        """Return what each arm answered; where the files have no texts of it, its score is shown instead."""
        texts = self._texts.answers(self._table.item_keys[at])
        counts = self._counts[at].tolist()
        return [
            [(text, None, None, None, None, None, ()) for text in written] or list(_in_place(score, n))
            for written, score, n in zip(texts, scores, counts, strict=True)
        ]

    def _chosen(self, codes: Sequence[IntArray]) -> list[int]:
        n = len(self._table.item_keys)
        if n <= _MOST_ITEMS:
            return list(range(n))
        changed = np.any([code < _CHANGED for code in codes], axis=0)
        return sorted(int(at) for at in np.argsort(~changed, kind="stable")[:_MOST_ITEMS])


class _Texts:
    """The questions and answers that were kept, by the names of items."""

    def __init__(self, answers: Answers, arms: Sequence[str]) -> None:
        self._arms = len(arms)
        self._questions = {answers.items[item]: texts for item, texts in answers.questions.items()}
        self._answers: dict[str, list[list[str]]] = {}
        places = {answers.arms.index(name): at for at, name in enumerate(arms)}
        for row, text in answers.texts.items():
            place = places.get(int(answers.arm[row]))
            if place is not None:
                self.answers(answers.items[int(answers.item[row])])[place].append(text)

    @property
    def n_questions(self) -> int:
        """How many items have a question that was kept."""
        return sum(bool(texts.question) for texts in self._questions.values())

    def question(self, item: str) -> RowTexts:
        """Return what is known of the question of an item."""
        return self._questions.get(item, RowTexts())

    def answers(self, item: str) -> list[list[str]]:
        """Return the answers of each arm to an item."""
        return self._answers.setdefault(item, [[] for _ in range(self._arms)])


def _in_place(score: float | None, n_samples: int) -> Iterator[PageAnswer]:
    """Yield what is shown in place of an answer: its score, or the mean of several."""
    if n_samples:
        text = (
            "not scored" if score is None else f"score {score:g}" + (f", mean of {n_samples}" if n_samples > 1 else "")
        )
        yield text, None, None, None, None, None, ()


def _changed(codes: IntArray, measure: str) -> Changed:
    counts = np.bincount(codes, minlength=len(OUTCOMES))
    return Changed.of({outcome: int(n) for outcome, n in zip(OUTCOMES, counts, strict=True)}, measure)

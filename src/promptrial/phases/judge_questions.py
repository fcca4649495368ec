"""Which answers and pairs judges are asked about, in which orders, and how replies become scores. Reads only.

Predictions are in the order of the score table, so they are read beside the items, and the answers of one shard of
items are held in memory at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final, NamedTuple

from promptrial.model import Item, Part, Trial
from promptrial.model.arms import CONTROL, ArmName
from promptrial.model.responses import is_blank
from promptrial.phases.judges import RunJudge
from promptrial.phases.predictions import ANSWER_COLUMNS, prediction_rows
from promptrial.phases.prepared import ItemReader
from promptrial.phases.sample import parts_in_table_order
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import is_kept
from promptrial.scoring.judge_messages import Shown, Verdict, asks_for_a_verdict, judge_request_id
from promptrial.scoring.types.judge import Judge
from promptrial.scoring.types.pairwise_judge import PairwiseJudge, preference

__all__ = ["Claim", "JudgedAnswer", "Question", "claims_of", "judged_answers"]

_COLUMNS: Final = (*ANSWER_COLUMNS, "sample_index")
_EQUAL: Final = "tie"


class JudgedAnswer(NamedTuple):
    """An answer and where it is: its row in the predictions, from 0, and which request it answers."""

    row: int
    arm: ArmName
    temp: str
    sample_index: int
    text: str


class Question(NamedTuple):
    """One request to a judge: its id, and what the judge is shown."""

    id: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class Claim:
    """The score of one answer that follows from replies of a judge.

    Attributes
    ----------
    item : Item
    answer : JudgedAnswer
    questions : tuple of Question
        What has to be asked; nothing where the score is known without.
    score : callable
        Returns the score, given a verdict on each question.
    flagged : bool
        Whether the answer seems to speak to the judge.
    lengths : tuple of int
        Of a pair, the characters of the control's answer and of this one; empty otherwise.
    """

    item: Item
    answer: JudgedAnswer
    questions: tuple[Question, ...]
    score: Callable[[Sequence[Verdict]], float]
    flagged: bool
    lengths: tuple[int, ...] = ()


def judged_answers(spec: RunSpec, trial: Trial) -> Iterator[tuple[Item, list[JudgedAnswer]]]:
    """Yield each item at each temperature with the answers of all arms; requests without an answer are left out."""
    rows, reader, kept = _Rows(_rows(spec, trial)), ItemReader(spec.run), is_kept(spec.run, trial.slug)
    for (start, stop, temp), shard in groupby(parts_in_table_order(spec, trial), key=_shard):
        arms = {part.condition for part in shard}
        items = [item for at, item in enumerate(reader.take(start, stop), start) if kept is None or kept[at]]
        held: dict[tuple[str, str], list[JudgedAnswer]] = {(item.dataset, item.id): [] for item in items}
        for key, answer in rows.take(held, arms, temp):
            held[key].append(answer)
        for item in items:
            yield item, held[item.dataset, item.id]


def _shard(part: Part) -> tuple[int, int, str]:
    return part.start, part.stop, repr(part.temp)


class _Rows:
    """The answers of the predictions, taken shard by shard."""

    def __init__(self, rows: Iterator[tuple[tuple[str, str], JudgedAnswer]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(
        self, items: Mapping[tuple[str, str], object], arms: set[ArmName], temp: str
    ) -> Iterator[tuple[tuple[str, str], JudgedAnswer]]:
        """Yield the rows up to the first that is of another item, arm or temperature."""
        while self._next is not None:
            key, answer = self._next
            if key not in items or answer.arm not in arms or answer.temp != temp:
                return
            yield key, answer
            self._next = next(self._rows, None)


def _rows(spec: RunSpec, trial: Trial) -> Iterator[tuple[tuple[str, str], JudgedAnswer]]:
    for row, values in enumerate(prediction_rows(spec, trial, _COLUMNS)):
        dataset, item_id, arm, temp, text, error, sample_index = values
        if error is not None or text is None or is_blank(text):
            text = ""
        yield (dataset, item_id), JudgedAnswer(row, arm, temp, sample_index, text)


def claims_of(judge: RunJudge, item: Item, answers: Iterable[JudgedAnswer]) -> Iterator[Claim]:
    """Yield what has to be asked so that the answers to one item at one temperature have scores.

    An answer without a text has none, and neither has one of which ``extract`` finds nothing.
    """
    there = [answer._replace(text=text) for answer in answers if (text := _judged_text(judge, answer))]
    if isinstance(judge.settings, PairwiseJudge):
        yield from _pairs(judge, judge.settings, item, there)
    elif isinstance(judge.settings, Judge):
        for answer in there:
            yield _single(judge, judge.settings, item, answer)


def _judged_text(judge: RunJudge, answer: JudgedAnswer) -> str:
    if not answer.text or judge.extract is None:
        return answer.text
    return judge.extract(answer.text)[0] or ""


def _single(judge: RunJudge, settings: Judge, item: Item, answer: JudgedAnswer) -> Claim:
    shown = settings.shown(item, answer.text)
    question = Question(judge_request_id(judge.digest, shown), shown)
    return Claim(item, answer, (question,), _number, asks_for_a_verdict(answer.text))


def _number(verdicts: Sequence[Verdict]) -> float:
    (verdict,) = verdicts
    return float(verdict.value)


def _pairs(judge: RunJudge, settings: PairwiseJudge, item: Item, answers: Sequence[JudgedAnswer]) -> Iterator[Claim]:
    """Yield the answers of the control, which score half, and each other beside that of the same replicate."""
    controls = {answer.sample_index: answer for answer in answers if answer.arm == CONTROL}
    for answer in answers:
        control = controls.get(answer.sample_index)
        flagged = asks_for_a_verdict(answer.text)
        if answer.arm == CONTROL:
            yield Claim(item, answer, (), lambda _verdicts: 0.5, flagged)
        elif control is None:
            yield Claim(item, answer, (), lambda _verdicts: math.nan, flagged)
        else:
            lengths = len(control.text), len(answer.text)
            equal = control.text.strip() == answer.text.strip()
            orders = () if equal else ((control.text, answer.text), (answer.text, control.text))
            shown = [settings.shown(item, *order) for order in orders]
            questions = tuple(Question(judge_request_id(judge.digest, each), each) for each in shown)
            yield Claim(item, answer, questions, partial(_preferred, equal), flagged, lengths)


def _preferred(equal: bool, verdicts: Sequence[Verdict]) -> float:  # noqa: FBT001 - bound by partial
    first, second = (_EQUAL, _EQUAL) if equal else (str(verdict.value) for verdict in verdicts)
    return preference(first, second)

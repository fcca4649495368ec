"""The predictions of a trial, read in request order beside its items. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptrial.errors import CorruptRecordError
from promptrial.model import Trial
from promptrial.model.responses import is_blank
from promptrial.phases.spec import RunSpec
from promptrial.scoring.contract import RESPONSE_COLUMNS, Response
from promptrial.store.tables import read_batches

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ANSWER_COLUMNS",
    "AnswerRow",
    "Answers",
    "PredictionRow",
    "TrialAnswers",
    "answer_rows",
    "answers_in",
    "check_none_left",
    "held_answers",
    "parse_again",
    "prediction_rows",
    "stored_answers",
]

ANSWER_COLUMNS: Final = ("dataset", "item_id", "condition", "temp", "response_text", "error")
"""The columns that say whose answer a row has, and what it is."""
_NOTHING_MORE: Final = (None,) * len(RESPONSE_COLUMNS)

PredictionRow = tuple[Any, ...]
"""A row of the predictions: ``ANSWER_COLUMNS``, and whatever else was asked for."""


def prediction_rows(spec: RunSpec, trial: Trial, columns: tuple[str, ...]) -> Iterator[PredictionRow]:
    """Yield columns of the predictions in request order; None where a column of ``RESPONSE_COLUMNS`` does not exist."""
    path = spec.run.trial(trial.slug).results / "predictions.parquet"
    for batch in read_batches(path, columns):
        yield from rows_in(batch, columns)


def rows_in(batch: pa.RecordBatch | pa.Table, columns: tuple[str, ...]) -> Iterator[PredictionRow]:
    """Yield columns of some of the predictions, as ``prediction_rows`` does."""
    absent = {name for name in RESPONSE_COLUMNS if name not in batch.schema.names}  # no response has anything there
    lists = ([None] * len(batch) if name in absent else batch.column(name).to_pylist() for name in columns)
    return zip(*lists, strict=True)


AnswerRow = tuple[int, tuple[str, str], Response | None]
"""A row of the predictions of one arm and temperature: its number, its item (data set, id), and the answer if any."""


def answer_rows(rows: Iterable[tuple[int, PredictionRow]]) -> Iterator[AnswerRow]:
    """Yield rows of ``ANSWER_COLUMNS``, and of ``RESPONSE_COLUMNS`` if a scorer needs them, as they are scored.

    A failed request has no answer, and neither has a text without a visible character.
    """
    for number, row in rows:
        text, error = row[4:6]
        is_answer = error is None and text is not None and not is_blank(text)
        response = Response(text, *(row[6:] or _NOTHING_MORE), number) if is_answer else None  # type: ignore[call-arg]  # all of them
        yield number, row[:2], response


def answers_in(table: pa.Table, columns: tuple[str, ...], numbers: Sequence[int]) -> Iterator[AnswerRow]:
    """Yield what ``answer_rows`` does of some of the predictions, column by column."""
    if columns != ANSWER_COLUMNS:
        yield from answer_rows(zip(numbers, rows_in(table, columns), strict=True))
        return
    names = ("dataset", "item_id", "response_text", "error")
    datasets, items, texts, errors = (table.column(name).to_numpy().tolist() for name in names)
    responses = [
        None if error is not None or not text or is_blank(text) else Response(text, row=number)
        for number, text, error in zip(numbers, texts, errors, strict=True)
    ]
    yield from zip(numbers, zip(datasets, items, strict=True), responses, strict=True)


class Answers:
    """The predictions of one arm and temperature, taken item by item in request order.

    Parameters
    ----------
    rows : iterator of AnswerRow
    condition, temp : str
    """

    def __init__(self, rows: Iterator[AnswerRow], condition: str, temp: str) -> None:
        self._rows = rows
        self._arm = condition, temp
        self._next = next(rows, None)

    def take(self, items: Iterable[tuple[str, str]]) -> list[list[Response]]:
        """Return the answers to each of some items (data set, id) that follow, except for failed requests."""
        rows, row = self._rows, self._next
        taken: list[list[Response]] = []
        for item in items:
            responses: list[Response] = []
            while row is not None and row[1] == item:
                if row[2] is not None:
                    responses.append(row[2])
                row = next(rows, None)
            taken.append(responses)
        self._next = row
        return taken

    @property
    def left(self) -> tuple[int, tuple[str, ...]] | None:
        """The number, and data set, item, arm and temperature of the first row that was not taken; None without any."""
        return None if self._next is None else (self._next[0], (*self._next[1], *self._arm))


class TrialAnswers:
    """The predictions of a trial, taken arm by arm: those of each in request order.

    Parameters
    ----------
    rows_of : callable
        Returns the rows of an arm and temperature.
    again : str
        The command that makes the predictions again.
    """

    def __init__(self, rows_of: Callable[[str, str], Iterator[AnswerRow]], again: str) -> None:
        self._rows_of = rows_of
        self._again = again
        self._known: dict[tuple[str, str], Answers] = {}

    def of(self, condition: str, temp: str) -> Answers:
        """Return those of an arm and temperature."""
        if (condition, temp) not in self._known:
            self._known[condition, temp] = Answers(self._rows_of(condition, temp), condition, temp)
        return self._known[condition, temp]

    def check_empty(self) -> None:
        """Refuse predictions that belong to no item of the run.

        Raises
        ------
        CorruptRecordError
            Naming the first one left over.
        """
        left = [answers.left for answers in self._known.values() if answers.left is not None]
        check_none_left(min(left)[1] if left else None, self._again)


def held_answers(rows: Sequence[PredictionRow], again: str) -> TrialAnswers:
    """Return predictions in memory, as rows of the columns of ``answer_rows``."""
    by_arm: dict[tuple[str, str], list[tuple[int, PredictionRow]]] = {}
    for number, row in enumerate(rows):
        by_arm.setdefault((row[2], row[3]), []).append((number, row))
    return TrialAnswers(lambda *arm: answer_rows(by_arm.get(arm, ())), again)


def stored_answers(
    spec: RunSpec, trial: Trial, columns: tuple[str, ...], arms: Collection[tuple[str, str]]
) -> TrialAnswers:
    """Return the predictions of a trial on disk; of each arm, one row group is in memory at once.

    Raises
    ------
    CorruptRecordError
        If a row is of none of the arms (name, temperature).
    """
    path = spec.run.trial(trial.slug).results / "predictions.parquet"
    for batch in read_batches(path, ANSWER_COLUMNS[:4]):
        for row in zip(*(column.to_pylist() for column in _others(batch, arms).columns), strict=True):
            check_none_left(row, parse_again(spec))
    return TrialAnswers(lambda *arm: _rows_of_arm(path, columns, arm), parse_again(spec))


def _others(batch: pa.RecordBatch, arms: Collection[tuple[str, str]]) -> pa.RecordBatch:
    """Return the rows that are of none of the arms."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.binary_join_element_wise(batch.column("condition"), batch.column("temp"), " ")
    return batch.filter(pc.invert(pc.is_in(found, value_set=pa.array([" ".join(arm) for arm in arms]))))


def _rows_of_arm(path: Path, columns: tuple[str, ...], arm: tuple[str, str]) -> Iterator[AnswerRow]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    start = 0
    for batch in read_batches(path, columns):
        is_own = pc.and_(pc.equal(batch.column("condition"), arm[0]), pc.equal(batch.column("temp"), arm[1]))
        numbers = np.flatnonzero(is_own.to_numpy(zero_copy_only=False)) + start
        yield from answers_in(pa.Table.from_batches([batch.filter(is_own)]), columns, numbers.tolist())
        start += len(batch)


def check_none_left(left: Sequence[Any] | None, again: str) -> None:
    """Refuse predictions with a row that is left over; ``again`` is the command that makes them again.

    Raises
    ------
    CorruptRecordError
        Naming it.
    """
    if left is not None:
        raise CorruptRecordError(
            f"predictions.parquet: {'|'.join(left[:4])} is out of order or belongs to no item of this run",
            hint=f"parse again: {again}",
        )


def parse_again(spec: RunSpec) -> str:
    """Return the command that makes the predictions again."""
    return f"{spec.run.command('run')} --from_step parse"

"""The predictions of a trial, read in request order beside its items. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from promptrial.errors import CorruptRecordError
from promptrial.model import Trial
from promptrial.model.responses import is_blank
from promptrial.phases.spec import RunSpec
from promptrial.scoring.contract import RESPONSE_COLUMNS, Response
from promptrial.store.tables import read_batches

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ANSWER_COLUMNS", "Answers", "PredictionRow", "check_none_left", "parse_again", "prediction_rows", "rows_in"]

ANSWER_COLUMNS: Final = ("dataset", "item_id", "condition", "temp", "response_text", "error")
"""The columns that say whose answer a row has, and what it is."""
_NOTHING_MORE: Final = (None,) * len(RESPONSE_COLUMNS)

PredictionRow = tuple[Any, ...]
"""A row of the predictions: ``ANSWER_COLUMNS``, and whatever else was asked for."""


def prediction_rows(spec: RunSpec, trial: Trial, columns: tuple[str, ...]) -> Iterator[PredictionRow]:
    """Yield columns of the predictions in request order; None where a column of ``RESPONSE_COLUMNS`` is not there."""
    path = spec.run.trial(trial.slug).results / "predictions.parquet"
    for batch in read_batches(path, columns):
        yield from rows_in(batch, columns)


def rows_in(batch: pa.RecordBatch | pa.Table, columns: tuple[str, ...]) -> Iterator[PredictionRow]:
    """Yield columns of some of the predictions, as ``prediction_rows`` does."""
    absent = {name for name in RESPONSE_COLUMNS if name not in batch.schema.names}  # no response has anything there
    lists = ([None] * len(batch) if name in absent else batch.column(name).to_pylist() for name in columns)
    return zip(*lists, strict=True)


class Answers:
    """The predictions from the row ``first`` on, taken item by item in request order.

    ``again`` is the command that makes them again.
    """

    def __init__(self, rows: Iterator[PredictionRow], again: str, first: int = 0) -> None:
        self._rows = rows
        self._again = again
        self._next = next(rows, None)
        self._at = first

    def take(self, *key: str) -> list[Response]:
        """Return the answers to an item (data set, id), arm and temperature, but for failed requests."""
        responses = []
        row = self._next
        while row is not None and row[:4] == key:
            text, error = row[4:6]
            if error is None and text is not None and not is_blank(text):
                responses.append(Response(text, *(row[6:] or _NOTHING_MORE), self._at))  # type: ignore[call-arg]  # all
            row = self._next = next(self._rows, None)
            self._at += 1
        return responses

    def check_empty(self) -> None:
        """Refuse predictions that belong to no item of the run.

        Raises
        ------
        CorruptRecordError
            Naming the first one left over.
        """
        check_none_left(self._next, self._again)


def check_none_left(left: Sequence[Any] | None, again: str) -> None:
    """Refuse predictions of which a row is left over; ``again`` is the command that makes them again.

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

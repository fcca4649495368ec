"""The answers of a trial as they are in ``predictions.parquet``, found by their cell and read a few at a time.

A cell is one item at one temperature in one arm; it has an answer for each replicate. What is held of all answers is
where they are; their texts are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptrial.phases.cell_rows import CellRows
from promptrial.phases.judgement_rows import Judgement, JudgementRows
from promptrial.store.row_groups import RowReader
from promptrial.store.tables import StoredColumns, column_names

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["Answer", "AnswerRows", "AnswerValues"]

_TEXT: Final = "response_text"
_READ: Final = (_TEXT, "error", "finish_reason", "prompt_tokens", "completion_tokens", "reasoning")
"""The columns of an answer, in the order of its fields; the last is there in some tables alone."""
_SAMPLE: Final = "sample_index"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request; ``error`` says why there is no text, ``judgements`` what judges said about it."""

    text: str | None
    error: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning: str | None = None
    judgements: tuple[Judgement, ...] = ()


AnswerValues = tuple[str | None, str | None, str | None, int | None, int | None, str | None, tuple[Judgement, ...]]
"""The fields of an ``Answer``, in order."""


class AnswerRows:
    """The answers of a trial by their cells.

    Parameters
    ----------
    path : Path
        Of the predictions.
    cells_of : callable
        Returns the cell of each row, given its item key (``data set|id``), temperature and arm; -1 for a row that
        belongs to none.
    n_cells : int
        Cells are numbered from 0.
    judgements : JudgementRows or None
        What judges said about the answers, by the same cells; None where no judge was asked.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """

    def __init__(
        self,
        path: Path,
        cells_of: Callable[[pa.ChunkedArray, pa.ChunkedArray, pa.ChunkedArray], npt.NDArray[np.int64]],
        n_cells: int,
        judgements: JudgementRows | None = None,
    ) -> None:
        names = column_names(path)
        wanted = _READ if judgements is None else (*_READ, _SAMPLE)
        self._reader = RowReader(path, [name for name in wanted if name in names])
        self._cells, samples = _places(path, cells_of)
        self._where = CellRows(self._cells, samples, n_cells)
        self._judgements = judgements

    def of(self, cells: npt.NDArray[np.int64]) -> list[list[Answer]]:
        """Return the answers of some cells, replicate by replicate; an empty list where nothing came back."""
        return [[Answer(*values) for values in found] for found in self.values_of(cells)]

    def values_of(self, cells: npt.NDArray[np.int64]) -> list[list[AnswerValues]]:
        """Return the same as plain tuples, which is quicker: a page has tens of thousands."""
        where, counts = self._where.of(cells)
        rows = self._reader.take(where)
        columns = [*_columns(rows)]
        if self._judgements is None:
            found = zip(*columns, repeat((), len(rows)), strict=True)
            return [[*islice(found, n)] for n in counts]
        numbered = zip(rows.column(_SAMPLE).to_pylist(), zip(*columns, strict=True), strict=True)
        return [
            [(*values, said.get(sample, ())) for sample, values in islice(numbered, n)]
            for n, said in zip(counts, self._judgements.of(cells), strict=True)
        ]

    def cells_that_say(self, words: str) -> npt.NDArray[np.int64]:
        """Return the cells of which an answer holds some words, whatever their case; sorted, each once."""
        import numpy as np
        import pyarrow.compute as pc

        found = []
        for start, texts in self._reader.column(_TEXT):
            says = pc.fill_null(pc.match_substring(texts, words, ignore_case=True), fill_value=False)
            found.append(self._cells[start : start + len(texts)][says.to_numpy()])
        cells = np.unique(np.concatenate(found)) if found else self._cells[:0]
        return cells[cells >= 0]


def _places(path: Path, cells_of: Callable[..., npt.NDArray[np.int64]]) -> tuple[Any, Any]:
    """Return the cell and the replicate of each row."""
    import pyarrow.compute as pc

    stored = StoredColumns(path, categories=("condition", "temp"))
    key = pc.binary_join_element_wise(stored.column("dataset"), stored.column("item_id"), "|")
    return cells_of(key, stored.column("temp"), stored.column("condition")), stored.column(_SAMPLE).to_numpy()


def _columns(rows: pa.Table) -> Iterator[list[Any]]:
    """Yield the columns of answers in the order of the fields of ``Answer``."""
    for name in _READ:
        yield rows.column(name).to_pylist() if name in rows.column_names else [None] * len(rows)

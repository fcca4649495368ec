"""``judgements``: the table of what judges said about the answers of a trial. How a row is written, and how it is read.

Like answers, judgements are read where they are, a few at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptrial.model.arms import ArmName
from promptrial.phases.cell_rows import CellRows
from promptrial.scoring.judge_messages import Verdict
from promptrial.store.row_groups import RowReader
from promptrial.store.tables import Column, codes_of, column_names, read_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["JUDGEMENTS", "JUDGEMENT_COLUMNS", "Judgement", "JudgementRows", "judgement_row"]

JUDGEMENTS: Final = "judgements"
"""The name of the table, without a suffix."""
JUDGEMENT_COLUMNS: Final[tuple[Column, ...]] = (
    ("scorer", "category"),
    ("item_key", "text"),
    ("condition", "category"),
    ("temp", "category"),
    ("sample_index", "int"),
    ("score", "float"),
    ("verdict", "text"),
    ("reason", "text"),
    ("flagged", "category"),
    ("second_reason", "text"),
)
"""One row for each judge and answer. Of a pair, ``verdict`` has both orders, the one with the control's answer first
before the other; ``reason`` is that of the first order and ``second_reason`` that of the second."""
_BETWEEN: Final = " | "
_READ: Final = ("scorer", "condition", "sample_index", "verdict", "reason", "second_reason")
_KEPT_BYTES: Final = 32 << 20
"""Of what was read last; answers are kept beside it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge said about an answer, and why: once, or in each order if it compared two answers.

    ``shown`` are the arms whose answers it compared as A and B; empty where it read one answer.
    """

    scorer: str
    shown: tuple[ArmName, ...]
    verdict: str
    reason: str

    @property
    def said(self) -> str:
        """The verdict, with what it means where it names one of two answers.

        Examples
        --------
        >>> Judgement("better", ("terse", "plain"), "A", "It is short.").said
        'A (A is terse, B is plain)'
        """
        if not self.shown:
            return self.verdict
        first, second = self.shown
        return f"{self.verdict} (A is {first}, B is {second})"


def judgement_row(
    scorer: str,
    item_key: str,
    answer: tuple[ArmName, str, int],
    score: float,
    verdicts: Sequence[Verdict],
    *,
    flagged: bool,
) -> tuple[Any, ...]:
    """Return the row of an answer, given by its arm, temperature and replicate; without a verdict, its texts are empty.

    ``verdicts`` are those of both orders of a pair, the one with the control's answer first before the other.
    """
    first, second = [*(each.reason for each in verdicts), "", ""][:2]
    said = _BETWEEN.join(str(each.value) for each in verdicts)
    return (scorer, item_key, *answer, score, said, first, "yes" if flagged else "no", second)


class JudgementRows:
    """What judges said about the answers of a trial, by their cells.

    Parameters
    ----------
    path : Path
    scorers : sequence of str
        The judges whose judgements count; rows of others are left over from earlier scorers.
    cells_of : callable
        Returns the cell of each row, given its item key, temperature and arm; -1 for a row that belongs to none.
    n_cells : int
    base : str
        The arm beside whose answers a judge of pairs saw the others.
    """

    def __init__(
        self,
        path: Path,
        scorers: Sequence[str],
        cells_of: Callable[[pa.ChunkedArray, pa.ChunkedArray, pa.ChunkedArray], npt.NDArray[np.int64]],
        n_cells: int,
        base: ArmName,
    ) -> None:
        import numpy as np
        import pyarrow as pa

        self._base = base
        names = column_names(path)
        self._reader = RowReader(path, [name for name in _READ if name in names], _KEPT_BYTES)
        columns = ("item_key", "temp", "condition", "scorer", "sample_index")
        table = read_columns(path, columns, categories=("temp", "condition", "scorer"))
        cells = cells_of(table.column("item_key"), table.column("temp"), table.column("condition"))
        counts = codes_of(table.column("scorer"), pa.array(scorers, pa.string())) >= 0
        self._where = CellRows(np.where(counts, cells, -1), table.column("sample_index").to_numpy(), n_cells)

    def of(self, cells: npt.NDArray[np.int64]) -> list[dict[int, tuple[Judgement, ...]]]:
        """Return what was said about the answers of some cells, by replicate; nothing where no reason was given."""
        rows, counts = self._where.of(cells)
        found = iter(self._reader.take(rows).to_pylist())
        return [self._by_replicate(islice(found, n)) for n in counts]

    def _by_replicate(self, rows: Iterator[dict[str, Any]]) -> dict[int, tuple[Judgement, ...]]:
        found: dict[int, tuple[Judgement, ...]] = {}
        for row in rows:
            sample = row["sample_index"]
            found[sample] = (*found.get(sample, ()), *_judgements(row, self._base))
        return found


def _judgements(row: dict[str, Any], base: ArmName) -> Iterator[Judgement]:
    """Yield what a row says, order by order.

    Tables of earlier versions have both reasons of a pair as one text, which nothing can take apart.
    """
    verdict, arm = row["verdict"] or "", row["condition"]
    first, between, second = verdict.partition(_BETWEEN)
    orders: Sequence[tuple[tuple[ArmName, ...], str, str | None]] = (((), verdict, row["reason"]),)
    if between and "second_reason" in row:
        orders = (((base, arm), first, row["reason"]), ((arm, base), second, row["second_reason"]))
    yield from (Judgement(row["scorer"], shown, said, reason) for shown, said, reason in orders if reason)

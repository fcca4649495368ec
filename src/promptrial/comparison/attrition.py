"""What became of the requests of an arm for the items and temperatures that are compared. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from promptrial.documents.missing import ArmAttrition
from promptrial.model import ids
from promptrial.model.responses import CUT, NO_TEXT, error_code
from promptrial.stats.attrition import arm_attrition
from promptrial.store.tables import read_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from promptrial.model.arms import ArmName

__all__ = ["attrition_among"]


def attrition_among(
    predictions: Path, arm: ArmName, keys: Sequence[str], temps: Sequence[float], expected: int
) -> ArmAttrition:
    """Count what became of the requests of an arm for some items at some temperatures.

    Parameters
    ----------
    predictions : Path
        The answers of a trial, as *parse* left them.
    arm : str
    keys : sequence of str
        Of the items.
    temps : sequence of float
    expected : int
        How many requests were planned for them.

    Notes
    -----
    O(n_rows) time; a row group at a time is in memory.
    """
    wanted, names = set(keys), {repr(temp) for temp in temps}
    answered = truncated = 0
    reasons: Counter[str] = Counter()
    for key, condition, temp, error, finish_reason in _rows(predictions):
        if key not in wanted or condition != arm or temp not in names:
            continue
        if error is not None:
            reasons[error_code(error)] += 1
        else:
            answered += 1
            truncated += finish_reason in CUT
    empty = sum(reasons[code] for code in NO_TEXT)
    lost = expected - answered - reasons.total()
    return arm_attrition(expected, answered, {**reasons, "missing": lost}, empty, truncated)


def _rows(path: Path) -> Iterator[tuple[str, str, str, str | None, str | None]]:
    columns = ("dataset", "item_id", "condition", "temp", "error", "finish_reason")
    for batch in read_batches(path, columns):
        dataset, item, *others = (batch.column(name).to_pylist() for name in columns)
        yield from zip(map(ids.item_key, dataset, item), *others, strict=True)

"""Plain tables of scores, in CSV, JSONL, Parquet and the like: a row an answer, a column an arm, or a file an arm.

=========  =============================================================================================
long       a column names the arm: ``item, arm, score``, with ``cluster``, ``replicate``, ``group``
wide       one column an arm: ``item, base, new``; or one object an arm: ``{"item": 1, "base": {"acc": 1}}``
single     a column of scores and none of arms: the file is one arm
=========  =============================================================================================

Columns are found by their usual names, or named by flags.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from promptrial.comparison.elsewhere.json_lines import decoded, raw_lines
from promptrial.comparison.elsewhere.rows import Columns, Opened, ReadingNotes, ResultFormat, ScoreRow, unknown
from promptrial.comparison.elsewhere.values import is_scalar, score_in, score_of
from promptrial.datasets.columns import fold
from promptrial.datasets.place import Place
from promptrial.datasets.separated import Row
from promptrial.datasets.table import open_table
from promptrial.datasets.value_texts import text_of
from promptrial.errors import DataError, UsageError

__all__ = ["FORMAT"]

_SEE: Final = "see docs/analyze.md#tables"
_USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "item": ("item", "item_id", "question_id", "sample_id", "example_id", "instance_id", "doc_id", "id", "key", "idx",
             "index", "question"),
    "arm": ("arm", "model", "system", "condition", "variant", "model_name", "model_id"),
    "scores": ("score", "value", "correct", "is_correct", "accuracy", "acc", "rating", "preference"),
    "measure": ("measure", "metric", "metric_name", "scorer"),
    "cluster": ("cluster", "cluster_id", "passage_id"),
    "replicate": ("replicate", "repeat", "epoch", "trial"),
    "group": ("group", "task", "category", "subject"),
}  # fmt: skip
"""The names by which columns are found, the first that is there."""
_NAMES: Final = frozenset(name for names in _USUAL.values() for name in names)
_LOOKED_AT: Final = 200


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which columns hold what. Exactly one of ``scores`` and ``wide`` is not empty."""

    item: str
    arm: str
    scores: tuple[str, ...]
    wide: tuple[str, ...]
    measure: str
    cluster: str
    replicate: str
    group: str


def _read(opened: Opened, notes: ReadingNotes) -> Iterator[ScoreRow]:
    rows = _table_rows(opened)
    first = list(islice(rows, _LOOKED_AT))
    if not first:
        raise Place(opened.file.path, 1).error("there is no row of scores", hint=_SEE)
    layout = _layout(opened, first, notes)
    for number, (place, row) in enumerate(chain(first, rows), 1):
        yield from _scores(place, row, layout, str(number))


def _table_rows(opened: Opened) -> Iterator[Row]:
    content = opened.content
    try:
        table = open_table(opened.file.path, names=_NAMES)
        if table.kind != "lines" or content is None:
            yield from table.rows()
            return
    except DataError as error:  # its hint is about questions
        raise DataError(error.message, hint=f"correct the file there; {_SEE}") from error
    for place, raws in raw_lines(content):
        yield place, {name: decoded(place, raw) for name, raw in raws.items()}


def _layout(opened: Opened, first: Sequence[Row], notes: ReadingNotes) -> _Layout:
    """Decide which columns hold what.

    Raises
    ------
    UsageError
        If a flag names a column that does not exist, or none can be found.
    """
    names = list(dict.fromkeys(name for _, row in first for name in row))
    asked, path = opened.columns, str(opened.file.path)
    found = {
        what: _found(what, asked, names, path) for what in ("item", "arm", "measure", "cluster", "replicate", "group")
    }
    scores = _asked_scores(asked, names, path) or _first_usual("scores", names)
    is_single = not opened.file.alone or bool(opened.file.named)
    if found["arm"] and not scores:
        raise UsageError(
            f"{path}: no column of scores is found; its columns: {_listed(names)}", hint="name it with --score COLUMN"
        )
    wide: tuple[str, ...] = ()
    if not found["arm"] and not (is_single and scores):
        wide, scores = _arms(path, names, first, {*found.values(), *asked.scores}), ()
        notes.say(f"{opened.file.path.name}: each of the columns {_listed(list(wide))} is an arm")
    if not found["item"] and not (wide and opened.file.alone):
        raise UsageError(
            f"{path}: no column identifies the items, so nothing can be paired; its columns: {_listed(names)}",
            hint="name it with --item COLUMN",
        )
    return _Layout(scores=scores, wide=wide, **found)


def _found(what: str, asked: Columns, names: Sequence[str], path: str) -> str:
    """Return the column that a flag names, or else the usual one; empty without either."""
    given = getattr(asked, what)
    if given:
        if given not in names:
            raise UsageError(f"{path}: --{what} {given}: {unknown('column', given, list(names))}")
        return str(given)
    usual = _first_usual(what, names)
    return usual[0] if usual else ""


def _asked_scores(asked: Columns, names: Sequence[str], path: str) -> tuple[str, ...]:
    for name in asked.scores:
        if name not in names:
            raise UsageError(f"{path}: --score {name}: {unknown('column', name, list(names))}")
    return asked.scores


def _first_usual(what: str, names: Sequence[str]) -> tuple[str, ...]:
    folded = {fold(name): name for name in reversed(names)}
    return tuple(folded[fold(usual)] for usual in _USUAL[what] if fold(usual) in folded)[:1]


def _arms(path: str, names: Sequence[str], first: Sequence[Row], taken: set[str]) -> tuple[str, ...]:
    """Return the columns that hold scores, or objects of scores, and nothing else in the rows that are looked at.

    Raises
    ------
    UsageError
        If there are fewer than two.
    """
    items = {fold(each) for each in _USUAL["item"]}
    free = [name for name in names if name not in taken and fold(name) not in items]
    found = tuple(name for name in free if _holds_scores([row.get(name) for _, row in first]))
    if len(found) < 2:
        raise _no_arms(path, names)
    return found


def _holds_scores(values: Sequence[object]) -> bool:
    there = [value for value in values if value is not None and value != ""]
    return bool(there) and all(
        any(map(is_scalar, value.values())) if isinstance(value, dict) else is_scalar(value) for value in there
    )


def _no_arms(path: str, names: Sequence[str]) -> UsageError:
    return UsageError(
        f"{path}: there is no column of arms, and not one column of scores for each arm; its columns: {_listed(names)}",
        hint="name the columns with --arm COLUMN and --score COLUMN, or give one file an arm: "
        f"promptrial analyze {shlex.quote(f'base={path}')} new=OTHER_FILE",
    )


def _scores(place: Place, row: Mapping[str, object], layout: _Layout, number: str) -> Iterator[ScoreRow]:
    """Yield what a row holds: one row of scores, or one for each arm."""
    item = text_of(row.get(layout.item)).strip() if layout.item else f"row {number}"
    if not item:
        raise place.error(f"column {layout.item!r}, which names the item, is empty", hint=_SEE)
    replicate, cluster, group = (
        text_of(row.get(name)) if name else "" for name in (layout.replicate, layout.cluster, layout.group)
    )
    if layout.wide:
        for arm in layout.wide:
            scores = _of_cell(place, arm, row.get(arm))
            yield ScoreRow(place, item, scores, arm, replicate, cluster, group)
        return
    scores = {_measure(row, layout, name): score_in(place, name, row.get(name)) for name in layout.scores}
    arm = text_of(row.get(layout.arm)).strip() if layout.arm else ""
    if layout.arm and not arm:
        raise place.error(f"column {layout.arm!r}, which names the arm, is empty", hint=_SEE)
    yield ScoreRow(place, item, scores, arm, replicate, cluster, group)


def _measure(row: Mapping[str, object], layout: _Layout, column: str) -> str:
    name = text_of(row.get(layout.measure)).strip() if layout.measure else ""
    return name if not column or (len(layout.scores) == 1 and name) else f"{name} {column}".strip()


def _of_cell(place: Place, arm: str, value: object) -> dict[str, float | None]:
    """Return the scores in the cell of an arm: one, or those of an object under its keys that hold a number."""
    if isinstance(value, dict):
        return {str(name): score_of(each) for name, each in value.items() if is_scalar(each)}
    return {"score": score_in(place, arm, value)}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


FORMAT: Final = ResultFormat(
    name="table",
    label="a table of scores",
    recognises=lambda opened: opened.content is not None and opened.content.binary != "zip",
    read=_read,
    patterns=("*.csv", "*.tsv", "*.parquet", "*.jsonl", "*.csv.gz", "*.jsonl.gz"),
    preferred=("score", "correct", "accuracy", "acc"),
)

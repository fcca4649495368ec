"""From the cells of a row to a question: several answers in a cell, choices, turns, other columns, ids from content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import msgspec

from promptrial.datasets.base import new_item
from promptrial.datasets.choices import ChoiceKey, Marked
from promptrial.datasets.columns import Columns, fold
from promptrial.datasets.content_ids import content_id
from promptrial.datasets.place import Place
from promptrial.datasets.value_texts import is_list_cell, is_missing, list_of_cell, read_text, read_truth, text_of
from promptrial.model import Item, Message

__all__ = ["MOST_KEPT", "Cells", "drop_long"]

_BAR: Final = "|"
_LIST: Final = "["
_BAR_COLUMNS: Final = frozenset({"answers", "choices", "options"})
MOST_KEPT: Final = 65_536
"""The most characters of a value of a column that is only kept."""

_SEE: Final = "see docs/questions.md#several-answers"
_SEE_CHOICES: Final = "see docs/questions.md#choices"
_BY_TEXT: Final = ChoiceKey()
_Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Cells:
    """How the cells of a file are read.

    Attributes
    ----------
    columns : Columns
    is_sheet : bool
        Whether cells hold single values, as in CSV and Excel, so that a list must be written in one cell.
    separator : str or None
        What separates several answers in a cell, as the configuration says.
    trims : bool
        Whether spaces around accepted answers are dropped.
    keep : tuple of (str, str)
        The columns that are kept with an item, and the name that each has there.
    key : ChoiceKey
        How answers name their choices.
    too_long : set of str
        The columns with a value that was too long to be kept; grows as items are made.
    """

    columns: Columns
    is_sheet: bool
    separator: str | None
    trims: bool
    keep: tuple[tuple[str, str], ...]
    key: ChoiceKey = _BY_TEXT
    too_long: set[str] = field(default_factory=set)

    def item(self, place: Place, dataset: str, row: _Row) -> Item:
        """Return the question of a row.

        Raises
        ------
        DataError
            For what ``new_item`` refuses, and a value of the wrong kind.
        """
        columns = self.columns
        question = read_text(place, columns.question, row.get(columns.question)) or ""
        context = self._text(place, columns.context, row)
        choices = self.choices(place, row)
        messages = self._messages(place, row)
        given = self._text(place, columns.id, row)
        return new_item(
            place,
            dataset,
            item_id=(given or "") if columns.id else content_id(question, context, choices, messages),
            question=question,
            answers=self._gold(place, row, choices),
            context=context,
            is_unanswerable=columns.unanswerable is not None
            and read_truth(place, columns.unanswerable, row.get(columns.unanswerable)),
            cluster=self._text(place, columns.cluster, row),
            choices=choices,
            messages=messages,
            extra=self.kept(row),
            needs_gold=False,
        )

    def marked(self, place: Place, row: _Row) -> Marked:
        """Return the choices of a row, and its answers as they are written."""
        choices, answers, is_number = self.choices(place, row), list[str](), list[bool]()
        for column in self.columns.answers:
            value = row.get(column)
            texts = self._several(place, column, value)
            answers += texts
            is_number += [_is_number(value) or (isinstance(value, list) and all(map(_is_number, value)))] * len(texts)
        raw = [row.get(column) for column in self.columns.choices]
        flat = [one for value in raw for one in (value if isinstance(value, list) else [value])]
        return Marked(choices, tuple(answers), tuple(is_number), not all(map(_is_number, flat)))

    def choices(self, place: Place, row: _Row) -> tuple[str, ...]:
        """Return the choices of a row: the list in one column, or one in each of several without empty ones at the end.

        Raises
        ------
        DataError
            For a choice after an empty column, and a value that is no text.
        """
        columns = self.columns.choices
        if len(columns) == 1:
            return tuple(self._several(place, columns[0], row.get(columns[0])))
        texts = [(read_text(place, column, row.get(column)) or "").strip() for column in columns]
        while texts and not texts[-1]:
            texts.pop()
        if "" in texts:  # the letters of the choices after it would be others than those of their columns
            empty, last = columns[texts.index("")], columns[len(texts) - 1]
            raise place.error(
                f"column {empty!r} has no choice, but {last!r} after it has one",
                hint=f"fill it, or move the choices so that only columns at the end are empty; {_SEE_CHOICES}",
            )
        return tuple(texts)

    def _gold(self, place: Place, row: _Row, choices: Sequence[str]) -> Sequence[str]:
        if choices:
            return self.key.resolve(place, self.marked(place, row))
        return [text for column in self.columns.answers for text in self._several(place, column, row.get(column))]

    def _text(self, place: Place, column: str | None, row: _Row) -> str | None:
        return None if column is None else read_text(place, column, row.get(column))

    def _several(self, place: Place, column: str, value: object) -> list[str]:
        """Return the texts in one cell."""
        if is_missing(value):
            return []
        if isinstance(value, list):
            texts = [read_text(place, column, one) or "" for one in value]
        elif isinstance(value, str):
            texts = self._split(place, column, value)
        else:
            texts = [read_text(place, column, value) or ""]
        return [text.strip() for text in texts] if self.trims else texts

    def signs_of_several(self, column: str) -> tuple[str, ...]:
        """Return the texts of which a cell of a column holds one if it holds several answers, or a wrong list."""
        return _signs(column, self.is_sheet, self.separator)

    def _split(self, place: Place, column: str, cell: str) -> list[str]:
        signs = self.signs_of_several(column)
        if not any(sign in cell for sign in signs):
            return [cell] if cell.strip() else []
        if _LIST in signs and is_list_cell(cell):
            try:
                return list_of_cell(cell)
            except ValueError as error:
                raise place.error(f"{column} {error}", hint=f'write them as ["first", "second"]; {_SEE}') from error
        return [part.strip() for part in cell.split(signs[0])]

    def _messages(self, place: Place, row: _Row) -> tuple[Message, ...]:
        column = self.columns.messages
        value = None if column is None else row.get(column)
        if is_missing(value):
            return ()
        try:
            turns = (
                msgspec.json.decode(value, type=list[Message])
                if isinstance(value, str)
                else msgspec.convert(value, list[Message])
            )
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise place.error(
                f"column {column!r} does not hold the turns of a conversation: {error}",
                hint='write them as [{"role": "user", "content": "..."}]; see docs/questions.md#turns',
            ) from error
        return tuple(turns)

    def kept(self, row: _Row) -> dict[str, str]:
        """Return what of a row is only kept, as text."""
        found = {key: text for column, key in self.keep if (text := text_of(row.get(column)))}
        self.too_long.update(drop_long(found))
        return found


@cache
def _signs(column: str, is_sheet: bool, separator: str | None) -> tuple[str, ...]:  # noqa: FBT001 - a fact of the file
    """Return the separator, if there is one, and the bracket of a list where a cell may hold one."""
    is_plural = is_sheet and fold(column) in _BAR_COLUMNS
    return (separator or _BAR, _LIST) if is_plural else ((separator,) if separator else ())


def drop_long(kept: dict[str, str]) -> list[str]:
    """Take out of the values that are kept those that are too long, and return their names."""
    long = [key for key, text in kept.items() if len(text) > MOST_KEPT]
    for key in long:
        del kept[key]
    return long


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

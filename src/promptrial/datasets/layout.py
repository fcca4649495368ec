"""Known layouts: telling whether rows are of one, and reading their questions. The registry says which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from promptrial.datasets.base import DatasetFormat, Placed, Reading, new_item
from promptrial.datasets.columns import NAMES
from promptrial.datasets.content_ids import content_id
from promptrial.datasets.heads import read_head
from promptrial.datasets.json_objects import ENVELOPES
from promptrial.datasets.json_rows import first_names
from promptrial.datasets.parquet import parquet_rows
from promptrial.datasets.place import SEE_FORMATS, Place
from promptrial.datasets.shapes import Draft, MisfitError, Notes, Variant
from promptrial.datasets.table import Row, Table, open_table
from promptrial.datasets.type_words import in_words
from promptrial.datasets.value_texts import text_of
from promptrial.errors import DataError
from promptrial.model import Item, ItemType

__all__ = ["Layout", "hub_rows", "layout_format", "typed", "with_official_files"]

_T = TypeVar("_T", bound=msgspec.Struct)
_SOON_READ: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of rows.

    Attributes
    ----------
    about : str
        What it is called and what its rows hold, for people.
    variants : tuple of Variant
        The kinds of rows, the most telling first.
    takes_columns : bool
        Whether ``columns`` of the configuration can say which key is the question.
    orders_choices : bool
        Whether the order of a question's choices is decided by a hash, as that of the file gives the right one away.
    """

    about: str
    variants: tuple[Variant, ...]
    takes_columns: bool = False
    orders_choices: bool = False

    def identifies(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether rows are of this layout: each can be read, and one at least says by itself what it is."""
        return any(self.variant_of(row) for row in rows) and all(self._fitting(row) for row in rows)

    def variant_of(self, row: Mapping[str, Any]) -> Variant | None:
        """Return the kind of row that says by itself that it is of this layout."""
        return next((variant for variant in self.variants if variant.identifies(row)), None)

    def _fitting(self, row: Mapping[str, Any]) -> Variant | None:
        return self.variant_of(row) or next((variant for variant in self.variants if variant.fits(row)), None)

    def items(self, rows: Iterable[Row], dataset: str, reading: Reading) -> Placed:
        """Yield the questions of rows, each with the place of its row; at the end, say what they could not hold.

        Raises
        ------
        DataError
            For a row that is of none of the kinds, or holds what cannot be a question.
        """
        notes = Notes(reading.columns)
        orders = self.orders_choices and not reading.file_order
        for place, row in rows:
            variant = self._fitting(row) or max(self.variants, key=lambda one: one.likeness(row))
            try:
                for draft in variant.read(row, notes):
                    yield place, _item(place, dataset, _ordered(draft) if orders else draft)
            except MisfitError as error:
                raise place.error(str(error), hint=SEE_FORMATS) from error
        for remark in notes.remarks:
            reading.say(remark)


def layout_format(
    *,
    name: str,
    about: str,
    variants: tuple[Variant, ...],
    type_: ItemType | None = None,
    scorers: tuple[str, ...] = (),
    orders_choices: bool = False,
) -> DatasetFormat:
    """Return the format of files whose rows are of a layout, with keys that no configuration can rename."""
    layout = Layout(about, variants, orders_choices=orders_choices)
    return DatasetFormat(
        name=name,
        type=type_,
        hub=None,
        table_items=partial(_table_items, name, layout),
        layout=layout,
        scorers=scorers,
    )


def _table_items(name: str, layout: Layout, path: Path, dataset: str, reading: Reading) -> Placed:
    _refuse_first_choice(name, path, reading)
    _refuse_columns(name, path, reading)
    yield from layout.items(open_table(path, reading.encoding, NAMES, reading.sheet).rows(), dataset, reading)


def _refuse_columns(name: str, path: Path, reading: Reading) -> None:
    if reading.columns:
        raise Place(path, 1).error(
            f"the format {name} has fixed keys, and does not use `columns`",
            hint=(
                "remove `columns`, or write `format: custom` to read the file as a table with your own columns; "
                f"{SEE_FORMATS}"
            ),
        )


def _refuse_first_choice(name: str, path: Path, reading: Reading) -> None:
    if reading.first_choice is not None:
        raise Place(path, 1).error(
            f"the format {name} already says which choice is right, and does not use `first_choice`",
            hint="remove `first_choice`, or write `format: custom` to read the file as a table with your own columns; "
            "see docs/questions.md#choices",
        )


def with_official_files(
    format_: DatasetFormat, official_items: Callable[[Path, str, Reading], Placed]
) -> DatasetFormat:
    """Return a format that also reads its official files, which are no rows, or not those of the hub.

    Parameters
    ----------
    format_ : DatasetFormat
        ``columns`` and ``row_item`` are those of the hub's rows, which are read from any kind of file. Other columns of
        such rows are kept where the reading wants them.
    official_items : callable
        ``(path, dataset, reading)`` -> the items of an official file.
    """
    columns, row_item = format_.columns, format_.row_item

    def table_items(path: Path, dataset: str, reading: Reading) -> Placed:
        _refuse_columns(format_.name, path, reading)
        _refuse_first_choice(format_.name, path, reading)
        wanted = sorted(reading.keep - {field.encode_name for field in msgspec.structs.fields(columns)})
        is_parquet = path.suffix.lower() == ".parquet"
        rows = None if is_parquet and not reading.keep else hub_rows(path, reading, columns)
        if rows is not None:
            return (
                (place, _with_columns(row_item(place, dataset, typed(place, row, columns)), row, wanted))
                for place, row in rows
            )
        if is_parquet:
            return ((place, row_item(place, dataset, row)) for place, row in parquet_rows(path, columns))
        return official_items(path, dataset, reading)

    return replace(format_, table_items=table_items)


def _with_columns(item: Item, row: Mapping[str, object], wanted: Sequence[str]) -> Item:
    extra = {name: text for name in wanted if (text := text_of(row.get(name)))}
    return msgspec.structs.replace(item, extra=extra) if extra else item


def hub_rows(path: Path, reading: Reading, columns: type[msgspec.Struct]) -> Iterator[Row] | None:
    """Return the rows of a file if the first has the columns of the hub.

    None too for a file that cannot be read as rows: the reader of the official file says what is wrong with it.
    """
    try:
        if _lacks_columns(open_table(path, reading.encoding, NAMES, reading.sheet), columns):
            return None
        head = read_head(path, reading.encoding, NAMES, reading.sheet)
        msgspec.convert(next(iter(head.rows), None), columns)
    except (DataError, msgspec.ValidationError):
        return None
    return head.table.rows()


def _lacks_columns(table: Table, columns: type[msgspec.Struct]) -> bool:
    """Whether the first row of a JSON document that is soon read whole surely lacks a column: no value is read for it.

    Raises
    ------
    DataError
        If the document cannot be read.
    """
    if table.kind not in {"list", "object"} or table.path.stat().st_size > _SOON_READ:
        return False
    names = first_names(table.content, table.kind)
    needed = {field.encode_name for field in msgspec.structs.fields(columns) if field.required}
    return names is not None and names.isdisjoint(ENVELOPES) and not names >= needed


def typed(place: Place, row: Mapping[str, object], kind: type[_T]) -> _T:
    """Return a row as ``kind``.

    Raises
    ------
    DataError
        If it is not of that kind.
    """
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise place.error(in_words(error), hint=SEE_FORMATS) from error


def _ordered(draft: Draft) -> Draft:
    """Return a question with its choices in the order of a hash: of its id, or its text if it has none, and of each.

    So it is the same for every arm and run, and in whatever order the file has them.
    """
    key = draft.id or draft.question
    return replace(
        draft, choices=tuple(sorted(draft.choices, key=lambda choice: sha256(f"{key}\n{choice}".encode()).digest()))
    )


def _item(place: Place, dataset: str, draft: Draft) -> Item:
    return new_item(
        place,
        dataset,
        item_id=draft.id or content_id(draft.question, draft.context, draft.choices, draft.messages),
        question=draft.question,
        answers=draft.answers,
        context=draft.context,
        is_unanswerable=draft.is_unanswerable,
        cluster=draft.cluster,
        choices=draft.choices,
        messages=draft.messages,
        extra=draft.extra,
        needs_gold=False,
    )

"""What a format of question files is, the rules that every item must keep, and which items form a cluster.

A format module turns an official file into placed items by calling ``new_item``; ``DatasetFormat.read`` adds the rules
that concern the file as a whole: it has questions, and no id occurs twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import msgspec

from promptrial.datasets.content_ids import has_content_id
from promptrial.datasets.item_rules import check_item
from promptrial.datasets.parquet import parquet_rows
from promptrial.datasets.place import SEE_FORMATS, Place
from promptrial.errors import DataError
from promptrial.model import Item, ItemType, Message

if TYPE_CHECKING:
    from promptrial.config.datasets import DatasetConfig
    from promptrial.datasets.layout import Layout

__all__ = [
    "DatasetFormat",
    "HubDefaults",
    "Notice",
    "Placed",
    "QuickResult",
    "Reading",
    "are_names",
    "ignore",
    "new_item",
    "no_other_reader",
    "reading_of",
]

_StructType = type[msgspec.Struct]
Notice = Callable[[Place, Item], None]
Placed = Iterator[tuple[Place, Item]]
"""Items, each with its place."""


def ignore(place: Place, item: Item) -> None:
    """Take no notice."""


def say_nothing(_sentence: str) -> None:
    """Take no notice."""


class Reading(NamedTuple):
    """What a configuration says about how a file is to be read. Formats with columns of their own have no use for it.

    Attributes
    ----------
    encoding : str or None
        The encoding of a text file; None for UTF-8, or UTF-16 with a byte-order mark.
    columns : mapping
        Role -> column or columns, as in the section ``columns``.
    separator : str or None
        What is between several answers in one cell.
    sheet : str or None
        The sheet of an Excel workbook; None for the first visible one with rows.
    file_order : bool
        Whether choices stay in the order of the file where the format has one of its own, as earlier versions read it.
    first_choice : {0, 1} or None
        The number of the first choice, where answers are numbers of choices.
    keep : set of str
        Other columns that are wanted, as subgroups are, also where none are kept otherwise.
    note : callable
        Told what was recognised, sentence by sentence.
    say : callable
        Told what people should know of the content; some of it only when the file has been read to its end.
    """

    encoding: str | None = None
    columns: Mapping[str, str | tuple[str, ...]] = MappingProxyType({})
    separator: str | None = None
    keep: frozenset[str] = frozenset()
    first_choice: int | None = None
    sheet: str | None = None
    file_order: bool = False
    note: Callable[[str], None] = say_nothing
    say: Callable[[str], None] = say_nothing


def no_other_reader(*_arguments: object) -> NoReturn:
    """Take the place of a format's reader of other files, where all its files are read as tables."""
    raise AssertionError("tables are read by table_items")


_AS_RECOGNISED: Final = Reading()
QuickSample = Callable[[Path, str, Reading, int, int, Callable[[], None]], list[tuple[Place, Item]] | None]
"""``(path, dataset, reading, size, seed, check)`` -> the items that are drawn, with their places."""


class QuickResult(NamedTuple):
    """A sample in its order, and how many rows had no value."""

    drawn: list[tuple[Place, Item]]
    empty: int


def reading_of(config: DatasetConfig, keep: Iterable[str] = ()) -> Reading:
    """Return what the section of a data set says about how its file is read; ``keep`` are columns that are wanted."""
    columns = {} if config.columns is None else config.columns.given
    return Reading(config.encoding, columns, config.separator, frozenset(keep), config.first_choice, config.sheet)


class HubDefaults(NamedTuple):
    """Where a format's data is on the hub, for what the configuration leaves out."""

    repo: str
    config: str


@dataclass(frozen=True, slots=True)
class DatasetFormat:
    """One format of question files: an entry of ``registry.DATASETS``.

    Attributes
    ----------
    name : str
        The key in the registry.
    type : {"open", "closed"} or None
        None where each row decides.
    hub : HubDefaults or None
    file_items : callable
        ``(path, dataset, reading)`` -> the items of an official file, each with its place. This and the next two are
        for formats without ``table_items``.
    columns : type of Struct
        The columns of a Parquet row.
    row_item : callable
        ``(place, dataset, row)`` -> the item of a Parquet row.
    duplicate_hint : str
        What to do about an id that occurs twice.
    table_items : callable, optional
        ``(path, dataset, reading)`` -> the items of a table in any kind of file, Parquet too; used for every file.
    quick_sample : QuickSample, optional
        Draws a sample as ``drawing.draw`` does, or returns None where the general way must be taken.
    layout : Layout, optional
        The layout of its rows, by which a file of this format is recognised.
    file_names : str
        A pattern that the name of a file must match to be recognised, where its rows alone say too little.
    scorers : tuple of str
        Types of scorers that fit what such files hold, where the format says more than the questions themselves.
    rules : callable
        ``(paths, reading)`` -> the name of the rules by which these files are scored, where that is not the format's
        name.
    """

    name: str
    type: ItemType | None
    hub: HubDefaults | None
    file_items: Callable[[Path, str, Reading], Placed] = no_other_reader
    columns: _StructType = msgspec.Struct
    row_item: Callable[[Place, str, Any], Item] = no_other_reader
    duplicate_hint: str = "ids must be unique: remove or rename one of the two"
    table_items: Callable[[Path, str, Reading], Placed] | None = None
    quick_sample: QuickSample | None = None
    layout: Layout | None = None
    file_names: str = ""
    scorers: tuple[str, ...] = ()
    rules: Callable[[Sequence[Path], Reading], str | None] = lambda _paths, _reading: None

    @property
    def orders_choices(self) -> bool:
        """Whether choices may be in another order than that of the file."""
        return self.layout is not None and self.layout.orders_choices

    def read(
        self, path: Path, dataset: str, notice: Notice = ignore, reading: Reading = _AS_RECOGNISED
    ) -> Iterator[Item]:
        """Yield the items of a local file: a table, Parquet if its name ends in ``.parquet``, or the official format.

        Parameters
        ----------
        path : Path
        dataset : str
            The name that the configuration gives to the data set; becomes ``Item.dataset``.
        notice : callable
            Told of each item and its place before the item is yielded.
        reading : Reading
            What the configuration says about the file.

        Raises
        ------
        DataError
            At the first thing wrong; the message begins with ``file:line:``.
        """
        return _noticed(self.placed([path], dataset, reading), notice)

    def placed(self, paths: Sequence[Path], dataset: str, reading: Reading = _AS_RECOGNISED) -> Placed:
        """Yield the items of one or more files as one data set, each with its place.

        Raises
        ------
        DataError
            As ``read``.
        """
        items = self.table_items or self._items_by_ending
        return self._unique((one for path in paths for one in items(path, dataset, reading)), paths[0])

    def _items_by_ending(self, path: Path, dataset: str, reading: Reading) -> Placed:
        if path.suffix.lower() == ".parquet":
            return self._parquet_items(path, dataset, reading)
        return self.file_items(path, dataset, reading)

    def _parquet_items(self, path: Path, dataset: str, _reading: Reading) -> Placed:
        for place, row in parquet_rows(path, self.columns):
            yield place, self.row_item(place, dataset, row)

    def _unique(self, placed: Iterable[tuple[Place, Item]], path: Path) -> Placed:
        first: dict[str, Place] = {}
        for place, item in placed:
            earlier = first.setdefault(item.id, place)
            if earlier is not place:
                raise self._duplicate(place, item, f"{earlier}"[:-1])
            yield place, item
        if not first:
            raise Place(path, 1).error("no questions in the file", hint=f"write one per row; {SEE_FORMATS}")

    def _duplicate(self, place: Place, item: Item, earlier: str) -> DataError:
        if has_content_id(item):
            return place.error(
                f"the same question as at {earlier}; its id is derived from the content",
                hint="remove one of the two and put all accepted answers in the other, or give every question an id; "
                "see docs/questions.md#ids",
            )
        return place.error(
            f"duplicate id {item.id!r}, first at {earlier}", hint=f"{self.duplicate_hint}; see docs/questions.md#ids"
        )


def _noticed(placed: Placed, notice: Notice) -> Iterator[Item]:
    for place, item in placed:
        notice(place, item)
        yield item


def new_item(
    place: Place,
    dataset: str,
    *,
    item_id: str,
    question: str,
    answers: Iterable[str],
    context: str | None = None,
    is_unanswerable: bool = False,
    cluster: str | None = None,
    choices: Sequence[str] = (),
    messages: Sequence[Message] = (),
    extra: Mapping[str, str] | None = None,
    needs_gold: bool = True,
) -> Item:
    """Make an item, its answers without repeats and in order, or say what is wrong with it.

    Parameters
    ----------
    answers : iterable of str
        Those of a multiple-choice question are the texts of the right choices.
    choices : sequence of str
        2 to 26 texts, in order; empty for any other question.
    messages : sequence of Message
        The turns of a conversation before the question, none of them a system turn.
    extra : mapping, optional
        Other columns of the source, as text.
    needs_gold : bool
        Whether a question without answers must be marked unanswerable. Otherwise it is one without a gold answer.

    Raises
    ------
    DataError
        For an id or cluster that is empty or holds characters that cannot be seen; an empty question, passage, answer,
        choice or turn; an answerable question without answers where they are needed, and an unanswerable one with them;
        too few or too many choices, an answer that is none of them or two of them, and a system turn.
    """
    accepted = tuple(dict.fromkeys(answers))
    item = Item(
        id=item_id,
        dataset=dataset,
        question=question,
        answers=accepted,
        context=context,
        is_unanswerable=is_unanswerable,
        cluster=cluster,
        choices=tuple(choices),
        messages=tuple(messages),
        extra=dict(extra or {}),
    )
    check_item(place, item, needs_gold=needs_gold)
    return item


def are_names(texts: Sequence[str]) -> bool:
    """Whether every text may be an id or a cluster: visible characters, with no space at either end."""
    return all(texts) and "".join(texts).isprintable() and list(map(str.strip, texts)) == [*texts]

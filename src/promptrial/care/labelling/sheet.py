"""A sheet while a person labels it: what is shown of each answer, and the file, which is rewritten with each label.

The file is the only state. A label counts as given when the whole file is durable on the disk; so a person can go on
after any end of the process, also in a spreadsheet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from promptrial.care.label_sheets import written
from promptrial.documents.files import read_bytes
from promptrial.documents.label_sheets import COLUMNS, read_rows, read_sheet
from promptrial.documents.scorers import Declaration
from promptrial.errors import DataError, UsageError
from promptrial.phases.labelled import answer_ids, check_label, compared_with, expected_labels, labels_of, said
from promptrial.phases.side_by_side import SideBySide
from promptrial.store.atomic import AtomicFile
from promptrial.store.folder_lock import held

__all__ = ["Guide", "LabelledSheet", "ShownAnswer", "opened_sheet"]

_LABEL: Final = COLUMNS.index("label")


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What a person sees of one answer: the number of the item in the sheet, the letter, and the texts."""

    item: str
    letter: str
    question: str
    passage: str
    accepted: tuple[str, ...]
    text: str


class Guide(NamedTuple):
    """What a person labels by: the rubric of a judge, and whether it compares answers to a question with each other."""

    rubric: str = ""
    is_pairwise: bool = False


class LabelledSheet:
    """A sheet that this process alone writes.

    Parameters
    ----------
    path : Path
    scorer : Declaration
        Of the measure that the labels are compared with.
    answers : sequence of ShownAnswer
        In the order of the rows.
    guide : Guide, optional
    """

    def __init__(
        self, path: Path, scorer: Declaration, answers: Sequence[ShownAnswer], guide: Guide | None = None
    ) -> None:
        self.path, self.scorer, self.answers = path, scorer, tuple(answers)
        self.guide = guide or Guide()
        self._writing = threading.Lock()
        self._seen, self._rows = _read(path)

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def n_items(self) -> int:
        """How many items the sheet has."""
        return len({each.item for each in self.answers})

    def labels(self) -> list[str]:
        """Return the label of each answer, empty without one."""
        with self._writing:
            return [row[_LABEL] for row in self._rows]

    def label(self, place: int, label: str) -> None:
        """Give an answer a label, or take it away; when this returns, it is on the disk.

        Raises
        ------
        UsageError
            If there is no such answer, or the label is off the scale.
        DataError
            If another program has made something else of the file.

        Side effects: the file is written.
        """
        if not 0 <= place < len(self):
            raise UsageError(f"no answer {place + 1}: the sheet has {len(self)}")
        if label and not check_label(label, self.scorer):
            raise UsageError(f"label {label[:40]!r}, expected {expected_labels(self.scorer)}")
        with self._writing:
            rows = self._as_on_disk()
            rows[place] = [*rows[place][:_LABEL], label, *rows[place][_LABEL + 1 :]]
            data = written(rows)
            with AtomicFile(self.path) as file:
                file.write(data)
            self._seen, self._rows = data, rows

    def _as_on_disk(self) -> list[list[str]]:
        """Return the rows; those of the file, where a spreadsheet has saved it meanwhile."""
        data = read_bytes(self.path)
        if data == self._seen:
            return list(self._rows)
        _, rows = _read(self.path)
        if [row[-2:] for row in rows] != [row[-2:] for row in self._rows]:
            raise DataError(
                f"{self.path}: another program has changed its rows",
                hint="close the file there, restore the rows, and start promptrial label --serve again",
            )
        return rows


@contextmanager
def opened_sheet(
    path: Path, sides: SideBySide, rubric_of: Callable[[str], str] = lambda _measure: ""
) -> Iterator[LabelledSheet]:
    """Open a sheet of a trial, to label it within the block; ``rubric_of`` returns the rubric of a measure.

    Raises
    ------
    UsageError
        If another process labels it.
    DataError
        If it is not a sheet of this trial, or its answers are others by now.
    """
    with held(path.with_name(f".{path.name}.lock"), f"{path}: another process labels this sheet"):
        sheet = read_sheet(path)
        labels_of([sheet], sides)
        guide = Guide(rubric_of(sheet.measure), compared_with(sides, sheet.measure) is not None)
        yield LabelledSheet(path, sides.scorers[sheet.measure], list(_answers(path, sides)), guide)


def _read(path: Path) -> tuple[bytes, list[list[str]]]:
    """Return the bytes of a sheet, and its rows, each with the cells of all columns in order."""
    data = read_bytes(path)
    rows = [[cells[name] for name in COLUMNS] for _, cells in read_rows(path, only=True)]
    return data, [[*row[:_LABEL], row[_LABEL].strip(), *row[_LABEL + 1 :]] for row in rows]


def _answers(path: Path, sides: SideBySide) -> Iterator[ShownAnswer]:
    """Yield what is shown: the texts of the run itself, as those of the sheet are made safe for spreadsheets."""
    rows = [cells for _, cells in read_rows(path)]
    known = answer_ids(sides)
    units = [known[cells["id"].strip()] for cells in rows]
    texts = {unit: sides.item(unit) for unit in sorted({unit for unit, _ in units})}
    found = sides.answers_of([unit for unit, _ in units])
    for cells, (unit, arm), answers in zip(rows, units, found, strict=True):
        item = texts[unit]
        (answer,) = answers[sides.arms[arm]]
        yield ShownAnswer(cells["item"], cells["letter"], item.question, item.context or "", item.answers, said(answer))

"""Which format a question file has, from its first rows: deterministic, and said in sentences for people.

A file whose rows are of one known layout has its format. Any other file is a table with columns of its own
(``custom``), which must hold the question under a well-known name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from promptrial import registry
from promptrial.datasets.base import DatasetFormat
from promptrial.datasets.columns import NAMES, WELL_KNOWN, fold, match_columns
from promptrial.datasets.heads import read_head
from promptrial.datasets.layout import Layout
from promptrial.datasets.place import SEE_FORMATS, Place
from promptrial.datasets.suggesting import as_yaml, check_answers
from promptrial.errors import DataError

__all__ = ["Recognised", "recognise", "recognise_rows"]

CUSTOM: Final = "custom"
"""The format of tables with columns of one's own."""

Given = Mapping[str, str | tuple[str, ...]]
_SHOWN: Final = 20
_SLIP: Final = 0.85


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a question file is.

    Attributes
    ----------
    format : str
        A key of ``registry.DATASETS``.
    columns : dict
        Role -> column or columns, as the section ``columns`` of a configuration gives them; empty for a layout whose
        keys have fixed names.
    sentences : tuple of str
        What people should know: the format and why, which columns were matched, which are kept.
    scorers : tuple of str
        Types of scorers that fit the format, where it says more than the questions themselves.
    """

    format: str
    columns: dict[str, str | tuple[str, ...]]
    sentences: tuple[str, ...]
    scorers: tuple[str, ...] = ()


def recognise(
    path: Path, encoding: str | None = None, columns: Given | None = None, sheet: str | None = None
) -> Recognised:
    """Recognise a question file from its first rows.

    Parameters
    ----------
    path : Path
    encoding : str, optional
        The encoding of a text file, where the configuration gives one.
    columns : mapping, optional
        Role -> column or columns, as the configuration gives them.
    sheet : str, optional
        The sheet of an Excel workbook, where the configuration names one.

    Raises
    ------
    DataError
        If the file cannot be read or has no rows; if it is of several formats; if no column is known to hold the
        question; if no ``columns`` are given, none is known to hold the answers, and one looks like it or the questions
        have choices. The message says what to write.
    """
    head = read_head(path, encoding, NAMES, sheet)
    if not any(head.rows):
        raise Place(path, 1).error("no questions in the file", hint=SEE_FORMATS)
    found = recognise_rows(path, head.rows, head.table.words, columns or {})
    if found.format == CUSTOM and not columns:
        check_answers(path, head.rows, found.columns)
    return found


def recognise_rows(path: Path, rows: Sequence[Mapping[str, Any]], words: str, columns: Given) -> Recognised:
    """Recognise rows: see ``recognise``.

    Parameters
    ----------
    path : Path
        The file; its name is looked at for formats whose rows alone say too little.
    rows : sequence of mapping
        The first rows, at least one.
    words : str
        What kind of file they come from.
    columns : mapping
        As the configuration gives them.
    """
    fitting = [(format_, layout) for format_, layout in _layouts() if layout.identifies(rows)]
    found = [one for one in fitting if re.search(one[0].file_names, path.name, re.IGNORECASE)]
    if columns:
        found = [one for one in found if one[1].takes_columns]
    if len(found) > 1:
        raise _ambiguous(path, [format_.name for format_, _ in found])
    if found:
        format_, layout = found[0]
        said = f"read as {words}, in the format {format_.name} ({layout.about})"
        return Recognised(format_.name, dict(columns), (said,), format_.scorers)
    unnamed = [format_.name for format_, _ in fitting if format_.file_names]
    return _custom(path, rows, words, columns, unnamed)


def _layouts() -> Iterator[tuple[DatasetFormat, Layout]]:
    for name in registry.DATASETS:
        format_: DatasetFormat = registry.load("dataset format", name)
        if format_.layout is not None:
            yield format_, format_.layout


def _ambiguous(path: Path, names: Sequence[str]) -> DataError:
    return Place(path, 1).error(
        f"this may be any of several formats: {', '.join(names)}",
        hint=f"write which it is in the section of the data set: `format: {names[0]}`; {SEE_FORMATS}",
    )


def _custom(
    path: Path, rows: Sequence[Mapping[str, Any]], words: str, columns: Given, unnamed: Sequence[str]
) -> Recognised:
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    is_known = "question" in columns or not {fold(name) for name in names}.isdisjoint(WELL_KNOWN["question"])
    if not is_known and not _slips(names):  # of a slip, match_columns says what is meant
        raise _without_question(path, names, rows, words)
    found = match_columns(Place(path, 1), names, columns)
    also = tuple(f"this is also the layout of {name}; write `format: {name}` for its rules" for name in unnamed)
    said = (f"read as {words}, in the format {CUSTOM}", *found.sentences, *also)
    return Recognised(CUSTOM, found.given, said)


def _without_question(path: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]], words: str) -> DataError:
    shown = ", ".join(repr(name[:60]) for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    if any(name.rstrip().endswith("?") for name in names):
        hint = "the first line looks like a question: add a line with the names of the columns above it, such as "
        hint += "question,answer, or question,A,B,C,D,answer"
    else:
        question, answers = _guess(names, rows)
        wanted = f"question: {as_yaml(question)}" + (f", answers: {as_yaml(answers)}" if answers else "")
        hint = f"if it is in {question!r}, write `columns: {{{wanted}}}` in the section of the data set"
    problem = f"no column is recognised as the question; the columns are {shown} (read as {words})"
    return Place(path, 1).error(problem, hint=f"{hint}; {SEE_FORMATS}")


def _slips(names: Sequence[str]) -> bool:
    return any(difflib.get_close_matches(fold(name), WELL_KNOWN["question"], n=1, cutoff=_SLIP) for name in names)


def _guess(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """Return the column that looks most like the question, by question marks and then length, and the one after it."""

    def looks(name: str) -> tuple[int, int]:
        texts = [row[name] for row in rows if isinstance(row.get(name), str)]
        return sum(text.rstrip().endswith(("?", "\uff1f", "\u061f")) for text in texts), sum(map(len, texts))

    question = max(names, key=looks)
    after = names[names.index(question) + 1 :]
    return question, after[0] if after else None

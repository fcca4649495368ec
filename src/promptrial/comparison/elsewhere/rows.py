"""What every format of results is read into: rows of scores, and what there is to say about the reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from promptrial.comparison.elsewhere.values import is_scalar, score_of
from promptrial.datasets.encodings import Content
from promptrial.datasets.place import Place
from promptrial.documents.significance import Wanted
from promptrial.registry import near_misses

__all__ = [
    "LONGEST_TEXT",
    "SEE",
    "Columns",
    "Opened",
    "ReadingNotes",
    "ResultFile",
    "ResultFormat",
    "RowTexts",
    "ScoreRow",
    "fingerprint",
    "first_text",
    "unknown",
]

SEE: Final = "see docs/analyze.md"
"""The end of a hint about what a file of results may be."""


LONGEST_TEXT: Final = 2_000
"""Characters that are kept of a text."""


class RowTexts(NamedTuple):
    """What was asked, what would be right, and what was answered, as far as the file has it."""

    question: str = ""
    gold: str = ""
    answer: str = ""


class ScoreRow(NamedTuple):
    """The scores of one answer.

    ``arm`` is empty where the file does not name it. A score that is None, NaN or infinite is missing. ``replicate``
    tells apart the answers of one arm to one item. Items with one ``cluster`` are not independent; ``group`` is a task
    or a category. ``content`` tells whether two items with one name are the same: empty where that is not known.
    """

    place: Place
    item: str
    scores: dict[str, float | None]
    arm: str = ""
    replicate: str = ""
    cluster: str = ""
    group: str = ""
    content: str = ""
    texts: RowTexts | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns, or fields of an item, hold what; empty where the format says so by itself."""

    item: str = ""
    arm: str = ""
    scores: tuple[str, ...] = ()
    measure: str = ""
    cluster: str = ""
    replicate: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file to read.

    ``argument`` is the file or folder of the command line that it belongs to. ``named`` is the arm that was given for
    it as ``NAME=FILE``. ``alone`` says that no other file is read.
    """

    path: Path
    argument: Path
    named: str = ""
    alone: bool = False

    @property
    def shown(self) -> str:
        """What results call it: its place in the folder that was given, or its name."""
        return self.path.name if self.path == self.argument else self.path.relative_to(self.argument).as_posix()


@dataclass(slots=True)
class ReadingNotes:
    """What there is to say about the reading; formats add to it.

    ``counts`` are things passed over, by what they are. ``directions`` says which measures are better higher or lower.
    ``room`` is how many more characters of texts are kept; a format gives no texts where there is none.
    """

    counts: Counter[str] = field(default_factory=Counter)
    said: dict[str, None] = field(default_factory=dict)
    directions: dict[str, Wanted] = field(default_factory=dict)
    room: int = 0

    def say(self, text: str) -> None:
        """Add a sentence, once."""
        self.said[text] = None

    def score(self, found: dict[str, float | None], measure: str, value: object) -> None:
        """Add the score that a log holds for a measure; what is not a number is counted, and not read."""
        if value is None or is_scalar(value):
            found[measure] = score_of(value)
        else:
            self.counts[f"scores of {measure} that are no numbers, not read"] += 1

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything, one line each."""
        return (*self.said, *(f"{what}: {n:,}" for what, n in self.counts.items()))


class Opened(NamedTuple):
    """A file as a format gets it to recognise or read; ``content`` is None for a zip archive."""

    file: ResultFile
    content: Content | None
    columns: Columns


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """One entry of ``registry.RESULTS``.

    Parameters
    ----------
    name, label : str
        The name for ``--format``, and the words for people.
    recognises : function
        Whether a file looks like this format, by its name and its beginning.
    read : function
        Yields the rows of a file, one by one.
    patterns : tuple of str
        Names by which its files are found in a folder.
    preferred : tuple of str
        Patterns of measures that are primary unless told otherwise: the first that is there.
    """

    name: str
    label: str
    recognises: Callable[[Opened], bool]
    read: Callable[[Opened, ReadingNotes], Iterator[ScoreRow]]
    patterns: tuple[str, ...]
    preferred: tuple[str, ...] = ()


def first_text(value: object, depth: int = 8) -> str:
    """Return the first text in a value that may hold lists and objects, so many deep; empty without one.

    Examples
    --------
    >>> first_text({"gen_args_0": {"arg_0": "What is tin?", "arg_1": {}}}), first_text([["", 1]])
    ('What is tin?', '')
    """
    if isinstance(value, str):
        return value
    if not depth:
        return ""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, (first_text(each, depth - 1) for each in inside)), "")


def fingerprint(text: str | bytes) -> str:
    """Return a short digest that tells whether two contents are the same."""
    return sha256(text.encode(errors="replace") if isinstance(text, str) else text).hexdigest()[:16]


def unknown(what: str, name: str, known: list[str]) -> str:
    """Return that a name is not among those that are there, with the near one."""
    shown = known if len(known) <= 20 else [*known[:20], f"and {len(known) - 20} more"]
    near = near_misses(name, known).partition("; known:")[0]
    return f"there is no {what} {name!r}{near}; there are: {', '.join(shown) or 'none'}"

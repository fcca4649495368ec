"""Which column holds what: by the configuration, or by well-known names. Reading the cells is ``datasets.cells``.

Names are compared without regard to case and surrounding spaces, and with ``_`` for a space or hyphen. Of several
well-known names of a role the first in the list is used; the other columns are kept beside the question.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count
from typing import Final

from promptrial.datasets.place import Place, shown
from promptrial.model.templates import LETTERS

__all__ = ["NAMES", "WELL_KNOWN", "Columns", "Given", "flat", "listed", "match_columns"]

Given = Mapping[str, str | tuple[str, ...]]
"""Role -> column or columns, as the section ``columns`` of the configuration gives them."""

WELL_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "question": ("question", "prompt", "query", "input"),
    "answers": (
        *("answer", "answers", "target", "ideal", "gold", "expected", "expected_output", "ground_truth", "label"),
        "correct",
    ),
    "id": ("id", "qid"),
    "context": ("context", "passage", "document"),
    "cluster": ("cluster",),
    "unanswerable": ("is_unanswerable", "is_impossible", "unanswerable"),
    "choices": ("choices", "options"),
    "category": ("category", "topic", "subject"),
    "messages": ("messages",),
}
"""Role -> the names by which its column is found, the first present being used."""

NAMES: Final = frozenset(name for names in WELL_KNOWN.values() for name in names)
_LETTER_PREFIXES: Final = ("", "option_", "choice_", "option", "choice")
_CATEGORY: Final = "category"
_SLIP: Final = 0.82
_SHOWN: Final = 20
_SEE: Final = "see docs/questions.md#columns"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a file holds what, by the names that are in the file; None or empty where none does.

    ``others`` are the columns that hold none of it, in the order of the file.
    """

    question: str
    answers: tuple[str, ...] = ()
    id: str | None = None
    context: str | None = None
    cluster: str | None = None
    unanswerable: str | None = None
    choices: tuple[str, ...] = ()
    category: str | None = None
    messages: str | None = None
    others: tuple[str, ...] = ()

    @property
    def given(self) -> dict[str, str | tuple[str, ...]]:
        """The section ``columns`` of a configuration that says the same."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "others"}
        return {
            role: value[0] if isinstance(value, tuple) and len(value) == 1 else value
            for role, value in found.items()
            if value
        }

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Column and name of what is kept with a question.

        The category is called ``category`` whatever its column is; another column of that name gets a number.
        """
        if self.category is None:
            return tuple((name, name) for name in self.others)
        free = next(name for number in count(2) if (name := f"{_CATEGORY}_{number}") not in self.others)
        others = ((name, free if name == _CATEGORY else name) for name in self.others)
        return ((self.category, _CATEGORY), *others)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What people should know of the choice."""
        said = ", ".join(f"{role} from {listed(flat([value]))}" for role, value in self.given.items())
        kept = (f"kept with the question: {listed(self.others)}",) if self.others else ()
        renamed = tuple(
            f"column {column!r} is kept as {name!r}, because {self.category!r} is the category"
            for column, name in self.kept
            if column not in (name, self.category)
        )
        without = () if self.answers else ("no column holds accepted answers; the questions have no gold answers",)
        return (f"columns: {said}", *kept, *renamed, *without)


def match_columns(place: Place, names: Sequence[str], given: Given) -> Columns:
    """Return which of the columns of a file holds what.

    Parameters
    ----------
    place : Place
        The header, or the first row.
    names : sequence of str
        The columns of the file, in its order.
    given : mapping
        What the configuration says; roles that it leaves out are found by well-known names.

    Raises
    ------
    DataError
        If two columns have one name except for case, no column holds the question, one that is given does not exist, or
        one holds two things; the message lists the columns.
    """
    header = _header(place, names)
    taken = {role: tuple(_given_column(role, name, header) for name in flat([of])) for role, of in given.items()}
    used = {name for columns in taken.values() for name in columns}
    _check_once(place, taken)
    for role, known in WELL_KNOWN.items():
        if role not in taken:
            free = next((column for name in known if (column := header.find(name, used))), None)
            found = (free,) if free else ()
            taken[role] = _letter_columns(header, used) if role == "choices" and not found else found
            used.update(taken[role])
    _check_needed(place, taken, names)
    others = tuple(name for name in names if name not in used)
    one = {role: next(iter(columns), None) for role, columns in taken.items()}
    return Columns(
        question=taken["question"][0],
        answers=taken["answers"],
        id=one["id"],
        context=one["context"],
        cluster=one["cluster"],
        unanswerable=one["unanswerable"],
        choices=taken["choices"],
        category=one["category"],
        messages=one["messages"],
        others=others,
    )


def fold(name: str) -> str:
    """Return a name as it is compared."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


@dataclass(frozen=True, slots=True)
class _Header:
    """The columns of a file, and where they are; ``alike`` has those of each folded name."""

    place: Place
    names: Sequence[str]
    alike: Mapping[str, Sequence[str]]

    def find(self, name: str, used: Collection[str] = ()) -> str | None:
        """Return the column whose name is alike, of those that are not used; None if there is none.

        Raises
        ------
        DataError
            If there are several.
        """
        free = [column for column in self.alike.get(fold(name), ()) if column not in used]
        if len(free) > 1:
            raise self.place.error(
                f"the columns {listed(free)} have the same name except for case, spaces, _ and -, and only one can "
                "be used",
                hint=f"rename one of them, or name one of them exactly in `columns` of the data set; {_SEE}",
            )
        return next(iter(free), None)


def _header(place: Place, names: Sequence[str]) -> _Header:
    seen: dict[str, str] = {}
    alike: dict[str, list[str]] = {}
    for name in names:
        earlier = seen.setdefault(name.strip().casefold(), name)
        if earlier != name:
            raise place.error(
                f"two columns have the same name except for case and spaces: {earlier!r} and {name!r}",
                hint=f"rename one of the two; {_SEE}",
            )
        alike.setdefault(fold(name), []).append(name)
    return _Header(place, names, alike)


def _given_column(role: str, name: str, header: _Header) -> str:
    found = name if name in header.names else header.find(name)
    if found is None:
        close = difflib.get_close_matches(name, header.names, n=1)
        guess = f"did you mean {close[0]!r}? " if close else ""
        raise header.place.error(
            f"no column {name!r}, which `columns.{role}` names; the columns are {listed(header.names)}",
            hint=f"{guess}Correct `columns.{role}` of the data set; {_SEE}",
        )
    return found


def _check_once(place: Place, taken: Mapping[str, tuple[str, ...]]) -> None:
    seen: dict[str, str] = {}
    for role, columns in taken.items():
        for column in columns:
            earlier = seen.setdefault(column, role)
            if earlier != role or columns.count(column) > 1:
                raise place.error(
                    f"`columns` names {column!r} twice: as {earlier} and as {role}",
                    hint=f"name each column once; {_SEE}",
                )


def _letter_columns(header: _Header, used: Collection[str]) -> tuple[str, ...]:
    """Return the columns A, B, C ... that hold a choice each; none if there are fewer than two."""
    for prefix in _LETTER_PREFIXES:
        found: list[str] = []
        for letter in LETTERS.lower():
            column = header.find(prefix + letter, used)
            if column is None:
                break
            found.append(column)
        if len(found) >= 2:
            return tuple(found)
    return ()


def _check_needed(place: Place, taken: Mapping[str, tuple[str, ...]], names: Sequence[str]) -> None:
    """Refuse columns without a question, and a slip in the name of the answers."""
    roles = [role for role in ("question", "answers") if not taken[role]]
    slips = [slip for role in roles for slip in _slips(role, names)]
    if slips:
        raise place.error(
            f"unknown column {slips[0][0]!r}; did you mean {slips[0][1]!r}?",
            hint=f"rename it, or name it in `columns` of the data set; {_SEE}",
        )
    if "question" in roles:
        first = names[0][:60] if names else "..."
        raise place.error(
            f"no column holds the question; the columns are {listed(names)}",
            hint=f"name it in the section of the data set: `columns: {{question: {first}}}`; {_SEE}",
        )


def _slips(role: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        close = difflib.get_close_matches(fold(name), WELL_KNOWN[role], n=1, cutoff=_SLIP)
        if close and fold(name) not in NAMES:
            yield name, close[0]


def flat(values: Iterable[str | tuple[str, ...]]) -> list[str]:
    """Return columns in one list; some are given as one name and some as several."""
    return [name for value in values for name in ((value,) if isinstance(value, str) else value)]


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list as a text for people, and how many more there are."""
    first = ", ".join(shown(name) for name in names[:_SHOWN])
    return first + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")

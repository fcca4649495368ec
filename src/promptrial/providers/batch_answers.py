"""Reading files of answers that a program or a person has put beside a file of requests: all rows, or what is wrong.

Such a file may be unfinished, cut short, edited, that of another job, or there twice. A byte-order mark, ends of
lines of another system, blank lines and a last line without an end are nothing wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.documents.files import open_regular
from promptrial.errors import PermanentError
from promptrial.providers.http_outcomes import printable
from promptrial.providers.openai_rows import is_unanswered
from promptrial.providers.request_rows import row_id
from promptrial.store.downloads import BOM, MAX_LINE

__all__ = ["Answered", "read_answers"]


class _Body(msgspec.Struct):
    model: Any = None


class _Response(msgspec.Struct):
    body: _Body | None = None


class _Row(msgspec.Struct):
    response: _Response | None = None


_ROW: Final = msgspec.json.Decoder(_Row)


@dataclass(slots=True)
class Answered:
    """What files say about the requests of one job.

    ``seen`` are the ids of all rows, ``answered`` of those that are answers or refusals. ``changed`` is when the last
    of the files was changed, or came to this place, in seconds since 1970. ``torn`` says which file breaks off in the
    middle of a line, and where; empty if none does.
    """

    seen: set[str] = field(default_factory=set)
    answered: dict[str, tuple[bytes, str]] = field(default_factory=dict, repr=False)
    changed: float = 0.0
    torn: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    number: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"


def read_answers(
    files: list[Path], wanted: frozenset[str], other_models: frozenset[str], into: Answered
) -> Iterator[bytes]:
    """Yield the rows that answer requests of a job, each request once, without the ends of their lines.

    Parameters
    ----------
    files : list of Path
    wanted : frozenset of str
        The ids that the job asks for.
    other_models : frozenset of str
        The models that other jobs beside this one ask: their answers may have the same ids.
    into : Answered
        Filled as the rows are read.

    Raises
    ------
    PermanentError
        Naming file and line: what is not a row, answers no request of this job, was answered by a model that another
        job asks, or answers a request otherwise than another row does.
    """
    for path in files:
        stat = path.stat()
        into.changed = max(into.changed, stat.st_mtime, stat.st_ctime)  # a copy may have the mtime of its original
        for place, line in _lines(path, into):
            name = _id_of(place, line)
            if name not in wanted:
                raise _refused(place, f"answers {printable(name, 80)!r}, which is not in this job",
                               "replace it by the file of this job, or remove it")  # fmt: skip
            _check_model(place, line, other_models)
            into.seen.add(name)
            if not is_unanswered(line) and _is_new(place, name, line, into):
                yield line


def _is_new(place: _Place, name: str, line: bytes, into: Answered) -> bool:
    """Take note of an answer; return whether it is the first to its request.

    Raises
    ------
    PermanentError
        If another one says something else.
    """
    digest = hashlib.sha256(line).digest()
    before = into.answered.setdefault(name, (digest, str(place)))
    if before[0] != digest:
        raise _refused(place, f"answers {name!r} differently from {before[1]}", "keep one of the two")
    return before[1] == str(place)


def _lines(path: Path, into: Answered) -> Iterator[tuple[_Place, bytes]]:
    with open_regular(path) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            place = _Place(path, number)
            if len(line) > MAX_LINE:
                raise _refused(place, f"is longer than {MAX_LINE:,} bytes", "check it: no answer is that long")
            is_whole = line.endswith(b"\n")
            line = line.removeprefix(BOM) if number == 1 else line
            if not (row := line.strip()):
                continue
            if not is_whole and not _is_json(row):
                into.torn = f"{place}: is cut off in the middle of a line"
                return
            yield place, row


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _id_of(place: _Place, line: bytes) -> str:
    try:
        return row_id(line)
    except ValueError as error:
        raise _refused(place, f"is not a row of answers ({printable(str(error))})", "copy the file again") from error


def _check_model(place: _Place, line: bytes, others: frozenset[str]) -> None:
    if not others:
        return
    try:
        row = _ROW.decode(line)
    except (ValueError, RecursionError):
        return
    model = row.response.body.model if row.response is not None and row.response.body is not None else None
    if isinstance(model, str) and model in others:
        raise _refused(place, f"was answered by {model}, which another job asks", "give each job its own file")


def _refused(place: _Place, what: str, fix: str) -> PermanentError:
    return PermanentError(f"{place}: {what}", hint=f"{fix}, then resume")

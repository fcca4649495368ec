"""``looks.jsonl`` of a trial: one durable line a look. What it says is obeyed on a resume, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from promptrial.documents.files import read_bytes
from promptrial.errors import CorruptRecordError
from promptrial.store import jsonl
from promptrial.store.atomic import Appender

__all__ = ["LOOKS_FILE", "EndpointRecord", "LookRecord", "append_look", "is_over", "read_looks", "taken"]

LOOKS_FILE: Final = "looks.jsonl"
_Whole = Annotated[int, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class EndpointRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a look said about the endpoint in one contrast at one temperature: see ``stats.stopping.EndpointLook``.

    ``estimate`` is null without a pair. ``reason`` is why the trial may stop as far as this endpoint goes.
    """

    contrast: str
    temp: float
    estimate: float | None
    low: float
    high: float
    p: _Share
    level: _Share
    n_pairs: _Whole
    n_clusters: _Whole
    reason: Literal["efficacy", "futility"] | None = None


class LookRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look: after which wave (from 1), what the answers were, what the endpoint said, and what was decided.

    ``results`` holds the SHA-256 of each part's answers that did not exist at the look before, by path in the run.
    ``continue`` asks the next wave, ``stop`` ends the trial early, ``end`` is the look after the last wave. Two
    decisions are of people, and have no results: ``unblind`` ends the trial after the last look taken, to see its
    results, and ``ask_more`` asks the next wave of a trial that was over. ``wave`` is then that of the last look.
    ``scored_with`` is the digest of the scorers and of the rule for missing answers, as they were at the look.
    """

    schema_version: Literal[1] = 1
    wave: Annotated[int, msgspec.Meta(ge=1)]
    at: str
    rule: Literal["evalue", "obrien_fleming", "pocock"]
    items: _Whole
    results: dict[str, str]
    endpoints: tuple[EndpointRecord, ...]
    decision: Literal["continue", "stop", "end", "unblind", "ask_more"]
    scored_with: str = ""

    @property
    def is_look(self) -> bool:
        """Whether it is a look, and not a decision of people."""
        return self.decision in {"continue", "stop", "end"}


def read_looks(folder: Path) -> tuple[LookRecord, ...]:
    """Return the looks that were taken at a trial, given the folder of its results; a torn last line is none.

    Raises
    ------
    CorruptRecordError
        If a line is no look, or the waves do not follow one another.
    """
    path = folder / LOOKS_FILE
    if not path.exists():
        return ()
    found: list[LookRecord] = []
    *lines, _torn = read_bytes(path).split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            look = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise _damaged(path, number, str(error)) from error
        if not _follows(look, found):
            raise _damaged(path, number, f"`{look.decision}` after wave {look.wave} does not follow the line before")
        found.append(look)
    return tuple(found)


def is_over(looks: Sequence[LookRecord]) -> bool:
    """Whether nothing more is asked, as the records of a trial say."""
    return bool(looks) and looks[-1].decision in {"stop", "end", "unblind"}


def taken(looks: Sequence[LookRecord]) -> tuple[LookRecord, ...]:
    """Return the looks among the records of a trial."""
    return tuple(look for look in looks if look.is_look)


def _follows(look: LookRecord, before: Sequence[LookRecord]) -> bool:
    number, over = len(taken(before)), is_over(before)
    if look.decision == "ask_more":
        return over and before[-1].decision != "end" and look.wave == number
    if look.decision == "unblind":
        return number > 0 and not over and look.wave == number
    return not over and look.wave == number + 1


_DECODER: Final = msgspec.json.Decoder(LookRecord)


def _damaged(path: Path, number: int, problem: str) -> CorruptRecordError:
    return CorruptRecordError(
        f"{path}:{number}: damaged record of a look: {problem}",
        hint="what a look decided cannot be found out again: restore the file from an archive or a copy of the run",
    )


def append_look(folder: Path, look: LookRecord) -> None:
    """Record a look, durably. Side effects: cuts off a torn last line first, as a kill leaves it."""
    path = folder / LOOKS_FILE
    jsonl.repair_tail(path)
    with Appender(path) as file:
        file.append(msgspec.json.encode(look))

"""The answers of an older trial, wherever they still are: part folders first, then the combined file, then the table.

Rows come out in our own form, under the wire id of their request. A row is taken once; what cannot be read is counted.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.documents.files import open_csv
from promptrial.legacy.reading import LegacyTrial
from promptrial.model import RequestId, ids
from promptrial.providers.chat_rows import parse_chat_row
from promptrial.store import jsonl
from promptrial.store.rundir import OLDER

__all__ = ["FoundAnswers", "find_answers"]

_MAX_DIGITS: Final = 20
_PART: Final = re.compile(r"(?P<key>t\d+_(control|treatment))_p\d\d?")
"""The older tool's part folders: two digits at most, where ours have three and more."""


@dataclass(slots=True)
class FoundAnswers:
    """The rows of one trial by request, and what was wrong on the way. ``sources`` counts rows by source."""

    rows: dict[RequestId, bytes] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    conflicts: int = 0


def find_answers(trial: LegacyTrial) -> FoundAnswers:
    """Return every answer of a trial that is on disk and reads."""
    found = FoundAnswers()
    results = trial.folder / "results"
    parts = sorted(path for path in results.glob("t*_p*/results.jsonl") if _PART.fullmatch(path.parent.name))
    for path in parts:
        _take_rows(found, path, "parts")
    for path in (trial.folder / OLDER / "results_combined.jsonl", results / "results_combined.jsonl"):
        _take_rows(found, path, "results_combined.jsonl")
    for path in (trial.folder / OLDER / "predictions.csv", results / "predictions.csv"):
        _take_predictions(found, path)
    return found


def _take_rows(found: FoundAnswers, path: Path, source: str) -> None:
    if not path.is_file():
        return
    for line in jsonl.lines(path):
        try:
            row: dict[str, Any] = msgspec.json.decode(line)
            request = _request(str(row["custom_id"]))
            row["custom_id"] = ids.wire_encode(request)
            ours = msgspec.json.encode(row)
            parse_chat_row(ours)
        except (ValueError, KeyError, TypeError, RecursionError):
            found.unreadable += source == "parts"
            continue
        _take(found, request, ours, source)


def _request(text: str) -> RequestId:
    return ids.parse_canonical(text) if "|" in text else ids.wire_decode(text)


def _take(found: FoundAnswers, request: RequestId, row: bytes, source: str) -> None:
    earlier = found.rows.setdefault(request, row)
    if earlier is row:
        found.sources[source] = found.sources.get(source, 0) + 1
    elif source == "parts" and parse_chat_row(earlier) != parse_chat_row(row):
        found.conflicts += 1


def _take_predictions(found: FoundAnswers, path: Path) -> None:
    """Take rows out of ``predictions.csv``: text, finish reason and tokens are all that it keeps."""
    if not path.is_file():
        return
    for request, row in _predictions(path):
        _take(found, request, row, "predictions.csv")


def _predictions(path: Path) -> Iterator[tuple[RequestId, bytes]]:
    try:
        with open_csv(path) as file:
            for values in csv.DictReader(file):
                try:
                    request = ids.parse_canonical(values["custom_id"] or "")
                    yield request, _row_of(request, values)
                except (ValueError, KeyError, TypeError):
                    continue
    except (UnicodeDecodeError, csv.Error):
        return


def _row_of(request: RequestId, values: dict[str, str]) -> bytes:
    tokens = {name: _count(values[name]) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    choice = {"message": {"content": values["response_text"]}, "finish_reason": values["finish_reason"] or None}
    response = {"id": values["request_id"] or None, "choices": [choice], "usage": tokens}
    return msgspec.json.encode({"custom_id": ids.wire_encode(request), "response": response})


def _count(text: str) -> int | None:
    """Return a token count, None where it is unknown; a column with gaps may have been written as ``12.0``."""
    whole = text.removesuffix(".0")
    return int(whole) if whole.isascii() and whole.isdecimal() and len(whole) < _MAX_DIGITS else None

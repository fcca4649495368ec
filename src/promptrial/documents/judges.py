"""What ``judges.json`` holds: how many answers each judge has judged, by arm, and how it is biased.

Nothing is computed here: shares and intervals are made of these counts where they are shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.files import read_bytes

__all__ = [
    "FILE",
    "ArmJudged",
    "JudgeRecord",
    "JudgeSummary",
    "PairBias",
    "decode",
    "encode",
    "json_schema",
    "read_if_whole",
]

SCHEMA_VERSION: Final = 1
FILE: Final = "judges.json"
"""Its name, in the folder of a trial's results."""


class ArmJudged(msgspec.Struct, kw_only=True):
    """The answers of one arm: how many there are, and of how many there is a score.

    ``missing`` have none, because a reply was no verdict even when it was asked for once more, or because of an error.
    ``repaired`` have a score that came from the second reply. ``flagged`` seem to speak to the judge.
    """

    answers: int = 0
    scored: int = 0
    missing: int = 0
    repaired: int = 0
    flagged: int = 0


class PairBias(msgspec.Struct, kw_only=True):
    """What a pairwise judge says about pairs in both orders.

    ``pairs`` were judged in both orders; ``consistent`` of them with the same outcome. Over both orders ``first`` and
    ``second`` count how often the answer in that place won, ``ties`` how often neither did. Of the pairs whose answers
    have different lengths and of which one won over both orders, ``longer`` and ``shorter`` count which.
    """

    pairs: int = 0
    consistent: int = 0
    first: int = 0
    second: int = 0
    ties: int = 0
    longer: int = 0
    shorter: int = 0


class JudgeSummary(msgspec.Struct, kw_only=True):
    """One judge: its scorer, type and model, the digest of what it is asked with, and its counts by arm."""

    scorer: str
    type: str
    model: str
    provider: str
    digest: str
    arms: dict[str, ArmJudged]
    bias: PairBias | msgspec.UnsetType = msgspec.UNSET


class JudgeRecord(msgspec.Struct, kw_only=True):
    """The whole document: the judges of a trial, in the order of their columns."""

    schema_version: Literal[1] = 1
    judges: list[JudgeSummary]


def encode(document: JudgeRecord) -> bytes:
    """Return the document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return schemas.encode(document)


def decode(data: bytes) -> JudgeRecord:
    """Read the document back.

    Raises
    ------
    ValueError
        If it is not one.
    """
    return msgspec.json.decode(data, type=JudgeRecord)


def read_if_whole(results: Path) -> JudgeRecord | None:
    """Return the document of a trial, given its folder of results; None where there is none that can be read."""
    try:
        return decode(read_bytes(results / FILE))
    except (OSError, ValueError, RecursionError):
        return None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(JudgeRecord, f"promptrial judges.json, schema_version {SCHEMA_VERSION}")

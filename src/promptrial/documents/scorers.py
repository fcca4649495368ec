"""What ``scorers.json`` holds: what each column of scores means, as its scorer declares it. Nothing is computed here.

It stands below scoring, statistics, costs and reporting, which do not know each other, so that all ask a scorer what it
is by the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from promptrial.documents import schemas

__all__ = [
    "ROLES",
    "SCHEMA_VERSION",
    "Declaration",
    "Direction",
    "Need",
    "RecordedScorer",
    "Role",
    "Scale",
    "ScorerRecord",
    "decode",
    "encode",
    "json_schema",
    "with_role",
]

SCHEMA_VERSION: Final = 1
Direction = Literal["higher", "lower"]
Scale = Literal["binary", "continuous"]
Need = Literal["gold", "passage", "response"]
Role = Literal["accuracy", "abstention", "false_answer"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a scorer says of itself.

    ``label`` names the scores in tables, ``meaning`` says what they ask of an answer. A ``binary`` score is one of the
    ends of ``range``, a ``continuous`` one anything between. ``direction`` says which is better; null if that depends
    on the item. ``needs`` is what the scorer looks at besides the text: the accepted answers (``gold``), the
    ``passage``, or the rest of the ``response`` (reasoning, finish reason, token counts).

    ``role`` says what the scores mean to other parts: ``accuracy`` (the answer is right), ``abstention`` (the model
    declined), ``false_answer`` (it answered a question that has no answer; applies to those alone). ``version`` grows
    with every change of the code that changes a score.
    """

    label: str
    meaning: str
    scale: Scale
    direction: Direction | None
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[Need, ...] = ()
    role: Role | None = None
    version: int = 1


class RecordedScorer(msgspec.Struct, frozen=True, kw_only=True):
    """A configured scorer: its name, which is its column, its type and settings, and what it declares.

    ``sha256`` is that of its file, if it has one.
    """

    name: str
    type: str
    settings: dict[str, Any]
    declared: Declaration
    sha256: str | None = None


class ScorerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document: the scorers of a trial in the order of their columns in ``per_item_scores``."""

    schema_version: Literal[1] = 1
    scorers: tuple[RecordedScorer, ...]


def with_role(declared: Mapping[str, Declaration], role: Role) -> str | None:
    """Return the first scorer that has a role; None if none has."""
    return next((name for name, each in declared.items() if each.role == role), None)


def encode(document: ScorerRecord) -> bytes:
    """Return the document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return schemas.encode(document)


def decode(data: bytes) -> ScorerRecord:
    """Read a document back.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If it is not a document of this version.
    NewerVersionError
        If a newer version of the program made it.
    """
    schemas.check_version(data, SCHEMA_VERSION, "scorers.json")
    return msgspec.json.decode(data, type=ScorerRecord)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(ScorerRecord, f"promptrial scorers.json, schema_version {SCHEMA_VERSION}")

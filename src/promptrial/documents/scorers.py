"""What ``scorers.json`` holds: what each column of scores means, as its scorer declares it. Nothing is computed here.

It is in a layer below scoring, statistics, costs and reporting, which do not know each other, so that all ask a scorer
what it is by the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from promptrial.documents import schemas

__all__ = [
    "NARROWEST_RANGE",
    "ROLES",
    "Declaration",
    "Direction",
    "ExtractCount",
    "Need",
    "RecordedScorer",
    "Role",
    "Scale",
    "ScorerRecord",
    "as_found",
    "checked",
    "decode",
    "encode",
    "with_role",
]

SCHEMA_VERSION: Final = 1
Direction = Literal["higher", "lower"]
Scale = Literal["binary", "continuous"]
Need = Literal["gold", "choices", "passage", "response"]
Role = Literal["accuracy", "abstention", "false_answer"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
NARROWEST_RANGE: Final = 1e-4
"""How far the ends of a range have to be apart. Means that differ by less than 1e-9 are ties (``stats.sign_flips``): on
a much narrower scale every difference would be one, and nothing could be shown."""


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a scorer says about itself.

    ``label`` names the scores in tables, ``meaning`` says what they ask of an answer. A ``binary`` score is one of the
    ends of ``range``, a ``continuous`` one anything between. ``direction`` says which is better; null if that depends
    on the item. ``needs`` is what the scorer looks at besides the text: the accepted answers (``gold``), the
    ``choices``, the ``passage``, or the rest of the ``response`` (reasoning, finish reason, token counts).

    ``role`` says what the scores mean to other parts: ``accuracy`` (the answer is right), ``abstention`` (the model
    declined), ``false_answer`` (it answered a question that has no answer; applies to those alone). Scores with a role
    are binary, 0 or 1. ``version`` grows with every change of the code that changes a score.

    ``unit`` names, in the plural, what scores of another range than 0 to 1 are shown in ("words"); "points" if it is
    not given. Scores from 0 to 1 are shown in percent.
    """

    label: str
    meaning: str
    scale: Scale
    direction: Direction | None
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[Need, ...] = ()
    role: Role | None = None
    version: int = 1
    unit: str | msgspec.UnsetType = msgspec.UNSET


class ExtractCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers there were of an arm, and in how many of them a step of ``extract`` found nothing."""

    answers: int
    not_found: int


class RecordedScorer(msgspec.Struct, frozen=True, kw_only=True):
    """A configured scorer: its name, which is its column, its type and settings, and what it declares.

    ``sha256`` is that of its file, if it has one; ``function`` is the function in it, if that is what scores.
    ``libraries`` are the versions of the libraries that computed the scores, if there are any. ``extract`` is what of
    an answer is scored, where that is not the whole of it, and ``extracted`` how often it was found, by arm.
    """

    name: str
    type: str
    settings: dict[str, Any]
    declared: Declaration
    sha256: str | None = None
    function: str | msgspec.UnsetType = msgspec.UNSET
    libraries: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    extract: list[Any] | msgspec.UnsetType = msgspec.UNSET
    extracted: dict[str, ExtractCount] | msgspec.UnsetType = msgspec.UNSET


class ScorerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document: the scorers of a trial in the order of their columns in ``per_item_scores``."""

    schema_version: Literal[1] = 1
    scorers: tuple[RecordedScorer, ...]


def checked(declared: object) -> Declaration:
    """Return a declaration with the types that it is read back with.

    Raises
    ------
    ValueError
        If it is not one, cannot be written down and read back, has no label, a range that is not from a lower to a
        higher finite number or is too narrow to compute with, or a role whose scores are not 0 or 1.
    """
    if not isinstance(declared, Declaration):
        raise ValueError(f"`declared` is no Declaration; given: {type(declared).__name__}")  # noqa: TRY004 - as below
    try:
        made = msgspec.json.decode(msgspec.json.encode(declared), type=Declaration)
    except TypeError as error:  # a value that no JSON has
        raise ValueError(str(error)) from error
    low, high = made.range  # what is not finite is null in JSON, and so refused above
    if not low < high:
        raise ValueError(f"the range must go from a lower to a higher number; given: {low:g} to {high:g}")
    if high - low < NARROWEST_RANGE:
        raise ValueError(
            f"the range {low:g} to {high:g} is too narrow to compute with: at least {NARROWEST_RANGE:g}; multiply the "
            "scores and the range by a power of ten"
        )
    if not made.label.strip():
        raise ValueError("the label is empty")
    if made.unit is not msgspec.UNSET and not made.unit.strip():
        raise ValueError("the unit is empty: leave it out")
    if made.role is not None and (made.scale, made.range) != ("binary", (0.0, 1.0)):
        raise ValueError(f"the role {made.role!r} needs binary scores of 0 and 1: change them, or leave it out")
    return made


def as_found(scorer: RecordedScorer) -> Declaration:
    """Return what a scorer declares; what it asks then says how often there was nothing to extract."""
    if scorer.extracted is msgspec.UNSET:
        return scorer.declared
    counts = scorer.extracted
    missed = sum(each.not_found for each in counts.values())
    by_arm = ", ".join(f"{arm} {each.not_found:,} of {each.answers:,}" for arm, each in counts.items())
    said = f"Nothing to extract: {by_arm}." if missed else "It was found in every answer."
    return msgspec.structs.replace(scorer.declared, meaning=f"{scorer.declared.meaning} {said}")


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
    record = msgspec.json.decode(data, type=ScorerRecord)
    for scorer in record.scorers:
        checked(scorer.declared)
    return record


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(ScorerRecord, f"promptrial scorers.json, schema_version {SCHEMA_VERSION}")

"""What ``audit --json`` holds: its typed rows and its JSON Schema. What is found is ``design.audit``."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.model.arms import ArmName

__all__ = [
    "Arm",
    "AuditDocument",
    "Gold",
    "How",
    "LengthMatch",
    "ModelAudit",
    "PromptSetAudit",
    "Refusal",
    "json_schema",
]

_VERSION: Final = 1

How = Literal["mandated", "quoted", "line"]
"""How a prompt contains a refusal."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of a prompt set; ``tokens`` is null where its text was not recorded.

    ``file`` is the key of the configuration where the text is inline.
    """

    file: str
    sha256: str
    tokens: int | None


class LengthMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a filler is as long as the prompt that it stands for.

    ``ratio`` is its tokens by those of ``to``; ``passed`` is null where no tokenizer counted, which is not a pass.
    """

    filler: str
    to: str
    tokens: int | None
    to_tokens: int | None
    ratio: float | None
    passed: bool | None


class PromptSetAudit(msgspec.Struct, frozen=True, kw_only=True):
    """Two arms of a prompt set that are compared: how many tokens more the second has, and what that costs.

    A set with several contrasts has one entry for each.

    ``usd_per_1000_items`` is the price of those tokens in every request of 1,000 items, null without a price: answers
    are not included, as their lengths are not known before a run.
    """

    prompt_set: str
    arms: dict[ArmName, Arm]
    more_tokens: int | None
    usd_per_1000_items: float | None


class ModelAudit(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt sets as one model reads them. ``exact`` says that the tokenizer is the model's own."""

    model: str
    provider: str
    tokenizer: str
    exact: bool
    prompt_sets: tuple[PromptSetAudit, ...]
    length_matches: tuple[LengthMatch, ...]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal that is in a prompt: mandated by it, in quotes without a mandate, or as a line of an example.

    ``recognised`` says whether the scorer takes it for an abstention, in every typesetting if it is mandated.
    """

    file: str
    text: str
    how: How
    recognised: bool


class Gold(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted answer that reads as a refusal, at ``place`` (``file:line:``); ``only`` if all of its item do."""

    dataset: str
    place: str
    item_id: str
    text: str
    only: bool


class AuditDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What ``audit --json`` holds. ``passed`` unless one of ``problems`` speaks against it.

    ``golds`` are accepted answers, in local question files, that read as refusals. They speak against nothing.

    ``requests_per_item`` is how often each item is asked in each arm: replicates at all temperatures.
    """

    schema_version: Literal[1]
    experiment: str
    requests_per_item: int
    tolerance: float
    models: tuple[ModelAudit, ...]
    refusals: tuple[Refusal, ...]
    passed: bool
    problems: tuple[str, ...]
    golds: tuple[Gold, ...] = ()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``audit --json``, as published in ``docs/schemas``."""
    return schemas.json_schema(AuditDocument, f"promptrial audit --json, schema_version {_VERSION}")

"""What ``costs.json`` holds: its typed rows and its JSON Schema. The arithmetic is ``promptrial.costs``.

It is in a layer below costs and reporting, which do not know each other, so that both speak of the same rows.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.amounts import Count, Rate, Share, UsdAmount
from promptrial.model.arms import ArmName

__all__ = ["SCHEMA_VERSION", "Cost", "CostReport", "Price", "decode", "encode", "json_schema", "shown_notes"]

SCHEMA_VERSION: Final = 1


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """USD per million tokens before the discount, and the share that the discount takes off every request.

    Prompt tokens that are read from a cache, or written to one, have the rate of the others where none is given.
    ``source`` is there unless the configuration gives the price: the price list and its version. ``dated`` is the day
    of the newest price in that list, and ``notes`` are what else has to be known of the price.
    """

    input_per_million: Rate
    output_per_million: Rate
    batch_discount: Share
    cached_input_per_million: Rate | msgspec.UnsetType = msgspec.UNSET
    cache_write_per_million: Rate | msgspec.UnsetType = msgspec.UNSET
    source: str | msgspec.UnsetType = msgspec.UNSET
    dated: str | msgspec.UnsetType = msgspec.UNSET
    notes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


_SHOWN: Final = {"its rates in batches": "batch rates"}
"""What price lists note in records, and what people read instead."""


def shown_notes(price: Price) -> list[str]:
    """Return what else has to be known of a price, for people."""
    return [] if price.notes is msgspec.UNSET else [_SHOWN.get(note, note) for note in price.notes]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What requests took and gave.

    Token counts are sums over the rows whose usage the provider reported, failed requests included. ``tokens_unknown``
    counts the other responses, with or without an answer in them; tokens and ``usd`` are lower bounds when it is above
    0. Tokens are null when no usage is known at all, and
    ``cached_tokens``, which are part of the prompt tokens, also when the provider never says how many there were.
    ``correct`` counts the answers that meet the criterion, and is null when none was scored. ``usd`` is null when the
    model has no price or no usage is known: never 0 when it is unknown. ``usd_per_correct`` is null as well when no
    answer meets the criterion or part of the usage is unknown.

    ``cache_write_tokens``, a part of the prompt tokens too, are there only if some are. So are ``cache_read_usd`` and
    ``cache_write_usd``, which are part of ``usd``: where there are such tokens, and the price has a rate for them.

    ``usd`` is what the answers cost that are used. ``spent_usd`` is there only where more was spent, on answers that
    were lost or on requests that are no longer needed, and ``held_usd`` only where such attempts, with answers of
    unknown usage beside them, may have cost up to that much besides.
    """

    requests: Count
    answered: Count
    correct: float | None
    prompt_tokens: Count | None
    completion_tokens: Count | None
    total_tokens: Count | None
    cached_tokens: Count | None
    tokens_unknown: Count
    usd: UsdAmount | None
    usd_per_correct: UsdAmount | None
    cache_write_tokens: Count | msgspec.UnsetType = msgspec.UNSET
    cache_read_usd: UsdAmount | msgspec.UnsetType = msgspec.UNSET
    cache_write_usd: UsdAmount | msgspec.UnsetType = msgspec.UNSET
    spent_usd: UsdAmount | msgspec.UnsetType = msgspec.UNSET
    held_usd: UsdAmount | msgspec.UnsetType = msgspec.UNSET


class CostReport(Cost, frozen=True, kw_only=True):
    """The whole document: the cost of all arms together, and of each under ``conditions``.

    ``price`` is that of the trial's model; ``arm_prices`` has those of arms that another model answers. ``criterion``
    says in words what the configuration counts; it is null where nothing can be counted, and absent where exactly
    right answers are. ``dry_run`` is there, and true, where an emulator answered: then nobody was billed. Dry runs of
    earlier versions do not have it. ``judges_usd`` is what judges have cost, superseded verdicts included, and part of
    no other amount here: there if any was asked, and null if any has no price.
    """

    schema_version: Literal[1]
    priced: bool
    price: Price | None
    conditions: dict[ArmName, Cost]
    arm_prices: dict[ArmName, Price | None] | msgspec.UnsetType = msgspec.UNSET
    criterion: str | msgspec.UnsetType | None = msgspec.UNSET
    unpriced: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    dry_run: bool | msgspec.UnsetType = msgspec.UNSET
    judges_usd: UsdAmount | msgspec.UnsetType | None = msgspec.UNSET


def encode(document: CostReport) -> bytes:
    """Return the document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return schemas.encode(document)


def decode(data: bytes) -> CostReport:
    """Read a document back.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If it is not a cost document of this version.
    NewerVersionError
        If a newer version of the program made it.
    """
    schemas.check_version(data, SCHEMA_VERSION, "costs.json")
    return msgspec.json.decode(data, type=CostReport)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(CostReport, f"promptrial costs.json, schema_version {SCHEMA_VERSION}")

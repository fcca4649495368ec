"""What a run has spent, attempt by attempt: typed rows, and their JSON Schema. The arithmetic is ``promptrial.costs``.

Amounts are decimals in USD, rounded to a billionth in each line, so that the lines add up to the totals exactly. In
JSON they are texts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.model.arms import ArmName

__all__ = ["ArmSpending", "Fate", "Ledger", "LedgerLine", "Tokens", "Usd", "json_schema"]

SCHEMA_VERSION: Final = 1

Fate = Literal["used", "in_flight", "not_sent", "lost", "unanswered", "superseded", "duplicate", "reused", "unrecorded"]
"""What became of an attempt.

``used``: its answers are those of the part. ``in_flight``: it is answered, or may be. ``not_sent``: no job was made.
``lost``: its answers are lost, or nobody knows whether it had any. ``unanswered``: it ended without an answer.
``superseded``: it answers requests that the run no longer has. ``duplicate``: a job beside the one whose
answers are used. ``reused``: another run has paid for it. ``unrecorded``: its answers came when their tokens were not
kept yet."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens that answers report; ``unknown`` of the ``rows`` report none.

    ``cached`` and ``cache_write`` are part of the prompt tokens, those of reasoning part of the completion tokens.
    """

    rows: int
    prompt: int
    completion: int
    cached: int
    cache_write: int
    unknown: int


class Usd(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts in USD; null where they are not known.

    ``estimated`` is what an attempt was expected to cost, ``reserved`` the most that it can. ``spent`` is the price of
    the tokens that its answers report, ``held`` what it may cost beyond that, and ``used`` the part of ``spent`` for
    the answers that are analysed.
    """

    estimated: Decimal | None = None
    reserved: Decimal | None = None
    spent: Decimal | None = None
    held: Decimal | None = None
    used: Decimal | None = None


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: by which trial it was made, and so paid, and what became of it.

    ``job`` is what the vendor calls its job; null without one. ``began`` is when it was sent, in UTC, ``rows`` how many
    requests it has.
    """

    trial: str
    arm: ArmName
    part: str
    attempt: int
    status: str
    fate: Fate
    job: str | None
    began: str | None
    rows: int | None
    tokens: Tokens | None
    usd: Usd
    reason: str | None


class ArmSpending(msgspec.Struct, frozen=True, kw_only=True):
    """An arm of a trial, a trial, or the whole run.

    ``spent`` is what its own attempts have cost, ``used`` the price of the answers that its analysis uses. Of these,
    ``shared`` is what another trial has paid; the run counts it once. ``held`` is what may be billed yet, ``wasted``
    what was spent on answers that are not used. Null where nothing is known, or there is no price.
    ``unpriced`` counts attempts that have no price, ``unrecorded`` those whose tokens were not kept, and parts of which
    an earlier version kept no attempt.
    """

    spent: Decimal | None
    used: Decimal | None
    shared: Decimal
    held: Decimal
    wasted: Decimal
    attempts: int
    unpriced: int
    unrecorded: int


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document: totals of the run, of its trials and of their arms, and a line for each attempt.

    ``notes`` are things that the figures leave out. ``dry_run`` is there, and true, if an emulator answered, so that
    nothing was paid.
    """

    schema_version: Literal[1]
    run_id: str
    total: ArmSpending
    trials: dict[str, ArmSpending]
    arms: dict[str, dict[ArmName, ArmSpending]]
    lines: tuple[LedgerLine, ...]
    notes: tuple[str, ...] = ()
    dry_run: bool | msgspec.UnsetType = msgspec.UNSET


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(Ledger, f"promptrial costs --json, schema_version {SCHEMA_VERSION}")

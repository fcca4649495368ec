"""What ``plan --json`` holds: typed values and their JSON Schema. Nothing is read or computed here."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.cost_report import Price

__all__ = [
    "SCHEMA_VERSION",
    "AssumedDocument",
    "BandDocument",
    "ChecksDocument",
    "DetectableDocument",
    "EndpointPower",
    "GateDocument",
    "GrowthDocument",
    "ItemsNeeded",
    "PlanDocument",
    "PlannedPhase",
    "PowerDocument",
    "QuoteDocument",
    "QuotedArm",
    "RequestCounts",
    "json_schema",
]

SCHEMA_VERSION: Final = 1


class PlannedPhase(msgspec.Struct, frozen=True, kw_only=True):
    """What one phase would do, and why."""

    phase: str
    action: Literal["execute", "skip", "blocked"]
    reason: str


class RequestCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of requests.

    ``new`` are still to be sent, ``answered`` have an answer, ``in_flight`` were sent and have none yet, ``shared`` are
    asked for another trial, and ``reused`` have their answers from another run.
    """

    new: int
    answered: int
    in_flight: int
    shared: int
    reused: int


class BandDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that is known only within limits."""

    low: float
    expected: float
    high: float


class QuotedArm(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to be asked of one arm of a trial.

    Tokens are those of the new requests; their source is ``tokenizer``, ``answers`` of this run, or ``default``. They
    are null without new requests, and where the questions are not here. ``usd`` is null where they are, and for a model
    without a price. ``reserve_usd`` is the most that the new requests can cost, and ``saved_usd`` about what the reused
    ones would cost. ``jobs`` is in how many jobs they are sent, 0 where each takes a call of its own. ``seconds`` is
    how long it takes until all is answered if no other arm is asked; null if that was not measured. ``again`` counts
    the new requests that take the place of others that were asked before, and ``why`` says what has changed since.
    """

    trial: str
    arm: str
    model: str
    requests: RequestCounts
    input_tokens: BandDocument | None
    input_source: str | None
    output_tokens: BandDocument | None
    output_source: str | None
    usd: BandDocument | None
    reserve_usd: float | None
    saved_usd: float | None
    jobs: int
    seconds: BandDocument | None
    again: int
    why: str


class QuoteDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to be asked, in all and by arm.

    ``items`` is how many questions each arm is asked. A total is null if that of any arm is not known; ``unpriced``
    names the models without a price. ``absent`` names the data sets on the hub that are not in the cache: numbers of
    requests are then upper bounds. ``prices`` are by model.
    """

    items: int | None
    requests: RequestCounts
    input_tokens: BandDocument | None
    output_tokens: BandDocument | None
    usd: BandDocument | None
    reserve_usd: float | None
    saved_usd: float | None
    seconds: BandDocument | None
    unpriced: tuple[str, ...]
    absent: tuple[str, ...]
    prices: dict[str, Price]
    arms: tuple[QuotedArm, ...]


class ChecksDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would be refused for, what else there is to note, and what the configuration left open."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    decided: tuple[str, ...]


class GrowthDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a larger sample adds; null where that is not known. ``refused`` says why the run cannot grow."""

    change: str
    items: int | None
    requests: int | None
    refused: str


class DetectableDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest difference that is found with a power; null if the assumptions allow none so large."""

    power: float
    difference: float | None


class ItemsNeeded(msgspec.Struct, frozen=True, kw_only=True):
    """The items that find a difference with a power of 80%; null if the assumptions allow none so large."""

    difference: float
    n: int | None


class AssumedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What the power of an endpoint rests on.

    ``discordance`` is the share of items that differ between the arms, for single 0/1 answers; ``sd`` the standard
    deviation of an item's difference as a share of the range, for all others. ``within`` is the share of the variance
    that lies between replicates. The other keys are there where scores told it: ``pairs`` of them, ``answered`` of the
    scored items in both arms, ``at_most`` where no pair differed, ``baseline`` the mean of the control.
    """

    discordance: float | None
    sd: float | None
    icc: float
    design_effect: float
    within: float
    pairs: int | msgspec.UnsetType = msgspec.UNSET
    answered: float | msgspec.UnsetType = msgspec.UNSET
    at_most: bool | msgspec.UnsetType = msgspec.UNSET
    icc_is_assumed: bool | msgspec.UnsetType = msgspec.UNSET
    baseline: float | msgspec.UnsetType = msgspec.UNSET


class EndpointPower(msgspec.Struct, frozen=True, kw_only=True):
    """What a primary endpoint can show, once for each intraclass correlation that is assumed.

    Differences are on the scale of the scores, and ``alpha`` is the level after the correction for ``tests_in_family``.
    Where nothing can be said, ``reason`` replaces the figures, with the number of passages that are needed.
    """

    trial: str
    contrast: str
    metric: str
    temp: float
    items: int
    passages: int
    replicates: int
    tests_in_family: int
    alpha: float
    source: Literal["assumptions", "scores"] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="from")
    assumed: AssumedDocument | msgspec.UnsetType = msgspec.UNSET
    detectable: tuple[DetectableDocument, ...] | msgspec.UnsetType = msgspec.UNSET
    items_needed: tuple[ItemsNeeded, ...] | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET
    clusters_needed: int | msgspec.UnsetType | None = msgspec.UNSET


class PowerDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What the run can show: ``notes`` name margins that it never will, ``absent`` the data sets that are not here."""

    endpoints: tuple[EndpointPower, ...]
    notes: tuple[str, ...]
    absent: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class GateDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A gate of ``compare`` before the run: whether the planned items can pass it.

    ``can_pass`` and ``fewest_items`` say so for the best outcome: no answer changes, or, where the gate asks for a
    gain, all change for the better. ``can_pass`` is null where the scores are not known, ``fewest_items`` also where no
    number is enough. The power, and the items for 80%, are those of runs that are alike; null for a gate that asks for
    a gain.
    """

    gate: str
    items: int
    passages: int
    replicates: int
    alpha: float
    can_pass: bool | None
    fewest_items: int | None
    items_for_80_percent_power: int | None
    power: float | None


class PlanDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, and what that takes.

    ``quote`` is null if that is not known, and ``unquoted`` says why. The other optional keys are there only where
    there is something to say: the largest jobs of providers, what jobs wait for a person to do, when trials are looked
    at while they run, where models are served, where prices are from, warnings, what was checked before the questions
    are drawn, how the sample grows, the power of the primary endpoints, what the items can do for gates, and the plan
    of the pilot, as a document like this one, of a run that has not gone past it. ``spent_usd`` is there in what the
    end of a pilot prints: what the run has spent, null without a price.
    """

    schema_version: Literal[1]
    run_id: str
    exists: bool
    dry_run: bool
    config_hash: str
    trials: tuple[str, ...]
    drift: tuple[str, ...]
    phases: tuple[PlannedPhase, ...]
    quote: QuoteDocument | None
    unquoted: str | msgspec.UnsetType = msgspec.UNSET
    limits: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    awaited: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    looks: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    served: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    prices: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    warnings: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    checks: ChecksDocument | msgspec.UnsetType = msgspec.UNSET
    growth: GrowthDocument | msgspec.UnsetType = msgspec.UNSET
    power: PowerDocument | msgspec.UnsetType = msgspec.UNSET
    gates: tuple[GateDocument, ...] | msgspec.UnsetType = msgspec.UNSET
    pilot: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    spent_usd: float | msgspec.UnsetType | None = msgspec.UNSET


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(PlanDocument, f"promptrial plan --json, schema_version {SCHEMA_VERSION}")

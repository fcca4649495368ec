"""The plan as programs read it: what was planned as the document of ``documents.plan``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from promptrial.cli.power_json import power_document
from promptrial.documents.plan import (
    SCHEMA_VERSION,
    BandDocument,
    ChecksDocument,
    GateDocument,
    GrowthDocument,
    PlanDocument,
    PlannedPhase,
    QuotedArm,
    QuoteDocument,
    RequestCounts,
)

if TYPE_CHECKING:
    from promptrial.comparison.planned_gates import PlannedGate
    from promptrial.costs.bands import Band
    from promptrial.engine.previewing import Planned
    from promptrial.phases.quoted import Quote, Quoted, Requests

__all__ = ["as_json"]


def as_json(planned: Planned, pilot: Planned | None = None, gates: Sequence[PlannedGate] = ()) -> str:
    """Return a plan for programs; of a run that is in its pilot, with that of the pilot."""
    document = msgspec.structs.replace(_document(planned, pilot), gates=tuple(map(_gate, gates)) or msgspec.UNSET)
    return json.dumps(msgspec.to_builtins(document), indent=2) + "\n"


def _document(planned: Planned, pilot: Planned | None = None) -> PlanDocument:
    opened, checked, growth = planned.opened, planned.checked, planned.growth
    return PlanDocument(
        schema_version=SCHEMA_VERSION,
        run_id=opened.run.run_id,
        exists=opened.exists,
        dry_run=opened.dry_run,
        config_hash=opened.configured.digest,
        trials=tuple(trial.slug for trial in opened.trials),
        drift=opened.changes.drift,
        phases=tuple(
            PlannedPhase(phase=action.phase, action=action.verb, reason=action.reason) for action in planned.actions
        ),
        quote=None if planned.quote is None else _quote(planned.quote),
        unquoted=planned.unquoted or msgspec.UNSET,
        limits=planned.limits or msgspec.UNSET,
        awaited=planned.awaited or msgspec.UNSET,
        looks=planned.looks or msgspec.UNSET,
        served=planned.served or msgspec.UNSET,
        prices=tuple(planned.prices) or msgspec.UNSET,
        warnings=(planned.copied,) if planned.copied else msgspec.UNSET,
        checks=msgspec.UNSET
        if checked is None
        else ChecksDocument(problems=checked.problems, notes=checked.notes, decided=checked.decided),
        growth=msgspec.UNSET
        if growth is None
        else GrowthDocument(change=growth.change, items=growth.items, requests=growth.requests, refused=growth.refused),
        power=msgspec.UNSET if planned.power is None else power_document(planned.power),
        pilot=msgspec.UNSET if pilot is None else msgspec.to_builtins(_document(pilot)),
    )


def _quote(found: Quote) -> QuoteDocument:
    return QuoteDocument(
        items=found.items,
        requests=_counts(found.requests),
        input_tokens=_band(found.input_tokens),
        output_tokens=_band(found.output_tokens),
        usd=_band(found.usd),
        reserve_usd=found.reserve_usd,
        saved_usd=found.saved_usd,
        seconds=_band(found.seconds),
        unpriced=found.unpriced,
        absent=found.absent,
        prices=dict(found.prices),
        arms=tuple(map(_arm, found.arms)),
    )


def _arm(arm: Quoted) -> QuotedArm:
    given, taken = arm.input_tokens, arm.output_tokens
    return QuotedArm(
        trial=arm.trial,
        arm=arm.arm,
        model=arm.model,
        requests=_counts(arm.requests),
        input_tokens=None if given is None else _band(given.tokens),
        input_source=None if given is None else given.source,
        output_tokens=None if taken is None else _band(taken.tokens),
        output_source=None if taken is None else taken.source,
        usd=_band(arm.usd),
        reserve_usd=arm.reserve_usd,
        saved_usd=arm.saved_usd,
        jobs=arm.jobs,
        seconds=_band(arm.seconds),
        again=arm.again,
        why=arm.why,
    )


def _gate(gate: PlannedGate) -> GateDocument:
    return GateDocument(
        gate=str(gate.gate),
        items=gate.scores.items,
        passages=len(gate.scores.sizes),
        replicates=gate.replicates,
        alpha=gate.alpha,
        can_pass=None if gate.fewest is None else gate.can_pass,
        fewest_items=gate.fewest if gate.is_possible else None,
        items_for_80_percent_power=gate.planned,
        power=gate.power,
    )


def _counts(requests: Requests) -> RequestCounts:
    return RequestCounts(**requests._asdict())


def _band(band: Band | None) -> BandDocument | None:
    return None if band is None else BandDocument(low=band.low, expected=band.expected, high=band.high)

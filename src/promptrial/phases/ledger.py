"""The ledger of a run, from the manifests of its trials: every attempt, and who uses its answers."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from promptrial.costs.ledger import Attempt, PartOf, decimal_usd, line_of, spending
from promptrial.documents.cost_report import Price
from promptrial.documents.ledger import ArmSpending, Fate, Ledger, LedgerLine, Tokens
from promptrial.model.arms import ArmName, arm_of, is_judge
from promptrial.store.part_records import BilledTokens, Intent, PartRecord, ReusedAnswers
from promptrial.store.records import TrialManifest

__all__ = ["UsedUsd", "judge_part_names", "run_ledger"]

UsedUsd = Callable[[str, ArmName], float | None]
"""What the answers of an arm of a trial cost by its ``costs.json``; None where that does not say it."""
_MAY_RUN: Final = frozenset({"submitting", "unknown", "submitted", "running", "completed"})
_ZERO: Final = Decimal(0)


@dataclass(slots=True)
class _Arm:
    """An arm of a trial: its own attempts, those of others that it uses, and rows of its parts: all, and shared.

    ``unrecorded`` counts parts that were asked request by request when no ledger was kept of them.
    """

    lines: list[LedgerLine] = field(default_factory=list)
    shared: list[LedgerLine] = field(default_factory=list)
    rows: int = 0
    shared_rows: int = 0
    unrecorded: int = 0


def run_ledger(
    run_id: str,
    manifests: Mapping[str, TrialManifest],
    cut: Mapping[str, Container[str]] | None,
    price_of: Callable[[str, ArmName], Price | None],
    used_usd: UsedUsd,
) -> Ledger:
    """Return the ledger of a run.

    Parameters
    ----------
    run_id : str
    manifests : mapping
        Of each trial that has one, by its slug, in order.
    cut : mapping or None
        The names of the parts that the run has now, by trial; None where that is not known.
    price_of : callable
        Returns the price of what answers an arm of a trial; None without one.
    used_usd : callable
        Says what the answers cost of an arm whose attempts have no tokens on record.
    """
    arms: dict[str, dict[ArmName, _Arm]] = {}
    paid: dict[str, dict[str, list[LedgerLine]]] = {}  # by what was asked, and by the trial that paid
    parts = [*_parts(manifests)]
    for slug, name, part in parts:
        now = cut is None or name in cut.get(slug, ())
        if not (now or part.ledger):
            continue
        arm = arm_of(part.resume_key)
        found = arms.setdefault(slug, {}).setdefault(arm, _Arm())
        if not part.ledger:
            continue
        of = PartOf(slug, arm, name, price_of(slug, arm))
        for intent in part.ledger:
            line = _line(of, part, intent, now=now)
            found.lines.append(line)
            if line.fate in {"used", "reused", "unrecorded"} and intent.request_sha256 is not None:
                paid.setdefault(intent.request_sha256, {}).setdefault(slug, []).append(line)
    for slug, name, part in parts:
        if part.request_sha256 is None or part.status != "downloaded" or not (cut is None or name in cut.get(slug, ())):
            continue
        found, rows = arms[slug][arm_of(part.resume_key)], 0 if part.results is None else part.results.rows or 0
        found.rows += rows
        payers = paid.setdefault(part.request_sha256, {slug: []})
        if slug not in payers:
            found.shared_rows += rows
            found.shared += next(iter(payers.values()))
        elif not part.ledger and _is_live(manifests[slug], arm_of(part.resume_key)):
            found.unrecorded += 1
    return _summed(run_id, arms, used_usd)


def judge_part_names(manifest: TrialManifest, judges: Container[str]) -> set[str]:
    """Return the parts of a trial that ask one of some judges, of the names that parts have."""
    arms = {name: arm_of(part.resume_key) for name, part in manifest.parts.items()}
    return {name for name, arm in arms.items() if is_judge(arm) and arm in judges}


def _is_live(manifest: TrialManifest, arm: ArmName) -> bool:
    """Whether answers without jobs were asked of a server: what is computed here has an engine without a provider."""
    return not manifest.is_hosted(arm) and "provider" in manifest.engine_of(arm)


def _parts(manifests: Mapping[str, TrialManifest]) -> Iterator[tuple[str, str, PartRecord]]:
    """Yield the parts of the trials, arm by arm in the order of each trial."""
    for slug, manifest in manifests.items():
        order = {name: place for place, name in enumerate(manifest.trial.get("conditions") or ())}
        parts = ((order.get(arm_of(part.resume_key), len(order)), name, part) for name, part in manifest.parts.items())
        for _, name, part in sorted(parts, key=lambda each: each[:2]):
            yield slug, name, part


def _line(of: PartOf, part: PartRecord, intent: Intent, *, now: bool) -> LedgerLine:
    billed = None if isinstance(intent.billed, msgspec.UnsetType) else intent.billed
    attempt = Attempt(
        number=intent.attempt,
        status=intent.status,
        fate=_fate(part, intent, billed, now=now),
        job=intent.job,
        began=None if isinstance(intent.began, msgspec.UnsetType) else intent.began,
        rows=intent.rows,
        tokens=None if billed is None else Tokens(**msgspec.structs.asdict(billed)),
        reason=intent.reason,
    )
    reserved = None if isinstance(intent.reserved_usd, msgspec.UnsetType) else intent.reserved_usd
    return line_of(of, attempt, intent.estimated_usd, reserved)


def _fate(part: PartRecord, intent: Intent, billed: BilledTokens | None, *, now: bool) -> Fate:
    """Return what became of an attempt; ``now`` tells whether the run still has its part."""
    came = intent.results is not None and bool(intent.results.rows)
    is_live = not isinstance(part.live, msgspec.UnsetType) and intent in part.live
    is_last = part.lost is True and intent is part.ledger[-1]
    has_failed = intent.status in {"failed", "cancelled"}
    rules: tuple[tuple[Fate, bool], ...] = (
        ("reused", isinstance(intent.reused, ReusedAnswers)),
        ("not_sent", intent.status == "pending" or (intent.job is None and has_failed)),
        ("not_sent", billed is not None and not billed.rows and intent.job is None),
        ("unanswered", billed is not None and not billed.rows),
        ("unrecorded", billed is None and came),
        ("superseded", not now or intent.request_sha256 != part.request_sha256),
        ("duplicate", intent.status == "expired" and intent.job is not None and intent.results is None and not is_live),
        ("used", billed is not None and (came or (is_live and intent.status != "expired"))),
        ("lost", billed is not None or intent.results is not None or is_last),
        ("in_flight", intent.status in _MAY_RUN or has_failed),
    )
    return next((fate for fate, holds in rules if holds), "lost")


def _summed(run_id: str, arms: Mapping[str, Mapping[ArmName, _Arm]], used_usd: UsedUsd) -> Ledger:
    by_arm = {
        slug: {name: _of_arm(arm, used_usd(slug, name)) for name, arm in own.items()} for slug, own in arms.items()
    }
    by_trial = {slug: _together([*own.values()]) for slug, own in by_arm.items()}
    lines = tuple(line for own in arms.values() for arm in own.values() for line in arm.lines)
    return Ledger(
        schema_version=1,
        run_id=run_id,
        total=_once([*by_trial.values()]),
        trials=by_trial,
        arms=by_arm,
        lines=lines,
    )


def _of_arm(arm: _Arm, used_usd: float | None) -> ArmSpending:
    """Return the sums of an arm; where the tokens of attempts were not kept, ``costs.json`` says what was used."""
    found = spending(arm.lines, arm.shared)
    found = msgspec.structs.replace(found, unrecorded=found.unrecorded + arm.unrecorded)
    recorded = found.attempts > 0 or found.shared > 0
    if recorded and not found.unrecorded:
        return found
    if used_usd is None:
        return msgspec.structs.replace(found, used=None)
    used = decimal_usd(used_usd) or _ZERO
    share = decimal_usd(used_usd * arm.shared_rows / arm.rows) if arm.rows else None
    return msgspec.structs.replace(found, used=used, shared=max(found.shared, share or _ZERO))


def _together(arms: list[ArmSpending]) -> ArmSpending:
    """Return the sums over arms or trials."""
    return ArmSpending(
        spent=_sum([arm.spent for arm in arms]),
        used=_sum([arm.used for arm in arms]),
        shared=sum((arm.shared for arm in arms), _ZERO),
        held=sum((arm.held for arm in arms), _ZERO),
        wasted=sum((arm.wasted for arm in arms), _ZERO),
        attempts=sum(arm.attempts for arm in arms),
        unpriced=sum(arm.unpriced for arm in arms),
        unrecorded=sum(arm.unrecorded for arm in arms),
    )


def _once(trials: list[ArmSpending]) -> ArmSpending:
    """Return the sums over the trials of a run; answers that trials share count once."""
    found = _together(trials)
    used = None if found.used is None else found.used - found.shared
    return msgspec.structs.replace(found, used=used, shared=_ZERO)


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, _ZERO) if known else None

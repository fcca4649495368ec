"""What a run has spent on judges and on answers that are not used, for its documents and reports, by its records.

Runs whose attempts have neither reserves nor tokens on record, as those of earlier versions, say nothing here, so that
their documents stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from promptrial.documents.cost_report import Cost, CostReport, Price
from promptrial.documents.ledger import LedgerLine
from promptrial.model import Trial
from promptrial.model.arms import ArmName, is_judge
from promptrial.phases.accounts import read_ledger
from promptrial.phases.judges import judges_of
from promptrial.phases.ledger import judge_part_names, run_ledger
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import parts_on_record
from promptrial.store.records import TrialManifest

if TYPE_CHECKING:
    from promptrial.reporting.facts import SpendingFacts

__all__ = ["of_judges", "of_spending", "of_unused", "spending_of", "with_attempts", "with_judges", "with_unused"]

_Cost = TypeVar("_Cost", bound=Cost)
_NOT_USED: Final = frozenset({"lost", "superseded", "duplicate"})
_ZERO: Final = Decimal(0)


def with_unused(report: CostReport, spec: RunSpec, manifest: TrialManifest, trial: Trial) -> CostReport:
    """Return a cost report that says what was spent, where that is more than what its answers cost."""
    own = {} if isinstance(report.arm_prices, msgspec.UnsetType) else report.arm_prices
    prices = {name: own.get(name, report.price) for name in trial.conditions}
    return with_attempts(report, _lines(spec, manifest, trial, prices))


def with_attempts(report: CostReport, known: Sequence[LedgerLine]) -> CostReport:
    """Return a report with what unused attempts among these lines have cost, and what all of them may cost yet.

    That is the amount that ``promptrial costs`` calls held: answers of unknown usage may cost more, too.
    """
    if not _unused(known):
        return report
    lines = [line for line in known if not is_judge(line.arm)]
    arms = {name: _with(cost, [line for line in lines if line.arm == name]) for name, cost in report.conditions.items()}
    return msgspec.structs.replace(_with(report, lines), conditions=arms)


def of_unused(spec: RunSpec, manifest: TrialManifest, trial: Trial) -> list[Any]:
    """Return what a receipt says about attempts whose answers are not used: nothing where there are none."""
    return _told(_unused(_lines(spec, manifest, trial, {})))


def with_judges(report: CostReport, spec: RunSpec, manifest: TrialManifest, trial: Trial) -> CostReport:
    """Return a cost report that says what the judges have cost, if any was asked."""
    prices = {judge.name: spec.prices.of(judge.model) for judge in judges_of(spec).values()}
    lines = _of_judges(_lines(spec, manifest, trial, prices))
    if not lines:
        return report
    known = [line.usd.spent for line in lines if line.usd.spent is not None]
    usd = float(sum(known, _ZERO)) if len(known) == len(lines) else None
    return msgspec.structs.replace(report, judges_usd=usd)


def of_judges(spec: RunSpec, manifest: TrialManifest, trial: Trial) -> list[Any]:
    """Return what a receipt says about attempts to ask judges: nothing where there are none."""
    return _told(_of_judges(_lines(spec, manifest, trial, {})))


def _of_judges(lines: Iterable[LedgerLine]) -> list[LedgerLine]:
    return [line for line in lines if is_judge(line.arm) and _is_on_record(line)]


def spending_of(spec: RunSpec) -> SpendingFacts | None:
    """Return what a run has spent, shared answers counted once; None if that is not recorded, or of no price."""
    total = read_ledger(spec.run).total
    if total.spent is None or total.used is None or total.unpriced or total.unrecorded:
        return None
    from promptrial.reporting.facts import SpendingFacts

    return SpendingFacts(float(total.spent), float(total.used), float(total.held))


def of_spending(spec: RunSpec) -> list[Any]:
    """Return what a receipt says about what a run has spent: nothing where none of it is on record."""
    return _told([line for line in read_ledger(spec.run).lines if _is_on_record(line)])


def _told(lines: list[LedgerLine]) -> list[Any]:
    return [[line.trial, line.part, line.attempt, line.fate, msgspec.to_builtins(line.tokens)] for line in lines]


def _lines(
    spec: RunSpec, manifest: TrialManifest, trial: Trial, prices: Mapping[ArmName, Price | None]
) -> tuple[LedgerLine, ...]:
    """Return the attempts of a trial."""
    cut = {slug: {part.name for part in parts} for slug, parts in parts_on_record(spec).items()}
    asked = {judge.name for judge in judges_of(spec).values()}
    cut.setdefault(trial.slug, set()).update(judge_part_names(manifest, asked))
    found = run_ledger(
        spec.run.run_id, {trial.slug: manifest}, cut, lambda _slug, arm: prices.get(arm), lambda _slug, _arm: None
    )
    return found.lines


def _unused(lines: Iterable[LedgerLine]) -> list[LedgerLine]:
    """Return the attempts whose answers are not used, and that have cost something or may have; none of judges."""
    return [line for line in lines if line.fate in _NOT_USED and _is_on_record(line) and not is_judge(line.arm)]


def _is_on_record(line: LedgerLine) -> bool:
    return line.tokens is not None or line.usd.reserved is not None


def _with(cost: _Cost, lines: list[LedgerLine]) -> _Cost:
    spent = sum((line.usd.spent or _ZERO for line in _unused(lines)), _ZERO)
    held = sum((line.usd.held or _ZERO for line in lines), _ZERO)
    if cost.usd is None or not (spent or held):
        return cost
    return msgspec.structs.replace(
        cost, spent_usd=cost.usd + float(spent), held_usd=float(held) if held else msgspec.UNSET
    )

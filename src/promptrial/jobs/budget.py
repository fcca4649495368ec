"""What a run may still spend: its cap, and what each part counts against it, as far as the records tell.

Nothing is held here that is not recorded: the recorder tells of each change, and a resume counts the same from the
records alone. What may cost is asked for after its reserve is on record, so a kill at any point leaves it counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import msgspec

from promptrial.costs.committed import NOTHING, Committed, committed_usd, rounded_up
from promptrial.documents.cost_report import Price
from promptrial.errors import CostCapReached, OverCapError
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec
from promptrial.store import jsonl
from promptrial.store.part_records import Intent, set_or_none

__all__ = ["Budget", "Refused", "dearest_usd", "next_reserve_usd"]

Counted = Sequence[tuple[str, Committed]]
"""When attempts were sent, in UTC (empty if that is not known), and what they count."""
_NOTHING_USD: Final = 1e-15
_ROUNDING: Final = 1e-12
"""Of the cap: what sums of amounts may be off by."""


class Month(Protocol):
    """What all runs of a folder may spend in one month."""

    cap_usd: float

    @property
    def name(self) -> str:
        """The present month in UTC, such as ``2026-01``."""

    def others_usd(self) -> float:
        """Return what the other runs have spent in it, and may spend yet."""

    def deciding(self) -> AbstractContextManager[None]:
        """Within the block no other process decides on the money of this month."""


class Refused(NamedTuple):
    """What was not started because it does not fit: the part, its requests, and what they would reserve, in USD."""

    name: str
    rows: int
    reserve_usd: float

    def __str__(self) -> str:
        return f"{self.rows} request{'' if self.rows == 1 else 's'} of {self.name}"


@dataclass(slots=True)
class Budget:
    """The money of one run; by default without a cap.

    Parameters
    ----------
    cap_usd : float or None
        The most that the run may spend; None for any amount.
    price_of : callable
        Returns the price of a model, None if it has none.
    month : Month, optional
        What all runs of its folder may spend in one month.

    Attributes
    ----------
    refused : dict
        What does not fit at present, by the name of the part.
    """

    cap_usd: float | None = None
    price_of: Callable[[ModelSpec], Price | None] = lambda _model: None
    month: Month | None = None
    refused: dict[str, Refused] = field(default_factory=dict, init=False)
    _counted: dict[str, Counted] = field(default_factory=dict, init=False)
    _spent: float = field(default=0.0, init=False)
    _reserved: float = field(default=0.0, init=False)
    _by_month: dict[str, float] = field(default_factory=dict, init=False)
    _claimed: dict[str, float] = field(default_factory=dict, init=False)

    def count(self, work: Iterable[PartWork]) -> None:
        """Count what is on record of parts."""
        for each in work:
            self.note(each)

    def note(self, work: PartWork) -> None:
        """Count what is on record of a part now."""
        self.set(work.name, [(_began(intent), self._of_intent(work, intent)) for intent in work.record.ledger])

    def set(self, name: str, counted: Counted) -> None:
        """Count amounts under a name, each with the time at which it was sent, instead of what was counted there."""
        for sign, amounts in ((-1, self._counted.get(name, [])), (1, counted)):
            for began, amount in amounts:
                self._spent += sign * amount.spent
                self._reserved += sign * amount.reserved
                self._by_month[began[:7]] = self._by_month.get(began[:7], 0.0) + sign * amount.total
        self._counted[name] = counted

    def deciding(self) -> AbstractContextManager[None]:
        """Within the block what is asked for, and what is recorded of it, is one decision."""
        return nullcontext() if self.month is None else self.month.deciding()

    @property
    def committed(self) -> Committed:
        """What is spent, and what is reserved."""
        return Committed(_exact(self._spent), _exact(self._reserved))

    def fits(self, reserve_usd: float, name: str = "") -> bool:
        """Return whether so many USD may be reserved besides what is committed and claimed; nothing always may.

        What is claimed for ``name`` does not count.
        """
        claimed = sum(usd for each, usd in self._claimed.items() if each != name)
        return reserve_usd <= 0 or (
            self._fits_the_run(claimed + reserve_usd) and self._fits_the_month(claimed + reserve_usd)
        )

    def _fits_the_run(self, reserve_usd: float) -> bool:
        return self.cap_usd is None or self.committed.total + reserve_usd <= self.cap_usd * (1 + _ROUNDING)

    def _fits_the_month(self, reserve_usd: float) -> bool:
        return self.month is None or self._month_usd(self.month) + reserve_usd <= self.month.cap_usd * (1 + _ROUNDING)

    def _month_usd(self, month: Month) -> float:
        return month.others_usd() + self._by_month.get(month.name, 0.0)

    def admits(self, name: str, rows: int, reserve_usd: float) -> bool:
        """Return whether requests fit that would reserve so many USD; if not, they are noted as refused.

        If they do, so much is claimed for them until it is on record, or they are released.
        """
        if self.fits(reserve_usd, name):
            self.refused.pop(name, None)
            self._claimed[name] = max(0.0, reserve_usd)
            return True
        self.refused[name] = Refused(name, rows, reserve_usd)
        return False

    def release(self, name: str) -> None:
        """Claim nothing more for a part: its reserve is on record, or its work has ended."""
        self._claimed.pop(name, None)

    def require(self, work: PartWork, key: str, rows: int, reserve_usd: float) -> None:
        """Refuse an attempt that does not fit, beyond what is on record of it already.

        Raises
        ------
        OverCapError
        """
        known = next((intent for intent in work.record.ledger if intent.key == key), None)
        more = reserve_usd if known is None else reserve_usd - self._of_intent(work, known).total
        if more > 0 and not self.admits(work.name, rows, more):
            raise OverCapError(f"its {rows} requests could cost {reserve_usd:.4g} USD, which exceeds the cap")

    def holds(self, work: PartWork, reserve_usd: float) -> bool:
        """Return whether no more than the cap is committed; if not, another request of a part is noted as refused."""
        if self._fits_the_run(0.0) and self._fits_the_month(0.0):
            return True
        self.refused[work.name] = Refused(work.name, 1, reserve_usd)
        return False

    def may_go_on(self) -> bool:
        """Return whether something fits now that was refused; then it is forgotten that it was."""
        if not any(self.fits(each.reserve_usd) for each in self.refused.values()):
            return False
        self.refused.clear()
        return True

    def reached(self, left_usd: float) -> CostCapReached:
        """Return how a run ends when nothing is in flight and the next job would cost too much.

        ``left_usd`` is what all that is left could cost at most.
        """
        least = min(self.refused.values(), key=lambda each: each.reserve_usd)
        if self.month is not None and self._fits_the_run(least.reserve_usd):
            return self._month_is_over(self.month, least)
        spent, reserved = self.committed
        cap = rounded_up(spent + reserved + least.reserve_usd)
        whole = rounded_up(spent + reserved + max(left_usd, least.reserve_usd))
        return CostCapReached(
            f"{CostCapReached.BEGINNING}{self.cap_usd:.10g} USD is reached: {spent:.4g} USD are spent, "
            f"{reserved:.4g} USD are reserved for requests that may have been billed, and the next job ({least}) "
            "could cost "
            f"{least.reserve_usd:.4g} USD; it needs a cap of {cap:.10g} USD, and everything that is left needs a cap "
            "of "
            f"{whole:.10g} USD",
            flags=f" --max_cost_usd {whole:.10g}",
        )

    def _month_is_over(self, month: Month, least: Refused) -> CostCapReached:
        own, others = self._by_month.get(month.name, 0.0), month.others_usd()
        cap = rounded_up(own + others + least.reserve_usd)
        return CostCapReached(
            f"{CostCapReached.BEGINNING}{month.cap_usd:.10g} USD for all runs of this folder in {month.name} is "
            f"reached: this run has spent or reserved {own:.4g} USD, the others {others:.4g} USD, and the next job "
            f"({least}) could cost {least.reserve_usd:.4g} USD",
            [f"# wait for the next month (UTC), or set spending.month_max_usd to {cap:.10g} or more"],
        )

    def _of_intent(self, work: PartWork, intent: Intent) -> Committed:
        if intent.status == "pending" or intent.reused is not msgspec.UNSET:  # paid for by another run
            return NOTHING
        billed, price = set_or_none(intent.billed), self.price_of(work.model)
        unknown_usd = None
        if billed is not None and billed.unknown and price is not None and intent.request_sha256 == work.request_sha256:
            unknown_usd = dearest_usd(work, billed.unknown)
        return committed_usd(_reserve_usd(work, intent), billed, price, unknown_usd)


def _exact(amount: float) -> float:
    """Return a running sum without what rounding has left of nothing."""
    return amount if amount > _NOTHING_USD else 0.0


def _began(intent: Intent) -> str:
    return "" if isinstance(intent.began, msgspec.UnsetType) else intent.began


def dearest_usd(work: PartWork, rows: int) -> float:
    """Return what so many requests of a part can cost at most, whichever they are."""
    path = work.folder.requests(work.part.name)
    sizes = sorted((len(line) + 1 for line in jsonl.lines(path)), reverse=True) if path.exists() else []
    return work.reserve_usd(rows, sum(sizes[:rows])) or 0.0


def next_reserve_usd(work: PartWork) -> float:
    """Return what the next job of a part reserves, as far as that is sure before its task begins.

    Nothing if a job is on record, and nothing if an earlier one has left it to the task what is asked again. Requests
    that are asked one by one are reserved for together, when the first of them is about to be sent.
    """
    if not work.hosted:
        asked, own = (
            work.part.rows - work.rows_reused,
            [i for i in work.live if i.request_sha256 == work.request_sha256],
        )
        if not own:
            return _whole_usd(work, asked)
        billed = set_or_none(own[0].billed)
        paused = own[0].in_flight == 0 and billed is not None
        return dearest_usd(work, asked - billed.rows) if paused and billed is not None else 0.0
    last = work.latest
    if work.submitted or (last is not None and (last.status != "pending" or last.rows not in {None, work.part.rows})):
        return 0.0
    return _whole_usd(work, work.part.rows)


def _reserve_usd(work: PartWork, intent: Intent) -> float:
    """Return what an attempt can cost at most; computed again where its record was lost, or does not say it."""
    if not isinstance(intent.reserved_usd, msgspec.UnsetType):
        return intent.reserved_usd
    return _whole_usd(work, work.part.rows if intent.rows is None else intent.rows)


def _whole_usd(work: PartWork, rows: int) -> float:
    path = work.folder.requests(work.part.name)
    return (work.reserve_usd(rows, path.stat().st_size) if path.exists() else None) or 0.0

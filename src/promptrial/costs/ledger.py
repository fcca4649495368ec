"""The ledger of a run: from the records of its attempts and prices to lines, and from lines to totals. Pure.

An amount is rounded to a billionth of a USD when its line is made. All sums are sums of such decimals, so the lines of
a table add up to its total exactly, whatever the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from promptrial.costs.committed import committed_usd
from promptrial.documents.cost_report import Price
from promptrial.documents.ledger import ArmSpending, Fate, Ledger, LedgerLine, Tokens, Usd
from promptrial.model.arms import ArmName

__all__ = ["Attempt", "PartOf", "decimal_usd", "line_of", "spending", "spent_usd"]

_NANO: Final = Decimal("1e-9")
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class PartOf:
    """A part: its trial, its arm, its name, and the price of what answers it; None without one."""

    trial: str
    arm: ArmName
    name: str
    price: Price | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is on record of one attempt, besides its amounts."""

    number: int
    status: str
    fate: Fate
    job: str | None = None
    began: str | None = None
    rows: int | None = None
    tokens: Tokens | None = None
    reason: str | None = None


def decimal_usd(amount: float | None) -> Decimal | None:
    """Return an amount as a decimal, rounded to a billionth of a USD.

    Examples
    --------
    >>> str(decimal_usd(0.1 + 0.2)), decimal_usd(None)
    ('0.300000000', None)
    """
    return None if amount is None else Decimal(repr(amount)).quantize(_NANO)


def line_of(part: PartOf, attempt: Attempt, estimated_usd: float | None, reserved_usd: float | None) -> LedgerLine:
    """Return the line of an attempt.

    What was not sent costs nothing, and what another run has paid for is used and not spent. Of what was lost, spent is
    what its answers had reported. An attempt of which nothing is known holds its reserve; without one on record, its
    estimate.
    """
    return LedgerLine(
        trial=part.trial,
        arm=part.arm,
        part=part.name,
        attempt=attempt.number,
        status=attempt.status,
        fate=attempt.fate,
        job=attempt.job,
        began=attempt.began,
        rows=attempt.rows,
        tokens=attempt.tokens,
        usd=_usd(part.price, attempt, estimated_usd, reserved_usd),
        reason=attempt.reason,
    )


def _usd(price: Price | None, attempt: Attempt, estimated_usd: float | None, reserved_usd: float | None) -> Usd:
    known = {"estimated": decimal_usd(estimated_usd), "reserved": decimal_usd(reserved_usd)}
    if attempt.fate in {"not_sent", "reused"}:
        return Usd(**known, spent=_ZERO, held=_ZERO, used=_used_of_another_run(price, attempt))
    if price is None or attempt.fate == "unrecorded":
        return Usd(**known)
    most = estimated_usd if reserved_usd is None else reserved_usd
    found = committed_usd(most or 0.0, attempt.tokens, price)
    spent = decimal_usd(found.spent)
    return Usd(**known, spent=spent, held=decimal_usd(found.reserved), used=spent if attempt.fate == "used" else _ZERO)


def _used_of_another_run(price: Price | None, attempt: Attempt) -> Decimal:
    if attempt.fate != "reused" or price is None or attempt.tokens is None:
        return _ZERO
    return decimal_usd(committed_usd(0.0, attempt.tokens, price).spent) or _ZERO


def spending(lines: Sequence[LedgerLine], shared: Iterable[LedgerLine] = ()) -> ArmSpending:
    """Return the sums of lines.

    Parameters
    ----------
    lines : sequence of LedgerLine
        The attempts that were made for an arm, a trial or a run.
    shared : iterable of LedgerLine
        Attempts of other trials whose answers are used here, too.
    """
    taken = _sum(line.usd.used for line in shared) or _ZERO
    sent = [line for line in lines if line.fate != "not_sent"] or lines  # what was not sent makes no unknown amount 0
    spent, used = _sum(line.usd.spent for line in sent), _sum(line.usd.used for line in sent)
    known = [line for line in lines if line.usd.spent is not None and line.fate != "reused"]
    return ArmSpending(
        spent=spent,
        used=None if used is None and not taken else (used or _ZERO) + taken,
        shared=taken,
        held=_sum(line.usd.held for line in lines) or _ZERO,
        wasted=sum(((line.usd.spent or _ZERO) - (line.usd.used or _ZERO) for line in known), _ZERO),
        attempts=len(lines),
        unpriced=sum(line.usd.spent is None and line.fate != "unrecorded" for line in lines),
        unrecorded=sum(line.fate == "unrecorded" for line in lines),
    )


def spent_usd(ledger: Ledger) -> float | None:
    """Return what a run has spent, each answer counted once; None if that is not known, or of no price.

    Where the tokens of attempts were not kept, what was used stands for what was spent.
    """
    arms = [arm for own in ledger.arms.values() for arm in own.values()]
    needed = arms if not ledger.total.attempts else [arm for arm in arms if arm.unrecorded]
    if any(arm.unpriced for arm in arms) or any(arm.used is None for arm in needed):
        return None
    known = [
        arm.used - arm.shared if arm.used is not None and (arm.unrecorded or not arm.attempts) else arm.spent
        for arm in arms
    ]
    total = _sum(known)
    return None if total is None else float(total)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, _ZERO) if known else None

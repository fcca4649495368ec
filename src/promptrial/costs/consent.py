"""Whether a run may spend without a question: what it may come to, against what was agreed to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from promptrial.costs.bands import NOTHING, Band

__all__ = ["Amount", "ByWhat", "Leave", "ModelBill", "consent_to", "question"]

ByWhat = Literal["terminal", "flag", "cap", "unattended", "threshold"]
"""How a run was allowed to spend: at a terminal, by ``--yes``, by a cap, by a command that never asks, or because the
amount is below the threshold."""
_TOLERANCE: Final = 1e-9
"""Sums of the same amounts in another order are the same amount."""


class Amount(NamedTuple):
    """What a run may come to: at most so many USD, and so many requests whose price is not known."""

    usd: float = 0.0
    unpriced: int = 0

    def within(self, other: Amount) -> bool:
        """Whether it is no more than another amount, in both."""
        return self.usd <= other.usd * (1 + _TOLERANCE) and self.unpriced <= other.unpriced


@dataclass(frozen=True, slots=True)
class ModelBill:
    """What is left to ask of one model.

    ``most_usd`` is None without a price, ``about`` (USD) also where it is not estimated. ``source`` says where the
    price is from. ``unbounded`` are the extra keys of its requests that may cost more than any price of tokens says;
    ``most_usd`` is None with them.
    """

    model: str
    requests: int
    most_usd: float | None = None
    about: Band | None = None
    source: str = ""
    unbounded: tuple[str, ...] = ()

    @property
    def amount(self) -> Amount:
        """What it may come to."""
        return Amount(0.0, self.requests) if self.most_usd is None else Amount(self.most_usd)


class Leave(NamedTuple):
    """What the user allows beforehand: ``--yes``, a cap in USD, a command that never asks, and the threshold in USD."""

    yes: bool = False
    cap_usd: float | None = None
    unattended: bool = False
    ask_above_usd: float = 0.0


def consent_to(total: Amount, given: Iterable[Amount], leave: Leave) -> ByWhat | Literal["given", "ask"]:
    """Return what allows a run to come to an amount; ``ask`` if nothing does, ``given`` if it was allowed before.

    Parameters
    ----------
    total : Amount
        What was spent, and what is left to ask.
    given : iterable of Amount
        Each amount that was allowed before.
    leave : Leave

    Notes
    -----
    A model without a price is never below a threshold, and no cap can hold its cost.
    """
    if any(total.within(each) for each in given):
        return "given"
    if leave.yes:
        return "flag"
    if leave.cap_usd is not None and not total.unpriced:
        return "cap"
    if leave.unattended:
        return "unattended"
    return "threshold" if total.within(Amount(leave.ask_above_usd)) else "ask"


def question(bills: Sequence[ModelBill], spent: Amount, given: Amount, leave: Leave) -> tuple[str, ...]:
    """Return what a run is about to spend, and why that needs consent, one line each.

    Parameters
    ----------
    bills : sequence of ModelBill
        What is left, at least one.
    spent : Amount
        What was asked before.
    given : Amount
        The most that was agreed to before.
    leave : Leave
    """
    lines = [f"this run is about to ask {together(bills)}"]
    if len(bills) > 1:
        lines += [f"  {bill.model}: {together([bill])}" for bill in bills]
    lines += [f"  {source}" for source in dict.fromkeys(bill.source for bill in bills if bill.source)]
    if spent.usd:
        lines += [f"  already spent: at most {_usd(spent.usd)}"]
    return (*lines, *(f"  it asks because {reason}" for reason in _reasons(bills, spent, given, leave)))


def together(bills: Sequence[ModelBill]) -> str:
    """Return ``40 requests: about 0.6 USD (0.4 to 0.9), at most 1.2 USD``."""
    requests = sum(bill.requests for bill in bills)
    unpriced = sum(bill.amount.unpriced for bill in bills)
    priced = [bill for bill in bills if bill.most_usd is not None]
    cost = f"{_about(priced)}at most {_usd(sum(bill.amount.usd for bill in bills))}"
    if unpriced == requests:
        cost = "at an unknown price"
    elif unpriced:
        cost += f", and {unpriced:,} of them have no known price"
    return f"{requests:,} request{'s' if requests != 1 else ''}: {cost}"


def _about(priced: Sequence[ModelBill]) -> str:
    """Return what the requests are expected to cost; nothing unless that is estimated of all of them."""
    bands = [bill.about for bill in priced if bill.about is not None]
    if not bands or len(bands) < len(priced):
        return ""
    band = sum(bands, NOTHING)
    limits = "" if band.is_exact else f" ({_number(band.low)} to {_number(band.high)})"
    return f"about {_usd(band.expected)}{limits}, "


def _reasons(bills: Sequence[ModelBill], spent: Amount, given: Amount, leave: Leave) -> Iterator[str]:
    unpriced = [bill.model for bill in bills if bill.most_usd is None and not bill.unbounded]
    if unpriced:
        yield f"there is no price for {', '.join(unpriced)}"
    for bill in bills:
        if bill.unbounded:
            yield f"token prices do not limit the cost of {', '.join(bill.unbounded)} in extra_body of {bill.model}"
    most = spent.usd + sum(bill.amount.usd for bill in bills)
    if given.usd > leave.ask_above_usd and not Amount(most).within(given):
        yield f"it may cost more than the agreed {_usd(given.usd)}"
    elif not Amount(most).within(Amount(leave.ask_above_usd)):
        yield f"it may cost more than {_usd(leave.ask_above_usd)} (spending.ask_above_usd)"


def _usd(amount: float) -> str:
    return f"{_number(amount)} USD"


def _number(amount: float) -> str:
    """Return an amount with three digits that count, and all digits before the decimal point."""
    return f"{amount:,.2f}" if amount >= 10 else f"{amount:.3g}"

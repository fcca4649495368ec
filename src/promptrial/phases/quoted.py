"""A quote as values: what is still to be asked, and what that takes and costs. ``quote`` makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import NamedTuple

from promptrial.costs.bands import NOTHING, Band
from promptrial.costs.tokens import Estimated
from promptrial.documents.cost_report import Price

__all__ = ["Quote", "Quoted", "Requests"]


class Requests(NamedTuple):
    """How many requests there are of each kind.

    ``new`` are still to be sent, ``answered`` have an answer, ``in_flight`` were sent and have none yet, ``shared`` are
    asked for another trial, and ``reused`` have their answers from another run.
    """

    new: int = 0
    answered: int = 0
    in_flight: int = 0
    shared: int = 0
    reused: int = 0

    def plus(self, other: Requests) -> Requests:
        """Return the requests of both."""
        return Requests(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Quoted:
    """What is still to be asked of one arm of a trial, and what that takes.

    Parameters
    ----------
    trial, arm, model : str
        Slug, name and alias.
    requests : Requests
    input_tokens, output_tokens : Estimated or None
        Of the new requests; None without new ones, and if the questions are not here.
    usd : Band or None
        What they cost; None if the model has no price, which is not the same as free, and where tokens are None.
    reserve_usd : float or None
        What they can cost at most.
    jobs : int
        In how many jobs they are sent; 0 where each takes a call of its own.
    seconds : Band or None
        How long it takes until all is answered if no other arm is asked; None if that was not measured.
    again : int
        How many of the new requests take the place of others that were asked before.
    why : str
        What has changed since; empty if none are asked again.
    saved_usd : float or None
        About what the requests would cost whose answers will be taken over from another run; None without a price.
    """

    trial: str
    arm: str
    model: str
    requests: Requests
    input_tokens: Estimated | None = None
    output_tokens: Estimated | None = None
    usd: Band | None = None
    reserve_usd: float | None = None
    jobs: int = 0
    seconds: Band | None = None
    again: int = 0
    why: str = ""
    saved_usd: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Quote:
    """What a run will ask, arm by arm, in the order of its trials. Totals are of the arms that are still to be asked.

    Parameters
    ----------
    arms : tuple of Quoted
    items : int or None
        How many questions each arm is asked; None if that is not known.
    seconds : Band or None
        How long all of it takes; None if that was not measured.
    absent : tuple of str
        The data sets on the hub that are not here: numbers of requests are then upper bounds, and the rest is unknown.
    prices : mapping
        The price of each model that is still to be asked, by alias; nothing of one that has none.
    """

    arms: tuple[Quoted, ...]
    items: int | None
    seconds: Band | None = None
    absent: tuple[str, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)

    @property
    def requests(self) -> Requests:
        """All requests."""
        return reduce(Requests.plus, (each.requests for each in self.arms), Requests())

    @property
    def asked(self) -> tuple[Quoted, ...]:
        """The arms with requests that are still to be asked."""
        return tuple(each for each in self.arms if each.requests.new)

    @property
    def input_tokens(self) -> Band | None:
        """The tokens of all new requests; None if they are not known."""
        return _sum([None if each.input_tokens is None else each.input_tokens.tokens for each in self.asked])

    @property
    def output_tokens(self) -> Band | None:
        """The tokens of the answers to them; None if they are not known."""
        return _sum([None if each.output_tokens is None else each.output_tokens.tokens for each in self.asked])

    @property
    def usd(self) -> Band | None:
        """What the run will cost; None if that of any arm is not known."""
        return _sum([each.usd for each in self.asked])

    @property
    def reserve_usd(self) -> float | None:
        """What the run can cost at most; None if that of any arm is not known."""
        found = [each.reserve_usd for each in self.asked]
        known = [each for each in found if each is not None]
        return sum(known) if len(known) == len(found) else None

    @property
    def saved_usd(self) -> float | None:
        """About what the requests would cost whose answers will be taken over; None if that of any arm is not known."""
        known = [each.saved_usd for each in self.arms if each.saved_usd is not None]
        return sum(known) if len(known) == len(self.arms) else None

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models without a price that are still to be asked."""
        return () if self.absent else tuple(dict.fromkeys(each.model for each in self.asked if each.usd is None))


def _sum(bands: Sequence[Band | None]) -> Band | None:
    known = [each for each in bands if each is not None]
    return reduce(add, known, NOTHING) if len(known) == len(bands) else None

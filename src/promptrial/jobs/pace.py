"""How many requests a server is sent at once, and when the next one: a value of state that follows its outcomes.

A server that asks for fewer (429) is sent half as many, and then one more for each round of answers to what was sent
after that. One that fails is left alone for a while, which doubles as long as no answer comes, and is then sent a
single request before the others. Of requests that were sent before such a change, failures and refusals change nothing
again, and answers say no more than that the server is well. Nothing is sent here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from promptrial.runtime.clock import Clock
from promptrial.runtime.retry import Backoff

__all__ = ["Pace"]


@dataclass(slots=True)
class Pace:
    """The pace of one server.

    Parameters
    ----------
    most : int
        Requests at once that are never exceeded.
    clock : Clock
    backoff : Backoff
        The waits after failures; also how long a wait the server may ask for.
    name : str
        What the jitter of the waits is drawn from.

    Attributes
    ----------
    in_flight : int
        Requests that were sent and have not come back, or whose answers are not on disk yet.
    room : float
        How many there may be now.
    failures : int
        Rounds without an answer, in a row.
    failing_since : float or None
        When the first of these was noted, in the clock's seconds.
    """

    most: int
    clock: Clock
    backoff: Backoff
    name: str
    in_flight: int = 0
    room: float = 0.0
    failures: int = 0
    failing_since: float | None = None
    last_answer: float | None = None
    _round: int = field(default=0, init=False)
    _held_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.room = float(self.most)

    def may_send(self) -> bool:
        """Return whether another request may be sent now."""
        room = 1 if self.failures else int(self.room)
        return self.in_flight < room and self.clock.monotonic() >= self._held_until

    def wait_s(self) -> float:
        """Return the seconds until requests may be sent again, as far as that depends on time."""
        return max(0.0, self._held_until - self.clock.monotonic())

    def sent(self) -> int:
        """Note that a request was sent; returns its round, which its outcome is noted with."""
        self.in_flight += 1
        return self._round

    def answered(self, of_round: int) -> None:
        """Note an answer, or a refusal of one request: the server is well.

        One that was sent before the server asked for fewer is no reason to send more.
        """
        self.failures, self.failing_since, self.last_answer = 0, None, self.clock.monotonic()
        if of_round == self._round:
            self.room = min(float(self.most), self.room + 1.0 / self.room)

    def asked_to_slow_down(self, of_round: int, asked_s: float | None) -> bool:
        """Note that a request was refused because there were too many; return whether that was news."""
        is_new = self.failed(of_round, asked_s)
        if is_new:
            self.room = max(1.0, self.room / 2)
        return is_new

    def failed(self, of_round: int, asked_s: float | None) -> bool:
        """Note that a request failed; return whether that was news."""
        now = self.clock.monotonic()
        if self.failing_since is None:
            self.failing_since = now
        is_new = of_round == self._round
        if is_new:
            self._round += 1
            self.failures += 1
        if is_new or asked_s is not None:
            wait_s = self.backoff.delay_s(max(self.failures, 1), self.name, asked_s)
            self._held_until = max(self._held_until, now + wait_s)
        return is_new

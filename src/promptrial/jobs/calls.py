"""Calls to providers that may fail and work later: made again until they work, or the outage has lasted too long.

An outage is a provider's, not a part's: once it has lasted too long for one part, the others are given up too, and only
once a minute does one of them try, so that thousands of parts do not each wait for the same thing. A resume takes them
all up again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from promptrial.errors import NotAskedError, OutcomeUnknownError, TransferStoppedError, TransientError
from promptrial.jobs.calls_beside import CallsBeside
from promptrial.jobs.schedule import Steps
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import EventLog
from promptrial.runtime.retry import Backoff
from promptrial.runtime.stop import StopToken

__all__ = ["Calls"]

_T = TypeVar("_T")
_SAID_AFTER: Final = 4
"""Failures in a row that are too common to be spoken of."""
_LONG_WAIT_S: Final = 60.0
"""A wait that a provider asks for, and that is longer than ours: people are told of it."""
_TOO_LONG_TO_COUNT_S: Final = 31 * 86400.0
_BETWEEN_TRIALS_S: Final = 60.0
"""How long nothing is asked of a provider that was given up."""
_STOPPING_S: Final = 60.0
"""How long an outage is waited out once a stop was asked for: what is in flight is safe with the provider."""


@dataclass(slots=True)
class _Outage:
    since: float
    said: bool = False
    asked: bool = False
    error: TransientError | None = None
    until: float = 0.0
    """A call before that gets ``error``, and nothing is asked."""


@dataclass(slots=True)
class Calls:
    """Makes calls for all parts of a run.

    Parameters
    ----------
    clock : Clock
    stop : StopToken
    events : EventLog
    backoff : Backoff
        The waits between two calls.
    patience_s : float
        How long a call may fail again and again, or its provider answer no call, before it is given up.
    """

    clock: Clock
    stop: StopToken
    events: EventLog
    backoff: Backoff
    patience_s: float
    _beside: CallsBeside | None = field(default=None, init=False)
    _outages: dict[str, _Outage] = field(default_factory=dict)

    def retried(self, call: Callable[[], _T], provider: str, key: str, *, beside: bool = False) -> Steps[_T]:
        """Make a call to a provider until it works; ``key`` is what the jitter of the waits is drawn from.

        With ``beside`` other tasks may go on meanwhile: for what looks, and creates and writes nothing.

        Raises
        ------
        TransientError
            The last one, when it was given up. Any other error at once.
        """
        self._check(provider)
        failing_since: float | None = None
        for failures in itertools.count(1):
            try:
                result = (yield from self._made_beside(call, provider)) if beside else call()
            except (TransferStoppedError, NotAskedError):
                raise
            except TransientError as error:
                failing_since = self.clock.monotonic() if failing_since is None else failing_since
                if self._is_over(provider, failing_since, error):
                    raise
                if failures >= _SAID_AFTER:
                    self._say(provider, error)
                delay_s = self.backoff.delay_s(failures, key, error.retry_after_s)
                self._say_what_was_asked(provider, error.retry_after_s, delay_s)
                yield delay_s
            except OutcomeUnknownError:  # no answer either, but not to be asked for again before one has looked
                raise
            except Exception:
                self._answered(provider)
                raise
            else:
                self._answered(provider)
                return result
        raise AssertionError  # pragma: no cover - a count has no end

    def _made_beside(self, call: Callable[[], _T], provider: str) -> Steps[_T]:
        if self._beside is None:
            return call()

        def when_it_is_its_turn() -> _T:
            self._check(provider)
            return call()

        return (yield from self._beside.made(when_it_is_its_turn, provider))

    @contextmanager
    def beside_others(self, beside: CallsBeside) -> Iterator[None]:
        """Within the block calls that may be made while other tasks go on are made so."""
        self._beside = beside
        try:
            yield
            beside.finish()
        finally:
            self._beside = None
            beside.close()

    def _check(self, provider: str) -> None:
        """Raise what others have met, as a ``NotAskedError``, if the provider was given up a moment ago."""
        outage = self._outages.get(provider)
        if outage is not None and outage.error is not None and self.clock.monotonic() < outage.until:
            raise NotAskedError(outage.error.message, hint=outage.error.hint)

    def _is_over(self, provider: str, failing_since: float, error: TransientError) -> bool:
        """Take note of a failure; return whether there is no point in another try."""
        now = self.clock.monotonic()
        outage = self._outages.setdefault(provider, _Outage(failing_since))
        if now - outage.since >= self._patience_s:
            outage.error, outage.until = error, now + _BETWEEN_TRIALS_S
            return True
        return now - failing_since >= self._patience_s

    @property
    def _patience_s(self) -> float:
        return min(self.patience_s, _STOPPING_S) if self.stop.is_set() else self.patience_s

    def _say(self, provider: str, error: TransientError) -> None:
        outage = self._outages[provider]
        if not outage.said:
            outage.said = True
            self.events.warn(
                f"{provider} is not responding properly ({error.message}); calls are repeated for up to "
                f"{self._patience_s:,.0f} s"
            )

    def _say_what_was_asked(self, provider: str, asked_s: float | None, delay_s: float) -> None:
        """Say, once an outage, that a provider asks for a long wait, and how much of it is kept to."""
        outage = self._outages[provider]
        if asked_s is None or asked_s <= _LONG_WAIT_S or outage.asked:
            return
        outage.asked = True
        asked = f"{asked_s:,.0f} s" if asked_s < _TOO_LONG_TO_COUNT_S else "more than a month"
        shorter = "" if delay_s >= asked_s else f"; the next call is in {delay_s:,.0f} s, the longest wait"
        self.events.say(f"{provider} asks to wait {asked} before the next call{shorter}")

    def _answered(self, provider: str) -> None:
        outage = self._outages.pop(provider, None)
        if outage is not None and outage.said:
            self.events.say(f"{provider} is responding again")

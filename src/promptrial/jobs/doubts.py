"""What of a run's jobs is known, and whose turn it is to create one where only one may be in doubt at a time.

A vendor that keeps no key of ours shows a job only by its time and size. As long as one attempt at most is in doubt, a
job that nobody has on record can be distinguished: it is that attempt's, or a stranger's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from promptrial.jobs.schedule import Steps
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup
from promptrial.store.part_records import IN_DOUBT

__all__ = ["Doubts"]

_FIRST_LOOK_S = 0.05
_LONGEST_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Doubts:
    """The jobs of a run.

    Parameters
    ----------
    work : sequence of PartWork
        All parts of the run.
    """

    work: Sequence[PartWork]
    _asking: dict[str, str] = field(default_factory=dict)
    """Instance -> the part that may create a job there."""
    _expected: set[str] = field(default_factory=set)
    """Parts that are going to be worked on, and may be in doubt until then."""

    def expect(self, work: Iterable[PartWork]) -> None:
        """Note which parts are going to be worked on: what is in doubt of others is not waited for."""
        self._expected.clear()
        self._expected.update(each.name for each in work)

    def known(self) -> frozenset[str]:
        """Return what vendors call the jobs that are on record; one that was disowned is not."""
        return frozenset(_jobs(self.work))

    def turn(self, work: PartWork) -> Steps[None]:
        """Wait until a part may create a job, or find out whether it has one. ``done`` ends its turn."""
        if work.provider().lookup is not JobLookup.GUESS:
            return
        wait_s = _FIRST_LOOK_S
        while not self._is_free(work):
            yield wait_s
            wait_s = min(2 * wait_s, _LONGEST_LOOK_S)
        self._asking[work.model.provider] = work.name

    def done(self, work: PartWork) -> None:
        """End the turn of a part: it has a job, has none, or is left in doubt."""
        self._expected.discard(work.name)
        if self._asking.get(work.model.provider) == work.name:
            del self._asking[work.model.provider]

    def _is_free(self, work: PartWork) -> bool:
        asking = self._asking.get(work.model.provider)
        if asking is not None or _may_have_asked(work):
            return asking in {None, work.name}
        return not any(
            other.name in self._expected and _may_have_asked(other)
            for other in self.work
            if other is not work and other.model.provider == work.model.provider
        )


def _may_have_asked(work: PartWork) -> bool:
    """Whether the latest attempt is in doubt and was not parked: one that is parked is not waited for."""
    return work.latest is not None and work.latest.status == "submitting"


def _jobs(work: Iterable[PartWork]) -> Iterable[str]:
    intents = (intent for each in work for intent in each.record.intents if intent.status not in IN_DOUBT)
    return (intent.job for intent in intents if intent.job is not None)

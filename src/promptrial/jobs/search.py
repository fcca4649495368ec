"""Looking for the job of an attempt: at the vendor, by what it keeps of ours, or by what was noted here."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptrial.errors import TransientError, UndecidedError
from promptrial.jobs.calls import Calls
from promptrial.jobs.patience import Patience
from promptrial.jobs.recording import Recorder
from promptrial.jobs.schedule import Steps
from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.settling import Settling
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobRef, PartPayload
from promptrial.runtime.clock import Clock

__all__ = ["Search"]


@dataclass(slots=True)
class Search:
    """Looks for the jobs of one part.

    Parameters
    ----------
    work : PartWork
    recorder : Recorder
    settings : QueueSettings
    clock : Clock
    calls : Calls
    """

    work: PartWork
    recorder: Recorder
    settings: QueueSettings
    clock: Clock
    calls: Calls
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        times = self.settings
        self._patience = Patience(self.clock, times.poll_interval_s, times.longest_wait_s, times.job_deadline_s)

    def found(self, payload: PartPayload) -> Steps[JobRef | None]:
        """Look once, or until jobs that may be it can be distinguished."""
        provider = self.work.provider()
        if provider.lookup is JobLookup.NONE:
            return self.noted(payload)
        while True:
            try:
                return (
                    yield from self.calls.retried(
                        lambda: provider.find(payload), self.work.model.provider, f"{payload.key} find"
                    )
                )
            except UndecidedError as several:
                yield self.undecided(several)

    def undecided(self, several: UndecidedError) -> float:
        """Return how long to wait until several jobs can be distinguished.

        Raises
        ------
        TransientError
            If that takes longer than a job may.
        """
        if self._patience.is_over():
            raise TransientError(several.message, hint=several.hint) from several
        said = f"{self.work.name}: {several.message}; waiting for that"
        self.recorder.say_once(f"undecided {self.work.name}", said)
        return self._patience.wait_s()

    def noted(self, payload: PartPayload) -> JobRef | None:
        """Return the job that the file beside the results names, if that was written for this very attempt."""
        crumb = self.work.job_note
        if crumb is None or crumb.request_sha256 != self.work.request_sha256 or crumb.key != payload.key:
            return None
        return JobRef(crumb.name, crumb.outputDatasetId)

    def settled(self, payload: PartPayload, why: str) -> Steps[JobRef | None]:
        """Look until the job is found, or has not been found for long enough to say that it was not created.

        Where the vendor's jobs cannot be looked up there is one look, at what was noted here before the record was
        written; that none is found does not mean then that there is none.
        """
        self.recorder.events.warn(f"{self.work.name}: it is not known whether job {payload.key} was created: {why}")
        return (yield from self.looked_for(payload))

    def looked_for(self, payload: PartPayload, times: int = 1) -> Steps[JobRef | None]:
        """Look for the job for the settling time, or so many times as long."""
        if self.work.provider().lookup is JobLookup.NONE:
            return self.noted(payload)
        settling = Settling(self.settings, self.clock, times)
        while True:
            found = yield from self.found(payload)
            if found is not None or settling.is_over():
                return found
            yield settling.wait_s

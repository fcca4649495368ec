"""Looking at a job of a provider until it has ended, or until the provider no longer knows it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from promptrial.errors import PermanentError
from promptrial.jobs.patience import Patience
from promptrial.jobs.schedule import FOR_A_PERSON, Steps
from promptrial.jobs.services import QueueServices
from promptrial.jobs.settling import Settling
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState, JobStatus
from promptrial.runtime.progress import duration

__all__ = ["JobWatch"]


@dataclass(slots=True)
class JobWatch:
    """Watches the jobs of one part.

    Parameters
    ----------
    work : PartWork
    services : QueueServices
    patient : bool
        Whether to go on looking at a job that waits for a person, where its provider says so.

    Attributes
    ----------
    awaited : JobStatus or None
        What a person has to do, as long as the job waits for that.
    """

    work: PartWork
    services: QueueServices
    patient: bool = True
    awaited: JobStatus | None = field(default=None, init=False)

    def until_end(self, job: JobRef) -> Steps[JobStatus]:
        """Look at a job until it has ended, or the provider has not known it for the settling time.

        Raises
        ------
        PermanentError
            If it has not ended within the deadline.
        """
        provider, began = self.work.provider(), self.services.clock.monotonic()
        waits = Patience(
            self.services.clock, self.services.settings.poll_interval_s, self.services.settings.longest_wait_s
        )
        missing: Settling | None = None
        said = ""
        while True:
            status = yield from self.services.calls.retried(
                lambda: provider.status(job), self.work.model.provider, f"{job.name} status", beside=True
            )
            self.awaited = None
            if status.state is JobState.BY_HAND:
                yield self._for_a_person(status, waits.wait_s())
                continue
            if status.state is JobState.MISSING:
                missing = missing or Settling(self.services.settings, self.services.clock)
                if missing.is_over():
                    return replace(status, message=f"the provider no longer has job {job.name}")
                yield missing.wait_s
                continue
            if status.state is not JobState.WORKING:
                return status
            missing = None
            if self.work.record.status != "running" or self.work.record.reason is not None:
                self.services.recorder.record_attempt(self.work, "running")
            if status.message and status.message != said:
                said = status.message
                self.services.recorder.say_once("job", f"{self.work.name}: {said} (other parts may be affected too)")
            if self.services.clock.monotonic() - began > self.services.settings.job_deadline_s:
                raise PermanentError(
                    f"job {job.name} has not ended within {duration(self.services.settings.job_deadline_s)}",
                    hint=(
                        "check the job at the provider: if the model is not served, it may never start. A resume "
                        "waits for it again; if you delete the job there, resume with --rebuy to ask its requests "
                        "again"
                    ),
                )
            yield waits.wait_s()

    def _for_a_person(self, status: JobStatus, wait_s: float) -> float:
        """Record what a person has to do, and say it where this process waits for that; return for how long."""
        self.awaited = status
        asked = self.services.recorder.events.redact(status.message)
        if self.work.record.reason != asked or self.work.record.status != "running":
            self.services.recorder.record_attempt(self.work, "running", reason=status.message)
        if not (status.patient and self.patient):
            return FOR_A_PERSON
        steps = "".join(f"\n  {step}" for step in status.steps)
        self.services.recorder.say_once(
            f"by hand {self.work.name} {status.message}", f"{self.work.name}: {status.message}{steps}"
        )
        return wait_s

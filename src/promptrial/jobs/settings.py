"""How patient the queue is, and how much it does at once: values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptrial.runtime.retry import Backoff

__all__ = ["QueueSettings"]


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Waits in seconds, all of them measured by a clock that nobody can set.

    Parameters
    ----------
    max_concurrent_jobs : int
        How many jobs may be in flight at a provider.
    poll_s, longest_poll_s : float
        The wait between the first looks at a job, and the longest that it grows to.
    settle_s, settle_looks : float, int
        After a call whose outcome is unknown: for how long, and in how many looks at the least, the job must not be
        found before it counts as not created.
    quota_s : float
        The wait while a provider has no room for another job.
    deadline_s : float
        For how long one process follows a job at the most: a day, and what a provider takes to say so.
    max_attempts : int
        How often requests that a job left unanswered are put into a new one, the first job included.
    backoff : Backoff
        The waits between calls that failed and may work later.
    outage_s : float
        How long a provider may fail to answer before its parts are left for a resume.
    rebuy : bool
        Whether answers that were paid for, and can no longer be had, may be paid for again.
    """

    max_concurrent_jobs: int = 8
    poll_s: float = 10.0
    longest_poll_s: float = 60.0
    settle_s: float = 60.0
    settle_looks: int = 3
    quota_s: float = 60.0
    deadline_s: float = 26 * 3600.0
    max_attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    outage_s: float = 1800.0
    rebuy: bool = False

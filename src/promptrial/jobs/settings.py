"""How patient the queue is, and how much it does at once: values only."""

from __future__ import annotations

from pydantic import Field

from promptrial.config.execution import ExecutionConfig
from promptrial.runtime.retry import Backoff

__all__ = ["QueueSettings"]


class QueueSettings(ExecutionConfig):
    """The section ``execution`` of the configuration, as it is, and what an invocation adds to it.

    Waits are in seconds, all of them measured by a clock that nobody can set.

    Raises
    ------
    ValidationError
        If a value is outside the range that the configuration allows.
    """

    rebuy: bool = Field(False, description="whether answers that were paid for and are lost may be paid for again")
    settle_looks: int = Field(3, ge=1, description="minimum number of checks in which a job must not be found")

    @property
    def backoff(self) -> Backoff:
        """The waits between calls that failed and may work later."""
        return Backoff(first_s=self.first_retry_s)

    @property
    def longest_wait_s(self) -> float:
        """The longest wait between looks at a job: never below the first."""
        return max(self.poll_interval_s, self.longest_poll_interval_s)

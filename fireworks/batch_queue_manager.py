"""The queue of batch jobs under the name that runbooks import; it lives in ``promptrial.jobs.queue``."""

from promptrial.jobs.queue import QueueManager

__all__ = ["QueueManager"]

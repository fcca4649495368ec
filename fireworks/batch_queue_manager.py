"""The queue of batch jobs under the name that runbooks import; it lives in ``promptrial.queue``."""

from promptrial.queue import QueueManager

__all__ = ["QueueManager"]

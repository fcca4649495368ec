"""The queue that a phase works through parts with. It loads the queue, which a plan does without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from promptrial.jobs.budget import Budget
from promptrial.jobs.queue import QueueManager
from promptrial.jobs.work import PartWork
from promptrial.phases.services import Services
from promptrial.phases.settings import queue_settings
from promptrial.phases.spec import RunSpec

__all__ = ["queue_of"]


@contextmanager
def queue_of(
    spec: RunSpec, services: Services, parts: Sequence[PartWork], budget: Budget, others: Sequence[PartWork] = ()
) -> Iterator[QueueManager]:
    """Give the queue of some parts of a run; ``others`` are parts that are not worked on (see ``QueueManager``).

    Side effects: the journals of all of them are closed after it, so that a long process does not run out of files.
    """
    try:
        yield QueueManager(
            parts,
            services.clock,
            services.events,
            services.stop,
            services.part_done,
            queue_settings(spec),
            others,
            budget,
        )
    finally:
        for work in (*parts, *others):
            work.folder.journal.close()

"""What the parts of a queue are worked on with: the same for all of them, and for everything that works on one."""

from __future__ import annotations

from dataclasses import dataclass

from promptrial.jobs.calls import Calls
from promptrial.jobs.doubts import Doubts
from promptrial.jobs.recording import Recorder
from promptrial.jobs.settings import QueueSettings
from promptrial.runtime.clock import Clock
from promptrial.runtime.stop import StopToken

__all__ = ["QueueServices"]


@dataclass(frozen=True, slots=True)
class QueueServices:
    """What the parts of a queue are worked on with.

    Parameters
    ----------
    clock : Clock
    stop : StopToken
        Once set, no further attempt is made, and no further request is sent.
    recorder : Recorder
    settings : QueueSettings
    calls : Calls
    doubts : Doubts
        The jobs of the run that are known.
    failures : dict
        Where an error that ends the work on a part is noted, under the part's name.
    """

    clock: Clock
    stop: StopToken
    recorder: Recorder
    settings: QueueSettings
    calls: Calls
    doubts: Doubts
    failures: dict[str, str]

"""Deliberate bugs, to show that the fault matrix detects them. Each function plants one permanently in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from promptrial.jobs import submission
from promptrial.jobs.answers import Answers
from promptrial.jobs.recording import Recorder
from promptrial.jobs.schedule import Steps
from promptrial.jobs.search import Search
from promptrial.jobs.submission import Submission
from promptrial.jobs.work import PartWork
from promptrial.providers import http_outcomes
from promptrial.providers.anthropic import AnthropicProvider
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.fireworks import FireworksProvider
from promptrial.providers.openai import OpenAIProvider
from promptrial.runtime.events import Redactor
from promptrial.store.part_records import PartStatus


def no_lookup() -> None:
    """Create a job without checking whether it already exists."""
    FireworksProvider.find = lambda self, payload: None  # type: ignore[method-assign]  # noqa: ARG005


def counts_on_keys() -> None:
    """Take a vendor for one that refuses a second job of a key, and create a job again that cannot be found."""
    FireworksProvider.keyed = True


def no_intent() -> None:
    """Record a job only when its creation was answered."""
    real = Recorder.record

    def record(self: Recorder, work: PartWork, status: PartStatus, **fields: Any) -> None:
        if status not in {"pending", "submitting"}:
            real(self, work, status, **fields)

    Recorder.record = record  # type: ignore[method-assign]


def asks_everything_again() -> None:
    """Put every request of a part into its second job, the answered ones, too."""
    real = Submission.steps
    Submission.steps = lambda self, unanswered: real(self, unanswered and None)  # type: ignore[method-assign]


def new_key_each_time() -> None:
    """Treat a job with an unanswered create as not created, and continue under another key."""

    def attempt(self: Submission, rows: int) -> int:  # noqa: ARG001
        return 1 + max((intent.attempt for intent in self.work.intents), default=0)

    Submission._attempt = attempt  # type: ignore[method-assign]


def expired_is_lost() -> None:
    """Throw away what a job had answered when it expired, and ask all of it again."""
    Answers.ids = lambda self, before=None: frozenset()  # type: ignore[method-assign]  # noqa: ARG005


def key_is_the_name() -> None:
    """Take our key for what the vendor calls a job that was found."""
    real = Search.found

    def found(self: Search, payload: PartPayload) -> Steps[JobRef | None]:
        job = yield from real(self, payload)
        return job and JobRef(payload.key)

    Search.found = found  # type: ignore[method-assign]


def no_note() -> None:
    """Do not believe the file beside the results, which names the job."""
    Search.noted = lambda self, payload: None  # type: ignore[method-assign]  # noqa: ARG005


def says_the_key() -> None:
    """Name the key in messages, where a person would look for it, and keep it in what is written down."""
    Redactor.__call__ = lambda self, text: text  # type: ignore[method-assign]  # noqa: ARG005
    real = http_outcomes.Call.text
    http_outcomes.Call.text = lambda self, problem: f"{real(self, problem)} ({self.service.key})"  # type: ignore[method-assign]


def fences_nothing() -> None:
    """Claim that a call of unknown outcome can no longer create a batch, keep its file, and stop searching."""
    submission._TIMES_AFTER_A_FENCE = 1  # type: ignore[misc]
    OpenAIProvider.fence = lambda self, payload: True  # type: ignore[method-assign]  # noqa: ARG005


def guesses_nothing() -> None:
    """Take a batch that was asked for without an answer for one that was refused."""
    AnthropicProvider.keyed = True
    AnthropicProvider.find = lambda self, payload: None  # type: ignore[method-assign]  # noqa: ARG005


BUGS: Final[dict[str, Callable[[], None]]] = {
    bug.__name__: bug
    for bug in (
        no_lookup,
        counts_on_keys,
        no_intent,
        asks_everything_again,
        new_key_each_time,
        expired_is_lost,
        key_is_the_name,
        no_note,
        says_the_key,
        fences_nothing,
        guesses_nothing,
    )
}

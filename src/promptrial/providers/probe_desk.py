"""Where a probe makes its calls: once each, written down with what came of them; and where it waits for jobs to end.

Nothing is repeated but looks. What a vendor says is bounded, on one line and without the key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import Any, ClassVar, Final, Protocol, Self

import msgspec

from promptrial.documents.probe import ProbeAnswer, ProbeCall
from promptrial.errors import PermanentError, ProviderError
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Kind, RejectedError, printable
from promptrial.providers.http_service import Service
from promptrial.providers.wire import mapping
from promptrial.runtime.clock import Clock

__all__ = ["Desk", "Probe", "Reply", "order_found"]

_MOST_LINES: Final = 20
_POLL_S: Final = 10.0
_SHOWN: Final = 500
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call: the HTTP status (200 for any success, 0 without an answer), the JSON, and words for it."""

    status: int
    body: Any = None
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was carried out."""
        return self.status == 200

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return what is under a key; None if nothing does."""
        return mapping(self.body).get(key)

    @property
    def outcome(self) -> str:
        """In a few words, for a sentence."""
        return "accepted" if self.ok else self.said or "no answer"


@dataclass(slots=True)
class Desk:
    """The calls of one probe.

    Parameters
    ----------
    http : HttpClient
    clock : Clock
    nonce : str
        What the names of all things that the probe makes hold.
    redact : callable
        Takes what is secret out of a text.
    on_answer : callable
        Called with each answer as it is found.
    deadline_s : float
        How long jobs are waited for.
    """

    http: HttpClient
    clock: Clock
    nonce: str
    redact: Callable[[str], str]
    on_answer: Callable[[ProbeAnswer], None]
    deadline_s: float
    _calls: list[ProbeCall] = field(default_factory=list)

    def call(
        self, method: str, path: str, *, http: HttpClient | None = None, query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Reply:  # fmt: skip
        """Make one call, and write down what came of it."""
        kind = Kind.CREATES if method == "POST" else Kind.REPEATABLE
        what = f"{method} {path}"

        def make() -> Reply:
            raw = (http or self.http).call(method, path, msgspec.Raw, what=what, kind=kind, query=query, body=body)
            value = msgspec.json.decode(raw)
            return Reply(200, value, self._shown(raw))

        return self._noted(what, make)

    def upload(self, path: str, rows: Iterable[object], fields: Mapping[str, str]) -> Reply:
        """Post rows as a file of JSON lines."""

        def make() -> Reply:
            file, name = BytesIO(msgspec.json.Encoder().encode_lines(rows)), f"{self.nonce}.jsonl"
            value = self.http.create_file(path, file, name, dict[str, Any], what=f"POST {path}", fields=fields)
            return Reply(200, value, self._shown(msgspec.json.encode(value)))

        return self._noted(f"POST {path} (a file)", make)

    def lines(self, what: str, read: Callable[[], Iterable[bytes]]) -> list[Any]:
        """Return the first rows of a file as JSON, and write them down."""
        rows: list[Any] = []

        def make() -> Reply:
            for line in islice(read(), _MOST_LINES):
                rows.append(msgspec.json.decode(line))  # noqa: PERF401 - what came before an error counts
            return Reply(200, rows, self._shown(msgspec.json.encode(rows)))

        self._noted(what, make)
        return rows

    def until(self, looks: Mapping[str, Callable[[], Reply]], is_over: Callable[[Reply], bool]) -> dict[str, Reply]:
        """Look at jobs until all have ended, or for the longest wait; return the last look at each.

        Only the last look at each is written down.
        """
        last: dict[str, Reply] = {}
        never, end, before = threading.Event(), self.clock.monotonic() + self.deadline_s, len(self._calls)
        while True:
            del self._calls[before:]
            for name, look in looks.items():
                if name not in last or not is_over(last[name]):
                    last[name] = look()
            if all(is_over(reply) for reply in last.values()) or self.clock.monotonic() >= end:
                return last
            self.clock.wait(never, _POLL_S)

    def note(self, name: str, question: str, found: str, last: Reply | None = None) -> None:
        """Answer a question by the calls that were made since the last one was, and by the last look at a job."""
        looks = [] if last is None else [ProbeCall("the last look", last.status, self.redact(last.said))]
        calls, self._calls = [*looks, *self._calls], []
        self.on_answer(ProbeAnswer(name, question, self.redact(printable(found, _LONGEST)), calls))

    def note_order(self, jobs: str, page: Reply, made: list[Any], listed: Iterable[Any]) -> None:
        """Answer in which order jobs are listed, by a page of the list and the names of those just made."""
        found = order_found(made, listed) if page.ok else page.said
        self.note("list_order", f"In which order are {jobs} listed?", found)

    def note_ends(
        self,
        questions: Iterable[tuple[str, str, str]],
        made: Mapping[str, Reply],
        ends: Mapping[str, Reply],
        described: Callable[[str, Reply], str],
    ) -> None:
        """Answer questions by how jobs ended.

        Parameters
        ----------
        questions : iterable of tuple
            The name of a job here, the name of the question, and the question.
        made : mapping
            What came of the calls that make them, by their names here.
        ends : mapping
            The last look at each that was made.
        described : callable
            Says, of a name and such a look, how the job ended.
        """
        self.forget()
        for name, key, question in questions:
            end = ends.get(name)
            found = described(name, end) if end else f"not created: {made[name].outcome}"
            self.note(key, question, found, end)

    def require(self, reply: Reply) -> Reply:
        """Return the answer to a call without which there is nothing to ask.

        Raises
        ------
        PermanentError
            If it was not carried out.
        """
        if not reply.ok:
            raise PermanentError(
                f"{self.http.service.vendor}: the probe could not start: {reply.outcome}",
                hint=f"check the model, and {self.http.service.key_variable or 'the address'}",
            )
        return reply

    def forget(self) -> None:
        """Leave out the calls since the last answer: they answer nothing."""
        self._calls.clear()

    def _noted(self, what: str, make: Callable[[], Reply]) -> Reply:
        try:
            reply = make()
        except RejectedError as error:
            code = f" ({error.code})" if error.code else ""
            reply = Reply(error.status, None, self.redact(f"HTTP {error.status}{code}: {error.detail}"))
        except ProviderError as error:
            reply = Reply(0, None, self.redact(error.message))
        except (ValueError, RecursionError) as error:
            reply = Reply(0, None, f"an answer that cannot be read: {printable(str(error))}")
        self._calls.append(ProbeCall(what, reply.status, self.redact(printable(reply.said, _SHOWN))))
        return reply

    def _shown(self, body: bytes | msgspec.Raw) -> str:
        return printable(bytes(body).decode(errors="replace"), _SHOWN)


class Probe(Protocol):
    """The questions to one vendor."""

    rows: ClassVar[int]
    """The most rows that it may have to pay for."""
    tokens: ClassVar[tuple[int, int]]
    """Of a row, about those that go in, and the most that come out."""

    @staticmethod
    def service(env: Mapping[str, str], instance: Instance) -> Service:
        """Return the API that is asked. Makes no call.

        Raises
        ------
        ConfigError
            If the environment lacks a key or an account.
        """

    @classmethod
    def open(cls, desk: Desk, env: Mapping[str, str], instance: Instance, model: ModelSpec) -> Self:
        """Return the questions to an instance and one of its models."""

    def ask(self) -> None:
        """Ask everything: first make all jobs, then follow them to their ends, and clean up.

        Raises
        ------
        PermanentError
            If the first job cannot be made.
        """


def order_found(made: list[Any], listed: Iterable[Any]) -> str:
    """Return in which order what was just made is listed, among other things.

    Examples
    --------
    >>> order_found(["a", "b"], ["c", "b", "a"])
    'newest first'
    """
    ours = [name for name in listed if name in made]
    if len(ours) != len(made):
        return f"{len(ours)} of the {len(made)} just made are listed"
    orders = {tuple(made): "oldest first", tuple(reversed(made)): "newest first"}
    return orders.get(tuple(ours), "neither oldest nor newest first")

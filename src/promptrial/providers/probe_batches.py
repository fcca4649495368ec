"""What the probes of OpenAI's and of Anthropic's batches share: both APIs make, list and cancel batches alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Self

from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.access import timeouts_of
from promptrial.providers.http import HttpClient
from promptrial.providers.probe_desk import Desk, Reply
from promptrial.providers.wire import entries

__all__ = ["BatchProbe"]


@dataclass(slots=True)
class BatchProbe(ABC):
    """The questions to one API; a vendor's own are in ``_ask``.

    Parameters
    ----------
    desk : Desk
    instance : Instance
    model : ModelSpec
    """

    path: ClassVar[str]
    """Where its batches are."""

    desk: Desk
    instance: Instance
    model: ModelSpec
    _made: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, desk: Desk, env: Mapping[str, str], instance: Instance, model: ModelSpec) -> Self:  # noqa: ARG003 - the Protocol's
        """Return the questions; what else they need, the desk has."""
        return cls(desk, instance, model)

    def ask(self) -> None:
        """Ask everything: first make all batches, then follow them to their ends; and clean up, however that goes."""
        try:
            self._ask()
        except BaseException:  # also when a person has had enough
            for batch in self._made:
                self._cancel(batch)
            raise
        finally:
            self._clean()

    @abstractmethod
    def _ask(self) -> None:
        """Ask everything."""

    def _clean(self) -> None:  # noqa: B027 - there may be nothing
        """Delete what was made beside batches: nothing, unless a vendor's probe makes more."""

    def _name(self, name: str, *, exact: bool) -> str:
        """Return the ``custom_id`` of a row: with the probe's own text before it, unless it is to be just this."""
        return name if exact else f"{self.desk.nonce}-{name}"

    def _create(self, body: object, http: HttpClient | None = None) -> Reply:
        made = self.desk.call("POST", self.path, http=http, body=body)
        if made.ok:
            self._made.append(str(made["id"]))
        return made

    def _cancel(self, batch: object) -> None:
        self.desk.call("POST", f"{self.path}/{batch}/cancel")

    def _with_header(self, name: str, value: str) -> HttpClient:
        """Return a client that sends one more header, or another value of one."""
        service = self.desk.http.service
        headed = replace(service, plain_headers=(*service.plain_headers, (name, value)))
        return HttpClient(headed, timeouts_of(self.instance))

    def _idempotency(self, make: Callable[[HttpClient], Reply]) -> dict[str, Reply]:
        """Make one batch twice with the same idempotency key, and cancel one of them if there are two."""
        self.desk.forget()
        http = self._with_header("Idempotency-Key", self.desk.nonce)
        first, second = make(http), make(http)
        http.close()
        same = "yes: both calls created one batch" if first["id"] == second["id"] else "no: two batches"
        found = same if first.ok and second.ok else f"first {first.outcome}; second {second.outcome}"
        self.desk.note("idempotency_key", "Is the Idempotency-Key respected?", found)
        if first.ok and second.ok and first["id"] != second["id"]:
            self._cancel(first["id"])
        return {"first": first, "second": second} if first["id"] != second["id"] else {"first": first}

    def _order(self, batches: Mapping[str, Reply]) -> None:
        page = self.desk.call("GET", self.path, query={"limit": "100"})
        made = [reply["id"] for reply in batches.values() if reply.ok]
        self.desk.note_order("batches", page, made, [each.get("id") for each in entries(page["data"])])

    def _ended(self, batches: Mapping[str, Reply], is_over: Callable[[Reply], bool]) -> dict[str, Reply]:
        """Look at the batches that were made until they are over; return the last look at each."""
        looks = {
            name: partial(self.desk.call, "GET", f"{self.path}/{reply['id']}")
            for name, reply in batches.items()
            if reply.ok
        }
        return self.desk.until(looks, is_over)

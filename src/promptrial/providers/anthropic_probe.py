"""What Anthropic's batch documents leave open: asked with a handful of one-row batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Final, Self

from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.access import timeouts_of
from promptrial.providers.anthropic_service import VERSION_HEADER, anthropic_service
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from promptrial.providers.probe_desk import Desk, Reply, order_found

__all__ = ["AnthropicProbe"]

_BATCHES: Final = "/v1/messages/batches"
_NEWER: Final = "2026-10-21"
_MAX_TOKENS: Final = 16


@dataclass(slots=True)
class AnthropicProbe:
    """The questions to Anthropic's message batches.

    Parameters
    ----------
    desk : Desk
    instance : Instance
    model : ModelSpec
    """

    rows: ClassVar[int] = 10
    tokens: ClassVar[tuple[int, int]] = (20, _MAX_TOKENS)

    desk: Desk
    instance: Instance
    model: ModelSpec
    _made: list[str] = field(default_factory=list)

    @staticmethod
    def service(env: Mapping[str, str], instance: Instance) -> Service:
        """Return the API of an instance."""
        return anthropic_service(env, instance)

    @classmethod
    def open(cls, desk: Desk, env: Mapping[str, str], instance: Instance, model: ModelSpec) -> Self:  # noqa: ARG003
        """Return the questions; what else they need, the desk has."""
        return cls(desk, instance, model)

    def ask(self) -> None:
        """Ask everything: first make all batches, then follow them to their ends."""
        try:
            self._ask()
        except BaseException:  # also when a person has had enough
            for batch in self._made:
                self.desk.call("POST", f"{_BATCHES}/{batch}/cancel")
            raise

    def _ask(self) -> None:
        main = self.desk.require(self._batch([self._row("main")]))
        seen = self.desk.call("GET", f"{_BATCHES}/{main['id']}")
        self.desk.note("visible_at_once", "Is a batch visible right after it was made?", seen.outcome)
        batches = {"main": main}
        batches["double"] = self._refusal(
            "duplicate_ids", "What comes of two rows with one custom_id?", [self._row("double"), self._row("double")]
        )
        batches["long"] = self._refusal(
            "custom_id_limit", "Is a custom_id of 65 characters taken?", [self._row("l" * 65, exact=True)]
        )
        batches |= self._idempotency()
        batches["bad"] = self._batch([self._row("bad", max_tokens=-1), self._row("good")])
        batches["sampler"] = self._sampler()
        batches["cancelled"] = self._batch([self._row("cancelled")])
        if batches["cancelled"].ok:
            self.desk.call("POST", f"{_BATCHES}/{batches['cancelled']['id']}/cancel")
        self.desk.forget()
        self._order([reply["id"] for reply in batches.values() if reply.ok])
        self._ends({name: reply for name, reply in batches.items() if reply.ok}, batches)

    def _row(self, name: str, *, exact: bool = False, **more: object) -> dict[str, Any]:
        params = {
            "model": self.model.id,
            "max_tokens": _MAX_TOKENS,
            "messages": [{"role": "user", "content": "Answer with the one word: yes."}],
            **more,
        }
        return {"custom_id": name if exact else f"{self.desk.nonce}-{name}", "params": params}

    def _batch(self, rows: list[dict[str, Any]], http: HttpClient | None = None) -> Reply:
        made = self.desk.call("POST", _BATCHES, http=http, body={"requests": rows})
        if made.ok:
            self._made.append(str(made["id"]))
        return made

    def _refusal(self, key: str, question: str, rows: list[dict[str, Any]]) -> Reply:
        made = self._batch(rows)
        self.desk.note(key, question, made.outcome)
        return made

    def _with_header(self, name: str, value: str) -> HttpClient:
        service = self.desk.http.service
        kept = tuple(each for each in service.plain_headers if each[0] != name)
        return HttpClient(replace(service, plain_headers=(*kept, (name, value))), timeouts_of(self.instance))

    def _idempotency(self) -> dict[str, Reply]:
        http, rows = self._with_header("Idempotency-Key", self.desk.nonce), [self._row("twin")]
        first, second = self._batch(rows, http), self._batch(rows, http)
        http.close()
        same = "heeded: both calls made one batch" if first["id"] == second["id"] else "not heeded: two batches"
        found = same if first.ok and second.ok else f"first {first.outcome}; second {second.outcome}"
        self.desk.note("idempotency_key", "Does a second create with the same Idempotency-Key make a batch?", found)
        if first.ok and second.ok and first["id"] != second["id"]:
            self.desk.call("POST", f"{_BATCHES}/{first['id']}/cancel")
        return {"first": first, "second": second} if first["id"] != second["id"] else {"first": first}

    def _sampler(self) -> Reply:
        http = self._with_header(VERSION_HEADER, _NEWER)
        made = self._batch([self._row("sampler", temperature=1.0)], http)
        http.close()
        return made

    def _order(self, made: list[Any]) -> None:
        page = self.desk.call("GET", _BATCHES, query={"limit": "100"})
        listed = [each.get("id") for each in page["data"] or [] if isinstance(each, dict)]
        found = order_found(made, listed) if page.ok else page.said
        self.desk.note("list_order", "In which order are batches listed?", found)

    def _ends(self, made: dict[str, Reply], all_of_them: dict[str, Reply]) -> None:
        looks = {name: partial(self.desk.call, "GET", f"{_BATCHES}/{reply['id']}") for name, reply in made.items()}
        ends = self.desk.until(looks, lambda reply: reply["processing_status"] == "ended" or reply.status in {401, 403})
        self.desk.forget()
        for name, key, question in (
            ("main", "one_row", "How does a batch of one row end, and what does its row look like?"),
            ("bad", "error_rows", "How is a row with max_tokens -1 refused?"),
            ("sampler", "sampler_fields", f"What comes of a temperature under the API's version {_NEWER}?"),
            ("cancelled", "results_after_cancel", "What is there of a batch that was cancelled at once?"),
        ):
            end = ends.get(name)
            found = self._described(end) if end else f"not made: {all_of_them[name].outcome}"
            self.desk.note(key, question, found, end)
        for name, reply in made.items():
            if name in ends and ends[name]["processing_status"] == "ended":
                self.desk.call("DELETE", f"{_BATCHES}/{reply['id']}")
        self.desk.forget()

    def _described(self, end: Reply) -> str:
        if end["processing_status"] != "ended":
            return f"not ended: {end['processing_status'] or end.outcome}"
        if not end["results_url"]:
            return f"ended, counts {end['request_counts']}, results_url {end['results_url']!r}"
        path = f"{_BATCHES}/{end['id']}/results"
        rows = self.desk.lines(f"GET {path}", partial(self.desk.http.own_lines, path, what=f"GET {path}"))
        return f"ended, counts {end['request_counts']}; rows: {[_without_text(row) for row in rows]}"


def _without_text(row: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a row without its answer: what it looks like is asked, not what it says."""
    if isinstance(row, dict) and isinstance(row.get("result"), dict) and "message" in row["result"]:
        message = row["result"]["message"]
        return {**row, "result": {**row["result"], "message": sorted(message) if isinstance(message, dict) else None}}
    return row

"""What Anthropic's batch documents leave open: asked with a handful of one-row batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from promptrial.model.instances import Instance
from promptrial.providers.anthropic_service import VERSION_HEADER, anthropic_service
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from promptrial.providers.probe_batches import BatchProbe
from promptrial.providers.probe_desk import Reply

__all__ = ["AnthropicProbe"]

_NEWER: Final = "2026-10-21"
_MAX_TOKENS: Final = 16


@dataclass(slots=True)
class AnthropicProbe(BatchProbe):
    """The questions to Anthropic's message batches; its fields are those of ``BatchProbe``."""

    path: ClassVar[str] = "/v1/messages/batches"
    rows: ClassVar[int] = 10
    tokens: ClassVar[tuple[int, int]] = (20, _MAX_TOKENS)

    @staticmethod
    def service(env: Mapping[str, str], instance: Instance) -> Service:
        """Return the API of an instance."""
        return anthropic_service(env, instance)

    def _ask(self) -> None:
        main = self.desk.require(self._batch([self._row("main")]))
        seen = self.desk.call("GET", f"{self.path}/{main['id']}")
        self.desk.note("visible_at_once", "Is a batch visible right after it was created?", seen.outcome)
        batches = {"main": main}
        batches["double"] = self._refusal(
            "duplicate_ids",
            "What happens to two rows with the same custom_id?",
            [self._row("double"), self._row("double")],
        )
        batches["long"] = self._refusal(
            "custom_id_limit", "Is a custom_id of 65 characters accepted?", [self._row("l" * 65, exact=True)]
        )
        twin = [self._row("twin")]
        batches |= self._idempotency(lambda http: self._batch(twin, http))
        batches["bad"] = self._batch([self._row("bad", max_tokens=-1), self._row("good")])
        batches["sampler"] = self._sampler()
        batches["cancelled"] = self._batch([self._row("cancelled")])
        if batches["cancelled"].ok:
            self._cancel(batches["cancelled"]["id"])
        self.desk.forget()
        self._order(batches)
        self._ends(batches)

    def _row(self, name: str, *, exact: bool = False, **more: object) -> dict[str, Any]:
        params = {
            "model": self.model.id,
            "max_tokens": _MAX_TOKENS,
            "messages": [{"role": "user", "content": "Answer with the one word: yes."}],
            **more,
        }
        return {"custom_id": self._name(name, exact=exact), "params": params}

    def _batch(self, rows: list[dict[str, Any]], http: HttpClient | None = None) -> Reply:
        return self._create({"requests": rows}, http)

    def _refusal(self, key: str, question: str, rows: list[dict[str, Any]]) -> Reply:
        made = self._batch(rows)
        self.desk.note(key, question, made.outcome)
        return made

    def _sampler(self) -> Reply:
        http = self._with_header(VERSION_HEADER, _NEWER)
        made = self._batch([self._row("sampler", temperature=1.0)], http)
        http.close()
        return made

    def _ends(self, batches: dict[str, Reply]) -> None:
        ends = self._ended(batches, lambda reply: reply["processing_status"] == "ended" or reply.status in {401, 403})
        questions = (
            ("main", "one_row", "How does a batch of one row end, and what does its row look like?"),
            ("bad", "error_rows", "How is a row with max_tokens -1 rejected?"),
            ("sampler", "sampler_fields", f"What happens to a temperature with the API's version {_NEWER}?"),
            ("cancelled", "results_after_cancel", "What remains of a batch that was cancelled immediately?"),
        )
        self.desk.note_ends(questions, batches, ends, self._described)
        for name, end in ends.items():
            if end["processing_status"] == "ended":
                self.desk.call("DELETE", f"{self.path}/{batches[name]['id']}")
        self.desk.forget()

    def _described(self, _: str, end: Reply) -> str:
        if end["processing_status"] != "ended":
            return f"not ended: {end['processing_status'] or end.outcome}"
        if not end["results_url"]:
            return f"ended, counts {end['request_counts']}, results_url {end['results_url']!r}"
        path = f"{self.path}/{end['id']}/results"
        rows = self.desk.lines(f"GET {path}", partial(self.desk.http.own_lines, path, what=f"GET {path}"))
        return f"ended, counts {end['request_counts']}; rows: {[_without_text(row) for row in rows]}"


def _without_text(row: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a row without its answer: what it looks like is asked, not what it says."""
    if isinstance(row, dict) and isinstance(row.get("result"), dict) and "message" in row["result"]:
        message = row["result"]["message"]
        return {**row, "result": {**row["result"], "message": sorted(message) if isinstance(message, dict) else None}}
    return row

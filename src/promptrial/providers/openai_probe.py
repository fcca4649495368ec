"""What OpenAI's batch documents leave open, and those of Azure and Groq: asked with a handful of one-row batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from promptrial.model.instances import Instance
from promptrial.providers.access import service_of
from promptrial.providers.base import JobState
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from promptrial.providers.openai_rows import RowShape
from promptrial.providers.openai_wire import STATES
from promptrial.providers.probe_batches import BatchProbe
from promptrial.providers.probe_desk import Reply
from promptrial.providers.wire import mapping

__all__ = ["OpenAIProbe"]

_OVER: Final = frozenset(word for word, state in STATES.items() if state is not JobState.WORKING)
_OUTPUTS: Final = ("output_file_id", "error_file_id")
_MAX_TOKENS: Final = 16


@dataclass(slots=True)
class OpenAIProbe(BatchProbe):
    """The questions to one API of OpenAI's kind; its fields are those of ``BatchProbe``, and the files to delete."""

    path: ClassVar[str] = "/batches"
    rows: ClassVar[int] = 11
    """The most rows that it may have to pay for."""
    tokens: ClassVar[tuple[int, int]] = (20, _MAX_TOKENS)
    """Of a row, those in and the most out."""

    _files: list[str] = field(default_factory=list)

    @staticmethod
    def service(env: Mapping[str, str], instance: Instance) -> Service:
        """Return the API of an instance."""
        return service_of(instance, env)

    def _ask(self) -> None:
        main = self._file([self._row("main")], needed=True)
        batches = {"main": self.desk.require(self._batch(main))}
        batches |= self._idempotency(lambda http: self._batch(main, http))
        batches["double"] = self._batch(self._file([self._row("double"), self._row("double")]))
        batches["long"] = self._batch(self._file([self._row("l" * 65, exact=True)]))
        bad = [self._row("bad", temperature=99), self._row("topk", top_k=5)]
        batches["bad"] = self._batch(self._file(bad))
        deleted = self._file([self._row("deleted")])
        batches["deleted"] = self._batch(deleted)
        gone = self.desk.call("DELETE", f"/files/{deleted}") if deleted else Reply(0)
        batches["cancelled"] = self._batch(self._file([self._row("cancelled")]))
        if batches["cancelled"].ok:
            self._cancel(batches["cancelled"]["id"])
        self.desk.forget()
        batches["fenced"] = self._fence(deleted, gone)
        self._order(batches)
        self._ends(batches)

    def _row(self, name: str, *, exact: bool = False, **more: object) -> dict[str, Any]:
        shape = RowShape.of(self.instance)
        body = {
            "model": self.model.id,
            "messages": [{"role": "user", "content": "Answer with the one word: yes."}],
            shape.max_tokens: _MAX_TOKENS,
            **more,
        }
        wire_id, url = self._name(name, exact=exact), f"{shape.prefix}/chat/completions"
        return {"custom_id": wire_id, "method": "POST", "url": url, "body": body}

    def _file(self, rows: list[dict[str, Any]], *, needed: bool = False) -> str:
        made = self.desk.upload("/files", rows, {"purpose": "batch"})
        if needed:
            self.desk.require(made)
        if made.ok:
            self._files.append(str(made["id"]))
        return str(made["id"] or "")

    def _batch(self, file: str, http: HttpClient | None = None) -> Reply:
        body = {
            "input_file_id": file,
            "endpoint": f"{RowShape.of(self.instance).prefix}/chat/completions",
            "completion_window": "24h",
            "metadata": {"probe": self.desk.nonce},
        }
        return self._create(body, http)

    def _fence(self, file: str, gone: Reply) -> Reply:
        again = self._batch(file)
        self.desk.note(
            "create_from_deleted_file",
            "Can a batch be created from a deleted input file?",
            f"deleting the file: {gone.outcome}; the create afterwards: {'accepted' if again.ok else again.said}",
        )
        return again

    def _ends(self, batches: dict[str, Reply]) -> None:
        ends = self._ended(batches, lambda reply: reply["status"] in _OVER or reply.status in {401, 403, 404})
        files = (end[key] for end in ends.values() for key in _OUTPUTS)
        self._files += [str(file) for file in files if file]
        questions = (
            ("main", "one_row", "How does a batch of one row end, and what does its row look like?"),
            ("double", "duplicate_ids", "What happens to two rows with the same custom_id?"),
            ("long", "custom_id_limit", "Is a custom_id of 65 characters accepted?"),
            ("bad", "error_rows", "How are a row with a wrong temperature, and one with top_k, rejected?"),
            ("deleted", "delete_input_file", "What happens to a batch whose input file is deleted while it runs?"),
            ("cancelled", "results_after_cancel", "What remains of a batch that was cancelled immediately?"),
        )
        self.desk.note_ends(questions, batches, ends, self._described)

    def _described(self, _: str, end: Reply) -> str:
        """Return how a batch ended, with the first rows of its files."""
        if end["status"] not in _OVER:
            return f"not ended: {end['status'] or end.outcome}"
        parts = [f"{end['status']}, counts {end['request_counts']}"]
        if errors := mapping(end["errors"]).get("data"):
            parts.append(f"errors {errors}")
        for key in _OUTPUTS:
            file = end[key]
            if not file:
                parts.append(f"{key} {file!r}")
                continue
            path = f"/files/{file}/content"
            read = partial(self.desk.http.own_lines, path, what=f"GET {path}")
            rows = self.desk.lines(f"GET {path}", read)
            parts.append(f"{key} with {len(rows)} rows, the first: {_without_text(rows[0]) if rows else None}")
        return "; ".join(parts)

    def _clean(self) -> None:
        """Delete the files that the probe made."""
        for file in dict.fromkeys(self._files):
            self.desk.call("DELETE", f"/files/{file}")
        self.desk.forget()


def _without_text(row: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a row without its answer: what it looks like is asked, not what it says."""
    if isinstance(row, dict) and isinstance(row.get("response"), dict):
        body = row["response"].get("body")
        keys = sorted(body) if isinstance(body, dict) and "choices" in body else body
        return {**row, "response": {**row["response"], "body": keys}}
    return row

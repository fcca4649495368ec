"""What OpenAI's batch documents leave open, and those of Azure and Groq: asked with a handful of one-row batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Final, Self

from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.access import service_of, timeouts_of
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from promptrial.providers.openai_rows import RowShape
from promptrial.providers.probe_desk import Desk, Reply, order_found

__all__ = ["OpenAIProbe"]

_OVER: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_OUTPUTS: Final = ("output_file_id", "error_file_id")
_MAX_TOKENS: Final = 16


@dataclass(slots=True)
class OpenAIProbe:
    """The questions to one API of OpenAI's kind.

    Parameters
    ----------
    desk : Desk
    instance : Instance
    model : ModelSpec
    """

    rows: ClassVar[int] = 11
    """The most rows that it may have to pay for."""
    tokens: ClassVar[tuple[int, int]] = (20, _MAX_TOKENS)
    """Of a row, those in and the most out."""

    desk: Desk
    instance: Instance
    model: ModelSpec
    _files: list[str] = field(default_factory=list)
    _made: list[str] = field(default_factory=list)

    @staticmethod
    def service(env: Mapping[str, str], instance: Instance) -> Service:
        """Return the API of an instance."""
        return service_of(instance, env)

    @classmethod
    def open(cls, desk: Desk, env: Mapping[str, str], instance: Instance, model: ModelSpec) -> Self:  # noqa: ARG003
        """Return the questions; what else they need, the desk has."""
        return cls(desk, instance, model)

    def ask(self) -> None:
        """Ask everything: first make all batches, then follow them to their ends; and clean up, however that goes."""
        try:
            self._ask()
        except BaseException:  # also when a person has had enough
            for batch in self._made:
                self.desk.call("POST", f"/batches/{batch}/cancel")
            raise
        finally:
            self._clean()

    def _ask(self) -> None:
        main = self._file([self._row("main")], needed=True)
        batches = {"main": self.desk.require(self._batch(main))}
        batches |= self._idempotency(main)
        batches["double"] = self._batch(self._file([self._row("double"), self._row("double")]))
        batches["long"] = self._batch(self._file([self._row("l" * 65, exact=True)]))
        bad = [self._row("bad", temperature=99), self._row("topk", top_k=5)]
        batches["bad"] = self._batch(self._file(bad))
        deleted = self._file([self._row("deleted")])
        batches["deleted"] = self._batch(deleted)
        gone = self.desk.call("DELETE", f"/files/{deleted}") if deleted else Reply(0)
        batches["cancelled"] = self._batch(self._file([self._row("cancelled")]))
        if batches["cancelled"].ok:
            self.desk.call("POST", f"/batches/{batches['cancelled']['id']}/cancel")
        self.desk.forget()
        batches["fenced"] = self._fence(deleted, gone)
        self._order([reply["id"] for reply in batches.values() if reply.ok])
        self._ends(batches)

    def _row(self, name: str, *, exact: bool = False, **more: object) -> dict[str, Any]:
        shape = RowShape.of(self.instance)
        body = {
            "model": self.model.id,
            "messages": [{"role": "user", "content": "Answer with the one word: yes."}],
            shape.max_tokens: _MAX_TOKENS,
            **more,
        }
        name = name if exact else f"{self.desk.nonce}-{name}"
        return {"custom_id": name, "method": "POST", "url": f"{shape.prefix}/chat/completions", "body": body}

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
        made = self.desk.call("POST", "/batches", http=http, body=body)
        if made.ok:
            self._made.append(str(made["id"]))
        return made

    def _idempotency(self, file: str) -> dict[str, Reply]:
        """Make one batch twice with the same idempotency key."""
        service = self.desk.http.service
        header = ("Idempotency-Key", self.desk.nonce)
        headed = replace(service, plain_headers=(*service.plain_headers, header))
        http = HttpClient(headed, timeouts_of(self.instance))
        self.desk.forget()
        first, second = self._batch(file, http), self._batch(file, http)
        http.close()
        same = "heeded: both calls made one batch" if first["id"] == second["id"] else "not heeded: two batches"
        found = same if first.ok and second.ok else f"first {first.outcome}; second {second.outcome}"
        self.desk.note("idempotency_key", "Does a second create with the same Idempotency-Key make a batch?", found)
        if first.ok and second.ok and first["id"] != second["id"]:
            self.desk.call("POST", f"/batches/{first['id']}/cancel")
        return {"first": first, "second": second} if first["id"] != second["id"] else {"first": first}

    def _fence(self, file: str, gone: Reply) -> Reply:
        again = self._batch(file)
        self.desk.note(
            "create_from_deleted_file",
            "Can a batch be made from an input file that was deleted?",
            f"deleting the file: {gone.outcome}; the create afterwards: {'accepted' if again.ok else again.said}",
        )
        return again

    def _order(self, made: list[Any]) -> None:
        page = self.desk.call("GET", "/batches", query={"limit": "100"})
        listed = [each.get("id") for each in page["data"] or [] if isinstance(each, dict)]
        found = order_found(made, listed) if page.ok else page.said
        self.desk.note("list_order", "In which order are batches listed?", found)

    def _ends(self, batches: dict[str, Reply]) -> None:
        looks = {
            name: partial(self.desk.call, "GET", f"/batches/{reply['id']}")
            for name, reply in batches.items()
            if reply.ok
        }
        ends = self.desk.until(looks, lambda reply: reply["status"] in _OVER or reply.status in {401, 403, 404})
        self.desk.forget()
        files = (end[key] for end in ends.values() for key in _OUTPUTS)
        self._files += [str(file) for file in files if file]
        texts = {
            "main": ("one_row", "How does a batch of one row end, and what does its row look like?"),
            "double": ("duplicate_ids", "What comes of two rows with one custom_id?"),
            "long": ("custom_id_limit", "Is a custom_id of 65 characters taken?"),
            "bad": ("error_rows", "How are a row with a wrong temperature, and one with top_k, refused?"),
            "deleted": ("delete_input_file", "What comes of a batch whose input file is deleted while it is at work?"),
            "cancelled": ("results_after_cancel", "What is there of a batch that was cancelled at once?"),
        }
        for name, (key, question) in texts.items():
            end = ends.get(name)
            found = self._described(end) if end else f"not made: {batches[name].outcome}"
            self.desk.note(key, question, found, end)

    def _described(self, end: Reply) -> str:
        """Return how a batch ended, with the first rows of its files."""
        if end["status"] not in _OVER:
            return f"not ended: {end['status'] or end.outcome}"
        parts = [f"{end['status']}, counts {end['request_counts']}"]
        errors = end["errors"]
        if isinstance(errors, dict) and errors.get("data"):
            parts.append(f"errors {errors['data']}")
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

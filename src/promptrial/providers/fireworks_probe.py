"""What Fireworks' batch documents leave open: asked with a handful of one-row jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final, Self

from promptrial.model import ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.base import JobState
from promptrial.providers.fireworks_account import account_slug, api_path, dataset_name, model_name, service
from promptrial.providers.fireworks_wire import last_segment, state_of
from promptrial.providers.http_service import Service
from promptrial.providers.probe_desk import Desk, Reply
from promptrial.providers.wire import entries, mapping

__all__ = ["FireworksProbe"]

_MAX_TOKENS: Final = 16


@dataclass(slots=True)
class FireworksProbe:
    """The questions to one account.

    Parameters
    ----------
    desk : Desk
    account : str
    model : ModelSpec
    """

    rows: ClassVar[int] = 11
    tokens: ClassVar[tuple[int, int]] = (20, _MAX_TOKENS)

    desk: Desk
    account: str
    model: ModelSpec
    _datasets: list[str] = field(default_factory=list)

    @staticmethod
    def service(env: Mapping[str, str], instance: Instance) -> Service:
        """Return the API of an instance whose account is known too."""
        account_slug(env, instance)
        return service(env, instance)

    @classmethod
    def open(cls, desk: Desk, env: Mapping[str, str], instance: Instance, model: ModelSpec) -> Self:
        """Return the questions to the account of an instance."""
        return cls(desk, account_slug(env, instance), model)

    def ask(self) -> None:
        """Ask everything: first make all jobs, then follow them to their ends."""
        main = self._dataset("main", [self._row("main")])
        self._settle()
        jobs = {"main": self.desk.require(self._job("main", main))}
        self._names(main)
        jobs["double"] = self._job("double", self._dataset("double", [self._row("double"), self._row("double")]))
        bad = {**self._row("bad"), "body": {**self._row("bad")["body"], "extra_body": {"seed": 1}}}
        jobs["bad"] = self._job("bad", self._dataset("bad", [self._row("good"), bad]))
        jobs["fewer"] = self._job("fewer", main, inferenceParameters={"maxTokens": 1})
        deleted = self._dataset("deleted", [self._row("deleted")])
        self._settle()
        jobs["deleted"] = self._job("deleted", deleted)
        self.desk.call("DELETE", self._path("datasets", deleted))
        jobs["cancelled"] = self._job("cancelled", main)
        if jobs["cancelled"].ok:
            self.desk.call("DELETE", self._path("batchInferenceJobs", self._name("cancelled")))
        self.desk.forget()
        self._order([name for name, reply in jobs.items() if reply.ok and name != "cancelled"])
        self._ends(jobs)
        self._reuse(main)
        self._clean()

    def _name(self, what: str) -> str:
        return f"{self.desk.nonce}-{what}"

    def _path(self, collection: str, name: str = "", verb: str = "") -> str:
        return api_path(self.account, collection, name, verb)

    def _row(self, name: str) -> dict[str, Any]:
        message = {"role": "user", "content": "Answer with the one word: yes."}
        return {"custom_id": self._name(name), "body": {"messages": [message], "max_tokens": _MAX_TOKENS}}

    def _dataset(self, what: str, rows: list[dict[str, Any]]) -> str:
        name = self._name(what)
        made = self._created(name, len(rows))
        if what == "main":
            self.desk.require(made)
        if made.ok:
            self._datasets.append(name)
        self.desk.upload(self._path("datasets", name, ":upload"), rows, {})
        return name

    def _created(self, name: str, rows: int) -> Reply:
        about = {"userUploaded": {}, "exampleCount": str(rows), "displayName": name}
        return self.desk.call("POST", self._path("datasets"), body={"datasetId": name, "dataset": about})

    def _settle(self) -> None:
        """Wait until the uploaded rows may be used."""
        looks = {name: partial(self.desk.call, "GET", self._path("datasets", name)) for name in self._datasets}
        self.desk.until(looks, lambda reply: reply["state"] == "READY" or reply.status not in {0, 200})

    def _job(self, what: str, dataset: str, output: str = "", **more: object) -> Reply:
        name = self._name(what)
        body = {
            "model": model_name(self.model.id),
            "inputDatasetId": dataset_name(self.account, dataset),
            "outputDatasetId": dataset_name(self.account, output or f"{name}-out"),
            "displayName": name,
            **more,
        }
        query = {"batchInferenceJobId": name}
        return self.desk.call("POST", self._path("batchInferenceJobs"), query=query, body=body)

    def _names(self, main: str) -> None:
        """Ask for names that are taken, or too long."""
        self.desk.forget()
        self.desk.note(
            "duplicate_dataset",
            "What is the response to a second data set with the same id?",
            self._created(main, 1).outcome,
        )
        self.desk.note(
            "duplicate_job", "What is the response to a second job with the same id?", self._job("main", main).outcome
        )
        other = self._job("other", main, output=f"{self._name('main')}-out")
        self.desk.note("existing_output", "What is the response to a job whose output exists?", other.outcome)
        long = self.desk.nonce.ljust(64, "x")
        made = self._created(long, 1)
        if made.ok:
            self._datasets.append(long)
        self.desk.note("id_limit", "Is an id of 64 characters accepted?", made.outcome)

    def _order(self, made: list[str]) -> None:
        page = self.desk.call("GET", self._path("batchInferenceJobs"), query={"pageSize": "50"})
        listed = [last_segment(str(job.get("name"))) for job in entries(page["batchInferenceJobs"])]
        self.desk.note_order("jobs", page, [self._name(name) for name in made], listed)

    def _ends(self, jobs: dict[str, Reply]) -> None:
        looks = {
            name: partial(self.desk.call, "GET", self._path("batchInferenceJobs", self._name(name)))
            for name, reply in jobs.items()
            if reply.ok
        }
        ends = self.desk.until(looks, lambda reply: _is_over(reply) or reply.status in {401, 403, 404})
        questions = (
            ("main", "one_row", "How does a job of one row end, and what does its row look like?"),
            ("double", "duplicate_ids", "What happens to two rows with the same custom_id?"),
            (
                "bad",
                "mixed_job",
                "How does a job end if one of its two rows is wrong, and what is reported for that row?",
            ),
            (
                "fewer",
                "parameter_precedence",
                "If the row allows 16 tokens and the job allows 1, how many are generated?",
            ),
            ("deleted", "delete_input", "What happens to a job whose input is deleted while it runs?"),
            ("cancelled", "results_after_cancel", "What remains of a job that was deleted immediately?"),
        )
        self.desk.note_ends(questions, jobs, ends, self._described)

    def _described(self, name: str, end: Reply) -> str:
        """Return how a job ended, with the rows of its output."""
        state = str(end["state"]) if end.ok else end.outcome
        if end.ok and not _is_over(end):
            return f"not ended: {state}"
        status = f", status {end['status']}" if end["status"] else ""
        output = f"{self._name(name)}-out"
        urls = self.desk.call("GET", self._path("datasets", output, ":getDownloadEndpoint"))
        if not urls.ok:
            return f"{state}{status}; output: {urls.said}"
        self._datasets.append(output)
        found = urls["filenameToSignedUrls"]
        files = {
            last_segment(file): self.desk.lines(
                f"GET {last_segment(file)}", partial(self.desk.http.lines, url, what=f"GET {last_segment(file)}")
            )
            for file, url in mapping(found).items()
            if isinstance(url, str)
        }
        return f"{state}{status}; " + "; ".join(
            f"{file}: {[*map(_without_text, rows)]}" for file, rows in files.items()
        )

    def _reuse(self, main: str) -> None:
        """Delete the first job and make one of its id again."""
        self.desk.call("DELETE", self._path("batchInferenceJobs", self._name("main")))
        again = self._job("main", main, output=f"{self._name('again')}-out")
        self.desk.note("reuse_after_delete", "May an id be used again after its job was deleted?", again.outcome)
        if again.ok:
            self.desk.call("DELETE", self._path("batchInferenceJobs", self._name("main")))

    def _clean(self) -> None:
        """Delete the data sets that the probe made."""
        for name in dict.fromkeys(self._datasets):
            self.desk.call("DELETE", self._path("datasets", name))
        self.desk.forget()


def _is_over(reply: Reply) -> bool:
    return state_of(str(reply["state"] or "")) not in {None, JobState.WORKING}


def _without_text(row: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a row without its answer: what it looks like, and how many tokens it took."""
    response = row.get("response") if isinstance(row, dict) else None
    if not isinstance(response, dict) or "choices" not in response:
        return row
    return {**row, "response": {"keys": sorted(response), "usage": response.get("usage")}}

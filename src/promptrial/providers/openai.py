"""Batches of OpenAI behind the Protocol, and of vendors that speak the same API: Azure OpenAI (v1) and Groq.

The vendor names files and batches itself. A batch is found again by our key in its metadata, and by the file that it
was made from: the file is uploaded and put on record first, so that deleting it keeps a call that is still on its way
from making a batch. Files are in ``openai_files``, the shapes of answers in ``openai_wire``, rows in ``openai_rows``,
what a model takes in ``openai_models``, and what an HTTP outcome means in ``http``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote

from promptrial.config.instances import preset_instance
from promptrial.errors import (
    NoSuchModelError,
    PermanentError,
    ProviderError,
    ResultsEmptyError,
    ResultsGoneError,
    ResultsShortError,
    ResultsTornError,
    TransientError,
    UploadGoneError,
)
from promptrial.model import ModelSpec, Sampling
from promptrial.model.instances import Instance, Limits
from promptrial.providers.access import service_of, timeouts_of
from promptrial.providers.base import JobLookup, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.capabilities import Shown
from promptrial.providers.chat_reader import ReadsChatRows
from promptrial.providers.curl import fetch_commands, stop_command
from promptrial.providers.hidden_names import HiddenNames
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Kind, NotFoundError, RejectedError, UnprovenEndError
from promptrial.providers.http_service import Service, Timeouts
from promptrial.providers.missing_rows import Doubt, require_rows
from promptrial.providers.openai_files import Files
from promptrial.providers.openai_models import check_model, check_sampling, sent_of
from promptrial.providers.openai_pages import pages
from promptrial.providers.openai_rows import RowShape, is_unanswered, row_overhead
from promptrial.providers.openai_wire import KEY, MODEL, REQUESTS, Batch, BatchPage
from promptrial.providers.wire import Anything

__all__ = ["OpenAIProvider"]

_WINDOW: Final = "24h"
_SKEW_S: Final = 3600.0
"""How much earlier than our clock says the vendor's may have seen a batch begin."""
_LEAST_PAGES: Final = 10
"""Pages of the list that are read where only the time of our own clock tells that the rest is older."""
_PAGE: Final = 100
_MOST_PAGES: Final = 200
_MOST_METADATA: Final = 512
_EMULATOR_KEY: Final = "PROMPTRIAL_EMULATOR_KEY"
_TELLING_HEADERS: Final = ("OpenAI-Organization", "OpenAI-Project")


class OpenAIProvider(ReadsChatRows):
    """Batches of one key. May be used by several threads.

    Parameters
    ----------
    api : Service
        The address, which ends with the version, and the key.
    instance : Instance, optional
        What else is known of the server; by default it is OpenAI.
    timeouts : Timeouts, optional
    """

    name: ClassVar[str] = "openai"
    local: ClassVar[bool] = False
    jobs: ClassVar[bool] = True
    keyed: ClassVar[bool] = False
    lookup: ClassVar[JobLookup] = JobLookup.SEARCH
    understands: ClassVar[frozenset[str]] = frozenset({"endpoint", "sampling", "reasoning_effort", "extra_body"})
    limits: ClassVar[Limits] = Limits(rows=50_000, size=200_000_000)

    def __init__(self, api: Service, instance: Instance | None = None, timeouts: Timeouts | None = None) -> None:
        self._instance = instance or preset_instance(self.name)
        self._http = HttpClient(api, timeouts)
        self._shape = RowShape.of(self._instance)
        self._hidden = HiddenNames()
        self._files = Files(self._http, self._shape)
        self._shown: set[str] = set()

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for an instance; without one, for OpenAI with ``OPENAI_API_KEY``."""
        instance = instance or preset_instance(cls.name)
        return cls(service_of(instance, env), instance, timeouts_of(instance))

    def heed(self, stop_asked: Callable[[], bool]) -> None:
        """Let transfers of files end when a stop was asked for, as ``Timeouts`` says."""
        self._http.stop_asked = stop_asked

    @staticmethod
    def check_sampling(model: ModelSpec, sampling: Sampling, instance: Instance) -> str | None:
        """Refuse what the model or the API does not take; return a sentence about what is not sent."""
        check_model(model)
        return check_sampling(model, sampling, instance)

    @staticmethod
    def row_overhead(model: ModelSpec, instance: Instance) -> int:
        """Return by how much a line is longer than the neutral row."""
        return row_overhead(model, RowShape.of(instance))

    def check(self, model: ModelSpec) -> None:
        """Ask for the newest batch, which a wrong key cannot, and for the model.

        Of the answers about the model only a clear "no such model" is believed; any other says nothing, such as the one
        of a server that lists no models, or does not list deployments.
        """
        with self._hidden.kept(model):
            self._check(model)

    def _check(self, model: ModelSpec) -> None:
        check_model(model)
        self._http.call("GET", "/batches", Anything, what="list the batches", query={"limit": "1"})
        try:
            self._http.call("GET", f"/models/{quote(model.id)}", Anything, what=f"look up the model {model.shown_id}")
        except NotFoundError as error:
            if error.code == "model_not_found":
                hint = f"check `models.{model.alias}.id` in the configuration"
                raise NoSuchModelError(f"{self._vendor} has no model {model.shown_id}", hint=hint) from error
        except ProviderError:
            return
        else:
            self._shown.add(model.id)

    def shown(self, model: ModelSpec) -> Shown:
        """Return whether the model is listed, which says nothing of a deployment at Azure; the key was used."""
        is_listed = model.id in self._shown and self._instance.auth == "bearer"
        return Shown(key=True, model=is_listed or None)

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return the model's name, what serves it, for which organisation and project, and what is sent of sampling.

        Of the address only the host and a port count: a path may hold what nobody should read.
        """
        found: dict[str, str | int | float | bool] = {
            "provider": self.name,
            "model": model.shown_id,
            "api": self._http.service.place,
            "endpoint": self._shape.url(model),
            "sampling": sent_of(model, self._shape),
        }
        self._hidden.keep(model)  # this is called first in every process that looks at batches
        headers = {name.lower(): value for name, value in self._instance.headers}
        given = {name: headers[name.lower()] for name in _TELLING_HEADERS if name.lower() in headers}
        return found | {name.removeprefix("OpenAI-").lower(): value for name, value in given.items()}

    def count_tokens(self, model: ModelSpec, text: str) -> None:
        """Return None: there is no tokenizer to ask."""

    def stage(self, payload: PartPayload) -> Staged:
        """Upload the requests as the vendor's rows; what is known of that is in ``Files.stage``."""
        with self._hidden.kept(payload.model):
            return self._files.stage(payload)

    def find(self, payload: PartPayload) -> JobRef | None:
        """Return the oldest batch that has this payload's key in its metadata, or was made from its file; or None."""
        ours = [batch for batch in self._recent(payload) if self._is_of(payload, batch)]
        if not ours:
            return None
        oldest = min(ours, key=lambda batch: (batch.created or 0.0, batch.id))
        self._require_same_requests(payload, oldest)
        return JobRef(oldest.id)

    def submit(self, payload: PartPayload) -> JobRef:
        """Create the batch from the uploaded requests.

        Raises
        ------
        OutcomeUnknownError
        TransientError
            Also if the uploaded file is not known yet where batches are made.
        """
        with self._hidden.kept(payload.model):
            return self._submitted(payload)

    def _submitted(self, payload: PartPayload) -> JobRef:
        file = self._files.name_of(payload)
        if file is None:
            hint = "resume: this uploads them again"
            raise UploadGoneError(f"{self._vendor} does not have the requests {payload.dataset_key}", hint=hint)
        body = {
            "input_file_id": file,
            "endpoint": self._shape.url(payload.model),
            "completion_window": _WINDOW,
            "metadata": _metadata(payload),
        }
        what = f"create the batch {payload.key}"
        try:
            made = self._http.call("POST", "/batches", Batch, what=what, kind=Kind.CREATES, body=body)
        except NotFoundError as error:
            raise self._without_file(payload, file, error) from error
        return JobRef(made.id)

    def fence(self, payload: PartPayload) -> bool:
        """Delete the uploaded requests: no batch can be made without them."""
        return payload.staged is not None and self._files.delete(payload.staged)

    def status(self, job: JobRef) -> JobStatus:
        """Return the batch's state in our words."""
        try:
            found = self._batch(job.name).in_our_words(self._vendor)
            return replace(found, message=self._hidden(found.message))
        except NotFoundError as error:
            return JobStatus(JobState.MISSING, message=error.message)

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        """Yield the rows of the output file, then those of the requests that failed.

        Rows of requests that were not carried out, or that asking again may cure, are left out.

        Raises
        ------
        ResultsTornError
            If a file ends in the middle of a row; those of the other file were given before.
        ResultsEmptyError
            If rows are missing, and there is no output file or an empty one that may not be: the batch did not end
            badly, and the vendor does not say that nothing was answered.
        ResultsShortError
            If rows are missing, and a file's end is unproven, or the file of the requests that failed no longer exists:
            the answers that came are kept.
        ResultsGoneError
            If the batch or its output file no longer exists, and rows are missing.
        """
        batch = self._ended(job)
        doubts: list[Doubt] = []
        told = outputs = 0
        for file in (batch.output_file_id, batch.error_file_id):
            before = told
            for line in self._lines(batch, file, doubts) if file else ():
                told += 1
                if not is_unanswered(line):
                    yield line
            outputs += told - before if file == batch.output_file_id else 0
        if outputs == 0 and not _may_be_empty(batch):
            what = "an empty" if batch.output_file_id else "no"
            doubts.append(ResultsEmptyError(f"{self._vendor}: {batch.id} has {what} output file"))
        require_rows(doubts, told, payload.rows)

    def _lines(self, batch: Batch, file: str, doubts: list[Doubt]) -> Iterator[bytes]:
        """Yield the lines of a file of a batch; why some may be missing is added to the doubts."""
        try:
            yield from self._files.lines(file, f"{file} of {batch.id}")
        except UnprovenEndError as error:
            doubts.append(ResultsShortError(error.message))
        except ResultsTornError as error:
            doubts.append(error)
        except ResultsGoneError as error:
            lost = file == batch.output_file_id and not batch.has_answered_nothing
            doubts.append(error if lost else ResultsShortError(error.message))

    def cancel(self, job: JobRef) -> None:
        """Ask the vendor to stop the batch. One that is gone, or has ended, is stopped."""
        try:
            self._http.call("POST", f"{_path(job.name)}/cancel", Anything, what=f"cancel the batch {job.name}")
        except NotFoundError:
            return
        except RejectedError:
            if self.status(job).state is JobState.WORKING:
                raise

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        """Return curl's commands for both files of a batch, and where they go."""
        return fetch_commands(self._http.service, job.name, folder)

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> str | None:
        """Return curl's command that cancels a batch."""
        return stop_command(job, engine)

    @staticmethod
    def emulated(instance: Instance, url: str, key: str, account: str) -> tuple[Instance, Mapping[str, str]]:  # noqa: ARG004 - the Protocol's
        """Return an instance at the emulator, with a variable of its own for the key."""
        options = tuple((name, value) for name, value in instance.options if name != "endpoint_prefix")
        there = replace(instance, base_url=f"{url}/v1", key=_EMULATOR_KEY, auth="bearer", options=options)
        return there, {_EMULATOR_KEY: key}

    @staticmethod
    def plain_rows(
        rows: Iterable[bytes],
        keys: Iterable[str],  # noqa: ARG004 - the Protocol's
        plain_ids: Callable[[], Iterable[str]],  # noqa: ARG004 - the Protocol's
    ) -> Iterator[bytes]:
        """Yield the rows of a downloaded file except for those of requests that were not carried out."""
        return (row for row in rows if not is_unanswered(row))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def _vendor(self) -> str:
        return self._http.service.vendor

    def _batch(self, name: str) -> Batch:
        return self._http.call("GET", _path(name), Batch, what=f"look up the batch {name}")

    def _ended(self, job: JobRef) -> Batch:
        """Return a batch whose files are read.

        Raises
        ------
        ResultsGoneError
            If it no longer exists.
        TransientError
            If it has not ended.
        """
        try:
            batch = self._batch(job.name)
        except NotFoundError as error:
            raise ResultsGoneError(f"{self._vendor} no longer has the batch {job.name}") from error
        if batch.in_our_words(self._vendor).state is JobState.WORKING:
            raise TransientError(f"{self._vendor}: the batch {job.name} has not ended")
        return batch

    def _recent(self, payload: PartPayload) -> Iterator[Batch]:
        """Yield the batches since a job was first asked for, the newest first; all of them where that is unknown.

        The list is believed to be in this order page by page: it ends with a page on which all are older. A batch is
        no older than its file, by the vendor's own clock; only where the file is not known is it our clock that
        counts, and then some pages are read whatever they say.

        Raises
        ------
        TransientError
            If there are more than are looked through.
        """
        what, query = "search the batches", {"limit": str(_PAGE)}
        uploaded = None if payload.staged is None else self._files.created(payload.staged)
        since, least = (payload.since, _LEAST_PAGES) if uploaded is None else (uploaded, 1)
        found = pages(self._http, "/batches", BatchPage, query, what=what, most=_MOST_PAGES + 1)
        for number, page in enumerate(found, 1):
            if number > _MOST_PAGES:
                raise TransientError(f"{self._vendor}: could not {what}: there are more than {_MOST_PAGES * _PAGE:,}")
            yield from page.data
            times = [batch.created for batch in page.data]
            older = since is not None and all(time is not None and time < since - _SKEW_S for time in times)
            if older and times and number >= least:
                return

    def _is_of(self, payload: PartPayload, batch: Batch) -> bool:
        made = payload.staged is not None and batch.input_file_id == payload.staged
        return (made or batch.tag(KEY) == payload.key) and not batch.lacked_room

    def _require_same_requests(self, payload: PartPayload, batch: Batch) -> None:
        """Refuse a batch of this key that was created from other requests, or for another model."""
        theirs, model = batch.tag(REQUESTS), batch.tag(MODEL)
        same = payload.dataset_key in {theirs, batch.input_file_id} or theirs is None
        if not same or model not in {None, payload.model.id[:_MOST_METADATA]}:
            raise PermanentError(
                f"{self._vendor} has a batch {batch.id} of {payload.key} that was created from other requests, or "
                "for another model",
                hint=f"check {batch.id} in the vendor's console; to leave it as it is, start a new run with --run_id",
            )

    def _without_file(self, payload: PartPayload, file: str, error: NotFoundError) -> ProviderError:
        """Return why a batch could not be made: its file is not known everywhere yet, or no longer exists."""
        if self._files.is_there(file):
            return TransientError(error.message)
        self._files.forget(payload)
        return UploadGoneError(error.message, hint="resume: this uploads the requests again")


def _metadata(payload: PartPayload) -> dict[str, str]:
    return {KEY: payload.key, REQUESTS: payload.dataset_key, MODEL: payload.model.id[:_MOST_METADATA]}


def _may_be_empty(batch: Batch) -> bool:
    """Whether an output file that is empty or missing can be the truth."""
    return batch.status in {"failed", "cancelled"} or batch.has_answered_nothing


def _path(name: str) -> str:
    return f"/batches/{quote(name, safe='')}"

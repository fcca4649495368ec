"""Fireworks' batch inference behind the Protocol: jobs under ids that we choose, over plain HTTP.

Because the ids are ours, whatever an unanswered call did can be looked up: a job is never created twice. Keys and names
are in ``fireworks_account``, the files in ``fireworks_datasets``, the shapes of answers in ``fireworks_wire``, and what
an HTTP outcome means in ``http``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote

from promptrial.errors import (
    AlreadyThereError,
    NoSuchModelError,
    PermanentError,
    ProviderError,
    QuotaReachedError,
    ResultsEmptyError,
    ResultsGoneError,
    ResultsShortError,
    ResultsTornError,
    TransientError,
)
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance, Limits
from promptrial.providers.access import timeouts_of
from promptrial.providers.base import JobLookup, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.capabilities import Shown
from promptrial.providers.chat_reader import ReadsChatRows
from promptrial.providers.fireworks_account import (
    OWN_MODELS,
    account_slug,
    address_of,
    api_path,
    dataset_name,
    model_name,
    service,
)
from promptrial.providers.fireworks_datasets import MULTIPART_LIMIT, Datasets, RowFiles, UnfinishedError
from promptrial.providers.fireworks_wire import (
    FAILED_PRECONDITION,
    NOT_FOUND,
    Job,
    Model,
    job_status,
    last_segment,
)
from promptrial.providers.hidden_names import HiddenNames
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Kind, NotFoundError, RejectedError, UnprovenEndError
from promptrial.providers.http_service import Service, Timeouts
from promptrial.providers.missing_rows import require_rows
from promptrial.providers.wire import Anything

__all__ = ["FireworksProvider"]

_JOBS: Final = "batchInferenceJobs"
_NO_SUCH_CALL: Final = "Not Found"
"""What a gRPC gateway says to a path that it does not serve, with the same code as for a thing that does not exist."""


class FireworksProvider(ReadsChatRows):
    """Batches of one Fireworks account. May be used by several threads.

    Parameters
    ----------
    api : Service
        The address and the key.
    account : str
        The account's id.
    timeouts : Timeouts, optional
    multipart_limit : int, optional
        The size in bytes above which a request file is uploaded through a signed URL.
    """

    name: ClassVar[str] = "fireworks"
    local: ClassVar[bool] = False
    jobs: ClassVar[bool] = True
    keyed: ClassVar[bool] = True
    lookup: ClassVar[JobLookup] = JobLookup.KEY_IS_NAME
    understands: ClassVar[frozenset[str]] = frozenset()
    limits: ClassVar[Limits] = Limits(size=500_000_000)

    def __init__(
        self, api: Service, account: str, timeouts: Timeouts | None = None, multipart_limit: int = MULTIPART_LIMIT
    ) -> None:
        self._http = HttpClient(api, timeouts)
        self._account = account
        self._hidden = HiddenNames(OWN_MODELS)
        self._shown: set[str] = set()
        self._datasets = Datasets(self._http, account, multipart_limit)

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for ``FIREWORKS_API_KEY``, ``FIREWORKS_ACCOUNT_ID`` and ``FIREWORKS_API_BASE``.

        An instance that says another variable, account or address is followed instead.
        """
        from promptrial.config.instances import preset_instance

        instance = instance or preset_instance("fireworks")
        return cls(service(env, instance), account_slug(env, instance), timeouts_of(instance))

    def heed(self, stop_asked: Callable[[], bool]) -> None:
        """Let transfers of files end when a stop was asked for, as ``Timeouts`` says."""
        self._http.stop_asked = stop_asked

    @staticmethod
    def check_name(model: ModelSpec) -> None:
        """Refuse a name that is neither a full one nor that of one of Fireworks' own models."""
        with HiddenNames(OWN_MODELS).kept(model):
            model_name(model.id)

    def check(self, model: ModelSpec) -> None:
        """Ask for the newest job, which a wrong key or account cannot, and for the model.

        Of the answers about the model only a clear "no such model" is believed. Any other says nothing, such as the one
        of a gateway that has no call of this path, or "forbidden" to a key that may run a model and not look at it;
        then the call that makes the job decides.
        """
        with self._hidden.kept(model):
            name = model_name(model.id)
            self._check_account()
            self._check_model(name)

    @staticmethod
    def address(env: Mapping[str, str]) -> str:
        """Return what ``FIREWORKS_API_BASE`` says, else Fireworks' own address."""
        return address_of(env)

    def shown(self, model: ModelSpec) -> Shown:
        """Return whether the model was there when it was looked up; the key was used."""
        return Shown(key=True, model=model_name(model.id) in self._shown or None)

    def context_length(self, model: ModelSpec) -> int | None:
        """Return what Fireworks says about the model, if it says so to this key."""
        with self._hidden.kept(model):
            name = model_name(model.id)
            found = self._http.call("GET", f"/v1/{quote(name)}", Model, what=f"look up {name}")
        return found.window

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return the model's name, the account and the host that serves it: no digest of hosted weights is available.

        Of the address only the host and a port count: a path may hold what nobody should read.
        """
        with self._hidden.kept(model):
            name = model_name(model.id)
        shown = name if model.written_id is None else model.written_id
        return {"provider": self.name, "model": shown, "account": self._account, "api": self._http.service.place}

    def count_tokens(self, model: ModelSpec, text: str) -> None:
        """Return None: there is no tokenizer to ask."""

    def stage(self, payload: PartPayload) -> Staged:
        """Create the dataset and upload the requests; what is known of it is in ``Datasets.stage``."""
        return self._datasets.stage(payload)

    def find(self, payload: PartPayload) -> JobRef | None:
        """Return the job that has this payload's key as its id, or None."""
        try:
            job = self._job(payload.key)
        except NotFoundError:
            return None
        self._require_same_requests(payload, job)
        return _ref(payload.key)

    def _require_same_requests(self, payload: PartPayload, job: Job) -> None:
        """Refuse a job of this key that was made from other requests, or for another model."""
        theirs = last_segment(job.input_dataset_id), last_segment(job.model)
        with self._hidden.kept(payload.model):
            ours = payload.dataset_key, last_segment(model_name(payload.model.id))
            if theirs != ours:
                raise PermanentError(
                    f"Fireworks has a job {payload.key} of {theirs[0]} for {theirs[1]}, not of {ours[0]} for {ours[1]}",
                    hint=f"look at it: firectl batch-inference-job get {last_segment(job.name)}",
                )

    def submit(self, payload: PartPayload) -> JobRef:
        """Create the job under this payload's key. Every sampling parameter is in the rows, so none is here.

        Raises
        ------
        OutcomeUnknownError
        AlreadyThereError
            If a job of this id, or its output, already exists.
        QuotaReachedError
            Fireworks says so with a 400, not a 429.
        """
        with self._hidden.kept(payload.model):
            return self._submitted(payload)

    def _submitted(self, payload: PartPayload) -> JobRef:
        body = {
            "model": model_name(payload.model.id),
            "inputDatasetId": dataset_name(self._account, payload.dataset_key),
            "outputDatasetId": dataset_name(self._account, _output(payload.key)),
            "displayName": payload.key,
        }
        path, what = api_path(self._account, _JOBS), f"create job {payload.key}"
        query = {"batchInferenceJobId": payload.key}
        try:
            job = self._http.call("POST", path, Job, what=what, kind=Kind.CREATES, query=query, body=body)
        except RejectedError as error:
            if error.status == 409 or (error.status == 400 and "already exists" in error.detail):
                raise AlreadyThereError(error.message, hint="it may exist from an earlier call") from error
            if error.status == 400 and "quota" in error.detail.lower():
                raise QuotaReachedError(error.message) from error
            if error.code == FAILED_PRECONDITION:
                raise TransientError(error.message) from error  # the requests are not ready yet
            raise
        return _ref(last_segment(job.name))

    def fence(self, payload: PartPayload) -> bool:  # noqa: ARG002 - the Protocol's
        """Return False: a call of before may still come, and then its key is taken."""
        return False

    def status(self, job: JobRef) -> JobStatus:
        """Return the job's state in our words."""
        try:
            found = job_status(self._job(job.name))
            return replace(found, message=self._hidden(found.message))
        except NotFoundError as error:
            return JobStatus(JobState.MISSING, message=error.message)

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        """Yield the rows of every output file, then those of the requests that failed.

        Raises
        ------
        ResultsTornError
            If a file ends in the middle of a row; those of the other files were given before.
        ResultsEmptyError
            If rows are missing, and an output file is empty or missing that may not be: the job did not end badly,
            and Fireworks does not say that it has processed nothing.
        ResultsShortError
            If rows are missing, and a file's end is unproven, or the file of the requests that failed no longer exists:
            the answers that came are kept.
        ResultsGoneError
            If the output does not exist; also if there is nothing in it and its job is gone, it was left unfinished by
            a job that has ended early, or it cannot be read.
        """
        dataset, count = self._output_of(job), 0
        shorts: list[ResultsShortError] = []
        files = self._row_files(job, dataset)
        empty = not files.output
        for file in (*files.output, *files.errors):
            before = count
            try:
                for line in self._datasets.lines(dataset, file):
                    count += 1
                    yield line
            except UnprovenEndError as error:
                shorts.append(ResultsShortError(error.message))
            except ResultsTornError as error:
                shorts.append(error)
            except ResultsGoneError as error:
                if file in files.output:
                    raise
                shorts.append(ResultsShortError(error.message))
            empty = empty or (count == before and file in files.output)
        if empty and not self._may_be_empty(job, count):
            what = "an empty" if files.output else "no"
            shorts.append(ResultsEmptyError(f"Fireworks: {dataset} has {what} output file"))
        require_rows(shorts, count, payload.rows)

    def _row_files(self, job: JobRef, dataset: str) -> RowFiles:
        try:
            return self._datasets.row_files(dataset)
        except UnfinishedError as error:
            if self.status(job).state in {JobState.WORKING, JobState.READY}:
                raise
            raise ResultsGoneError(f"{error.message}, and there is no job that will finish it") from error
        except ResultsGoneError:
            if not self._has_processed_nothing(job):
                raise
            return RowFiles((), ())

    def _may_be_empty(self, job: JobRef, count: int) -> bool:
        """Whether an output file that is empty or missing can be the truth."""
        try:
            found = self._job(job.name)
        except NotFoundError:
            if count == 0:
                gone = f"Fireworks: the output of {job.name} is empty, and the job no longer exists"
                raise ResultsGoneError(gone) from None
            return False
        return job_status(found).state in {JobState.FAILED, JobState.CANCELLED} or found.processed == 0

    def _has_processed_nothing(self, job: JobRef) -> bool:
        """Whether Fireworks says about a job that has expired that it had not started with its requests."""
        try:
            found = self._job(job.name)
        except NotFoundError:
            return False
        return job_status(found).state is JobState.EXPIRED and found.processed == 0

    def cancel(self, job: JobRef) -> None:
        """Delete the job, which is how Fireworks stops one. One that is gone is stopped."""
        try:
            self._http.call("DELETE", self._job_path(job.name), Anything, what=f"cancel job {job.name}")
        except NotFoundError:
            return

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        """Return firectl's command in its newer and its older spelling, and where the files then are."""
        dataset = _output(job.name)
        rest = f"{dataset} --output-dir {shlex.quote(str(folder))} -a {self._account}"
        return (
            f"firectl dataset download {rest}",
            f"firectl download dataset {rest}    # in older versions of firectl",
            f"# read from there: {folder / 'dataset' / dataset}, and what you put into {folder} yourself",
        )

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> str:
        """Return firectl's command that deletes a job."""
        account = f" -a {shlex.quote(str(engine['account']))}" if "account" in engine else ""
        return f"firectl batch-inference-job delete {shlex.quote(job)}{account}"

    @staticmethod
    def emulated(instance: Instance, url: str, key: str, account: str) -> tuple[Instance, Mapping[str, str]]:
        """Return the three variables that ``open`` reads."""
        env = {"FIREWORKS_API_BASE": url, "FIREWORKS_API_KEY": key, "FIREWORKS_ACCOUNT_ID": account}
        return replace(instance, base_url="", key="", account=""), env

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _check_account(self) -> None:
        """List one job of the account. That there is no such account is believed when it is said twice."""
        path, what = api_path(self._account, _JOBS), f"list the jobs of account {self._account}"

        def ask() -> None:
            self._http.call("GET", path, Anything, what=what, query={"pageSize": "1"})

        try:
            ask()
        except NotFoundError:
            self._ask_again(ask)

    def _ask_again(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except NotFoundError as error:
            hint = "check FIREWORKS_ACCOUNT_ID and FIREWORKS_API_KEY"
            raise PermanentError(f"Fireworks has no account {self._account} for this key", hint=hint) from error

    def _check_model(self, name: str) -> None:
        try:
            self._http.call("GET", f"/v1/{quote(name)}", Anything, what=f"look up {name}")
        except NotFoundError as error:
            if error.code == NOT_FOUND and error.detail != _NO_SUCH_CALL:
                hint = "check the model's `id` in the configuration"
                raise NoSuchModelError(f"Fireworks has no model {name}", hint=hint) from error
        except ProviderError:
            return
        else:
            self._shown.add(name)

    def _output_of(self, job: JobRef) -> str:
        """Return the id of the dataset into which a job writes."""
        return _output(job.name)

    def _job_path(self, name: str) -> str:
        return api_path(self._account, _JOBS, name)

    def _job(self, name: str) -> Job:
        return self._http.call("GET", self._job_path(name), Job, what=f"look up job {name}")


def _ref(job: str) -> JobRef:
    return JobRef(job, _output(job))


def _output(job: str) -> str:
    """Return the id of the dataset into which a job writes."""
    return f"{job}-out"

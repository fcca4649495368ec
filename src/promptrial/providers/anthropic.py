"""Anthropic's message batches behind the Protocol: requests inline in the one call that creates, found again by guess.

A batch carries nothing of ours that could be searched for. What bounds the search is the batch that was the newest
before ours was asked for, whose name is on record in place of uploaded requests; what proves a batch is the
nonce on each id, once results are there (``anthropic_results``). Parameters of requests are in ``anthropic_messages``,
what is known of a model in ``anthropic_shared``, how rows are read in ``anthropic_rows``, and address, key and version
in ``anthropic_service``.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote, urlsplit

from promptrial.config.instances import preset_instance
from promptrial.config.presets import PRESETS
from promptrial.errors import NotOursError, PermanentError, ResultsGoneError, TransientError, UndecidedError
from promptrial.model import ModelSpec
from promptrial.model.instances import Instance, Limits
from promptrial.providers.access import timeouts_of
from promptrial.providers.anthropic_ids import Nonce
from promptrial.providers.anthropic_messages import EMPTY_BODY, row_overhead, write_requests
from promptrial.providers.anthropic_results import OwnRows, are_ours, plain_rows
from promptrial.providers.anthropic_service import PRESET, VERSION_HEADER, anthropic_service, is_version, version_of
from promptrial.providers.anthropic_shared import AsksAnthropic
from promptrial.providers.anthropic_wire import OVERLOADED, RATE_LIMIT, Batch, BatchPage, batch_status
from promptrial.providers.base import JobLookup, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.capabilities import Shown
from promptrial.providers.curl import key_header, recorded_place
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import NotFoundError, RejectedError, Reply, printable
from promptrial.providers.http_service import Service, Timeouts
from promptrial.providers.wire import Anything

__all__ = ["AnthropicProvider"]

_BATCHES: Final = "/v1/messages/batches"
_PAGE: Final = 100
_MOST_PAGES: Final = 200
_BODY_LIMIT: Final = 256_000_000
"""Bytes that the body of one batch may have."""
_NO_BATCH: Final = "none"
"""What is on record where there was no batch yet."""


class AnthropicProvider(AsksAnthropic):
    """Message batches of one workspace of Anthropic's. May be used by several threads.

    Parameters
    ----------
    api : Service
        The address, the key and the version.
    timeouts : Timeouts, optional
    """

    name: ClassVar[str] = "anthropic"
    local: ClassVar[bool] = False
    jobs: ClassVar[bool] = True
    keyed: ClassVar[bool] = False
    lookup: ClassVar[JobLookup] = JobLookup.GUESS
    limits: ClassVar[Limits] = Limits(rows=100_000, size=_BODY_LIMIT - len(EMPTY_BODY))

    def __init__(self, api: Service, timeouts: Timeouts | None = None) -> None:
        super().__init__(HttpClient(api, timeouts))
        self._strangers: set[tuple[str, str]] = set()

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for an instance, or for Anthropic itself with the key in ``ANTHROPIC_API_KEY``."""
        instance = instance or preset_instance(PRESET)
        return cls(anthropic_service(env, instance), timeouts_of(instance))

    def heed(self, stop_asked: Callable[[], bool]) -> None:
        """Let downloads end when a stop was asked for, as ``Timeouts`` says."""
        self._http.stop_asked = stop_asked

    @staticmethod
    def row_overhead(model: ModelSpec, instance: Instance) -> int:  # noqa: ARG004 - the Protocol's
        """Return by how much a request is longer than the neutral row."""
        return row_overhead(model)

    def check(self, model: ModelSpec) -> None:
        """Refuse options that the version does not take; list a batch, which a wrong key cannot; look up the model."""
        self._check_options(model)
        self._page(None, limit=1)
        self._look_up(model)

    def shown(self, model: ModelSpec) -> Shown:
        """Return whether the model was there when it was looked up, which a wrong key cannot."""
        return Shown(key=True, model=model.id in self._shown or None)

    def stage(self, payload: PartPayload) -> Staged:
        """Note which batch is the newest: ours, if one comes of this attempt, is newer. Nothing is uploaded."""
        if payload.staged is not None:
            return Staged(payload.staged, ready=True)
        newest = self._page(None, limit=1).data
        return Staged(newest[0].id if newest else _NO_BATCH, ready=True)

    def find(self, payload: PartPayload) -> JobRef | None:
        """Return the batch that may be this attempt's, or None if none can be.

        One whose results are there is recognised by its nonce. Among those that still work, a lone one is a guess.

        Raises
        ------
        UndecidedError
            If several may be: they are distinguished once they have ended.
        """
        unproved = []
        for batch in self._newer_batches(payload):
            if batch.total != payload.rows or batch.id in payload.known() or (batch.id, payload.key) in self._strangers:
                continue
            proved = self._is_ours(batch, payload) if batch.has_ended else None
            if proved:
                return JobRef(batch.id)
            if proved is None:
                unproved.append(batch.id)
        if len(unproved) > 1:
            raise UndecidedError(
                f"Anthropic: {len(unproved)} batches may be job {payload.key}, and cannot be distinguished until they "
                f"end: {', '.join(unproved[:5])}"
            )
        return JobRef(unproved[0]) if unproved else None

    def submit(self, payload: PartPayload) -> JobRef:
        """Create the batch, with all requests in the body of the one call.

        Raises
        ------
        OutcomeUnknownError
            If the call was not answered, or with an error that may have come after it was carried out.
        TransientError
            If the vendor has no room for it, or is overloaded, and says so itself: it has changed nothing then.
        """
        with tempfile.TemporaryFile() as body:
            write_requests(body, payload.requests(), payload.model, _nonce_of(payload))
            size = body.tell()
            if size > _BODY_LIMIT:
                raise PermanentError(
                    f"Anthropic: the {payload.rows} requests of {payload.key} have {size:,} bytes, and the limit is "
                    f"{_BODY_LIMIT:,}",
                    hint="make parts smaller: `max_bytes` or `max_rows` of the provider, or `parts_per_dataset`",
                )
            body.seek(0)
            what = f"create batch {payload.key}"
            return JobRef(self._http.create(_BATCHES, body, Batch, what=what, turned_away=_is_turned_away).id)

    def fence(self, payload: PartPayload) -> bool:  # noqa: ARG002 - the Protocol's
        """Return False: nothing that was uploaded could be removed, so a call of before may still come."""
        return False

    def status(self, job: JobRef) -> JobStatus:
        """Return the batch's state in our words."""
        try:
            return batch_status(self._batch(job.name))
        except NotFoundError as error:
            return JobStatus(JobState.MISSING, message=error.message)

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        """Yield the rows of the batch that hold an answer or a final error, with plain ids.

        Raises
        ------
        NotOursError
            If its ids are those of another attempt, or not of this program at all.
        ResultsShortError
            If there are fewer rows than requests.
        ResultsGoneError
            If the batch, or its results, do not exist, were removed, or cannot be read.
        PermanentError
            If they are said to be at another address than the API's: the key is not sent there.
        """
        try:
            path = self._results_path(self._batch(job.name))
        except NotFoundError as error:
            raise ResultsGoneError(error.message) from error
        rows = OwnRows(job.name, _nonce_of(payload), payload.rows)
        try:
            yield from rows.read(self._http.own_lines(path, what=f"download the results of {job.name}"))
        except NotOursError:
            self._strangers.add((job.name, payload.key))
            raise
        except PermanentError as error:
            if isinstance(error, RejectedError) and error.is_of_the_account:
                raise
            raise ResultsGoneError(error.message, hint=error.hint) from error

    def cancel(self, job: JobRef) -> None:
        """Ask for the batch to be canceled. One that has ended, or is gone, is."""
        try:
            self._http.call("POST", _path(job.name, "cancel"), Anything, what=f"cancel batch {job.name}")
        except NotFoundError:
            return
        except RejectedError as error:
            if error.status != 400 or not self._has_ended(job):
                raise

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        """Return the command that downloads the results; the ids in them are told from the requests when it is read."""
        target = shlex.quote(str(folder / f"{job.name}_results.jsonl"))
        url = shlex.quote(self._http.service.base_url + f"{_BATCHES}/{job.name}/results")
        key = key_header("x-api-key", self._http.service.key_variable)
        return (f'curl -fsS{key} -H "{VERSION_HEADER}: {self._version}" -o {target} {url}',)

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> str:
        """Return the command that cancels a batch."""
        place = str(engine.get("api") or "api.anthropic.com")
        said = str(engine.get("api_version"))
        version = said if is_version(said) and "api_version" in engine else version_of(preset_instance(PRESET))
        address, variable = recorded_place(place, PRESETS[PRESET])
        url = shlex.quote(f"{address}{_BATCHES}/{job}/cancel")
        return f'curl -fsS -X POST{key_header("x-api-key", variable)} -H "{VERSION_HEADER}: {version}" {url}'

    @staticmethod
    def plain_rows(
        rows: Iterable[bytes], keys: Iterable[str], plain_ids: Callable[[], Iterable[str]]
    ) -> Iterator[bytes]:
        """Yield the rows of a downloaded file as ``results`` does, whichever of these attempts they are of."""
        return plain_rows(rows, [Nonce(key, plain_ids) for key in keys])

    def _batch(self, name: str) -> Batch:
        return self._http.call("GET", _path(name), Batch, what=f"look up batch {name}")

    def _has_ended(self, job: JobRef) -> bool:
        return self._batch(job.name).has_ended

    def _page(self, after: str | None, limit: int = _PAGE) -> BatchPage:
        query = {"limit": str(limit)} | ({} if after is None else {"after_id": after})
        return self._http.call("GET", _BATCHES, BatchPage, what="list the batches", query=query)

    def _newer_batches(self, payload: PartPayload) -> Iterator[Batch]:
        """Yield the batches that were created since this attempt was started, the newest first."""
        after: str | None = None
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            page = self._page(after)
            for batch in page.data:
                if batch.id == payload.staged:
                    return
                if batch.id not in seen:
                    yield batch
                seen.add(batch.id)
            if not page.has_more or not page.data:
                return
            if page.data[-1].id == after:
                raise TransientError("Anthropic: the list of batches repeats itself")
            after = page.data[-1].id
        raise TransientError(f"Anthropic: more than {_MOST_PAGES * _PAGE} batches are newer than this attempt")

    def _is_ours(self, batch: Batch, payload: PartPayload) -> bool | None:
        """Return whether the results of a batch are of this attempt, None if they cannot be read now, or are gone."""
        try:
            path = self._results_path(batch)
            lines = self._http.own_lines(path, what=f"look into the results of {batch.id}")
            return are_ours(lines, _nonce_of(payload))
        except ResultsGoneError:
            return False if batch.archived_at is not None else None  # nobody can read what was removed
        except PermanentError:
            return None

    def _results_path(self, batch: Batch) -> str:
        """Return the path of the results below the API's address.

        Raises
        ------
        ResultsGoneError
            If there are none.
        PermanentError
            If they are said to be elsewhere.
        """
        if batch.archived_at is not None or not isinstance(batch.results_url, str) or not batch.results_url:
            why = "were removed" if batch.archived_at is not None else "were not found"
            raise ResultsGoneError(f"Anthropic: the results of batch {batch.id} {why}")
        base, said = self._http.service.base_url, batch.results_url
        theirs = said if "://" in said else base + said
        if _origin(theirs) != _origin(base) or not theirs.startswith(base + "/"):
            raise PermanentError(
                f"Anthropic: the address of the results of batch {batch.id} is {printable(theirs, 100)}, not at "
                f"{self._http.service.place}, where the API is; the key is not sent there",
                hint="check `base_url` of the provider: a gateway must give its own address in `results_url`",
            )
        return theirs.removeprefix(base)


def _nonce_of(payload: PartPayload) -> Nonce:
    return Nonce(payload.key, lambda: (row.custom_id for row in payload.requests()))


def _is_turned_away(reply: Reply) -> bool:
    """Whether the vendor itself says that it did not look at a call: a proxy's 429 or 529 has another body."""
    return (reply.status, reply.type) in {(429, RATE_LIMIT), (529, OVERLOADED)}


def _path(name: str, verb: str = "") -> str:
    return "/".join(part for part in (_BATCHES, quote(name, safe=""), verb) if part)


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        origin = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "", "", None
    return origin

"""From requests to a job, exactly once: intent, upload, one call, and a look before that call is made again.

Every step is recorded before the next is taken. What a call did that got no answer is found out by the key that we
chose for the job: a vendor that keeps keys apart refuses a second job of one key, so asking again is safe there.
Elsewhere a job that cannot be found is parked as ``unknown``, and never created a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from promptrial.errors import (
    AlreadyThereError,
    FencedError,
    OutcomeUnknownError,
    PermanentError,
    ResultsGoneError,
    TransientError,
    UploadGoneError,
)
from promptrial.jobs.creation import Creation
from promptrial.jobs.patience import Patience
from promptrial.jobs.request_files import RequestFiles
from promptrial.jobs.schedule import Steps
from promptrial.jobs.search import Search
from promptrial.jobs.services import QueueServices
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobRef, PartPayload, Staged
from promptrial.providers.request_rows import decode_request_row
from promptrial.store import breadcrumbs, jsonl
from promptrial.store.part_records import BilledTokens, Intent, PartStatus

__all__ = ["Submission"]

_T = TypeVar("_T")
_SEARCHED: Final = frozenset({JobLookup.SEARCH, JobLookup.GUESS})
_TIMES_AFTER_A_FENCE: Final = 5
"""How many times as long as before it a job is looked for: one that is shown even later would be paid for twice."""
_LONGEST_ROOM_S: Final = 600.0
_MOST_DOUBTS: Final = 8
"""How often it may have to be found out whether a job was created."""


@dataclass(slots=True)
class Submission:
    """Brings one part to having a job.

    Parameters
    ----------
    work : PartWork
    services : QueueServices
    requests : RequestFiles
    """

    work: PartWork
    services: QueueServices
    requests: RequestFiles
    _fences: int = field(default=0, init=False)
    _creation: Creation = field(init=False)
    _search: Search = field(init=False)
    _room: Patience = field(init=False)

    def __post_init__(self) -> None:
        self._search = Search(
            self.work, self.services.recorder, self.services.settings, self.services.clock, self.services.calls
        )
        self._creation = Creation(
            self.work,
            self.services.recorder,
            self.services.settings,
            self.services.calls,
            self._facts,
            self._search.noted,
            self._search.undecided,
        )
        self._room = Patience(
            self.services.clock,
            self.services.settings.quota_wait_s,
            _LONGEST_ROOM_S,
            self.services.settings.job_deadline_s,
        )

    def steps(self, unanswered: frozenset[str] | None) -> Steps[JobRef]:
        """Create the job, or adopt the one that an earlier call has created.

        Parameters
        ----------
        unanswered : frozenset of str or None
            The wire ids still to be asked; None stands for all of the part's.

        Raises
        ------
        PermanentError, TransientError
            If the vendor refuses; nothing was created then.
        FencedError
            If none was created, and now none can be: another attempt is due.
        OutcomeUnknownError
            If it cannot be found out whether a job was created: the part is then parked as ``unknown``.
        """
        yield from self.services.doubts.turn(self.work)
        try:
            return (yield from self._steps(unanswered))
        finally:
            self.services.doubts.done(self.work)

    def _steps(self, unanswered: frozenset[str] | None) -> Steps[JobRef]:
        work, doubtful = self.work, self.work.in_doubt
        attempt = self._attempt(work.part.rows if unanswered is None else len(unanswered))
        path = self.requests.sent(attempt) if doubtful else self.requests.new(attempt, unanswered)
        payload = self._described(attempt, path)
        if not doubtful:
            self._require_room(payload)
            self.services.recorder.record(work, "pending", **self._facts(payload, attempt))
        staged = yield from self._staged(payload, doubtful=doubtful)
        if not doubtful:
            yield 0.0  # a stop that was asked for during the upload is noticed before anything is paid for
        asked_before = doubtful or payload.since is not None
        payload = replace(payload, staged=staged.name, since=self._since(payload))
        began = None if doubtful else self.services.recorder.clock.now()
        facts = {"dataset": staged.name, "asked_at": payload.since, "began": began, **self._facts(payload, attempt)}
        self.services.recorder.record(work, "submitting", **facts)
        job = yield from self._created(payload, doubtful=doubtful, asked_before=asked_before)
        self._leave_breadcrumbs(job, payload.key, attempt, staged.name)
        self.services.recorder.record(
            work, "submitted", job=job.name, dataset=staged.name, **self._facts(payload, attempt)
        )
        return job

    def give_up(self, reason: str, *, billed: BilledTokens | None = None) -> None:
        """Count the attempt that is in doubt as lost: what is asked next is another one.

        ``billed`` is what it costs where that is known: nothing, if it is sure that no job was created.
        """
        last = self.work.intents[-1]
        self.services.recorder.record(
            self.work, "expired", key=last.key, attempt=last.attempt, reason=reason, billed=billed
        )

    def wait_for_room(self, message: str) -> Steps[None]:
        """Take back the job that the vendor had no room for, and wait: the same attempt is made again then.

        Nothing of it was started, so that it counts neither as a job nor as an attempt.

        Raises
        ------
        PermanentError
            If there has been no room for as long as a job may take.
        """
        last, reason = self.work.intents[-1], f"waiting for capacity: {message}"
        self.services.recorder.record(
            self.work,
            "pending",
            key=last.key,
            attempt=last.attempt,
            rows=last.rows,
            request_sha256=last.request_sha256,
            reason=reason,
        )
        if self._room.is_over():
            hours = self.services.settings.job_deadline_s / 3600
            raise PermanentError(
                f"the provider has had no capacity for job {last.key} for {hours:.3g} hours",
                hint=(
                    "if nothing else is in progress there, the job exceeds the account's limit: start a new run "
                    "with a lower `max_rows` of the provider. A resume sends the job once more"
                ),
            )
        self.services.recorder.say_once("room", f"{self.work.name} {reason} (other parts may be affected too)")
        yield self._room.wait_s()

    def disown(self, reason: str) -> None:
        """Take back that the attempt's job is the one on record.

        Which is its job is in doubt again, unless its call was refused: then it has none.
        """
        last = self.work.intents[-1]
        facts = {"request_sha256": last.request_sha256, "dataset": last.dataset, "rows": last.rows}
        status: PartStatus = "pending" if last.refused is True else "submitting"
        self.services.recorder.record(self.work, status, key=last.key, attempt=last.attempt, reason=reason, **facts)

    def adopt(self, intent: Intent) -> Steps[None]:
        """Set the part to the job that an attempt is known to have; nothing is created.

        Raises
        ------
        ResultsGoneError
            If what was asked, or what the vendor calls the job, is no longer known.
        """
        found = yield from self._search.found(self.payload_of(intent.attempt))
        job = found if found is not None and intent.job in {None, found.name} else (yield from self.job_of(intent))
        self._leave_breadcrumbs(job, intent.key, intent.attempt, intent.dataset)
        self.services.recorder.record(
            self.work,
            "submitted",
            key=intent.key,
            attempt=intent.attempt,
            request_sha256=self.work.request_sha256,
            dataset=intent.dataset,
            job=job.name,
        )

    def payload_of(self, attempt: int) -> PartPayload:
        """Return what an attempt has sent.

        Raises
        ------
        ResultsGoneError
            If that is no longer known.
        """
        return self._described(attempt, self.requests.sent(attempt))

    def job_of(self, intent: Intent) -> Steps[JobRef]:
        """Return the job of an attempt by the name that the vendor gave it: as recorded, or else as found by its key.

        Raises
        ------
        ResultsGoneError
            If no record names the job, and the vendor shows none for the key.
        """
        if intent.job is not None:
            return JobRef(intent.job)
        if self.work.provider().lookup is JobLookup.KEY_IS_NAME:
            return JobRef(intent.key)
        found = yield from self._search.settled(self.payload_of(intent.attempt), "its name was not recorded")
        if found is None:
            raise ResultsGoneError(
                f"the provider's name of job {intent.key} was not recorded, and cannot be determined"
            )
        return found

    def _attempt(self, rows: int) -> int:
        """Return the number of this attempt: that in doubt, or started to ask as much, or else one more than the last.

        What was started may have been uploaded, and then that name stands for as many requests as it had.
        """
        last = self.work.latest
        if last is None:
            return 1
        begun = last.status == "pending" and last.rows in {None, rows}
        return last.attempt if begun or self.work.in_doubt else 1 + max(i.attempt for i in self.work.intents)

    def _facts(self, payload: PartPayload, attempt: int) -> dict[str, object]:
        return {
            "key": payload.key,
            "attempt": attempt,
            "rows": payload.rows,
            "request_sha256": self.work.request_sha256,
            "estimated_usd": self.work.estimate_usd(payload.rows, payload.size),
            "reserved_usd": self.work.reserve_usd(payload.rows, payload.size),
        }

    def _require_room(self, payload: PartPayload) -> None:
        """Refuse, before anything is uploaded, what does not fit into the cap.

        Raises
        ------
        OverCapError
        """
        reserve = self.work.reserve_usd(payload.rows, payload.size) or 0.0
        self.services.recorder.budget.require(self.work, payload.key, payload.rows, reserve)

    def _leave_breadcrumbs(self, job: JobRef, key: str, attempt: int, dataset: str | None) -> None:
        """Write beside the results, in plain files, what a person needs to find the job without this program."""
        crumb = breadcrumbs.Breadcrumb(
            name=job.name,
            key=msgspec.UNSET if job.name == key else key,
            outputDatasetId=job.output,
            inputDatasetId=dataset,
            provider=self.work.provider().name,
            model=self.work.model.shown_id,
            attempt=attempt,
            request_sha256=self.work.request_sha256,
        )
        breadcrumbs.leave(self.work.folder.results, self.work.part.name, crumb)

    def _described(self, attempt: int, path: Path) -> PartPayload:
        work, digest = self.work, jsonl.digest(path)
        key = next((intent.key for intent in work.intents if intent.attempt == attempt), f"{work.key}-a{attempt}")
        known = next((intent for intent in work.intents if intent.key == key), None)
        return PartPayload(
            key=key,  # as it was, if the attempt was made before: how keys are computed may have changed since
            dataset_key=key,
            model=work.model,
            path=path,
            rows=jsonl.count(path),
            size=digest.size,
            sha256=digest.sha256,
            requests=lambda: (decode_request_row(line) for line in jsonl.lines(path)),
            since=None if known is None else known.asked_at or None,
            known=self.services.doubts.known,
            staged=None if known is None else known.dataset,
        )

    def _since(self, payload: PartPayload) -> float | None:
        """Return when the job was first asked for, if it may have to be searched by that."""
        if self.work.provider().lookup not in _SEARCHED:
            return None
        return self.services.clock.timestamp() if payload.since is None else payload.since

    # --- upload and creation -------------------------------------------------------------------------------------

    def _staged(self, payload: PartPayload, *, doubtful: bool) -> Steps[Staged]:
        """Upload the requests and wait until a job may be made from them. Repeating that is harmless.

        Nothing is uploaded for an attempt in doubt that could not be made again: its job is looked for by the upload
        that it was made from, which therefore stays on record, and is the one to fence.
        """
        if doubtful and payload.staged is not None and not self.work.provider().keyed:
            return Staged(payload.staged, ready=True)
        provider, end = self.work.provider(), self.services.clock.monotonic() + self.services.settings.job_deadline_s

        def stage() -> Staged:
            try:
                return provider.stage(payload)
            except OutcomeUnknownError as error:
                raise TransientError(error.message, hint=error.hint) from error

        while not (staged := (yield from self._call(stage, payload.key))).ready:
            if self.services.clock.monotonic() > end:
                raise TransientError(f"the uploaded requests {staged.name} never became ready")
            yield self.services.settings.poll_interval_s
        return staged

    def _created(self, payload: PartPayload, *, doubtful: bool, asked_before: bool) -> Steps[JobRef]:
        """Create the job, or find the one that is there.

        Where a job can only be guessed, none is looked for before one was asked for: it could only be a stranger's.

        If it cannot be found, and cannot be created because it is there, it was created and is gone: where its key is
        its name, it counts as one that the provider no longer knows, so that its answers are looked for.
        """
        provider, doubts, there = self.work.provider(), 0, False
        found = None
        if asked_before or provider.lookup is not JobLookup.GUESS:
            found = yield from self._search.found(payload)
        if found is None and doubtful:
            doubts += 1
            found = yield from self._search.settled(
                payload, "an earlier process requested it, and did not record the answer"
            )
        while found is None:
            if doubts and (not provider.keyed or doubts >= _MOST_DOUBTS):
                if there and provider.lookup is JobLookup.KEY_IS_NAME:
                    return self._gone(payload)
                found = yield from self._fenced(payload)
                break
            try:
                return (yield from self._creation.steps(payload))
            except UploadGoneError as error:
                self._fences += 1
                if doubts or self._fences > _MOST_DOUBTS:
                    raise
                raise FencedError(f"{error.message}; its requests are sent again") from error
            except OutcomeUnknownError as error:
                doubts, there = doubts + 1, isinstance(error, AlreadyThereError)
                found = yield from self._search.settled(payload, error.message)
        self.services.recorder.events.say(f"{self.work.name}: job {found.name} already exists, and is adopted")
        return found

    def _fenced(self, payload: PartPayload) -> Steps[JobRef]:
        """Return the job that was there after all; without one, make sure that none can come.

        Raises
        ------
        FencedError
            If that is sure.
        OutcomeUnknownError
            If not: the part is parked.
        """
        provider = self.work.provider()
        if self._fences < _MOST_DOUBTS and (yield from self._call(lambda: provider.fence(payload), payload.key)):
            # A job that was created before the fence runs on, though it may not be shown yet.
            found = yield from self._search.looked_for(payload, _TIMES_AFTER_A_FENCE)
            if found is not None:
                return found
            self._fences += 1
            raise FencedError(f"job {payload.key} was not created; its requests are sent again")
        raise self._parked(payload)

    def _call(self, call: Callable[[], _T], key: str) -> Steps[_T]:
        return self.services.calls.retried(call, self.work.model.provider, key)

    def _gone(self, payload: PartPayload) -> JobRef:
        self.services.recorder.events.warn(
            f"{self.work.name}: job {payload.key} was created before and no longer exists; looking for its answers"
        )
        return JobRef(payload.key)

    def _parked(self, payload: PartPayload) -> OutcomeUnknownError:
        reason = f"it cannot be determined whether job {payload.key} was created"
        self.services.recorder.record(self.work, "unknown", reason=reason, key=payload.key)
        return OutcomeUnknownError(reason)

"""Data sets and batch inference jobs as they are kept, and as the API shows them. What changes them is elsewhere."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from promptrial_emulator.clock import timestamp
from promptrial_emulator.core import Core
from promptrial_emulator.database import Collection
from promptrial_emulator.faults.rules import Fault, Injected
from promptrial_emulator.fireworks.inputs import InputFacts
from promptrial_emulator.fireworks.messages import refused
from promptrial_emulator.fireworks.outputs import Outcome
from promptrial_emulator.fireworks.schedule import TERMINAL
from promptrial_emulator.stages import Stage, partway
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Dataset", "Fireworks", "Job"]

DELETING: Final = "JOB_STATE_DELETING_CLEANING_UP"


class Dataset(msgspec.Struct, kw_only=True):
    """A data set. ``registered`` are the files that ``getUploadEndpoint`` named, with their sizes."""

    id: str
    serial: int
    created: float
    visible_from: float
    example_count: int
    spec: dict[str, Any]
    ready_at: float | None = None
    files: list[StoredFile] = msgspec.field(default_factory=list)
    registration: int = 0
    registered: dict[str, int] = msgspec.field(default_factory=dict)
    facts: InputFacts | None = None
    source_job: str | None = None
    continues: str | None = None

    @property
    def open(self) -> bool:
        """Nothing but the clock makes a data set ready, and that needs no attention."""
        return False

    def ready(self, now: float) -> bool:
        """Whether it may be used."""
        return self.ready_at is not None and now >= self.ready_at


class Job(msgspec.Struct, kw_only=True):
    """A batch inference job.

    ``problem`` is what its validation will find, and ``message`` what the client is told once it has ended. ``earlier``
    are the results that a continued job need not make again.
    """

    id: str
    serial: int
    created: float
    updated: float
    visible_from: float
    expires_at: float
    state: str
    spec: dict[str, Any]
    input: str
    inputs: list[str]
    rows: int
    example_count: int
    output: str
    schedule: list[Stage]
    faults: list[Fault]
    message: str = ""
    problem: str = ""
    earlier: list[str] = msgspec.field(default_factory=list)
    continues: str | None = None
    outcome: Outcome | None = None
    ended_at: float | None = None
    deleted_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether time still changes it."""
        return self.ended_at is None or self.deleted_at is not None

    @property
    def injected(self) -> Injected:
        """The faults that it met when it was created."""
        return Injected(self.faults)


_Object = TypeVar("_Object", Dataset, Job)


def _visible(found: _Object | None, now: float) -> _Object:
    if found is None or found.visible_from > now:
        raise refused(404, "resource not found")
    return found


class Fireworks:
    """The objects of the one account."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.datasets = Collection(core.database, "fireworks_dataset", Dataset)
        self.jobs = Collection(core.database, "fireworks_job", Job)
        self.account = f"accounts/{core.settings.account}"

    def dataset(self, name: str, now: float) -> Dataset:
        """Return a data set.

        Raises
        ------
        ApiError
            404 if there is none, or it is not to be seen yet.
        """
        return _visible(self.datasets.find(name), now)

    def job(self, name: str, now: float) -> Job:
        """Return a job.

        Raises
        ------
        ApiError
            404 if there is none, or it is not to be seen yet.
        """
        return _visible(self.jobs.find(name), now)

    def shown_dataset(self, dataset: Dataset, now: float) -> dict[str, Any]:
        """Return a data set as JSON."""
        source = dataset.source_job
        return {
            "name": f"{self.account}/datasets/{dataset.id}",
            "displayName": dataset.spec.get("displayName", ""),
            "createTime": timestamp(dataset.created),
            "updateTime": timestamp(dataset.created if dataset.ready_at is None else min(now, dataset.ready_at)),
            "createdBy": "",
            "state": "READY" if dataset.ready(now) else "UPLOADING",
            "status": {"code": "OK", "message": ""},
            "exampleCount": str(dataset.example_count),
            "estimatedTokenCount": "0",
            "format": dataset.spec.get("format", "FORMAT_UNSPECIFIED"),
            "userUploaded": {} if source is None else None,
            "externalUrl": "",
            "sourceJobName": "" if source is None else f"{self.account}/batchInferenceJobs/{source}",
            "encryptionState": "ENCRYPTION_STATE_UNSPECIFIED",
            "averageTurnCount": 0.0,
        }

    def shown_job(self, job: Job, now: float) -> dict[str, Any]:
        """Return a job as JSON."""
        spec = job.spec
        return {
            "name": f"{self.account}/batchInferenceJobs/{job.id}",
            "displayName": spec.get("displayName", ""),
            "createTime": timestamp(job.created),
            "updateTime": timestamp(job.updated),
            "expireTime": timestamp(job.expires_at),
            "createdBy": "",
            "state": job.state,
            "status": {"code": "INVALID_ARGUMENT" if job.message else "OK", "message": job.message},
            "model": spec["model"],
            "inputDatasetId": f"{self.account}/datasets/{job.input}",
            "outputDatasetId": f"{self.account}/datasets/{job.output}",
            "inferenceParameters": spec.get("inferenceParameters"),
            "systemPrompt": spec.get("systemPrompt", ""),
            "precision": spec.get("precision", "PRECISION_UNSPECIFIED"),
            "placement": spec.get("placement"),
            "maxJobDuration": spec.get("maxJobDuration"),
            "continuedFromJobName": spec.get("continuedFromJobName", ""),
            "waitingOnCapacity": job.state == "JOB_STATE_PENDING",
            "jobProgress": _progress(job, now),
            "lifecycle": _lifecycle(job),
        }


def _progress(job: Job, now: float) -> dict[str, Any] | None:
    """Return the counts: none before the job runs, an estimate while it does.

    The total is what the data set's creator said, which nobody checks against the file.
    """
    outcome = job.outcome
    if outcome is None and job.state != "JOB_STATE_RUNNING":
        return None
    fault = job.injected.get("F15", "progress")
    off = int(fault.options["offset"]) if fault else 0
    succeeded = partway(job.rows, job.schedule, now) if outcome is None else outcome.succeeded
    failed = 0 if outcome is None else outcome.failed
    return {
        "percent": 100 if job.state in TERMINAL else 100 * succeeded // max(job.rows, 1),
        "epoch": 0,
        "totalInputRequests": job.example_count,
        "totalProcessedRequests": succeeded + failed + off,
        "successfullyProcessedRequests": succeeded + off,
        "failedRequests": failed,
        "outputRows": succeeded,
        "inputTokens": 0 if outcome is None else outcome.input_tokens,
        "outputTokens": 0 if outcome is None else outcome.output_tokens,
        "cachedInputTokenCount": 0 if outcome is None else outcome.cached_tokens,
    }


def _lifecycle(job: Job) -> dict[str, Any] | None:
    reached = [stage for stage in job.schedule if stage.at <= job.updated]
    if len(reached) < 2 and job.ended_at is None:
        return None
    run = next((stage.at for stage in reached if stage.state == "JOB_STATE_RUNNING"), None)
    return {
        "validatedTime": timestamp(reached[1].at) if len(reached) > 1 else None,
        "runStartTime": None if run is None else timestamp(run),
        "endTime": None if job.ended_at is None else timestamp(job.ended_at),
    }

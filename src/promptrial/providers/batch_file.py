"""Files of requests instead of calls: for ``vllm run-batch``, and for the upload page of a vendor.

A job is a file in a folder; a person, or a program that a person starts, answers it with another file. So a job may
wait for a person, and is never created twice: its file has our key as its name. What is in the folder is in
``batch_folder``, and how answers are read in ``batch_answers``.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from msgspec import UNSET

from promptrial.config.presets import PRESETS, Preset
from promptrial.errors import AlreadyThereError, ConfigError, PermanentError, ResultsGoneError
from promptrial.model import ModelSpec, Sampling
from promptrial.model.instances import RUN_FOLDER, Instance, Limits
from promptrial.providers.base import JobLookup, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.batch_answers import Answered, read_answers
from promptrial.providers.batch_folder import BatchFolder, FileJob
from promptrial.providers.batch_rehearsal import Rehearsal
from promptrial.providers.chat_reader import ReadsChatRows
from promptrial.providers.openai_models import check_model, check_sampling, sent_of
from promptrial.providers.openai_rows import RowShape, openai_line, row_overhead
from promptrial.providers.request_rules import CHAT_KEYS, check_extra_body
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.store import atomic

__all__ = ["BatchFileProvider"]

FOLDER: Final = "batch_files"
"""The folder of the files within that of the run, unless the instance says another one."""
_REHEARSAL: Final = "PROMPTRIAL_BATCH_FILE_EMULATOR"
_QUIET_S: Final = 600.0
_CHAT_ALONE: Final = frozenset({"vllm", "groq"})
_PAGES: Final[Mapping[str, str]] = {
    "openai": "https://platform.openai.com/batches",
    "azure": "the page for batch jobs of your resource",
    "groq": "https://console.groq.com/batch",
}


@dataclass(frozen=True, slots=True)
class _Settings:
    """What an instance says: whose files they are, whether to wait for answers, and how long a file has to be quiet."""

    written_for: str
    patient: bool
    quiet_s: float

    @classmethod
    def of(cls, instance: Instance) -> Self:
        quiet = instance.option("quiet_s")
        return cls(
            _written_for(instance),
            instance.option("wait") == "True",
            float(quiet) if quiet else _QUIET_S,
        )


def _written_for(instance: Instance) -> str:
    return instance.option("written_for", "vllm")


def _recipient(instance: Instance) -> Preset:
    return PRESETS[_written_for(instance)]


def _as_recipient(instance: Instance) -> Instance:
    """Return the instance as one of the recipient's, which says the shape of rows."""
    recipient = _recipient(instance)
    return replace(instance, label=recipient.label, options=recipient.options)


def _on_one_line(path: Path) -> str:
    """Return a path for a comment in a shell, which ends with its line."""
    return "".join(each if each.isprintable() else "?" for each in str(path))


class BatchFileProvider(ReadsChatRows):
    """Files of requests in one folder.

    Parameters
    ----------
    instance : Instance
    folder : Path, optional
        Where they are; without one nothing can be written or read.
    rehearsal : Rehearsal, optional
        Answers the files in a dry run, as a person would.
    clock : Clock, optional
    """

    name: ClassVar[str] = "batch_file"
    local: ClassVar[bool] = False
    jobs: ClassVar[bool] = True
    by_people: ClassVar[bool] = True
    keyed: ClassVar[bool] = True
    lookup: ClassVar[JobLookup] = JobLookup.KEY_IS_NAME
    understands: ClassVar[frozenset[str]] = frozenset({"endpoint", "sampling", "reasoning_effort", "extra_body"})
    limits: ClassVar[Limits] = Limits(rows=50_000, size=200_000_000)
    """Those of OpenAI's page, for every recipient."""

    def __init__(
        self,
        instance: Instance,
        folder: Path | None,
        rehearsal: Rehearsal | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._instance = instance
        self._settings = _Settings.of(instance)
        self._shape = RowShape.of(_as_recipient(instance))
        self._files = None if folder is None else BatchFolder(folder)
        self._rehearsal = rehearsal
        self._clock = clock or SystemClock()

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for the folder of an instance, or for ``batch_files`` in the folder of the run."""
        instance = instance or Instance("batch_file", "batch_file", "the batch file")
        folder, run = instance.option("folder"), instance.option(RUN_FOLDER)
        place = Path(folder) if folder else Path(run) / FOLDER if run else None
        return cls(instance, place, Rehearsal.at(env[_REHEARSAL]) if _REHEARSAL in env else None)

    @staticmethod
    def check_sampling(model: ModelSpec, sampling: Sampling, instance: Instance) -> str | None:
        """Refuse what the model or the recipient does not take; say which parameters are not sent."""
        if _written_for(instance) == "openai":
            check_model(model)
        check_extra_body(model, CHAT_KEYS)
        return check_sampling(model, sampling, _as_recipient(instance))

    @staticmethod
    def row_overhead(model: ModelSpec, instance: Instance) -> int:
        """Return by how much a line is longer than the neutral row."""
        return row_overhead(model, RowShape.of(_as_recipient(instance)))

    def check(self, model: ModelSpec) -> None:
        """Make the folder, and refuse an API that the recipient does not have."""
        if model.options.endpoint == "responses" and self._settings.written_for in _CHAT_ALONE:
            raise ConfigError(
                f"models.{model.alias}: {_recipient(self._instance).label} accepts no requests for the responses API",
                hint=f"remove `endpoint` from `models.{model.alias}`",
            )
        atomic.make_folder(self._folder.path)

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return the model's name, whose files they are and what they say; who answers them, nobody here knows."""
        return {
            "provider": self.name,
            "model": model.shown_id,
            "written_for": self._settings.written_for,
            "endpoint": self._shape.url(model),
            "sampling": sent_of(model, self._shape),
        }

    def count_tokens(self, model: ModelSpec, text: str) -> None:
        """Return None: there is no tokenizer to ask."""

    def stage(self, payload: PartPayload) -> Staged:
        """Return at once: the file of requests is written with the job."""
        return Staged(payload.dataset_key, ready=True)

    def find(self, payload: PartPayload) -> JobRef | None:
        """Return the job on record under this payload's key, or None."""
        job = self._folder.job(payload.key)
        if job is None:
            return None
        theirs, ours = (job.dataset_key, job.model), (payload.dataset_key, payload.model.id)
        if theirs != ours:
            raise PermanentError(
                f"{self._folder.path} has a job {payload.key} of {theirs[0]} for {theirs[1]}, not of {ours[0]} for "
                f"{ours[1]}",
                hint="move it, or give this instance another `folder`",
            )
        return self._ref(job)

    def submit(self, payload: PartPayload) -> JobRef:
        """Write the file of requests, and then put the job on record beside it."""
        if self.find(payload) is not None:
            raise AlreadyThereError(f"{self._folder.requests(payload.key)}: already exists")
        lines = (openai_line(row, payload.model, self._shape) for row in payload.requests())
        sha256 = self._folder.write_requests(payload.key, lines)
        earlier = self._folder.there_before(payload.key) or UNSET
        job = FileJob(payload.key, payload.dataset_key, payload.model.id, payload.rows, sha256, earlier=earlier)
        self._folder.write_job(job)
        return self._ref(job)

    def fence(self, payload: PartPayload) -> bool:
        """Return True: nothing but this process writes a job, so that one that does not exist will not come."""
        return self._folder.job(payload.key) is None

    def status(self, job: JobRef) -> JobStatus:
        """Return what the files say.

        Raises
        ------
        PermanentError
            If one of them cannot be believed: see ``batch_folder`` and ``batch_answers``.
        """
        found = self._folder.job(job.name)
        if found is None:
            return JobStatus(JobState.MISSING, f"{self._folder.requests(job.name)}: its record is missing")
        if found.cancelled:
            return JobStatus(JobState.CANCELLED)
        if self._rehearsal is not None and not self._folder.answer_files(found):
            self._rehearsal.answer(self._folder.requests(job.name), self._folder.results(job.name))
        return self._judged(found, self._read(found))

    def _judged(self, job: FileJob, answered: Answered) -> JobStatus:
        counted = f"{len(answered.seen):,} of {job.rows:,} requests have answers"
        none = not answered.answered and self._rehearsal is None  # an emulator answers no file twice
        if len(answered.seen) == job.rows and not none:
            return JobStatus(JobState.READY)
        if answered.torn:
            fix = "copy it again, or delete that line to have the rest asked again"
            return self._for_a_person(f"{answered.torn}; {counted}", fix)
        if answered.seen and none:
            why = f"none of the {len(answered.seen):,} requests in its files of answers succeeded"
            return self._for_a_person(f"{self._folder.requests(job.key)}: {why}", *self._steps(job))
        if not answered.seen:
            return self._for_a_person(f"waiting for {self._folder.results(job.key)}", *self._steps(job))
        quiet = self._clock.timestamp() - answered.changed
        if quiet >= self._settings.quiet_s:
            return JobStatus(JobState.EXPIRED, f"{counted}, and no file has changed for {quiet:,.0f} s")
        return JobStatus(
            JobState.WORKING,
            f"{self._folder.requests(job.key).name}: {counted}; counts as finished once no file has changed for "
            f"{self._settings.quiet_s:,.0f} s",
        )

    def _for_a_person(self, message: str, *steps: str) -> JobStatus:
        return JobStatus(JobState.BY_HAND, message, steps, patient=self._settings.patient)

    def _steps(self, job: FileJob) -> tuple[str, ...]:
        requests, results = self._folder.requests(job.key), self._folder.results(job.key)
        if self._settings.written_for == "vllm":
            words = ("vllm", "run-batch", "-i", str(requests), "-o", str(results), "--model", job.model)
            return (shlex.join(words),)
        page, there, here = _PAGES[self._settings.written_for], _on_one_line(requests), _on_one_line(self._folder.path)
        return (f"# upload {there} at {page}; when the batch has ended, put its output and error files into {here}",)

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        """Yield the answers of all files of the job.

        Raises
        ------
        ResultsGoneError
            If there is no file.
        PermanentError
            As ``status``.
        """
        found = self._folder.job(job.name)
        if found is None:
            raise ResultsGoneError(f"{self._folder.results(job.name)}: is missing, and so is the record of its job")
        files = self._folder.answer_files(found)
        if not files:
            raise ResultsGoneError(f"{self._folder.results(job.name)}: is missing")
        wanted = frozenset(row.custom_id for row in payload.requests())
        yield from read_answers(files, wanted, self._folder.other_models(found), Answered())

    def cancel(self, job: JobRef) -> None:
        """Take the file of requests away. A program that has read it goes on; its answers are not looked at."""
        found = self._folder.job(job.name)
        if found is not None and not found.cancelled:
            self._folder.cancel(found)

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        """Return the command that copies the answers of a job."""
        return (shlex.join(("cp", str(self._folder.results(job.name)), f"{folder}/")),)

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> None:
        """Return None: a program that reads the file is stopped by the person who started it."""

    @staticmethod
    def emulated(instance: Instance, url: str, key: str, account: str) -> tuple[Instance, Mapping[str, str]]:  # noqa: ARG004 - the Protocol's
        """Return the address at which the emulator answers a file, as a person would have it answered."""
        options = {name: value for name, value in instance.options if name not in {"folder", "wait"}}
        return replace(instance, options=tuple(options.items())), {_REHEARSAL: url}

    def close(self) -> None:
        """Close the connections of a dry run."""
        if self._rehearsal is not None:
            self._rehearsal.close()

    @property
    def _folder(self) -> BatchFolder:
        if self._files is None:
            raise ConfigError(
                f"providers.{self._instance.name}: outside a run, its files need a folder",
                hint=f"write `providers: {{{self._instance.name}: {{type: batch_file, folder: PATH}}}}`",
            )
        return self._files

    def _read(self, job: FileJob) -> Answered:
        answered, files = Answered(), self._folder.answer_files(job)
        for _ in read_answers(files, self._folder.ids(job), self._folder.other_models(job), answered):
            pass
        return answered

    def _ref(self, job: FileJob) -> JobRef:
        return JobRef(job.key, str(self._folder.results(job.key)))

"""Vendors that the registry does not have, for tests: they name their jobs, and one of them shows none by our key.

Both speak to the emulator of Fireworks with ``job_names="vendor"``: it ignores the names that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from promptrial.errors import ResultsGoneError
from promptrial.providers.base import JobLookup, JobRef, PartPayload
from promptrial.providers.fireworks import FireworksProvider
from promptrial.providers.fireworks_account import api_path
from promptrial.providers.fireworks_wire import Job, last_segment
from promptrial.providers.http_outcomes import NotFoundError

__all__ = ["OTHER_VENDORS", "NoLookup", "OwnNames"]


class _JobWithOutput(Job, rename="camel"):
    output_dataset_id: str = ""


class _Jobs(msgspec.Struct, rename="camel"):
    batch_inference_jobs: list[Job] = []


class OwnNames(FireworksProvider):
    """A vendor that names its jobs and their output itself; a job is searched for by the key in its display name."""

    name: ClassVar[str] = "own_names"
    keyed: ClassVar[bool] = False
    lookup: ClassVar[JobLookup] = JobLookup.SEARCH

    def find(self, payload: PartPayload) -> JobRef | None:
        """Return the oldest job whose display name is the key."""
        query = {"filter": f'displayName = "{payload.key}"', "pageSize": "200"}
        path, what = api_path(self._account, "batchInferenceJobs"), f"search for job {payload.key}"
        for job in self._http.call("GET", path, _Jobs, what=what, query=query).batch_inference_jobs:
            self._require_same_requests(payload, job)
            return JobRef(last_segment(job.name))
        return None

    def submit(self, payload: PartPayload) -> JobRef:
        """Create the job; what its output is called is known to nobody before it is asked for."""
        return replace(super().submit(payload), output=None)

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        return (f"download the results of {job.name} to {folder}",)

    def _output_of(self, job: JobRef) -> str:
        path = api_path(self._account, "batchInferenceJobs", job.name)
        try:
            found = self._http.call("GET", path, _JobWithOutput, what=f"look up job {job.name}")
        except NotFoundError as error:
            raise ResultsGoneError(error.message) from error
        return last_segment(found.output_dataset_id)


class NoLookup(OwnNames):
    """A vendor at which a job cannot be found by anything but the name that the answer to its creation gave."""

    name: ClassVar[str] = "no_lookup"
    lookup: ClassVar[JobLookup] = JobLookup.NONE

    def find(self, payload: PartPayload) -> JobRef | None:
        raise AssertionError(f"there is no look-up, and {payload.key} was looked for")


OTHER_VENDORS: Final[Mapping[str, type[FireworksProvider]]] = {kind.name: kind for kind in (OwnNames, NoLookup)}
"""By the name under which a test may put it into the registry."""

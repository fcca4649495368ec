"""The job calls of the Fireworks API, and what time does to jobs. What a job may ask for is checked here."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from starlette.responses import Response

from promptrial_emulator.fireworks import lists
from promptrial_emulator.fireworks.datasets import check_id
from promptrial_emulator.fireworks.messages import CREATE_JOB, Code, json_response, refused, request_message
from promptrial_emulator.fireworks.model import DELETING, Dataset, Fireworks, Job
from promptrial_emulator.fireworks.schedule import JobPlan, plan_stages
from promptrial_emulator.operation import ApiError, Call

__all__ = ["Jobs"]

_MODEL: Final = re.compile(r"accounts/[^/\s]+/models/[^/\s]+")
_DAY_S: Final = 86_400.0
_INVALID: Final = "invalid batch inference job: "


class Jobs:
    """The handlers; each returns the answer of a call or raises ``ApiError``."""

    def __init__(self, fireworks: Fireworks) -> None:
        self._fireworks = fireworks
        self._core = fireworks.core

    def create(self, call: Call) -> Response:
        """Accept a job."""
        spec = request_message(CREATE_JOB, call.body.data)
        given = call.query.get("batchInferenceJobId", call.query.get("batch_inference_job_id", ""))
        own = self._core.settings.job_names == "vendor"
        name = check_id(given, "batchInferenceJobId") if given and not own else self._invented(call.number, "job")
        if self._fireworks.jobs.find(name) is not None:
            raise refused(409, f"batch inference job {name!r} already exists")
        supported = self._check_model(spec)
        _check_parameters(spec.get("inferenceParameters", {}))
        before = self._continued(spec, call.now)
        dataset = self._input(spec, before, call.now)
        output = self._output(spec, call)
        self._check_quota(call)
        job = self._job(call, name, spec, dataset, output, supported=supported)
        if before is not None:
            results = [] if before.outcome is None else [before.outcome.files[0].path]
            job.earlier = [*before.earlier, *results]
            job.continues = before.output if results else before.continues
        self._fireworks.jobs.put(job)
        self._core.ledger.record(
            call.now, "create_job", name, model=spec["model"], input_dataset=job.input, output_dataset=output,
            input_sha256=[file.sha256 for file in dataset.files], rows=job.rows,
            display_name=spec.get("displayName", ""), continued_from=spec.get("continuedFromJobName", ""),
        )  # fmt: skip
        return json_response(self._fireworks.shown_job(job, call.now))

    def get(self, call: Call) -> Response:
        """Show a job."""
        job = self._fireworks.job(call.path["id"], call.now)
        shown = self._fireworks.shown_job(job, call.now)
        return json_response(lists.masked(shown, call.query.get("readMask", "")))

    def list(self, call: Call) -> Response:
        """Show a page of jobs."""
        seen = [each for each in self._fireworks.jobs.to_look_at() if each.visible_from <= call.now]
        shown = [self._fireworks.shown_job(each, call.now) for each in seen]
        return json_response(lists.page(shown, call.query, "batchInferenceJobs", call.faults))

    def delete(self, call: Call) -> Response:
        """Cancel a job and forget it, after a while of cleaning up. Its output data set, if there is one, stays."""
        job = self._fireworks.job(call.path["id"], call.now)
        if job.deleted_at is None:
            job.deleted_at = job.updated = call.now
            job.state = DELETING
            self._fireworks.jobs.put(job)
            self._core.ledger.record(call.now, "delete_job", job.id)
        return json_response({})

    def vanish(self, call: Call) -> None:
        """Forget the job of a call without a word, as retention does."""
        self._fireworks.jobs.remove(call.path["id"])

    # --- what a job may ask for ------------------------------------------------------------------------------------

    def _check_model(self, spec: dict[str, Any]) -> bool:
        """Return whether the model is supported; an unsupported one may just wait forever."""
        model, settings = spec.get("model", ""), self._core.settings
        if not _MODEL.fullmatch(model):
            raise refused(400, f"{_INVALID}model {model!r} is not accounts/ACCOUNT/models/MODEL")
        if settings.models is None or model in settings.models:
            return True
        if settings.unsupported == "not_found":
            raise refused(404, f"model {model!r} not found")
        if settings.unsupported == "invalid":
            raise refused(400, f"{_INVALID}model {model!r} does not support batch inference")
        return False

    def _continued(self, spec: dict[str, Any], now: float) -> Job | None:
        """Return the job that this one continues."""
        name = spec.get("continuedFromJobName")
        if not name:
            return None
        prefix = f"{self._fireworks.account}/batchInferenceJobs/"
        if not name.startswith(prefix):
            raise refused(400, f"{_INVALID}continued_from_job_name {name!r} is not the full name of a job")
        before = self._fireworks.job(name.removeprefix(prefix), now)
        if before.ended_at is None:
            raise refused(400, f"{_INVALID}job {before.id!r} has not ended", Code.FAILED_PRECONDITION)
        return before

    def _input(self, spec: dict[str, Any], before: Job | None, now: float) -> Dataset:
        name = self._last_segment(spec.get("inputDatasetId", ""))
        if before is not None:
            if name not in ("", before.input):
                raise refused(400, f"{_INVALID}a continued job keeps its input dataset, {before.input!r}")
            name = before.input
        if not name:
            raise refused(400, f"{_INVALID}input_dataset_id is required")
        try:
            dataset = self._fireworks.dataset(name, now)
        except ApiError as error:
            raise refused(400, f"{_INVALID}input dataset {name!r} not found") from error
        if not dataset.ready(now):
            raise refused(400, f"{_INVALID}dataset {name!r} is not READY", Code.FAILED_PRECONDITION)
        if spec.get("systemPrompt") and dataset.facts is not None and dataset.facts.token_ids:
            raise refused(400, f"{_INVALID}system_prompt cannot be combined with prompt_token_ids")
        return dataset

    def _output(self, spec: dict[str, Any], call: Call) -> str:
        """Return the id of the output data set, which must not exist, nor be promised to another job."""
        given = spec.get("outputDatasetId", "")
        if not given or self._core.settings.job_names == "vendor":
            return self._invented(call.number, "dataset")
        name = check_id(self._last_segment(given), "outputDatasetId")
        promised = any(job.output == name for job in self._fireworks.jobs.open() if job.deleted_at is None)
        if promised or self._fireworks.datasets.find(name) is not None:
            raise refused(400, f"{_INVALID}output dataset {name!r} already exists")
        return name

    def _last_segment(self, name: str) -> str:
        """Return the id in a full name of this account, or the id itself."""
        prefix = f"{self._fireworks.account}/datasets/"
        if "/" in name and not name.startswith(prefix):
            raise refused(400, f"{_INVALID}dataset {name!r} not found")
        return name.removeprefix(prefix)

    def _check_quota(self, call: Call) -> None:
        quota = self._core.settings.quota
        used = sum(job.ended_at is None for job in self._fireworks.jobs.open())
        if fault := call.faults.get("F18"):
            used = quota = int(fault.options["in_use"])
        if quota is not None and used >= quota:
            where = f"job-submission-count for account {self._core.settings.account}"
            raise refused(400, f"{_INVALID}{where}, in use: {used}, quota: {quota}")

    def _job(
        self, call: Call, name: str, spec: dict[str, Any], dataset: Dataset, output: str, *, supported: bool
    ) -> Job:
        problem = "" if dataset.facts is None else dataset.facts.problem
        limit_s = float(spec["maxJobDuration"][:-1]) if "maxJobDuration" in spec else _DAY_S
        faults = call.faults.of_a_job()
        plan = JobPlan(
            created=call.now,
            stage_s=self._core.settings.stage_s,
            expires_at=call.now + limit_s,
            fit=not problem,
            supported=supported,
            faults=faults,
        )
        return Job(
            id=name,
            serial=call.number,
            created=call.now,
            updated=call.now,
            visible_from=call.visible_from,
            expires_at=plan.expires_at,
            state="JOB_STATE_VALIDATING",
            spec=spec,
            input=dataset.id,
            inputs=[file.path for file in dataset.files],
            rows=0 if dataset.facts is None else dataset.facts.rows,
            example_count=dataset.example_count,
            output=output,
            schedule=plan_stages(plan),
            faults=faults.all(),
            problem=problem,
        )

    def _invented(self, number: int, what: str) -> str:
        return f"bij-{self._core.digest(number, what)[:8]}"


def _check_parameters(parameters: dict[str, Any]) -> None:
    try:
        msgspec.json.decode(parameters.get("extraBody") or "{}", type=dict)
    except (ValueError, RecursionError) as error:
        raise refused(400, f"{_INVALID}inference_parameters.extra_body is not a JSON object: {error}") from error

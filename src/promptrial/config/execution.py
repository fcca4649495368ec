"""Where a run is kept and how it goes about its work: sections that say nothing of the experiment."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from promptrial import registry
from promptrial.config.strict import Number, Positive, Strict, Words

__all__ = ["ExecutionConfig", "PathsConfig"]

Seconds = Annotated[float, Field(gt=0), Number]


def _executor(value: str) -> str:
    if value not in registry.EXECUTORS:
        raise ValueError(f"unknown executor {value!r}{registry.near_misses(value, registry.EXECUTORS)}")
    return value


def _ray_address(value: str) -> str:
    if not re.fullmatch(r"auto|[^/\s]+:\d+", value):
        raise ValueError(
            "expected HOST:PORT of the head of a Ray cluster, or auto; Ray Client (ray://) is not supported"
        )
    return value


class PathsConfig(Strict):
    """Where things are kept, from the folder that you are in. Says nothing of the experiment, so no run records it."""

    experiments_dir: Words = Field("experiments", description="folder of the runs; `--experiments_dir` overrides it")
    archive_dir: Words | None = Field(
        None, description="place of archives, a folder or an address; `archives` in the folder of the runs if null"
    )
    cache_dir: Words | None = Field(
        None,
        description="folder for data sets from the hub; `PROMPTRIAL_CACHE` overrides it; ~/.cache/promptrial if null",
    )


class ExecutionConfig(Strict):
    """How a run goes about its work. Changes no answer, so no run records it, and it may change at each resume."""

    max_concurrent_jobs: Positive = Field(8, description="jobs in flight at hosted providers")
    workers: Positive | None = Field(
        None,
        description="processes that parse and score, and threads that compute statistics; if null, one for each core "
        "where there are many answers",
    )
    executor: Annotated[str, AfterValidator(_executor)] = Field(
        "processes", description="what these are: `processes` of this machine, or tasks of `ray`"
    )
    ray_address: Annotated[Words, AfterValidator(_ray_address)] | None = Field(
        None,
        description="HOST:PORT of the head of a Ray cluster that this machine belongs to, or `auto` to find it; "
        "if null, `ray` starts one on this machine",
    )
    share_identical_arms: bool = Field(True, description="ask identical parts of several trials only once")
    recheck_items: Positive | None = Field(
        None,
        description="with `--reuse`: ask so many random items of the control again, and test whether its answers have "
        "changed",
    )
    max_attempts: Positive = Field(3, description="how many jobs may include a request before it counts as unanswered")
    poll_interval_s: Seconds = Field(10.0, description="the first interval between checks of a job; it grows")
    longest_poll_interval_s: Seconds = Field(60.0, description="the longest interval between checks")
    settle_s: Seconds = Field(60.0, description="how long a job must stay undiscovered before it counts as not created")
    quota_wait_s: Seconds = Field(
        60.0, description="the interval between attempts while a provider has no capacity for another job"
    )
    first_retry_s: Seconds = Field(1.0, description="the first wait after a temporary error; it doubles")
    outage_s: Seconds = Field(
        1800.0, description="how long a provider may be unreachable before its parts are left for a resume"
    )
    job_deadline_s: Seconds = Field(93600.0, description="how long one process waits for a job")

    @field_validator("ray_address")
    @classmethod
    def _goes_with_ray(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse an address that nothing would use; ``executor`` is above, so its merged value is known here."""
        executor = info.data.get("executor", "ray")  # if that is refused itself, this adds nothing
        if value is not None and executor != "ray":
            raise ValueError(f"an address goes with executor: ray; the executor is {executor}")
        return value

"""From the built request files to the queue's worklist: which parts there are, and which are left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Self

from promptrial.config.effective import canonical_json
from promptrial.config.instances import instance_of
from promptrial.costs.extras import extra_bytes, unbounded_keys
from promptrial.costs.price_book import PriceBook
from promptrial.costs.reserve import reserve_usd
from promptrial.design.trials import asked_of
from promptrial.jobs.work import PartWork
from promptrial.model import Arm, ModelSpec, Part, Trial
from promptrial.model.instances import Limits
from promptrial.phases.estimates import part_estimate
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import open_waves, planned_waves
from promptrial.providers.base import BatchProvider
from promptrial.providers.request_rows import RequestRow, decode_request_row
from promptrial.store import jsonl
from promptrial.store.facts import requests_path
from promptrial.store.manifests import load_manifest
from promptrial.store.records import Manifest, load
from promptrial.store.rundir import TrialDir, digest_of

__all__ = [
    "built",
    "job_key",
    "open_work",
    "part_names",
    "part_row",
    "parts_of",
    "parts_on_record",
    "planned_work",
    "request_reader",
    "requests_name",
    "reserve_for",
    "reserve_of",
    "shared_key",
    "shared_rows",
    "work_on",
    "worklist",
]


def worklist(spec: RunSpec, services: Services, trials: tuple[Trial, ...]) -> list[PartWork]:
    """Return the parts of the trials in order, with their duplicates in any trial; empty before *build* has run.

    Of a run that is asked in waves, those of the waves that looks allow so far.
    """
    return open_work(spec, planned_work(spec, services, trials))


def open_work(spec: RunSpec, work: Sequence[PartWork]) -> list[PartWork]:
    """Return those of the parts that may be asked now: of a run that is asked in waves, not all."""
    most = {slug: open_waves(spec, slug) for slug in dict.fromkeys(each.folder.slug for each in work)}
    return _of_waves(work, most)


def planned_work(spec: RunSpec, services: Services, trials: tuple[Trial, ...]) -> list[PartWork]:
    """Return the same of all waves that will be asked if no look ends a trial early."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    if manifest is None:
        return []
    last = {trial.slug: planned_waves(spec, trial.slug) for trial in trials}
    return _of_waves((each for each in work_on(spec, services, manifest) if each.folder.slug in last), last)


def _of_waves(parts: Iterable[PartWork], most: Mapping[str, int | None]) -> list[PartWork]:
    """Return the parts of the first so many waves of each trial."""
    return [part for part in parts if _is_within(part.part.step, most[part.folder.slug])]


def _is_within(step: int, waves: int | None) -> bool:
    """Whether a step is one of the first so many waves; None for all of them."""
    return waves is None or step < waves


def work_on(spec: RunSpec, services: Services, manifest: Manifest) -> list[PartWork]:
    """Return the parts of all trials as a manifest of *build* has them, in order, with their duplicates."""
    shares = spec.config.execution.share_identical_arms
    work = []
    for trial in spec.trials:
        folder, own = spec.run.trial(trial.slug), services.manifest(trial.slug)
        arms = {arm.name: _ArmWork.of(spec, services, trial, arm) for arm in trial.arms}
        for part in _asked_parts(manifest, trial):
            arm = arms[part.condition]
            request_sha256 = _request_sha256(manifest, part, arm.asked)
            requests = _part_reader(folder, part.name)
            work.append(
                PartWork(
                    folder=folder,
                    manifest=own,
                    part=part,
                    model=arm.arm.model,
                    provider=arm.provider,
                    request_sha256=request_sha256,
                    key=job_key(spec.run.run_id, request_sha256, None if shares else trial.slug),
                    requests=requests,
                    estimate_usd=part_estimate(arm.prices, arm.arm, arm.longest, requests),
                    reserve_usd=arm.reserve,
                    limits=arm.limits,
                )
            )
    if shares:
        _introduce_twins(work)
    return work


class _ArmWork(NamedTuple):
    """What the parts of an arm have in common, worked out once: there may be thousands."""

    arm: Arm
    asked: bytes
    prices: PriceBook
    longest: int
    provider: Callable[[], BatchProvider]
    reserve: Callable[[int, int], float | None]
    limits: Limits

    @classmethod
    def of(cls, spec: RunSpec, services: Services, trial: Trial, arm: Arm) -> Self:
        model, prices = arm.model, spec.prices
        longest = _longest(trial, model)
        return cls(
            arm=arm,
            asked=canonical_json(asked_of(model)),
            prices=prices,
            longest=longest,
            provider=partial(services.provider, model.provider),
            reserve=partial(_reserve, prices, longest, model),
            limits=instance_of(spec.config.providers, model.provider).limits,
        )


def requests_name(part: Part) -> str:
    """Return how receipts name the request file of a part."""
    return requests_path(part.trial_slug, part.name)


def _request_sha256(manifest: Manifest, part: Part, asked_of_model: bytes) -> str:
    """Return the digest of what a part asks, and of which model, as the JSON of ``asked_of`` says it.

    Of a run that an older tool made, only which requests they were is known, and not their bytes.
    """
    path = requests_name(part)
    file = manifest.receipt.artifacts.get(path)
    unrecorded: dict[str, str] = manifest.facts.get("unrecorded", {})
    asked = file.sha256 if file is not None else unrecorded[path]
    return _digest_of_asked(asked, asked_of_model)


@lru_cache(maxsize=1 << 16)
def _digest_of_asked(asked: str, of_model: bytes) -> str:
    """Return the digest of requests and of their model, given as the canonical JSON of a list: it is needed often."""
    return sha256(b"[" + canonical_json(asked) + b"," + of_model.removeprefix(b"[")).hexdigest()


@lru_cache(maxsize=1 << 16)
def job_key(run_id: str, request_sha256: str, slug: str | None) -> str:
    """Return what the ids of a part's jobs begin with: the same whenever it is asked for, even if all records are lost.

    Letters, digits and hyphens, and so short that every provider takes it with what is added to it.
    """
    return f"pt-{_key_name(run_id)}-{digest_of([run_id, request_sha256, slug])[:16]}"


@lru_cache(maxsize=1)
def _key_name(run_id: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")[:20].strip("-")


def shared_key(spec: RunSpec, work: PartWork) -> str:
    """Return what the ids of a part's jobs begin with where identical parts of several trials are asked once."""
    return job_key(spec.run.run_id, work.request_sha256, None)


def _reserve(prices: PriceBook, longest: int, model: ModelSpec, rows: int, size: int) -> float | None:
    """Return what requests can cost at most; None without a price, and where extra keys buy what has no bound."""
    price = prices.of(model)
    if price is None or unbounded_keys(model, price):
        return None
    return reserve_usd(rows, size + rows * extra_bytes(model), longest, price)


def reserve_of(spec: RunSpec, trial: Trial, model: ModelSpec) -> Callable[[int, int], float | None]:
    """Return what says how much requests to a model can cost at most, by their number and their bytes on disk."""
    return reserve_for(spec, _longest(trial, model), model)


def reserve_for(spec: RunSpec, longest: int, model: ModelSpec) -> Callable[[int, int], float | None]:
    """Return the same of requests whose answers have at most so many tokens, thinking included."""
    return partial(_reserve, spec.prices, longest, model)


def _longest(trial: Trial, model: ModelSpec) -> int:
    """Return the most tokens that an answer is paid for: thinking is output, and has a budget beside the limit."""
    return max(trial.max_new_tokens.values()) + (model.options.thinking_budget or 0)


def _introduce_twins(work: list[PartWork]) -> None:
    """Let parts of several trials that ask exactly the same of the same model know each other."""
    groups: dict[str, list[PartWork]] = {}
    for each in work:
        groups.setdefault(each.request_sha256, []).append(each)
    for group in groups.values():
        for each in group if len(group) > 1 else ():
            each.duplicates.extend(other for other in group if other is not each)


def shared_rows(spec: RunSpec) -> dict[str, int]:
    """Return, for each trial, how many of its requests are asked for an earlier trial already, and so only once."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    shared = {trial.slug: 0 for trial in spec.trials}
    if manifest is None or len(shared) == 1 or not spec.config.execution.share_identical_arms:
        return shared
    first: dict[str, str] = {}
    for trial in spec.trials:
        models = {arm.name: canonical_json(asked_of(arm.model)) for arm in trial.arms}
        for part in _asked_parts(manifest, trial):
            asked = _request_sha256(manifest, part, models[part.condition])
            if first.setdefault(asked, trial.slug) != trial.slug:
                shared[trial.slug] += part.rows
    return shared


def parts_of(spec: RunSpec, trial: Trial) -> Sequence[Part]:
    """Return the parts that the build phase cut a trial into, in order."""
    return _asked_parts(built(spec), trial)


def _asked_parts(manifest: Manifest, trial: Trial) -> list[Part]:
    """Return the parts of a trial in order, except for those of an arm or a temperature that it no longer has.

    A plan may look at a run whose configuration has changed since its requests were built.
    """
    arms, temps = {arm.name for arm in trial.arms}, {*trial.temps}
    cut = manifest.parts_by_trial.get(trial.slug, ())
    return [part for part in cut if part.condition in arms and part.temp in temps]


def parts_on_record(spec: RunSpec) -> Mapping[str, Sequence[Part]]:
    """Return the parts of each trial that requests were written for last; none where that is not known."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    return {} if manifest is None else manifest.parts_by_trial


def built(spec: RunSpec) -> Manifest:
    """Return what the build phase left.

    Raises
    ------
    FileNotFoundError, CorruptRecordError
        If it does not exist, or is damaged.
    """
    return load(spec.run.batch_inputs / "manifest.json", Manifest)


def part_row(part: Part) -> dict[str, Any]:
    """Return a part as the build phase records it; the step only of a part that a growth added."""
    row = {**asdict(part), "part": part.name}
    if part.step == 0:
        del row["step"]
    return row


def part_names(spec: RunSpec, trials: tuple[Trial, ...]) -> list[tuple[str, str]]:
    """Return trial and name of every part of the worklist; quicker than that, and no more than the names."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    most = {trial.slug: open_waves(spec, trial.slug) for trial in trials}
    rows = [] if manifest is None else manifest.facts["parts"]
    return [
        (slug, row["part"])
        for row in rows
        if (slug := row["trial_slug"]) in most and _is_within(row.get("step", 0), most[slug])
    ]


def _part_reader(folder: TrialDir, part: str) -> Callable[[], Iterator[RequestRow]]:
    """Return the same for a part; its path is worked out when it is opened, which most parts of a plan never are."""
    return lambda: (decode_request_row(line) for line in jsonl.lines(folder.requests(part)))


def request_reader(path: Path) -> Callable[[], Iterator[RequestRow]]:
    """Return what opens the requests of a file, afresh on each call."""
    return lambda: (decode_request_row(line) for line in jsonl.lines(path))

"""From the built request files to the queue's worklist: which parts there are, and which are left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.config.instances import instance_of
from promptrial.config.schema import ExperimentConfig
from promptrial.costs.prices import price_for, usd
from promptrial.design.trials import asked_of
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec, Part, Trial
from promptrial.phases.base import load_manifest
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.providers.request_rows import RequestRow, decode_request_row
from promptrial.store import jsonl
from promptrial.store.records import Manifest, load
from promptrial.store.rundir import digest_of

__all__ = ["built", "part_names", "part_row", "parts_of", "parts_on_record", "shared_key", "shared_rows", "worklist"]

_BYTES_PER_TOKEN: Final = 4


def worklist(spec: RunSpec, services: Services, trials: tuple[Trial, ...]) -> list[PartWork]:
    """Return the parts of the trials in order, with their duplicates in any trial; empty before *build* has run."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    if manifest is None:
        return []
    cut = _parts_by_trial(manifest)
    shares = spec.config.execution.share_identical_arms
    work = []
    for trial in spec.trials:
        folder = spec.run.trial(trial.slug)
        for part in cut.get(trial.slug, ()):
            request_sha256, model = _request_sha256(manifest, trial, part), trial.arm(part.condition).model
            work.append(
                PartWork(
                    folder=folder,
                    manifest=services.manifest(trial.slug),
                    part=part,
                    model=model,
                    provider=partial(services.provider, model.provider),
                    request_sha256=request_sha256,
                    key=_key(spec.run.run_id, request_sha256, None if shares else trial.slug),
                    requests=_reader(folder.requests(part.name)),
                    estimate_usd=partial(_estimate, spec.config, trial, model),
                    limits=instance_of(spec.config.providers, model.provider).limits,
                )
            )
    if shares:
        _introduce_twins(work)
    wanted = {trial.slug for trial in trials}
    return [each for each in work if each.folder.slug in wanted]


def _request_sha256(manifest: Manifest, trial: Trial, part: Part) -> str:
    """Return the digest of what a part asks, and of which model.

    Of a run that an older tool made, only which requests they were is known, and not their bytes.
    """
    path = f"batch_inputs/{trial.slug}/{part.name}.jsonl"
    file = manifest.receipt.artifacts.get(path)
    unrecorded: dict[str, str] = manifest.facts.get("unrecorded", {})
    asked = file.sha256 if file is not None else unrecorded[path]
    model = trial.arm(part.condition).model
    return digest_of([asked, *asked_of(model)])


def _key(run_id: str, request_sha256: str, slug: str | None) -> str:
    """Return what the ids of a part's jobs begin with: the same whenever it is asked for, even if all records are lost.

    Letters, digits and hyphens, and so short that every provider takes it with what is added to it.
    """
    name = re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")[:20].strip("-")
    return f"pt-{name}-{digest_of([run_id, request_sha256, slug])[:16]}"


def shared_key(spec: RunSpec, work: PartWork) -> str:
    """Return what the ids of a part's jobs begin with where identical parts of several trials are asked once."""
    return _key(spec.run.run_id, work.request_sha256, None)


def _estimate(config: ExperimentConfig, trial: Trial, model: ModelSpec, rows: int, size: int) -> float | None:
    """Return about what requests will cost if each answer is as long as it may be; four bytes count as a token.

    Thinking is paid as output, and has a budget beside the answer's limit.
    """
    price = price_for(config.pricing, model)
    if price is None:
        return None
    longest = max(trial.max_new_tokens.values()) + (model.options.thinking_budget or 0)
    return usd(size // _BYTES_PER_TOKEN, rows * longest, price)


def _introduce_twins(work: list[PartWork]) -> None:
    """Let parts of several trials that ask exactly the same of the same model know each other."""
    groups: dict[str, list[PartWork]] = {}
    for each in work:
        groups.setdefault(each.request_sha256, []).append(each)
    for group in groups.values():
        for each in group:
            each.duplicates.extend(other for other in group if other is not each)


def shared_rows(spec: RunSpec) -> dict[str, int]:
    """Return, for each trial, how many of its requests are asked for an earlier trial already, and so only once."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    shared = {trial.slug: 0 for trial in spec.trials}
    if manifest is None or not spec.config.execution.share_identical_arms:
        return shared
    cut, first = _parts_by_trial(manifest), dict[str, str]()
    for trial in spec.trials:
        for part in cut.get(trial.slug, ()):
            asked = _request_sha256(manifest, trial, part)
            if first.setdefault(asked, trial.slug) != trial.slug:
                shared[trial.slug] += part.rows
    return shared


def parts_of(spec: RunSpec, trial: Trial) -> list[Part]:
    """Return the parts that the build phase cut a trial into, in order."""
    return _parts_by_trial(built(spec)).get(trial.slug, [])


def parts_on_record(spec: RunSpec) -> dict[str, list[Part]]:
    """Return the parts of each trial that requests were written for last; none where that is not known."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    return {} if manifest is None else _parts_by_trial(manifest)


def built(spec: RunSpec) -> Manifest:
    """Return what the build phase left.

    Raises
    ------
    FileNotFoundError, CorruptRecordError
        If it is not there, or damaged.
    """
    return load(spec.run.batch_inputs / "manifest.json", Manifest)


def part_row(part: Part) -> dict[str, Any]:
    """Return a part as the build phase records it; the step only of a part that a growth added."""
    row = {**asdict(part), "part": part.name}
    if part.step == 0:
        del row["step"]
    return row


def part_names(spec: RunSpec, trials: tuple[Trial, ...]) -> list[tuple[str, str]]:
    """Return trial and name of every part of the trials, in order; quicker than the worklist, and no more than that."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    wanted = {trial.slug for trial in trials}
    rows = [] if manifest is None else manifest.facts["parts"]
    return [(row["trial_slug"], row["part"]) for row in rows if row["trial_slug"] in wanted]


def _parts_by_trial(manifest: Manifest) -> dict[str, list[Part]]:
    cut: dict[str, list[Part]] = {}
    for row in manifest.facts["parts"]:
        part = msgspec.convert(row, Part)
        cut.setdefault(part.trial_slug, []).append(part)
    return cut


def _reader(path: Path) -> Callable[[], Iterator[RequestRow]]:
    return lambda: (decode_request_row(line) for line in jsonl.lines(path))

"""The parts that ask judges: files of requests in ``<trial>/judge/``, written once, and the queue's worklist of them.

A request file that was sent is never changed: what else has to be asked goes into further files. Equal requests of all
trials are one request, in the file of the first trial that needed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Final, NamedTuple

import msgspec

from promptrial.config.instances import instance_of
from promptrial.design.parts import DEFAULT_LINES_PER_PART
from promptrial.design.trials import asked_of
from promptrial.jobs.work import PartWork
from promptrial.model import Message, Part, Trial
from promptrial.phases.cutting import JobLimits, limits_of
from promptrial.phases.estimates import requests_estimate
from promptrial.phases.judges import RunJudge, judges_of
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import job_key, request_reader, reserve_for
from promptrial.providers.request_rows import encode_row, row_id
from promptrial.store import atomic, jsonl
from promptrial.store.arm_records import ArmRecord
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import TrialDir, digest_of

__all__ = ["JudgeRequest", "ids_asked", "ids_in", "judge_parts", "judge_work", "remove_unsent", "write_requests"]

_NUMBER: Final = re.compile(r"_p([0-9]{3,})\.jsonl")


class JudgeRequest(NamedTuple):
    """One request to a judge: its id, and its messages."""

    id: str
    messages: tuple[Message, ...]


def judge_parts(spec: RunSpec, slug: str, judge: RunJudge) -> Iterator[Part]:
    """Yield the parts of a trial that ask a judge, as its files say, in order."""
    folder = spec.run.trial(slug)
    for path in sorted(folder.judge.glob(f"t0_{judge.name}_p*.jsonl")):
        number = _NUMBER.search(path.name)
        if number is not None:
            rows = jsonl.count(path)
            yield Part(slug, 0.0, judge.name, int(number[1]), 0, rows, rows)


def ids_asked(spec: RunSpec, judge: RunJudge) -> set[str]:
    """Return the ids of the requests to a judge that are in a file of any trial."""
    return {wire_id for trial in spec.trials for part in judge_parts(spec, trial.slug, judge)
            for wire_id in ids_in(spec.run.trial(trial.slug), part)}  # fmt: skip


def ids_in(folder: TrialDir, part: Part) -> Iterator[str]:
    """Yield the ids of the requests of a part."""
    return map(row_id, jsonl.lines(folder.requests(part.name)))


def write_requests(spec: RunSpec, slug: str, judge: RunJudge, requests: Iterable[JudgeRequest]) -> None:
    """Write requests to a judge into further files of a trial, in order, none larger than provider and cap allow."""
    folder = spec.run.trial(slug)
    taken = {part.index for part in judge_parts(spec, slug, judge)}
    free = (number for number in count(1) if number not in taken)
    for batch in _batches(spec, judge, requests):
        part = Part(slug, 0.0, judge.name, next(free), 0, len(batch), len(batch))
        with AtomicFile(folder.requests(part.name)) as file:
            file.write(b"".join(batch))


def remove_unsent(spec: RunSpec, manifest: TrialManifest, slug: str, judge: RunJudge, needed: set[str]) -> None:
    """Remove the files of requests that were never sent and that nobody needs as they are."""
    folder = spec.run.trial(slug)
    for part in judge_parts(spec, slug, judge):
        record = manifest.parts.get(part.name)
        begun = record is not None and (record.request_sha256 is not None or record.ledger)
        there = folder.part_results(part.name).exists() or folder.part_rows(part.name).exists()
        if not (begun or there) and not needed.issuperset(ids_in(folder, part)):
            atomic.remove(folder.requests(part.name))


def _batches(spec: RunSpec, judge: RunJudge, requests: Iterable[JudgeRequest]) -> Iterator[list[bytes]]:
    limits = limits_of(spec, judge.model)
    most_rows = min(spec.config.lines_per_part or DEFAULT_LINES_PER_PART, limits.rows or DEFAULT_LINES_PER_PART)
    is_full = partial(_is_full, spec, judge, limits)
    batch: list[bytes] = []
    size = 0
    for request in requests:
        line = _line(judge, request)
        if batch and (len(batch) >= most_rows or is_full(len(batch) + 1, size + len(line))):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def _is_full(spec: RunSpec, judge: RunJudge, limits: JobLimits, rows: int, size: int) -> bool:
    if not limits.take(FileRecord("", size, rows)):
        return True
    most = spec.terms.caps.part_usd
    reserve = None if most is None else reserve_for(spec, judge.longest, judge.model)(rows, size)
    return most is not None and reserve is not None and reserve > most


def _line(judge: RunJudge, request: JudgeRequest) -> bytes:
    return encode_row(request.id, request.messages, judge.sampling, judge.settings.verdict_schema) + b"\n"


def judge_work(spec: RunSpec, services: Services, trials: Sequence[Trial]) -> list[PartWork]:
    """Return the parts that ask the judges of a run, of some trials, in order.

    Side effects: the manifests in memory know the judges.
    """
    judges = judges_of(spec).values()
    return [
        _work(spec, services, trial.slug, judge, part)
        for trial in trials
        for judge in judges
        for part in judge_parts(spec, trial.slug, judge)
    ]


def _work(spec: RunSpec, services: Services, slug: str, judge: RunJudge, part: Part) -> PartWork:
    folder, manifest, model = spec.run.trial(slug), services.manifest(slug), judge.model
    path = folder.requests(part.name)
    request_sha256 = digest_of([spec.run.record(path).sha256, *asked_of(model)])
    requests = request_reader(path)
    _know(manifest, judge)
    return PartWork(
        folder=folder,
        manifest=manifest,
        part=part,
        model=model,
        provider=partial(services.provider, model.provider),
        request_sha256=request_sha256,
        key=job_key(spec.run.run_id, request_sha256, slug),
        requests=requests,
        estimate_usd=requests_estimate(spec.prices, model, judge.longest, requests),
        reserve_usd=reserve_for(spec, judge.longest, model),
        limits=instance_of(spec.config.providers, model.provider).limits,
    )


def _know(manifest: TrialManifest, judge: RunJudge) -> None:
    """Let a manifest have a record of a judge."""
    known: Mapping[str, ArmRecord] = {} if isinstance(manifest.judges, msgspec.UnsetType) else manifest.judges
    if judge.name not in known:
        manifest.judges = {**known, judge.name: ArmRecord.of(judge.model)}

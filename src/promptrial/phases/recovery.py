"""The records of parts whose manifest was lost, made again from what is here. No provider is asked anything here.

A record that is made again claims no more than the files show: that a part was asked, and what is here of its answers.
Submitting then looks its job up by its key, and polling judges the answers, as both do after a kill.
"""

from __future__ import annotations

import filecmp
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from promptrial import registry
from promptrial.jobs.work import PartWork
from promptrial.model import Trial
from promptrial.phases.judge_work import judge_work
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import worklist
from promptrial.providers.base import BatchProvider, JobLookup
from promptrial.store import breadcrumbs, jsonl
from promptrial.store.asked_files import read_asked
from promptrial.store.breadcrumbs import Breadcrumb
from promptrial.store.part_records import Intent, PartRecord, PartStatus
from promptrial.store.reused_files import read_reused

__all__ = ["recover_parts"]

_RAW: Final = re.compile(r"results\.a([1-9][0-9]*)\.jsonl")
_REASON: Final = "rebuilt from the files on disk: the manifest was missing"


def recover_parts(spec: RunSpec, services: Services, trials: tuple[Trial, ...]) -> dict[str, int]:
    """Put the parts of trials that were asked, and of which no record says what, into their manifests.

    Parameters
    ----------
    spec : RunSpec
    services : Services
    trials : tuple of Trial

    Returns
    -------
    dict
        Slug -> how many parts were put there, of each trial that had any.
    """
    found: Counter[str] = Counter()
    for work in (*worklist(spec, services, trials), *judge_work(spec, services, trials)):
        if work.record.request_sha256 is not None or not _are_known(work, spec):
            continue
        record = _hosted(work) if work.hosted and not _is_copy(work) else _local(work)
        if record is not None:
            work.manifest.parts[work.part.name] = record
            found[work.folder.slug] += 1
    return dict(found)


def _local(work: PartWork) -> PartRecord | None:
    name = work.part.name
    if not (work.folder.part_results(name).exists() or work.folder.part_rows(name).exists()):
        return None
    found = (_reused(work, attempt, path) for attempt, path in sorted(_raw_files(work).items()))
    return PartRecord(
        status="pending",
        resume_key=work.part.resume_key,
        request_sha256=work.request_sha256,
        reason=_REASON,
        intents=tuple(intent for intent in found if intent is not None),
    )


def _hosted(work: PartWork) -> PartRecord | None:
    """Return a part with the job that it was given last, and with the answers of each attempt that are here.

    A job that no file names is known where its name is our key. Elsewhere the last attempt is in doubt, as after a
    kill: its job is looked for. A file of answers as they came is whole, or it would not have its name. Answers that
    are not here are fetched from the provider again, which costs nothing.
    """
    crumb, raw = _breadcrumb(work), _raw_files(work)
    sealed = work.folder.part_results(work.part.name)
    if crumb is None and not (raw or sealed.exists()):
        return None
    attempt = max(crumb.attempt if crumb is not None else 1, *raw, 1)
    if not raw and len(_ids([sealed])) == work.part.rows:
        raw = {attempt: sealed}  # the answers of a single attempt were given their final name
    whole = len(_ids(raw.values())) == work.part.rows
    # Its settings may have been others when the job was given its key: the breadcrumb knows.
    key = work.key if crumb is None else _key_of(crumb).removesuffix(f"-a{crumb.attempt}")
    intents = tuple(
        _intent(work, crumb, f"{key}-a{n}", n, raw.get(n), last=n == attempt, whole=whole)
        for n in range(1, attempt + 1)
    )
    return PartRecord(
        status=intents[-1].status,
        resume_key=work.part.resume_key,
        attempt=attempt,
        request_sha256=work.request_sha256,
        dataset=crumb.inputDatasetId if crumb is not None else None,
        job=intents[-1].job,
        reason=_REASON,
        intents=intents,
    )


def _is_copy(work: PartWork) -> bool:
    """Whether the answers of a hosted part are a copy of those of another, which has their job or the file of it."""
    if _raw_files(work) or _breadcrumb(work) is not None:
        return False
    with_job = (each for each in work.duplicates if each.intents or _breadcrumb(each) is not None)
    return any(_same_bytes(*(each.folder.part_results(each.part.name) for each in (work, other))) for other in with_job)


def _same_bytes(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and filecmp.cmp(first, second, shallow=False)


def _asked_before(work: PartWork) -> str | None:
    """Return the digest of the requests that a part has answers to, or a job; None if no file beside them says it."""
    asked = read_asked(work.answers_folder)
    job = _job_file(work) if asked is None and work.hosted else None
    return asked if job is None else job.request_sha256


def _are_known(work: PartWork, spec: RunSpec) -> bool:
    """Whether what is here of a part is known to be of its present requests: no others were ever, or it says so."""
    return spec.requests_unchanged or _asked_before(work) == work.request_sha256


def _breadcrumb(work: PartWork) -> Breadcrumb | None:
    """Return what was left for people of the last job, if it is whole and was made for these very requests."""
    crumb = _job_file(work)
    return crumb if crumb is not None and crumb.request_sha256 == work.request_sha256 else None


def _job_file(work: PartWork) -> Breadcrumb | None:
    return breadcrumbs.read(work.folder.results / f"{work.part.name}{breadcrumbs.JOB_FILE}")


def _raw_files(work: PartWork) -> dict[int, Path]:
    """Return the files of answers as they came, by attempt."""
    folder = work.answers_folder
    matches = ((_RAW.fullmatch(path.name), path) for path in sorted(folder.glob("results.a*.jsonl")))
    return {int(match[1]): path for match, path in matches if match is not None}


def _ids(paths: Iterable[Path]) -> set[str]:
    """Return the ids of the rows of those files that are there."""
    from promptrial.jobs.answers import row_ids

    return {wire_id for path in paths if path.exists() for wire_id in row_ids(jsonl.lines(path))}


def _key_of(crumb: Breadcrumb) -> str:
    return crumb.name if isinstance(crumb.key, msgspec.UnsetType) else crumb.key


def _intent(
    work: PartWork, crumb: Breadcrumb | None, key: str, attempt: int, path: Path | None, *, last: bool, whole: bool
) -> Intent:
    """Return an attempt; one that is ``completed`` without answers owes them, and they are fetched again."""
    if path is not None and (reused := _reused(work, attempt, path)) is not None:
        return reused
    job = _job_name(work, crumb, key, attempt)
    earlier: PartStatus = "expired" if path is not None or whole else "completed"
    latest: PartStatus = "submitted" if job is not None else "submitting" if path is None else "expired"
    return Intent(
        key=key,
        attempt=attempt,
        status=latest if last else earlier,
        request_sha256=work.request_sha256,
        job=job,
        results=work.folder.run.record(path, jsonl.count(path)) if path is not None else None,
    )


def _reused(work: PartWork, attempt: int, path: Path) -> Intent | None:
    """Return an attempt whose answers were taken over from another run, as a file beside them says."""
    reused = read_reused(work.answers_folder, attempt)
    if reused is None:
        return None
    return Intent(
        key=f"{work.key}-r{attempt}",
        attempt=attempt,
        status="completed",
        request_sha256=work.request_sha256,
        rows=reused.rows,
        results=work.folder.run.record(path, jsonl.count(path)),
        reused=reused,
    )


def _job_name(work: PartWork, crumb: Breadcrumb | None, key: str, attempt: int) -> str | None:
    """Return what the vendor calls the job of an attempt, if that can be told from what is here."""
    if crumb is not None and crumb.attempt == attempt:
        return crumb.name
    provider: type[BatchProvider] = registry.load("provider", work.model.adapter)
    return key if provider.lookup is JobLookup.KEY_IS_NAME else None

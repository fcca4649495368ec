"""The records of parts whose manifest was lost, made again from what is here. No provider is asked anything here.

A record that is made again claims no more than the files show: that a part was asked, and what is here of its answers.
Submitting then looks its job up by its key, and polling judges the answers, as both do after a kill. A file whose
last row is torn is not taken for whole.
"""

from __future__ import annotations

import filecmp
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from promptrial import registry
from promptrial.documents.files import open_regular
from promptrial.jobs.answers import readable_ids, row_ids
from promptrial.jobs.work import PartWork
from promptrial.model import Trial
from promptrial.phases.judge_work import judge_work
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import worklist
from promptrial.providers.base import BatchProvider, JobLookup
from promptrial.store import jsonl
from promptrial.store.breadcrumbs import Breadcrumb
from promptrial.store.part_records import Intent, PartRecord, PartStatus
from promptrial.store.reused_files import read_reused

__all__ = ["asked_parts", "recover_parts"]

_RAW: Final = re.compile(r"results\.a([1-9][0-9]*)\.jsonl")
_REASON: Final = "rebuilt from the files on disk: the manifest was missing"


def asked_parts(spec: RunSpec, services: Services, trials: tuple[Trial, ...]) -> tuple[PartWork, ...]:
    """Return the parts of trials that may be asked now, those of their judges among them."""
    return *worklist(spec, services, trials), *judge_work(spec, services, trials)


def recover_parts(spec: RunSpec, parts: Iterable[PartWork]) -> dict[str, int]:
    """Put parts that were asked, and of which no record says what, into the manifests of their trials.

    Parameters
    ----------
    spec : RunSpec
    parts : iterable of PartWork

    Returns
    -------
    dict
        Slug -> how many parts were put there, of each trial that had any.
    """
    found: Counter[str] = Counter()
    for work in parts:
        if work.record.request_sha256 is not None and not _is_without_its_job(work):
            continue
        if not (spec.requests_unchanged if work.answers_are_to is None else work.answers_are_to == work.request_sha256):
            continue
        record = _hosted(work) if work.hosted and not _is_copy(work) else _local(work)
        if record is not None:
            work.manifest.parts[work.part.name] = record
            found[work.folder.slug] += 1
    return dict(found)


def _is_without_its_job(work: PartWork) -> bool:
    """Whether answers to the present requests were brought back, and no record says which jobs gave them."""
    record = work.record
    is_unknown = record.status == "pending" and not work.intents and record.request_sha256 == work.request_sha256
    return work.hosted and is_unknown and work.answers_folder.exists()


def _local(work: PartWork) -> PartRecord | None:
    """Return a part with the answers of other runs that are whole; its own are in its rows.

    A sealed file once held every answer. What cannot be read of it is lost, and may be bought again with leave only.
    """
    sealed, rows = work.folder.part_results(work.part.name), work.folder.part_rows(work.part.name)
    if not (sealed.exists() or rows.exists()):
        return None
    found = (_reused(work, attempt, path) for attempt, path in sorted(_files(work).items()))
    is_lost = work.paid and not work.hosted and sealed.exists() and len(readable_ids(sealed)) < work.part.rows
    return PartRecord(
        status="downloaded" if is_lost else "pending",
        resume_key=work.part.resume_key,
        request_sha256=work.request_sha256,
        job=f"{work.key}-a1" if is_lost else None,
        reason=_REASON,
        intents=tuple(intent for intent in found if intent is not None),
    )


def _hosted(work: PartWork) -> PartRecord | None:
    """Return a part with the job that it was given last, and with the answers of each attempt that are here.

    A job that no file names is known where its name is our key. Elsewhere the last attempt is in doubt, as after a
    kill: its job is looked for. A file of answers as they came is whole, or it would not have its name. Answers that
    are not here are fetched from the provider again, which costs nothing.
    """
    crumb, raw = _breadcrumb(work), {n: path for n, path in _files(work).items() if _is_whole(path)}
    sealed = work.folder.part_results(work.part.name)
    if crumb is None and not (raw or sealed.exists()):
        return None
    attempt = max(crumb.attempt if crumb is not None else 1, *raw, 1)
    if not raw and _is_whole(sealed) and len(_ids([sealed])) == work.part.rows:
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
    if _files(work) or _breadcrumb(work) is not None:
        return False
    with_job = (each for each in work.duplicates if each.intents or _breadcrumb(each) is not None)
    return any(_same_bytes(*(each.folder.part_results(each.part.name) for each in (work, other))) for other in with_job)


def _same_bytes(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and filecmp.cmp(first, second, shallow=False)


def _breadcrumb(work: PartWork) -> Breadcrumb | None:
    """Return what was left for people of the last job, if it is whole and was made for these very requests."""
    crumb = work.job_note
    return crumb if crumb is not None and crumb.request_sha256 == work.request_sha256 else None


def _files(work: PartWork) -> dict[int, Path]:
    """Return the files of answers as they came, by attempt."""
    folder = work.answers_folder
    matches = ((_RAW.fullmatch(path.name), path) for path in sorted(folder.glob("results.a*.jsonl")))
    return {int(match[1]): path for match, path in matches if match is not None}


def _is_whole(path: Path) -> bool:
    """Whether a file is there and its last row has an end. A row that cannot be read may be as it came."""
    if not path.exists():
        return False
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read() in {b"", b"\n"}


def _ids(paths: Iterable[Path]) -> set[str]:
    """Return the ids of the rows of those files that are there."""
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
    """Return an attempt whose answers were taken over from another run, as a file beside them says.

    If a row of its file cannot be read, no file is recorded, as if it had been damaged later: it is copied again.
    """
    reused = read_reused(work.answers_folder, attempt)
    if reused is None:
        return None
    return Intent(
        key=f"{work.key}-r{attempt}",
        attempt=attempt,
        status="completed",
        request_sha256=work.request_sha256,
        rows=reused.rows,
        results=work.folder.run.record(path, reused.rows) if len(readable_ids(path)) == reused.rows else None,
        reused=reused,
    )


def _job_name(work: PartWork, crumb: Breadcrumb | None, key: str, attempt: int) -> str | None:
    """Return what the vendor calls the job of an attempt, if that can be told from what is here."""
    if crumb is not None and crumb.attempt == attempt:
        return crumb.name
    provider: type[BatchProvider] = registry.load("provider", work.model.adapter)
    return key if provider.lookup is JobLookup.KEY_IS_NAME else None

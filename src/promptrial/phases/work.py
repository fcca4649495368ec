"""From the built request files to the queue's worklist: which parts there are, and which are left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from promptrial.model import Part, Trial
from promptrial.phases.base import Context, load_manifest
from promptrial.providers.request_rows import RequestRow, decode_request_row, row_id
from promptrial.queue import PartWork
from promptrial.store import jsonl
from promptrial.store.records import Manifest, PartRecord, load
from promptrial.store.rundir import digest_of

__all__ = ["parts_of", "recover_parts", "worklist"]


def worklist(context: Context, trials: tuple[Trial, ...]) -> list[PartWork]:
    """Return the parts of the trials in order; empty before the build phase has run."""
    manifest = load_manifest(context.run.batch_inputs / "manifest.json")
    if manifest is None:
        return []
    artifacts = manifest.receipt.artifacts
    cut = _parts_by_trial(manifest)
    work = []
    for trial in trials:
        folder = context.run.trial(trial.slug)
        for part in cut.get(trial.slug, ()):
            path = folder.requests(part.name)
            asked = artifacts[context.run.relative(path)].sha256
            work.append(
                PartWork(
                    folder=folder,
                    manifest=context.manifest(trial.slug),
                    part=part,
                    model=trial.model,
                    provider=partial(context.provider, trial.model.provider),
                    request_sha256=digest_of([asked, trial.model.provider, trial.model.id, trial.model.path]),
                    requests=_reader(path),
                )
            )
    return work


def parts_of(context: Context, trial: Trial) -> list[Part]:
    """Return the parts that the build phase cut a trial into, in order."""
    manifest = load(context.run.batch_inputs / "manifest.json", Manifest)
    return _parts_by_trial(manifest).get(trial.slug, [])


def recover_parts(context: Context, trial: Trial) -> int:
    """Rebuild the part records of a trial whose manifest was lost, from the results on disk; returns how many.

    A part is taken for answered when its results hold exactly the ids of its requests. What those requests said when
    they were sent can no longer be checked, so the caller must have seen that the configuration is the run's own.
    """
    manifest = context.manifest(trial.slug)
    found = 0
    for work in worklist(context, (trial,)):
        name = work.part.name
        results, rows = work.folder.part_results(name), work.folder.part_rows(name)
        if not results.exists() and not rows.exists():
            continue
        wanted = _ids(work.folder.requests(name))
        if not wanted:  # without its requests nothing can be said of a part
            continue
        whole = _ids(results) == wanted
        manifest.parts[name] = PartRecord(
            status="downloaded" if whole else "submitted",
            resume_key=work.part.resume_key,
            request_sha256=work.request_sha256,
            job=f"recovered-{name}",
            results=context.run.record(results, work.part.rows) if whole else None,
        )
        found += 1
    return found


def _ids(path: Path) -> set[str]:
    """Return the ids of the rows of a file; empty if it is not there or any line of it is damaged."""
    try:
        return {row_id(line) for line in jsonl.lines(path)}
    except (FileNotFoundError, ValueError):
        return set()


def _parts_by_trial(manifest: Manifest) -> dict[str, list[Part]]:
    cut: dict[str, list[Part]] = {}
    for row in manifest.facts["parts"]:
        part = msgspec.convert(row, Part)
        cut.setdefault(part.trial_slug, []).append(part)
    return cut


def _reader(path: Path) -> Callable[[], Iterator[RequestRow]]:
    return lambda: (decode_request_row(line) for line in jsonl.lines(path))

"""From the built request files to the queue's worklist: which parts there are, and which are left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from promptrial.model import Part, Trial
from promptrial.phases.base import Context, load_manifest
from promptrial.providers.request_rows import RequestRow, decode_request_row
from promptrial.queue import PartWork
from promptrial.store import jsonl
from promptrial.store.records import Manifest, load

__all__ = ["parts_of", "worklist"]


def worklist(context: Context, trials: tuple[Trial, ...] | None = None) -> list[PartWork]:
    """Return the parts of the trials (all of them if not given) in order; empty before the build phase has run."""
    manifest = load_manifest(context.run.batch_inputs / "manifest.json")
    if manifest is None:
        return []
    artifacts = manifest.receipt.artifacts
    cut = _parts_by_trial(manifest)
    work = []
    for trial in trials if trials is not None else context.trials:
        folder = context.run.trial(trial.slug)
        for part in cut.get(trial.slug, ()):
            path = folder.requests(part.name)
            work.append(
                PartWork(
                    folder=folder,
                    manifest=context.manifest(trial.slug),
                    part=part,
                    model=trial.model,
                    provider=partial(context.provider, trial.model.provider),
                    request_sha256=artifacts[context.run.relative(path)].sha256,
                    requests=_reader(path),
                )
            )
    return work


def parts_of(context: Context, trial: Trial) -> list[Part]:
    """Return the parts that the build phase cut a trial into, in order."""
    manifest = load(context.run.batch_inputs / "manifest.json", Manifest)
    return _parts_by_trial(manifest).get(trial.slug, [])


def _parts_by_trial(manifest: Manifest) -> dict[str, list[Part]]:
    cut: dict[str, list[Part]] = {}
    for row in manifest.facts["parts"]:
        part = msgspec.convert(row, Part)
        cut.setdefault(part.trial_slug, []).append(part)
    return cut


def _reader(path: Path) -> Callable[[], Iterator[RequestRow]]:
    return lambda: (decode_request_row(line) for line in jsonl.lines(path))

"""Which answers of another run are asked again instead of being taken over, and how that run has scored them.

A model may have changed since the other run asked. So a random part of the first arm's items is asked again, by the
same requests: what is withheld from reuse is asked, quoted and paid for like any other request.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from promptrial.errors import UsageError
from promptrial.jobs.work import PartWork
from promptrial.model import Item, RequestId, Trial, ids
from promptrial.model.arms import arm_of, compared_arms
from promptrial.phases.lending import LentPart
from promptrial.phases.prepared import ItemKey
from promptrial.phases.scorers import made_by
from promptrial.phases.spec import RunSpec
from promptrial.phases.stored_rows import StoredRows
from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl
from promptrial.store.recheck_records import OlderScore, Rechecked, RecheckedFrom, read_rechecked, write_rechecked
from promptrial.store.tables import column_names, read_columns

__all__ = ["Place", "record_older", "withheld"]


class Place(NamedTuple):
    """An item at a temperature, as score tables name both."""

    item_key: str
    temp: str


def withheld(spec: RunSpec, trial: Trial, items: Iterable[ItemKey | Item]) -> Mapping[str, Place]:
    """Return the requests that are asked although another run may have answered them: wire id -> place.

    Those are all requests of the first arm to the items whose hash with the seed is smallest: a random sample of
    ``execution.recheck_items``, the same at each resume. Nothing without that, or where nothing is reused.
    """
    wanted, arm = spec.config.execution.recheck_items, compared_arms(trial.arms_run)[0]
    if not wanted or not spec.terms.reuse or arm not in trial.arms_run:
        return {}

    def place_in_line(key: ItemKey | Item) -> bytes:
        return hashlib.sha256(f"{spec.config.seed}\0again\0{ids.item_key(key.dataset, key.id)}".encode()).digest()

    return {
        ids.wire_encode(RequestId(key.dataset, key.id, arm, temp, sample, key.type)): Place(
            ids.item_key(key.dataset, key.id), temp
        )
        for key in heapq.nsmallest(wanted, items, key=place_in_line)
        for temp, n in trial.samples_per_item.items()
        for sample in range(n)
    }


def record_older(
    spec: RunSpec,
    parts: Sequence[PartWork],
    rows: StoredRows,
    again: Mapping[str, Mapping[str, Place]],
    is_complete: Callable[[bytes], bool],
) -> None:
    """Record how other runs scored what is asked again, before any of it is asked.

    Parameters
    ----------
    spec : RunSpec
    parts : sequence of PartWork
        Parts that nobody was asked for yet.
    rows : StoredRows
        The answers that may be taken over.
    again : mapping
        By trial, what ``withheld`` returns.
    is_complete : callable
        Whether a stored row is a complete answer.

    Raises
    ------
    UsageError
        If a run that has such answers has not scored them.

    Side effects: writes ``rechecked.json`` of trials; what is in it is kept.
    """
    found: dict[str, dict[LentPart, set[Place]]] = {}
    for part in parts:
        wanted = again.get(part.folder.slug, {})
        lines = [line for line in jsonl.lines(part.folder.requests(part.part.name)) if row_id(line) in wanted]
        for lent, row in rows.found(lines, is_complete):
            for work in (part, *part.duplicates):
                found.setdefault(work.folder.slug, {}).setdefault(lent, set()).add(wanted[row_id(row)])
    for slug, places in found.items():
        _record(spec, spec.trial(slug), places)


def _record(spec: RunSpec, trial: Trial, places: Mapping[LentPart, set[Place]]) -> None:
    results = spec.run.trial(trial.slug).results
    before = read_rechecked(results)
    known = {(row.item_key, row.temp) for source in before.sources for row in source.rows} if before else set()
    by_folder: dict[tuple[str, str], tuple[LentPart, set[Place]]] = {}
    for lent, wanted in places.items():
        of_trial = by_folder.setdefault((lent.folder.run.run_id, lent.folder.slug), (lent, set()))
        of_trial[1].update(place for place in wanted if place not in known)
    new = [_source(lent, wanted) for lent, wanted in by_folder.values() if wanted]
    sources = (*(before.sources if before else ()), *new)
    items = spec.config.execution.recheck_items or 0
    write_rechecked(results, Rechecked(arm=compared_arms(trial.arms_run)[0], items=items, sources=sources))


def _source(lent: LentPart, wanted: set[Place]) -> RecheckedFrom:
    """Return how a trial of another run has scored some items of an arm.

    Raises
    ------
    UsageError
        If it has not.
    """
    path, run = lent.folder.results / "per_item_scores.parquet", lent.folder.run
    manifest = lent.folder.load_manifest()
    if manifest is None or not path.exists():
        raise UsageError(
            f"--recheck: run {run.run_id} has no scores of {lent.folder.slug} to compare new answers with",
            hint=f"finish that run first: {run.resume_command}; or leave out --recheck",
        )
    scorers = made_by(lent.folder.results)
    columns = [name for name in scorers if name in column_names(path)]
    table = read_columns(path, ["item_key", "condition", "temp", "n_samples", *columns]).to_pylist()
    arm = arm_of(lent.name.rpartition("_")[0])
    rows = tuple(
        OlderScore(
            item_key=row["item_key"],
            temp=row["temp"],
            n_samples=row["n_samples"],
            scores={name: row[name] for name in columns},
        )
        for row in table
        if row["condition"] == arm and (row["item_key"], row["temp"]) in wanted
    )
    return RecheckedFrom(
        run_id=run.run_id,
        trial=lent.folder.slug,
        scorers={name: scorers[name] for name in columns},
        samples_per_item=dict(manifest.samples_per_item),
        rows=rows,
    )

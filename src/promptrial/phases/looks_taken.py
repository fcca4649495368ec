"""The looks that were taken at a trial, as its results hold them. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, cast

from promptrial.documents.looks import EndpointLookRow, LookRow, Looks
from promptrial.model import Trial
from promptrial.phases.scorers import scorer_versions
from promptrial.phases.settings import chosen_rules
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import has_waves, looks_of, over, waves_on_record
from promptrial.store.look_records import LookRecord, taken
from promptrial.store.rundir import digest_of

__all__ = ["look_deviations", "looks_document", "scored_with"]


def looks_document(spec: RunSpec, trial: Trial) -> Looks | None:
    """Return how a trial was looked at; None if it was not, or its looks are not over yet."""
    if not spec.config.stopping.on or not has_waves(spec.run) or not over(spec, trial.slug):
        return None
    records, waves, stopping = looks_of(spec.run, trial.slug), waves_on_record(spec.run), spec.config.stopping
    last = records[-1]
    return Looks(
        rule=last.rule,
        metric=spec.config.stopping_endpoint,
        alpha=spec.config.stats.alpha,
        efficacy=stopping.efficacy,
        futility=stopping.futility,
        waves_planned=waves.n_waves,
        items_planned=sum(waves.items),
        items=last.items,
        decision=cast("Literal['stop', 'end', 'unblind']", last.decision),
        taken=tuple(map(_row, taken(records))),
        deviations=tuple(look_deviations(spec, trial.slug)),
    )


def scored_with(spec: RunSpec) -> str:
    """Return the digest of what scores depend on besides the answers."""
    config = spec.config
    scoring = {"scoring": config.scoring.model_dump(mode="json"), "missing": config.stats.missing}
    return digest_of({**scoring, "scorers": scorer_versions(config), **chosen_rules(spec)})


def look_deviations(spec: RunSpec, slug: str) -> Iterator[str]:
    """Yield in what people have departed from the stopping rule of a trial, one line each."""
    looks = looks_of(spec.run, slug)
    now = scored_with(spec)
    others = [look.wave for look in taken(looks) if look.scored_with != now]
    if others:
        yield f"{slug}: its scorers have changed since look {others[-1]}, which others decided"
    for before, each in pairwise(looks):
        if each.decision == "unblind":
            yield f"{slug}: its results were shown after look {each.wave}, before the rule had ended it"
        if each.decision == "ask_more":
            ended = "the rule" if before.decision == "stop" else "people"
            yield f"{slug}: more was asked after {ended} had ended it at look {each.wave}"


def _row(look: LookRecord) -> LookRow:
    endpoints = tuple(
        EndpointLookRow(
            contrast=each.contrast,
            temp=each.temp,
            difference=each.estimate,
            ci_low=each.low,
            ci_high=each.high,
            p=each.p,
            level=each.level,
            n_pairs=each.n_pairs,
            n_clusters=each.n_clusters,
            reason=each.reason,
        )
        for each in look.endpoints
    )
    return LookRow(wave=look.wave, items=look.items, endpoints=endpoints)

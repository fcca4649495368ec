"""A look at a running trial: the answers of its waves so far are parsed, scored and tested in memory.

Nothing of it is shown to anybody, and nothing is written but the record of the look, which is obeyed from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from promptrial.design.waves import Waves
from promptrial.errors import UsageError
from promptrial.model import Trial
from promptrial.model.units import Unit
from promptrial.phases.looks_taken import scored_with
from promptrial.phases.parse import take_rows
from promptrial.phases.parsed import FURTHER_COLUMNS, PREDICTION_COLUMNS, output_of
from promptrial.phases.score_bounds import check_bounds
from promptrial.phases.scored import READ, score_rows
from promptrial.phases.services import Services
from promptrial.phases.settings import stats_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.stats import planned_items, table_of
from promptrial.phases.waves import has_waves, looks_of, waves_on_record
from promptrial.phases.work import parts_of
from promptrial.store.look_records import EndpointRecord, LookRecord, append_look, is_over, taken
from promptrial.store.tables import HeldTable

if TYPE_CHECKING:
    from promptrial.documents.significance import StatsSettings
    from promptrial.model.arms import Contrast
    from promptrial.stats.pairing import PairedSample, ScoreTable
    from promptrial.stats.stopping import LookPlan

__all__ = ["decide_by_hand", "take_look"]

_COLUMNS: Final = tuple(name for name, _ in (*PREDICTION_COLUMNS, *FURTHER_COLUMNS))
_PLACES: Final = [_COLUMNS.index(name) for name in READ]


def take_look(spec: RunSpec, services: Services, trial: Trial) -> LookRecord:
    """Look at a trial all of whose open waves are answered, and decide whether it asks the next one.

    Side effects: appends the record of the look, durably; says what was decided, and no effect.
    """
    waves, earlier = waves_on_record(spec.run), taken(looks_of(spec.run, trial.slug))
    number = len(earlier)
    with services.progress.task("look", Unit(trial.slug), None):
        endpoints = tuple(_endpoints(spec, services, trial, waves, number))
    record = LookRecord(
        wave=number + 1,
        at=services.clock.now(),
        rule=_rule(spec),
        items=sum(waves.items[: number + 1]),
        results=_results(spec, services, trial, number),
        endpoints=endpoints,
        decision=_decision(endpoints, earlier, last=number + 1 == waves.n_waves),
        scored_with=scored_with(spec),
    )
    append_look(spec.run.trial(trial.slug).results, record)
    services.events.event("look", trial=trial.slug, wave=record.wave, decision=record.decision)
    services.events.say(f"{trial.slug}: {_said(record, waves)}")
    return record


def decide_by_hand(
    spec: RunSpec, services: Services, trials: Sequence[Trial], decision: Literal["unblind", "ask_more"]
) -> None:
    """Record that people end trials to see their results, or ask more of those that were over: a permanent deviation.

    Trials for which that does not hold are left as they are.

    Raises
    ------
    UsageError
        If that is all of them: the run is not asked in waves, no look is taken yet, or (to ask more) no trial was ended
        early; says which.
    """
    problems: list[str] = []
    for trial in trials:
        looks = looks_of(spec.run, trial.slug)
        if problem := _why_not(spec, looks, decision):
            problems.append(f"{trial.slug}: {problem}")
        else:
            _record_decision(spec, services, trial, looks[-1], decision)
    if len(problems) == len(trials):
        flag = "--unblind" if decision == "unblind" else "--past_stop"
        raise UsageError(f"{flag}: {'; '.join(problems)}", hint=f"leave it out: {spec.run.resume_command}")


def _why_not(spec: RunSpec, looks: Sequence[LookRecord], decision: Literal["unblind", "ask_more"]) -> str:
    """Return why people cannot decide that now; empty if they can."""
    if not has_waves(spec.run):
        return "it is not asked in waves"
    if not looks:
        return "no look is taken yet"
    if decision == "unblind":
        return "its looks are over, and its results are shown" if is_over(looks) else ""
    if looks[-1].decision == "end":
        return "all its waves are asked"
    return "" if is_over(looks) else "it is not over"


def _record_decision(
    spec: RunSpec, services: Services, trial: Trial, last: LookRecord, decision: Literal["unblind", "ask_more"]
) -> None:
    record = LookRecord(
        wave=last.wave,
        at=services.clock.now(),
        rule=last.rule,
        items=last.items,
        results={},
        endpoints=(),
        decision=decision,
    )
    append_look(spec.run.trial(trial.slug).results, record)
    services.events.event("look", trial=trial.slug, wave=record.wave, decision=decision)


def _decision(
    endpoints: Sequence[EndpointRecord], earlier: Sequence[LookRecord], *, last: bool
) -> Literal["continue", "stop", "end"]:
    from promptrial.stats.stopping import stops_early

    if last:
        return "end"
    looks = [*(look.endpoints for look in earlier), endpoints]
    reasons = [{(row.contrast, row.temp): row.reason for row in look} for look in looks]
    return "stop" if stops_early(reasons) else "continue"


def _said(record: LookRecord, waves: Waves) -> str:
    """Return what was decided, in words that tell no effect."""
    asked = f"{record.items:,} of {sum(waves.items):,} questions are answered"
    if record.decision == "end":
        return f"{asked}; that was the last of {waves.n_waves} waves"
    if record.decision == "stop":
        return f"{asked}, and the rule `{record.rule}` stops the trial: the other waves are not asked"
    return f"{asked}; wave {record.wave + 1} of {waves.n_waves} is asked now"


def _rule(spec: RunSpec) -> Literal["evalue", "obrien_fleming", "pocock"]:
    rule = spec.config.stopping.rule
    assert rule != "none"  # noqa: S101 - only a run that is asked in waves is looked at
    return rule


def look_plan(spec: RunSpec, waves: Waves, endpoints: int) -> LookPlan:
    """Return how each of so many endpoints is looked at: they share the level evenly, as Bonferroni does."""
    from promptrial.stats.stopping import LookPlan

    stopping = spec.config.stopping
    alpha = spec.config.stats.alpha / endpoints
    return LookPlan(_rule(spec), waves.clusters, waves.largest, alpha, stopping.efficacy, stopping.futility)


def _endpoints(spec: RunSpec, services: Services, trial: Trial, waves: Waves, number: int) -> Iterator[EndpointRecord]:
    """Yield what the look says about the endpoint, contrast by contrast and temperature by temperature."""
    found = list(_samples(spec, services, trial, number + 1))
    if not found:
        return
    plan = look_plan(spec, waves, len(found))
    for each in found:
        services.stop.check()
        look = plan.look(each.sample, number, each.settings)
        yield EndpointRecord(
            contrast=str(each.contrast),
            temp=each.temp,
            estimate=look.estimate if look.n_pairs else None,
            low=look.low,
            high=look.high,
            p=look.p,
            level=look.level,
            n_pairs=look.n_pairs,
            n_clusters=look.n_clusters,
            reason=plan.reason_to_stop(look),
        )


class _Sample(NamedTuple):
    contrast: Contrast
    temp: float
    sample: PairedSample
    settings: StatsSettings


def _samples(spec: RunSpec, services: Services, trial: Trial, steps: int) -> Iterator[_Sample]:
    """Yield the pairs of the endpoint in the first waves."""
    from promptrial.stats.analysis import pairing_of
    from promptrial.stats.missing import under_rule

    table, settings = _scores(spec, services, trial, steps)
    for contrast in table.contrasts:
        for temp in table.temps:
            pairing = pairing_of(table, spec.config.stopping_endpoint, temp, contrast, settings)
            yield _Sample(contrast, temp, under_rule(pairing, settings.missing).sample(), settings)


def _scores(spec: RunSpec, services: Services, trial: Trial, steps: int) -> tuple[ScoreTable, StatsSettings]:
    """Return the scores of the first waves, and how effects are tested."""
    wave_of = waves_on_record(spec.run).wave_of
    kept = [wave < steps for wave in wave_of]
    predictions = _predictions(spec, trial, steps, services.stop.check)
    found = score_rows(spec, trial, (tuple(row[at] for at in _PLACES) for row in predictions), kept)
    planned = planned_items(spec.run, kept)
    check_bounds(spec.config, found.declared)
    scores = table_of(found.table, found.declared, planned, trial.samples_per_item, trial.arms_run)
    return scores, stats_settings(spec.config, found.declared)


def _predictions(spec: RunSpec, trial: Trial, steps: int, check_stop: Callable[[], None]) -> list[tuple[Any, ...]]:
    """Return the predictions of the first waves, as *parse* would write them."""
    rows = HeldTable(PREDICTION_COLUMNS + FURTHER_COLUMNS)
    for _ in take_rows(spec, trial, output_of(spec, trial, FURTHER_COLUMNS, rows, _NOWHERE, _NOWHERE), steps):
        check_stop()
    return [*zip(*(column.to_pylist() for column in rows.table().columns), strict=True)]


class _Nowhere:
    """Takes the raw lines that *parse* keeps."""

    def write(self, data: bytes) -> None:
        del data


_NOWHERE: Final = _Nowhere()


def _results(spec: RunSpec, services: Services, trial: Trial, number: int) -> dict[str, str]:
    """Return the SHA-256 of the answers of a wave, by the path of each part."""
    folder, manifest = spec.run.trial(trial.slug), services.manifest(trial.slug)
    own = [part.name for part in parts_of(spec, trial) if part.step == number and part.condition in trial.arms_run]
    found = {name: manifest.parts[name].results for name in own if name in manifest.parts}
    return {spec.run.relative(folder.part_results(name)): each.sha256 for name, each in found.items() if each}

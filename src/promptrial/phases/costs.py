"""Costs: from token counts and scores to ``costs.json``. Reads and writes; the arithmetic is ``promptrial.costs``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.config.costs import CriterionConfig
from promptrial.costs import criterion
from promptrial.costs.price_words import unpriced_words
from promptrial.documents import cost_report
from promptrial.documents.kept_prices import KeptPrice
from promptrial.documents.scorers import Declaration
from promptrial.model import ModelSpec, Trial
from promptrial.model.arms import ArmName
from promptrial.phases import versions
from promptrial.phases.base import Manifests, Phase, Produced
from promptrial.phases.parsed import CACHE_COLUMNS
from promptrial.phases.score_bounds import check_bounds
from promptrial.phases.score_columns import scored_column
from promptrial.phases.scorers import declared
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.records import load
from promptrial.store.tables import column_names, read_batches

__all__ = ["PHASE"]

_TOKENS: Final = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens")
_CACHE_WRITES: Final = CACHE_COLUMNS[0][0]


@dataclass(slots=True)
class _Sums:
    """Tokens of one arm so far."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int | None = None
    cache_write_tokens: int = 0
    unknown: int = 0


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    from promptrial.costs import amounts
    from promptrial.phases.parsed import ParseReport
    from promptrial.phases.unused import with_judges, with_unused
    from promptrial.scoring.types.exact_match import ExactMatch

    results = spec.run.trial(trial.slug).results
    report = load(results / "parse_report.json", ParseReport)
    sums = _token_sums(services, results / "predictions.parquet", trial)
    usage = {
        condition: amounts.TokenUsage(
            requests=report.arms[condition].expected,
            answered=report.arms[condition].answered,
            prompt_tokens=arm.prompt_tokens,
            completion_tokens=arm.completion_tokens,
            total_tokens=arm.total_tokens,
            cached_tokens=arm.cached_tokens,
            unknown=arm.unknown + report.arms[condition].empty_usage_unknown,
            empty=report.arms[condition].empty,
            cache_write_tokens=arm.cache_write_tokens,
        )
        for condition, arm in sums.items()
    }
    scorers = declared(results)
    check_bounds(spec.config, scorers)
    chosen = spec.config.costs.criterion
    counted = chosen or criterion.default_criterion(scorers)
    document = amounts.cost_report(
        usage,
        {}
        if counted is None
        else _meeting(results / "per_item_scores.parquet", trial, counted, scorers[counted.scorer]),
        spec.prices.of(trial.model),
        {name: spec.prices.of(model) for name, model in trial.own_models.items() if name in trial.conditions},
    )
    if counted is None or chosen is not None or scorers[counted.scorer] != ExactMatch.declared:
        words = None if counted is None else criterion.in_words(counted, scorers[counted.scorer])
        document = msgspec.structs.replace(document, criterion=words)
    if unpriced := _unpriced(spec, trial):
        document = msgspec.structs.replace(document, unpriced=unpriced)
    if spec.dry_run:
        document = msgspec.structs.replace(document, dry_run=True)
    document = with_unused(document, spec, services.manifest(trial.slug), trial)
    if trial.judges:
        document = with_judges(document, spec, services.manifest(trial.slug), trial)
    path = results / "costs.json"
    with AtomicFile(path) as file:
        file.write(cost_report.encode(document))
    return Produced({path: FileRecord(file.sha256(), file.size)})


def _settings(spec: RunSpec, manifests: Manifests, trial: Trial | None) -> object:
    from promptrial.phases.unused import of_judges, of_unused

    settings: dict[str, Any] = {
        "pricing": {name: terms.model_dump(mode="json") for name, terms in spec.config.pricing.items()},
        "model": _named(trial.model) if trial else None,
    }
    if spec.config.costs.criterion is not None:
        settings["criterion"] = spec.config.costs.criterion.model_dump(mode="json")
    if kept := list(_listed(spec, trial).values()) if trial else []:
        settings["prices"] = msgspec.to_builtins(kept)
    if trial and (unused := of_unused(spec, manifests[trial.slug], trial)):
        settings["unused"] = unused
    if trial and trial.judges and (asked := of_judges(spec, manifests[trial.slug], trial)):
        settings["judges"] = asked
    own = {name: _named(model) for name, model in trial.own_models.items()} if trial else {}
    return settings | {"arms": own} if own else settings


def _listed(spec: RunSpec, trial: Trial) -> dict[ModelSpec, KeptPrice]:
    """Return what is kept of the models of a trial that the configuration does not price."""
    prices = spec.prices
    return {model: kept for model in trial.models if (kept := prices.listed(model)) is not None}


def _unpriced(spec: RunSpec, trial: Trial) -> dict[str, str]:
    listed = _listed(spec, trial).items()
    return {model.alias: unpriced_words(spec.prices, model) for model, kept in listed if kept.price is None}


def _named(model: ModelSpec) -> list[str]:
    return [model.provider, model.alias, model.id]


def _token_sums(services: Services, path: Path, trial: Trial) -> dict[ArmName, _Sums]:
    import pyarrow.compute as pc

    sums = {condition: _Sums() for condition in trial.conditions}
    written = {_CACHE_WRITES} & {*column_names(path)}
    for batch in read_batches(path, ("condition", "error", *_TOKENS, *written)):
        services.stop.check()
        for condition, arm in sums.items():
            rows = batch.filter(pc.equal(batch.column("condition"), condition))
            prompt, completion, total, cached = (rows.column(name) for name in _TOKENS)
            arm.prompt_tokens += pc.sum(prompt).as_py() or 0
            arm.completion_tokens += pc.sum(completion).as_py() or 0
            arm.total_tokens += pc.sum(pc.coalesce(total, pc.add(prompt, completion))).as_py() or 0
            if cached.null_count < len(cached):
                arm.cached_tokens = (arm.cached_tokens or 0) + pc.sum(cached).as_py()
            if written:
                arm.cache_write_tokens += pc.sum(rows.column(_CACHE_WRITES)).as_py() or 0
            silent = pc.or_(pc.is_null(prompt), pc.is_null(completion))
            answered = pc.is_null(rows.column("error"))
            arm.unknown += pc.sum(pc.and_(silent, answered)).as_py() or 0
    return sums


def _meeting(path: Path, trial: Trial, counted: CriterionConfig, scorer: Declaration) -> dict[ArmName, float | None]:
    """Return the answers of each arm that meet the criterion: their share times the answers, summed over items."""
    import pyarrow as pa
    import pyarrow.compute as pc

    correct: dict[ArmName, float | None] = dict.fromkeys(trial.conditions)
    own = scored_column(counted.scorer)
    answers = own if own in column_names(path) else "n_samples"
    for batch in read_batches(path, ("condition", answers, counted.scorer)):
        for condition in trial.conditions:
            rows = batch.filter(pc.equal(batch.column("condition"), condition))
            score = rows.column(counted.scorer).to_numpy(zero_copy_only=False)
            share = pa.array(criterion.share_meeting(counted, scorer, score), from_pandas=True)
            right = pc.sum(pc.multiply(share, rows.column(answers))).as_py()
            if right is not None:
                correct[condition] = (correct[condition] or 0.0) + right
    return correct


PHASE = Phase(
    name="costs",
    reads=("parse", "score"),
    settings=_settings,
    made_with=lambda _spec: versions.schema(cost_report.SCHEMA_VERSION, first=1),
    run_trial=_run,
)

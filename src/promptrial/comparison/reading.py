"""What a comparison reads of a run: its items, and of each trial the identity, the scores, the statistics, the cost.

Reads only, and takes no lock. What is on disk is believed as far as the receipt of the phase that made it holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from promptrial.comparison.comparability import Identity
from promptrial.config.models import ModelConfig
from promptrial.config.yaml_text import YamlError, load_file
from promptrial.documents import cost_report, significance
from promptrial.documents.cost_report import CostReport
from promptrial.documents.files import read_bytes
from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Significance
from promptrial.errors import CorruptRecordError, UsageError
from promptrial.model import ids
from promptrial.model.arms import ArmName, control_first
from promptrial.phases import stats
from promptrial.phases.prepared import ItemReader, encode_item
from promptrial.phases.scorers import declared, made_by
from promptrial.phases.stats import PlannedItems, read_scores
from promptrial.store import records
from promptrial.store.left_files import check_files
from promptrial.store.next_steps import wait_or_resume
from promptrial.store.part_records import listed
from promptrial.store.records import Manifest, RunState, StageRecord, TrialManifest
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:
    from promptrial.stats.pairing import ScoreTable

__all__ = [
    "RunSide",
    "TrialSide",
    "read_items",
    "read_predictions",
    "read_run",
    "read_score_table",
    "read_scorers",
    "read_trial",
    "scorers_of",
]

_Document = TypeVar("_Document")
_ITEMS_AT_ONCE: Final = 1000
_DECODING: Final = ("top_p", "top_k", "max_new_tokens", "stop", "seed")
_NOT_THE_MODEL: Final = frozenset({"id", "provider", "path", "cache_prompt", "sampling"})
"""Keys of a model that are elsewhere: the name and the server in the manifest, the weights in the engine, sampling
with what is decoded. A cache changes what an answer costs, and no answer."""
_PAYS: Final = frozenset({"account", "key", "max_rows", "max_bytes"})
"""Keys of a provider that change no request: who pays, and how many requests are sent in one file."""


@dataclass(frozen=True, slots=True)
class RunSide:
    """A run: its configuration as it was resolved, the digests of its items, the names of its trials.

    The trials are those that requests were built for: one that the run has no more may have left its folder behind.
    """

    run: RunDir
    dry_run: bool
    migrated: bool
    tree: dict[str, Any]
    items: dict[str, str]
    slugs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrialSide:
    """A trial with its statistics; ``costs`` is None where there are none yet."""

    side: RunSide
    slug: str
    manifest: TrialManifest
    identity: Identity
    significance: Significance
    costs: CostReport | None

    @property
    def arms(self) -> tuple[ArmName, ...]:
        """The arms that were run."""
        return control_first(self.manifest.trial.get("conditions", ()))

    def identity_of(self, arm: ArmName) -> Identity:
        """Return what an arm is besides its prompts; the model is that which answers the arm."""
        own = self.manifest.own(arm)
        if own is None:
            return self.identity
        decoding = {name: value for name, value in self.identity.decoding.items() if name != "sampling"}
        return replace(
            self.identity,
            model=_model(self.side, own.model_alias, own.model_id, own.provider),
            decoding={**decoding, **_sampling(self.side, own.model_alias)},
        )

    def engine_of(self, arm: ArmName) -> dict[str, Any]:
        """Return the engine that answered an arm, and what is configured of its server.

        Whose account paid for it makes no difference to the answers.
        """
        provider = self.manifest.provider_of(arm)
        entry: dict[str, Any] = (self.side.tree.get("providers") or {}).get(provider) or {}
        configured = {name: value for name, value in entry.items() if name not in _PAYS}
        asked = {name: value for name, value in self.manifest.engine_of(arm).items() if name != "account"}
        return {**asked, "configured": {} if configured == {"type": provider} else configured}

    def instructions(self, arm: ArmName) -> list[object]:
        """Return the SHA-256 of the task instructions of an arm, which are a part of every request."""
        arms = (self.side.tree.get("prompt_sets") or {}).get(self.manifest.trial.get("prompt_set")) or {}
        own = {**arms, **(arms.get("treatments") or {})}.get(arm) or {}
        instructions = {**(self.side.tree.get("task_instructions") or {}), **(own.get("task_instructions") or {})}
        return [prompt.get("sha256") for _, prompt in sorted(instructions.items())]

    def asked_with(self, arm: ArmName) -> str | None:
        """Return the digest of what the requests of an arm say besides prompt and items; None if not recorded."""
        digest = self.manifest.prompts.get(arm, {}).get("asked_with")
        return None if digest is None else str(digest)

    def prompt_sha256(self, arm: ArmName) -> str | None:
        """Return the SHA-256 of an arm's system prompt."""
        sha256 = self.manifest.prompts.get(arm, {}).get("sha256")
        return None if sha256 is None else str(sha256)


def read_run(run: RunDir) -> RunSide:
    """Read what all trials of a run have in common.

    Raises
    ------
    UsageError
        If the run has no state, no items or no requests yet.
    CorruptRecordError
        If something of it is damaged.
    """
    try:
        state = records.load(run.state_path, RunState)
        prepared = records.load(run.prepared / "manifest.json", Manifest)
        built = records.load(run.batch_inputs / "manifest.json", Manifest)
    except FileNotFoundError as error:
        raise UsageError(
            f"run {run.run_id} cannot be compared yet: {error.filename} does not exist", hint=wait_or_resume(run)
        ) from None
    if listed(state.growth) and state.phases[stats.PHASE.name].status == "not_started":
        raise UsageError(
            f"run {run.run_id} cannot be compared yet: it has grown, and its results are of an earlier size",
            hint=wait_or_resume(run),
        )
    check_files(run, prepared.receipt.artifacts)
    return RunSide(
        run=run,
        dry_run=state.dry_run is True,
        migrated=state.migrated is True,
        tree=_configuration(run),
        items={Path(path).name: file.sha256 for path, file in prepared.receipt.artifacts.items()},
        slugs=tuple(dict.fromkeys(str(row["trial_slug"]) for row in built.facts.get("parts", ()))),
    )


def read_items(run: RunDir) -> dict[str, bytes]:
    """Return the key of every item, in order, with a digest of all that the item is."""
    reader, found, start = ItemReader(run), dict[str, bytes](), 0
    while items := reader.take(start, start + _ITEMS_AT_ONCE):
        for item in items:
            found[ids.item_key(item.dataset, item.id)] = hashlib.sha256(encode_item(item)).digest()
        start += _ITEMS_AT_ONCE
    return found


def read_trial(side: RunSide, slug: str) -> TrialSide:
    """Read one trial.

    Raises
    ------
    UsageError
        If there is no such trial, or it is not scored and analysed yet.
    CorruptRecordError
        If something of it is damaged.
    """
    run = side.run
    manifest = run.trial(slug).load_manifest() if slug in side.slugs else None
    if manifest is None:
        raise UsageError(f"run {run.run_id} has no trial {slug}", hint=f"its trials: {', '.join(side.slugs) or 'none'}")
    scored = _done(side, manifest, slug, "scored", f"{slug}/results/per_item_scores.parquet")
    _done(side, manifest, slug, "stats", f"{slug}/results/significance.json")
    return TrialSide(
        side=side,
        slug=slug,
        manifest=manifest,
        identity=_identity(side, slug, manifest, scored),
        significance=_decoded(run, slug, "significance.json", significance.decode),
        costs=_costs(side, manifest, slug),
    )


def read_score_table(trial: TrialSide, planned: PlannedItems) -> ScoreTable:
    """Read the scores of a trial; ``planned`` are all items of its run."""
    results = trial.side.run.trial(trial.slug).results
    return read_scores(results / "per_item_scores.parquet", planned, trial.manifest.samples_per_item, trial.arms)


def read_predictions(trial: TrialSide) -> Path:
    """Return the file of a trial's answers, once it is as it was left.

    Raises
    ------
    UsageError, CorruptRecordError
        If it does not exist, or is damaged.
    """
    path = f"{trial.slug}/results/predictions.parquet"
    _done(trial.side, trial.manifest, trial.slug, "parsed", path)
    return trial.side.run.root / path


def read_scorers(trial: TrialSide) -> dict[str, Declaration]:
    """Return what the scorers of a trial say about themselves, by measure."""
    return declared(trial.side.run.trial(trial.slug).results)


def scorers_of(run: RunDir) -> dict[str, Declaration]:
    """Return what the scorers of a run say about themselves, by measure."""
    return {name: each for path in sorted(run.root.glob("*/results")) for name, each in declared(path).items()}


def _identity(side: RunSide, slug: str, manifest: TrialManifest, scored: StageRecord) -> Identity:
    datasets = side.tree.get("datasets") or {}
    trial, alias = manifest.trial, manifest.trial.get("model_alias")
    return Identity(
        items=side.items,
        scorer_sha256=scored.inputs.get("plan", ""),
        scorer={
            "scoring": side.tree.get("scoring"),
            "formats": {name: dataset.get("format") for name, dataset in datasets.items()},
            **_chosen("rules", datasets),
            **_chosen("tokens", datasets),
        },
        metrics=made_by(side.run.trial(slug).results),
        model=_model(side, alias, trial.get("model_id"), trial.get("provider")),
        decoding={
            "temps": manifest.temps,
            "samples_per_item": manifest.samples_per_item,
            **{name: trial.get(name) for name in _DECODING},
            **_sampling(side, alias),
        },
    )


def _model(side: RunSide, alias: str | None, model_id: str | None, provider: str | None) -> dict[str, Any]:
    """Return what a model is: its name, who serves it, what else it is asked, and how its answers are read."""
    given = {name: value for name, value in _configured(side, alias).items() if name not in _NOT_THE_MODEL}
    return {"id": model_id, "provider": provider, "dry_run": side.dry_run, **given}


def _sampling(side: RunSide, alias: str | None) -> dict[str, Any]:
    """Return whether decoding parameters are left to the vendor; nothing where they are sent."""
    return {name: value for name, value in _configured(side, alias).items() if name == "sampling"}


def _configured(side: RunSide, alias: str | None) -> dict[str, Any]:
    """Return what is configured of a model and is not the default."""
    usual = ModelConfig.model_fields
    section: dict[str, Any] = (side.tree.get("models") or {}).get(alias) or {}
    return {name: value for name, value in section.items() if name not in usual or value != usual[name].default}


def _chosen(key: str, datasets: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was chosen under a key, by data set; nothing where nothing was."""
    chosen = {name: dataset[key] for name, dataset in datasets.items() if dataset.get(key)}
    return {key: chosen} if chosen else {}


def _configuration(run: RunDir) -> dict[str, Any]:
    try:
        tree = load_file(run.config_path)
    except (OSError, YamlError) as error:
        raise CorruptRecordError(f"{run.config_path}: missing or damaged: {error}", hint=wait_or_resume(run)) from error
    if not isinstance(tree, dict):
        raise CorruptRecordError(f"{run.config_path}: damaged: it holds no keys", hint=wait_or_resume(run))
    return tree


def _done(side: RunSide, manifest: TrialManifest, slug: str, stage: str, path: str) -> StageRecord:
    """Return the record of a stage that is done and whose file is as it was left."""
    record = manifest.stage_status.get(stage)
    if record is None or record.status != "completed" or path not in record.artifacts:
        raise UsageError(
            f"run {side.run.run_id}: {slug} cannot be compared yet: {Path(path).name} does not exist",
            hint=wait_or_resume(side.run),
        )
    check_files(side.run, {path: record.artifacts[path]})
    return record


def _costs(side: RunSide, manifest: TrialManifest, slug: str) -> CostReport | None:
    record = manifest.stage_status.get("costs")
    if record is None or record.status != "completed":
        return None
    _done(side, manifest, slug, "costs", f"{slug}/results/costs.json")
    return _decoded(side.run, slug, "costs.json", cost_report.decode)


def _decoded(run: RunDir, slug: str, name: str, decode: Callable[[bytes], _Document]) -> _Document:
    path = run.trial(slug).results / name
    try:
        return decode(read_bytes(path))
    except (ValueError, RecursionError) as error:  # whole, but written by another version of the program
        raise CorruptRecordError(f"{path}: cannot be read: {error}", hint=wait_or_resume(run)) from error

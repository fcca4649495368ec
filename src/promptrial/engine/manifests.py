"""The manifests of a run's trials, brought into its services: loaded, or made again where they are lost or damaged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from promptrial import registry
from promptrial.errors import CorruptRecordError
from promptrial.model import Trial
from promptrial.phases.recovery import asked_parts, recover_parts
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store import atomic, records
from promptrial.store.arm_records import ArmRecord
from promptrial.store.journal import PartEvent, fold
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import TrialDir

__all__ = ["load_manifests", "load_whole", "new_manifest", "set_aside"]

_Record = TypeVar("_Record", bound=msgspec.Struct)


def new_manifest(spec: RunSpec, trial: Trial, now: str) -> TrialManifest:
    """Return the manifest of a trial in which nothing has happened; ``now`` is the time in UTC."""
    return TrialManifest(
        run_id=spec.run.run_id,
        trial={
            "model_id": trial.model.shown_id,
            "model_alias": trial.model.alias,
            "provider": trial.model.provider,
            **({"adapter": trial.model.adapter} if trial.model.adapter != trial.model.provider else {}),
            "prompt_set": trial.prompt_set,
            "top_p": trial.top_p,
            "top_k": trial.top_k,
            "max_new_tokens": {
                "open_book": trial.max_new_tokens["open"],
                "closed_book": trial.max_new_tokens["closed"],
            },
            "stop": list(spec.stop_as_written(trial)),
            "seed": trial.seed,
            "conditions": list(trial.conditions),
        },
        prompts={name: {"sha256": prompt.sha256} for name, prompt in trial.prompts.items()},
        temps=list(trial.temps),
        samples_per_item=dict(trial.samples_per_item),
        hosted=registry.load("provider", trial.model.adapter).jobs,
        arms=_arm_records(trial),
        timestamps={"created_at": now},
    )


def _arm_records(trial: Trial) -> dict[str, ArmRecord] | msgspec.UnsetType:
    return {name: ArmRecord.of(model) for name, model in trial.own_models.items()} or msgspec.UNSET


def load_manifests(spec: RunSpec, services: Services, *, read_only: bool = False) -> None:
    """Put the manifest of every trial into the services; a damaged one is renamed and rebuilt from the results.

    Side effects: none on disk if ``read_only``; the rebuilt records are then only in memory.
    """
    lost, journals = [], {}
    for trial in spec.trials:
        manifest, journals[trial.slug] = _kept(services, spec.run.trial(trial.slug), read_only=read_only)
        fresh = new_manifest(spec, trial, services.clock.now())
        if manifest is None:
            lost.append(trial)
        else:  # what the trial is may have changed, if that was forced
            if _is_another_model(manifest.trial, fresh.trial):
                manifest.engine = {}
            manifest.trial, manifest.temps, manifest.samples_per_item = fresh.trial, fresh.temps, fresh.samples_per_item
            manifest.hosted, manifest.arms = fresh.hosted, _with_engines(fresh, manifest)
        services.manifests[trial.slug] = manifest or fresh
    if lost:  # and all others are there by now: parts of several trials may share their answers
        for slug, found in recover_parts(spec, asked_parts(spec, services, tuple(lost))).items():
            services.events.warn(f"{slug}: its manifest is missing; the files of {found} parts found on disk are kept")
    for trial in spec.trials:
        fold(services.manifests[trial.slug].parts, journals[trial.slug])
        _repair_journal(services, spec.run.trial(trial.slug), read_only=read_only)


def _kept(services: Services, folder: TrialDir, *, read_only: bool) -> tuple[TrialManifest | None, list[PartEvent]]:
    """Return the manifest of a trial, unless it is damaged or missing, and the changes since it was saved."""

    def read() -> tuple[TrialManifest | None, list[PartEvent]]:
        manifest = load_whole(services, folder.manifest_path, TrialManifest, read_only=read_only)
        return manifest, folder.journal.salvage()

    return folder.read_steadily(read)


def _is_another_model(recorded: Mapping[str, object], fresh: Mapping[str, object]) -> bool:
    """Whether the model of a trial is not the one on record, so that the engine on record did not answer for it."""
    keys = ("model_id", "model_alias", "provider")
    return any(recorded.get(key, fresh[key]) != fresh[key] for key in keys)  # an older tool recorded fewer of them


def _with_engines(fresh: TrialManifest, manifest: TrialManifest) -> dict[str, ArmRecord] | msgspec.UnsetType:
    """Return the records of arms with a model of their own as they are now.

    The engine on record is kept of an arm whose model is the same.
    """
    if isinstance(fresh.arms, msgspec.UnsetType):
        return fresh.arms
    return {name: _with_engine(arm, manifest.own(name)) for name, arm in fresh.arms.items()}


def _with_engine(arm: ArmRecord, recorded: ArmRecord | None) -> ArmRecord:
    if recorded is None or msgspec.structs.replace(recorded, engine=arm.engine) != arm:
        return arm
    return recorded


def _repair_journal(services: Services, folder: TrialDir, *, read_only: bool) -> None:
    """Set a damaged journal aside, once the manifest holds what could still be read of it."""
    try:
        folder.journal.read()
    except CorruptRecordError as error:
        services.events.warn(error.message)
        if not read_only:
            records.save(folder.manifest_path, services.manifests[folder.slug])
            set_aside(services, folder.journal.path)


def load_whole(services: Services, path: Path, kind: type[_Record], *, read_only: bool) -> _Record | None:
    """Return a record; None if it does not exist, or if it is damaged, which is reported and the file renamed."""
    try:
        return records.load(path, kind)
    except FileNotFoundError:
        return None
    except CorruptRecordError as error:
        services.events.warn(error.message)
        if not read_only:
            set_aside(services, path)
        return None


def set_aside(services: Services, path: Path) -> None:
    """Rename a damaged file, if it still exists, and say so."""
    if path.exists():
        services.events.warn(f"{path.name} is damaged; it was renamed to {atomic.set_aside(path).name}")

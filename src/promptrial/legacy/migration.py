"""Bring a run that an older tool left into our own form, in place: nothing is asked, and nothing is thrown away.

Older records are kept as ``*.backup.<time>.*``, older results are moved into ``older`` folders, part folders stay where
they are. What a state file claims counts for nothing: a part is answered if its answers are on disk and read. Every
step may be repeated, so that a migration that was killed is simply started again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.config.effective import to_yaml
from promptrial.design.parts import cut_parts
from promptrial.design.plan import select_phases
from promptrial.documents.files import read_bytes
from promptrial.engine.facts import inputs_of
from promptrial.engine.loop import Engine
from promptrial.engine.manifests import new_manifest
from promptrial.engine.opening import Opened, RunRequest, open_run
from promptrial.engine.providers import Providers
from promptrial.engine.session import Invocation, services_of, spec_of
from promptrial.errors import CorruptRecordError, DataError, ResumeError
from promptrial.legacy.answers import FoundAnswers, find_answers
from promptrial.legacy.configuration import converted
from promptrial.legacy.reading import LegacyRun, LegacyTrial, read_run
from promptrial.model import Item, Part, RequestId, Trial, ids
from promptrial.model.units import RUN
from promptrial.phases import build, prepare
from promptrial.phases.prepared import encode_item, item_keys, prepared_files
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import part_row, parts_of, worklist
from promptrial.store import atomic, jsonl, records
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord, PartRecord
from promptrial.store.records import Manifest, Receipt
from promptrial.store.rundir import OLDER, RunDir

__all__ = ["Migration", "migrate"]

_MOVED: Final = ("results_combined.jsonl", "predictions.csv", "per_item_scores.csv", "significance.json", "costs.json")
_MOVED_OF_RUN: Final = ("aggregate_report.md", "multi_trial_manifest.json")
_ITEM: Final = msgspec.json.Decoder(Item)


@dataclass(slots=True)
class Migration:
    """What a migration is sure of, and what it had to infer, in sentences."""

    sure: list[str] = field(default_factory=list)
    inferred: list[str] = field(default_factory=list)


def migrate(run: RunDir, prepared: Path | None, invocation: Invocation) -> Migration:
    """Migrate a run; the caller holds its lock.

    Parameters
    ----------
    run : RunDir
    prepared : Path or None
        The folder of the prepared questions; that of the run itself if None.
    invocation : Invocation

    Raises
    ------
    ResumeError
        If there is no trial to be found, or no questions.
    DataError
        If a prepared question cannot be read.
    """
    legacy = read_run(run.root)
    found = Migration(inferred=list(legacy.inferred))
    answers = {trial.slug: find_answers(trial) for trial in legacy.trials}
    _leave_out_unanswered(legacy, answers, found)
    items = _items(run, prepared)
    stamp = invocation.clock.now().replace(":", "").replace("-", "")
    _keep_older(run, legacy, stamp)
    _write_prepared(run, items)
    opened = _opened(run, legacy, list(dict.fromkeys(item.dataset for item in items)), invocation.env)
    quiet = replace(invocation, level="error")
    spec = spec_of(RunRequest(run.root.parent, run.run_id), opened)
    services = services_of(opened, invocation.env, quiet, Providers({}))
    _write_manifests(spec, services, items)
    services.manifests.update({trial.slug: new_manifest(spec, trial, services.clock.now()) for trial in spec.trials})
    by_slug = dict(zip((trial.slug for trial in spec.trials), legacy.trials, strict=True))
    for trial in spec.trials:
        _write_trial(spec, services, trial, by_slug[trial.slug], answers[by_slug[trial.slug].slug], found)
    _write_state(spec, services, opened)
    _describe_run(run, legacy, found)
    return found


# --- what is kept ---------------------------------------------------------------------------------------------------


def _keep_older(run: RunDir, legacy: LegacyRun, stamp: str) -> None:
    """Copy records under their backup names, once; move results and reports out of the way."""
    for trial in legacy.trials:
        results = trial.folder / "results"
        if not list(results.glob("trial_manifest.backup.*.json")):
            _back_up_record(results / "trial_manifest.json", stamp)
        for path in (*(results / name for name in _MOVED), trial.folder / "reports" / "report.md"):
            _move(path, trial.folder / OLDER)
    for name in _MOVED_OF_RUN:
        _move(run.root / name, run.root / OLDER)
    if not list(run.root.glob("run_state.backup.*")):
        _back_up_record(run.state_path, stamp)
    if not list(run.root.glob("effective_config.backup.*")):
        _back_up(run.config_path, stamp)


def _back_up_record(path: Path, stamp: str) -> None:
    """Keep a record; one that cannot be read is useless as a backup, and is renamed as a damaged file."""
    if not path.is_file():
        return
    try:
        sound = isinstance(msgspec.json.decode(read_bytes(path)), dict)
    except (ValueError, RecursionError):
        sound = False
    if sound:
        _back_up(path, stamp)
    else:
        atomic.set_aside(path)


def _back_up(path: Path, stamp: str) -> None:
    if path.is_file():
        atomic.write_bytes(path.with_name(f"{path.stem}.backup.{stamp}{path.suffix}"), read_bytes(path))


def _move(path: Path, folder: Path) -> None:
    """Move a file of the older tool; if one was moved before, the present file is not the older tool's, and stays."""
    if path.is_file() and not (folder / path.name).exists():
        atomic.make_folder(folder)
        atomic.publish(path, folder / path.name)


# --- what is written ------------------------------------------------------------------------------------------------


def _items(run: RunDir, prepared: Path | None) -> list[Item]:
    """Return the prepared questions, open-book ones first."""
    folder = prepared or run.prepared
    items: list[Item] = []
    for _, path in prepared_files(run):
        source = folder / path.name
        if not source.is_file():
            continue
        for number, line in jsonl.numbered_lines(source):
            try:
                items.append(_ITEM.decode(line))
            except (ValueError, RecursionError) as error:
                raise DataError(f"{source}:{number}: not a prepared question: {error}") from error
    if not items:
        raise ResumeError(
            f"{run.root}: the questions of this run are missing ({folder} has no prepared question)",
            hint=f"give their folder: {run.rebuild_command} --prepared path/to/prepared",
        )
    return sorted(items, key=lambda item: item.type != "open")


def _write_prepared(run: RunDir, items: Sequence[Item]) -> None:
    for kind, path in prepared_files(run):
        data = b"".join(encode_item(item) + b"\n" for item in items if item.type == kind)
        if not path.exists() or read_bytes(path) != data:
            atomic.write_bytes(path, data)


def _opened(run: RunDir, legacy: LegacyRun, datasets: list[str], env: Mapping[str, str]) -> Opened:
    """Write the configuration in our form, and open the run by it."""
    tree = converted(legacy, run.run_id, datasets)
    atomic.write_bytes(run.config_path, to_yaml(tree))
    request = RunRequest(run.root.parent, run.run_id, config=run.config_path, plan_only=True)
    opened = open_run(request, env)
    atomic.write_bytes(run.config_path, to_yaml(opened.configured.tree))
    return open_run(request, env)


def _write_manifests(spec: RunSpec, services: Services, items: Sequence[Item]) -> None:
    """Write the manifests of prepare and build, with receipts for what is there."""
    run = spec.run
    files = {run.relative(path): run.record(path, jsonl.count(path)) for _, path in prepared_files(run)}
    sources = {
        name: {
            "format": dataset.known_format,
            "path": str(dataset.path),
            "sha256": hashlib.sha256("".join(i.id for i in items if i.dataset == name).encode()).hexdigest(),
            "items": sum(item.dataset == name for item in items),
        }
        for name, dataset in spec.config.datasets.items()
    }
    receipt = Receipt(files, inputs_of(spec, services, prepare.PHASE, RUN))
    _save(run.prepared / "manifest.json", Manifest(receipt=receipt, facts={"sources": sources, "items": len(items)}))
    parts = [
        part for trial in spec.trials for part in cut_parts(trial, len(items), parts_per_dataset=1, lines_per_part=None)
    ]
    facts = {
        "parts": [part_row(part) for part in parts],
        "items": len(items),
        "requests": sum(part.rows for part in parts),
        "unrecorded": {run.relative(run.trial(p.trial_slug).requests(p.name)): _which(spec, p) for p in parts},
    }
    receipt = Receipt({}, inputs_of(spec, services, build.PHASE, RUN))
    _save(run.batch_inputs / "manifest.json", Manifest(receipt=receipt, facts=facts))


def _save(path: Path, record: Manifest) -> None:
    """Write a manifest unless it says the same already."""
    try:
        found = records.load(path, Manifest)
        if (found.receipt, found.facts) == (record.receipt, record.facts):
            return
    except (FileNotFoundError, CorruptRecordError):
        pass
    records.save(path, record)


def _which(spec: RunSpec, part: Part) -> str:
    """Return a digest of which requests a part has: what they said is not recorded."""
    text = "\n".join(ids.canonical(request) for request in _requests(spec, part))
    return hashlib.sha256(f"{part.trial_slug}\n{text}".encode()).hexdigest()


def _requests(spec: RunSpec, part: Part) -> list[RequestId]:
    temp, trial = repr(part.temp), spec.trial(part.trial_slug)
    return [
        RequestId(key.dataset, key.id, part.condition, temp, sample, key.type)
        for key in item_keys(spec.run)
        for sample in range(trial.samples_per_item[temp])
    ]


def _write_trial(
    spec: RunSpec, services: Services, trial: Trial, legacy: LegacyTrial, answers: FoundAnswers, migration: Migration
) -> None:
    """Write the answers of a trial as our parts, and its manifest."""
    manifest = services.manifest(trial.slug)
    manifest.engine = {"provider": trial.model.provider, "model": trial.model.id, "recorded_by": "an older tool"}
    for condition, prompt in trial.prompts.items():
        manifest.prompts[condition] = {"sha256": prompt.sha256, "tokens": legacy.tokens.get(condition)}
    manifest.timestamps |= {f"older_{name}": text for name, text in _times(legacy.manifest).items()}
    manifest.older = {name: value for name, value in legacy.manifest.items() if name not in _KNOWN}
    used: set[RequestId] = set()
    for part in parts_of(spec, trial):
        requests = _requests(spec, part)
        rows = [(request, answers.rows[request]) for request in requests if request in answers.rows]
        used.update(request for request, _ in rows)
        manifest.parts[part.name] = _written(spec, services, trial, part, [row for _, row in rows], legacy)
        if len(rows) < len(requests):
            migration.inferred.append(
                f"{trial.slug}: {len(requests) - len(rows)} of {len(requests)} answers of {part.resume_key} are not "
                "on disk; they count as missing, because the prompts needed to ask again were not recorded"
            )
    records.save(spec.run.trial(trial.slug).manifest_path, manifest)
    spec.run.trial(trial.slug).journal.clear()
    _describe_trial(trial, answers, len(answers.rows) - len(used), migration)


_KNOWN: Final = {
    "schema_version",
    "run_id",
    "trial",
    "temps",
    "samples_per_item",
    "prompts",
    "timestamps",
    "created_utc",
}


def _times(manifest: Mapping[str, Any]) -> dict[str, str]:
    times = manifest.get("timestamps") or {}
    if "created_utc" in manifest:
        times = {"created_at": manifest["created_utc"], **times}
    return {name: str(text) for name, text in times.items()}


def _written(
    spec: RunSpec, services: Services, trial: Trial, part: Part, rows: list[bytes], legacy: LegacyTrial
) -> PartRecord:
    path = spec.run.trial(trial.slug).part_results(part.name)
    with AtomicFile(path) as file:
        for row in rows:
            file.write(row + b"\n")
    work = next(each for each in worklist(spec, services, (trial,)) if each.part.name == part.name)
    datasets = (legacy.manifest.get("datasets") or {}).get(part.resume_key) or []
    return PartRecord(
        status="downloaded",
        resume_key=part.resume_key,
        request_sha256=work.request_sha256,
        dataset=", ".join(str(name) for name in datasets) or None,
        job="migrated",
        results=FileRecord(file.sha256(), file.size, len(rows)),
        reason="from the files of an older tool",
    )


def _write_state(spec: RunSpec, services: Services, opened: Opened) -> None:
    """Write the state, and let the engine find for itself that everything up to the answers is done."""
    state = records.new_state(spec.run.run_id, opened.configured.digest)
    state.migrated = True
    Engine(spec, services, state).run(select_phases(None, None, "poll"))


# --- what is said ---------------------------------------------------------------------------------------------------


def _describe_trial(trial: Trial, answers: FoundAnswers, foreign: int, migration: Migration) -> None:
    sources = ", ".join(f"{count} from {source}" for source, count in answers.sources.items()) or "none"
    migration.sure.append(f"{trial.slug}: {len(answers.rows)} answers on disk ({sources})")
    if answers.unreadable:
        migration.inferred.append(f"{trial.slug}: {answers.unreadable} lines of its parts could not be read")
    if answers.conflicts:
        migration.inferred.append(
            f"{trial.slug}: {answers.conflicts} requests have two different answers; the first by part and line counts"
        )
    if foreign:
        migration.inferred.append(f"{trial.slug}: {foreign} answers belong to no prepared question, and are ignored")


def _leave_out_unanswered(legacy: LegacyRun, answers: Mapping[str, FoundAnswers], migration: Migration) -> None:
    """Leave out trials without any answer: the prompts to ask them again are not recorded.

    Raises
    ------
    ResumeError
        If no trial is left.
    """
    for trial in legacy.trials:
        if not answers[trial.slug].rows:
            claims = sorted(set((trial.manifest.get("job_status") or {}).values()))
            claimed = f", though its records say {', '.join(claims)}" if claims else ""
            migration.sure.append(f"{trial.slug}: no answer is on disk{claimed}; the trial is ignored")
    legacy.trials = tuple(trial for trial in legacy.trials if answers[trial.slug].rows)
    if not legacy.trials:
        raise ResumeError(f"{legacy.root}: no answer of any trial is on disk, so there is nothing to resume")


def _describe_run(run: RunDir, legacy: LegacyRun, migration: Migration) -> None:
    named = {str(name) for trial in legacy.trials if (name := trial.manifest.get("run_id"))} - {run.run_id}
    if named:
        migration.sure.append(
            f"its records call it {', '.join(sorted(named))}; here it has the name of its folder, {run.run_id}"
        )
    migration.sure.append(f"{len(legacy.trials)} trials have answers here")
    planned = set((legacy.config.get("sweep") or {}).get("prompt_sets") or []) - {t.prompt_set for t in legacy.trials}
    if planned:
        migration.sure.append(f"planned, but never started: {', '.join(sorted(planned))}")
    migration.inferred.append("the texts of the prompts were not recorded: reports show only their digests")

"""What is written when a run starts or is resumed: its configuration, the manifests of its trials, its state.

Everything here needs the run's lock. What is on disk, and whether the run may go on, is ``opening``'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from promptrial.config.effective import config_hash, to_yaml
from promptrial.design.trials import models_asked
from promptrial.documents.files import read_bytes
from promptrial.engine import code_consent, growing, kept_labels, kept_prices, rescoring, reusing
from promptrial.engine.earlier_reports import withdraw_reports
from promptrial.engine.facts import facts_of, phases
from promptrial.engine.manifests import load_manifests, load_whole, set_aside
from promptrial.engine.opening import Changes, Opened
from promptrial.engine.origin import holds_work, own_copy, record_file
from promptrial.engine.serving import served
from promptrial.phases import corrections, prepare, score
from promptrial.phases.score_bounds import check_bounds, known_scales
from promptrial.phases.services import Services
from promptrial.phases.sources import changed_sources
from promptrial.phases.spec import RunSpec
from promptrial.store import atomic, records
from promptrial.store.change_records import Correction, SpendingCaps
from promptrial.store.part_records import listed, set_or_none
from promptrial.store.records import Manifest, Origin, PhaseState, RunState

__all__ = ["look_at_questions", "resume"]

_NOT_ON_RECORD: Final = (
    "the configuration that the run was started with is not recorded, so forced changes are not listed"
)


def start(opened: Opened, spec: RunSpec, services: Services) -> RunState:
    """Write what a new run starts from: prices, effective configuration, manifests and state, in that order."""
    state = _new_state(opened, services)
    reusing.record_lenders(spec.terms.reuse, spec.run, state)
    if opened.run.state_path.exists():  # it is there, and damaged: it is built again from the receipts
        set_aside(services, opened.run.state_path)
    _clear_leftovers(opened, services)
    if opened.dry_run:  # before anything else can say so: it must not be taken for a run that may spend
        atomic.make_folder(opened.run.emulator)
    _say_remarks(opened, services)
    _remember_code(opened, services)
    kept_prices.keep(opened, spec.prices)  # before anything by which a run counts as started
    _write_config(opened, services)
    _keep_labels(opened, services)
    load_manifests(spec, services)
    origin = Origin.of(state)
    withdraw_reports(spec.run, services.manifests, listed(state.growth))
    for slug, manifest in services.manifests.items():
        manifest.origin = origin
        records.save(opened.run.trial(slug).manifest_path, manifest)
    records.save(opened.run.state_path, state)
    return state


def _new_state(opened: Opened, services: Services) -> RunState:
    """Return the state of a run in which nothing has started, or of one whose state is lost."""
    by, known = opened.configured, opened.origin
    state = records.new_state(opened.run.run_id, by.digest)
    if by.config_file != opened.run.config_path:  # a run is never started with its own copy
        record_file(state, by.config_file)
    elif known is not None and known.config_file is not None:
        state.config_file = known.config_file
    if known is not None and known.drift:
        state.drift = known.drift
    if known is not None:
        state.corrections, state.seal, state.consents = known.corrections, known.seal, known.consents
    if opened.changes.drift:
        _record_drift(opened, services, state)
    elif known is None and holds_work(opened.run):  # a resume that is cut short must not forget that nothing is known
        state.drift = [{"at": services.clock.now(), "from": None, "keys": [_NOT_ON_RECORD]}]
    _record_values(opened, state)
    if opened.dry_run:
        state.dry_run = True
    if opened.growth:
        state.growth = list(opened.growth)
    if opened.pilot is not None:
        state.pilot = opened.pilot
    return state


def _record_values(opened: Opened, state: RunState) -> None:
    """Let a state say where values of the configuration come from, and prices, besides its file."""
    if kept_prices.is_kept(opened):
        state.prices_kept = True
    by = opened.configured
    if by.overrides:
        state.overrides = by.overrides
    if by.resolution.reasons or state.decided:
        state.decided = dict(by.resolution.reasons)
    if by.loaded.placeholders:
        state.resolved_hash = config_hash(by.resolved)
    if opened.caps != SpendingCaps():
        state.caps = opened.caps
    if all(trial.is_aa for trial in opened.trials):
        state.aa = True


def _record_drift(opened: Opened, services: Services, state: RunState) -> None:
    drift, own, origin = opened.changes.drift, own_copy(opened.run), opened.origin
    services.events.warn("resuming with a changed configuration (--force):\n  " + "\n  ".join(drift))
    before = origin.config_hash if origin is not None else None if own is None else config_hash(own)
    state.drift = [*listed(state.drift), {"at": services.clock.now(), "from": before, "keys": list(drift)}]


def _tell_trials(spec: RunSpec, services: Services, state: RunState) -> None:
    """Let every trial say what the run was started with, and what was forced since, because the state may be lost.

    Side effects: manifests that are on disk and say otherwise are saved. Reports of before a growth are marked.
    """
    withdraw_reports(spec.run, services.manifests, listed(state.growth))
    for slug, manifest in services.manifests.items():
        origin, known = Origin.of(state), manifest.origin
        if origin.config_file is None and isinstance(known, Origin):  # an archive does not have it
            origin = msgspec.structs.replace(origin, config_file=known.config_file)
        if known != origin:
            manifest.origin = origin
            path = spec.run.trial(slug).manifest_path
            if path.exists():
                records.save(path, manifest)


def _remember_code(opened: Opened, services: Services) -> None:
    problem = code_consent.remember(opened.trusted_code)
    if problem is not None:
        services.events.warn(problem)


def _say_remarks(opened: Opened, services: Services) -> None:
    """Warn of what the configuration means. Arms that are alike are named when a run begins or its arms may change."""
    if opened.remark:
        services.events.warn(opened.remark)
    models = models_asked(opened.trials)
    for sentence in served(opened.loaded, models, services.env, dry_run=opened.dry_run):
        services.events.say(sentence)
    for sentence in opened.configured.resolution.sentences:
        services.events.say(sentence)
    if opened.state is not None and not opened.changes.drift:
        return
    for trial in opened.trials:
        for one, other in trial.alike():
            services.events.warn(
                f"{trial.slug}: the arms {one} and {other} send the same messages to the same model (an A/A trial): "
                "a difference between them is due to chance"
            )


def resume(opened: Opened, spec: RunSpec, services: Services, *, begins: bool = True) -> RunState:
    """Resume a run that has a state: record growth, corrected questions and forced drift, load the manifests.

    Parameters
    ----------
    opened : Opened
    spec : RunSpec
    services : Services
    begins : bool
        Whether *prepare* is among the chosen steps, so that questions may be corrected.

    Raises
    ------
    ConfigDriftError
        If the run cannot grow as it is told to; nothing is changed then.
    PromptrialError
        If the configuration has changed and a bound lies beyond the scale of its scores, or the items, or the ones
        that the run is to gain, cannot be scored; nothing is changed then either.
    """
    state, by, changes = opened.state, opened.configured, opened.changes
    if changes != Changes():
        check_bounds(spec.config, known_scales(spec.config))
    if state is None:
        return start(opened, spec, services)
    if changes.growth is not None:
        growing.check_sources(spec, state)
        prepare.check_questions(spec, services)
    found = look_at_questions(spec, services, begins=begins and changes.growth is None)
    if changes.rescored and not found.sources and _keeps_items(spec, services):
        score.check_scorable(spec, services)
    _clear_leftovers(opened, services)
    if by.config_file != opened.run.config_path and not _is_recorded(by.config_file, state):
        record_file(state, by.config_file)
    _record_corrections(opened, found, services, state)
    if reusing.record_lenders(spec.terms.reuse, spec.run, state):
        records.save(opened.run.state_path, state)
    _record_caps(opened, state)
    _record_changes(opened, services, state)
    _say_remarks(opened, services)
    _remember_code(opened, services)
    kept_prices.keep(opened, spec.prices)
    _keep_labels(opened, services)
    _write_config(opened, services)
    for phase in phases():
        if phase.manifest:
            load_whole(services, spec.run.root / phase.manifest, Manifest, read_only=False)
    load_manifests(spec, services)
    _tell_trials(spec, services, state)
    for text in found.warnings:
        services.events.warn(text)
    return state


def look_at_questions(spec: RunSpec, services: Services, *, begins: bool) -> corrections.Found:
    """Return what is to become of question files that have changed since the run was prepared; nothing is written.

    They correct a run only when its prepared items are whole and ``begins`` says that *prepare* is to run.
    """
    changed = changed_sources(spec)
    if changed and begins and _keeps_items(spec, services):
        return corrections.find(spec, services, changed)
    return corrections.Found({}, tuple(changed.values()))


def _record_corrections(opened: Opened, found: corrections.Found, services: Services, state: RunState) -> None:
    """Let the state say which question files are corrected, before *prepare* reads them.

    Side effects: the state is saved.
    """
    if found.sources:
        for name, source in found.sources.items():
            what = corrections.counted(source)
            services.events.say(f"datasets.{name}: the file has changed, {what}, and nothing is asked again")
        state.corrections = [
            *listed(state.corrections), Correction(at=services.clock.now(), sources=dict(found.sources))
        ]  # fmt: skip
        records.save(opened.run.state_path, state)


def _record_caps(opened: Opened, state: RunState) -> None:
    """Let the state say what may be spent from now on. Side effects: it is saved if that has changed."""
    if opened.caps != (set_or_none(state.caps) or SpendingCaps()):
        state.caps = opened.caps
        records.save(opened.run.state_path, state)


def _keeps_items(spec: RunSpec, services: Services) -> bool:
    """Whether the items that a run has are those that will be scored; otherwise *prepare* checks the ones it draws."""
    return all(fact.done for fact in facts_of(spec, services, prepare.PHASE))


def _keep_labels(opened: Opened, services: Services) -> None:
    """Write down the labels that the configuration names, and say if they are others than before."""
    entries = opened.loaded.experiment.labels
    if kept_labels.keep(opened.run, entries):
        n = sum(bool(row.label) for entry in entries for row in entry.sheet.rows)
        services.events.say(f"people's labels have changed: {n:,} now; nothing is asked again")


def _record_changes(opened: Opened, services: Services, state: RunState) -> None:
    """Let the state say how the configuration has changed: the sample grew, scoring changed, or a change was forced.

    Side effects: the state is saved, before the run's own copy of the configuration, by which the change is found.
    """
    changes, digest = opened.changes, opened.configured.digest
    if changes.growth is not None:
        what = growing.sentence(changes.growth)
        services.events.say(
            f"the sample grows ({what}); no existing item is asked again, and new items go into new parts"
        )
        state.growth = list(opened.growth)
        state.phases |= {name: PhaseState() for name in state.known_phases}  # of the larger sample, nothing is done yet
    if changes.drift:
        _record_drift(opened, services, state)
    if changes.rescored:
        services.events.say("the scoring has changed; nothing is asked again:\n  " + "\n  ".join(changes.rescored))
    rescoring.record(state, changes.rescored, services.clock.now(), state.config_hash)
    passes = opened.pilot is not None and state.pilot != opened.pilot
    if opened.pilot is not None:
        state.pilot = opened.pilot
    if state.config_hash == digest and not changes.drift and not passes:
        return
    state.config_hash = digest
    _record_values(opened, state)
    records.save(opened.run.state_path, state)


def _is_recorded(used: Path, state: RunState) -> bool:
    """Whether a state knows the file that is read, by its absolute path."""
    if not isinstance(state.config_path, str):
        return False
    recorded = Path(state.config_path)
    return recorded.exists() and recorded.samefile(used)


def _clear_leftovers(opened: Opened, services: Services) -> None:
    """Remove the temporary files that an earlier process left."""
    for leftover in atomic.sweep(opened.run.root):
        services.events.event("sweep", text=f"removed {leftover.name}, left by an interrupted write")


def _write_config(opened: Opened, services: Services) -> None:
    """Write the effective configuration unless it already exists, byte by byte.

    Another file of this name is renamed, unless it says the same in another order, or is an earlier configuration of
    this run.
    """
    path, data = opened.run.config_path, to_yaml(opened.configured.tree)
    if path.exists() and read_bytes(path) == data:
        return
    is_meant = opened.changes.drift or opened.changes.corrects
    if path.exists() and not is_meant and not _is_known(opened):
        services.events.warn(f"{path}: damaged, or edited by hand; it is written again")
        set_aside(services, path)
    atomic.write_bytes(path, data)


def _is_known(opened: Opened) -> bool:
    """Whether the run's own copy says what the configuration says, or what it said before a forced change or a growth.

    The order of keys, such as that of arms, is no part of what it says. It is an earlier one if a kill came before the
    new one was written, or if that is about to be written.
    """
    own = own_copy(opened.run)
    forced = opened.origin.drift if opened.origin is not None else []
    earlier = {entry.get("from") for entry in forced} | {growth.config_hash for growth in opened.growth}
    earlier |= set(rescoring.earlier_hashes(opened.state))
    return own is not None and config_hash(own) in earlier | {opened.configured.digest}

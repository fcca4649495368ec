"""Open a run: find its configuration, check it against what the run was started with, load what stands on disk.

Opening changes nothing on disk; ``start`` and ``take_up`` do, and their caller holds the run's lock.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from promptrial.config.effective import config_hash, difference, effective, to_yaml
from promptrial.config.environment import DEFAULT_CONFIG
from promptrial.config.loading import KeyPath, LoadedConfig, load_config
from promptrial.config.tree import dotted
from promptrial.design.growth import before_growth
from promptrial.design.trials import arms_alike, models_used, trials_of
from promptrial.documents.files import read_bytes
from promptrial.engine import growing, rescoring
from promptrial.engine.facts import phases
from promptrial.engine.manifests import load_manifests, load_whole, set_aside
from promptrial.engine.origin import (
    find_origin,
    foreign_file,
    holds_answers,
    holds_work,
    is_begun,
    is_older,
    knows_jobs,
    own_copy,
    own_folder,
    record_file,
    recorded_file,
    why_own_copy,
)
from promptrial.errors import (
    ConfigDriftError,
    ConfigError,
    CorruptRecordError,
    ResumeError,
    RunExistsError,
    UsageError,
)
from promptrial.model import Trial
from promptrial.phases.base import Phase
from promptrial.phases.prepare import changed_sources
from promptrial.phases.services import Services
from promptrial.phases.spec import AskedBy, RunSpec
from promptrial.store import atomic, records
from promptrial.store.records import Growth, Manifest, Origin, RunState
from promptrial.store.rundir import RunDir

__all__ = ["Opened", "RunRequest", "asked_by", "new_run_ids", "open_run", "start", "take_up"]

_NOT_ON_RECORD = "what the run was started with is not on record, and so not what was forced"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asks for. ``overrides`` maps key paths to values that flags gave."""

    experiments: Path
    run_id: str
    config: Path | None = None
    overrides: Mapping[KeyPath, object] = field(default_factory=dict)
    unnamed: bool = False
    """Whether the name was made up, so that a run of this name is another one."""
    resume: bool = False
    force: bool = False
    steps_named: bool = False
    plan_only: bool = False
    begins: bool = True
    """Whether the steps asked for include the first, so that a run may begin with them."""
    rebuild: bool = False
    """Whether a run whose state is lost is one to go on with, and not a new one."""
    dry_run: bool = False
    rebuy: bool = False
    """Whether answers that a provider has lost may be paid for again."""
    allow_code: bool = False
    """Whether code that came with the run may run here, now and later."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A run as it was found: the configuration to use, its trials, and the state (None for a new run).

    ``origin`` is what it was started with: as the state says, or, if that is lost, as the trials do; None if that is
    not on record. It is ``lost`` if it was begun and has no state. ``remark`` says why a configuration is used that
    nobody has named. It is ``corrected`` if nothing was asked yet by the run's own copy of the configuration, which is
    whole and may be replaced. ``growth`` is each enlargement of the sample, oldest first; if it ``grows`` now, the last
    one is not on record yet. ``rescored`` has a line for each key that changed and asks nothing, ``trusted_code`` the
    SHA-256 of the code that may run.
    """

    run: RunDir
    loaded: LoadedConfig
    trials: tuple[Trial, ...]
    tree: dict[str, Any]
    config_hash: str
    config_file: Path
    overrides: dict[str, Any]
    state: RunState | None
    drift: tuple[str, ...]
    resolved_hash: str
    dry_run: bool = False
    origin: Origin | None = None
    lost: bool = False
    remark: str = ""
    corrected: bool = False
    growth: tuple[Growth, ...] = ()
    grows: bool = False
    rescored: tuple[str, ...] = ()
    trusted_code: frozenset[str] = frozenset()


def new_run_ids(now: str, experiments: Path) -> Iterator[str]:
    """Yield run ids made from the time that no run has: ``20260131-093000``, then with ``-2`` and so on behind it."""
    first = now[:19].replace("-", "").replace(":", "").replace("T", "-")
    for number in itertools.count(1):
        run_id = first if number == 1 else f"{first}-{number}"
        if not os.path.lexists(RunDir(experiments, run_id).root):
            yield run_id


def open_run(request: RunRequest, env: Mapping[str, str]) -> Opened:
    """Read everything that a run is made of, and refuse what cannot go on.

    Raises
    ------
    ConfigError, UsageError
        For a wrong configuration, or a run id that is taken when neither ``--resume`` nor a step is given.
    ResumeError
        For ``--resume`` without a state.
    ConfigDriftError
        If the configuration differs from the run's and neither ``--force`` nor ``--plan_only`` is given.
    """
    run = RunDir(request.experiments, request.run_id)
    state, damaged = _load_state(run)
    _check_intent(request, run, state, damaged=damaged)
    origin = find_origin(run) if state is None else Origin.of(state)
    lost = state is None and (damaged or origin is not None or is_begun(run))
    rebuilt = lost and (damaged or request.rebuild)
    goes_on = rebuilt or state is not None  # else it is begun, and is what its flags say and no more
    remembered = origin.overrides if origin is not None and goes_on else {}
    overrides = {**remembered, **{_join(path): value for path, value in request.overrides.items()}}
    dry_run = _dry_run(request, run, state, origin)
    found = _Found(run, state, origin, lost, overrides, dry_run, request.allow_code)
    opened = found.opened(_config_file(request, run, state, origin if goes_on else None), env)
    file_known = origin is not None or request.config is not None
    if rebuilt and opened.drift and not file_known:  # it was not the default one, then
        with suppress(ConfigError):  # its own copy is damaged too
            opened = found.opened(run.config_path, env)
    if request.config is None and not is_older(run, state):
        opened = replace(opened, remark=_remark(opened))
    if opened.drift and not (request.force or request.plan_only):
        raise _drifted(opened) if goes_on else _not_another(opened)
    if opened.grows and not (request.begins or request.plan_only):
        raise UsageError(
            f"the sample would grow ({growing.sentence(opened.growth[-1])}), and none of the chosen steps draws items",
            hint="begin with the prepare step, or choose no steps",
        )
    return opened


def _remark(opened: Opened) -> str:
    """Return what is to be said of the configuration that a run resumes by, if nobody has named one."""
    if opened.config_file == opened.run.config_path:
        return why_own_copy(opened.run, opened.state, opened.origin)
    foreign = foreign_file(opened.state, opened.config_file)
    if foreign is None:
        return ""
    return f"{foreign} is not the file that this run was started with, {opened.config_file}, and is not read"


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a run before a configuration is read."""

    run: RunDir
    state: RunState | None
    origin: Origin | None
    lost: bool
    overrides: dict[str, Any]
    dry_run: bool
    allow_code: bool

    def opened(self, config_file: Path, env: Mapping[str, str]) -> Opened:
        """Read a configuration, and compare it with the run's."""
        overrides: dict[KeyPath, Any] = {tuple(key.split("/")): value for key, value in self.overrides.items()}
        loaded = load_config(config_file, env, overrides, unused_may_lack=self.state is not None or self.lost)
        if config_file == self.run.config_path:  # what it names stands where it stood
            loaded = replace(loaded, folder=own_folder(self.run, self.state, self.origin))
        trials = trials_of(loaded.experiment, loaded.placeholders, str(loaded.folder))
        used_models, used_sets = models_used(trials), {trial.prompt_set for trial in trials}
        tree = effective(loaded, used_models, used_sets)
        digest = config_hash(tree)
        resolved = effective(replace(loaded, placeholders={}), used_models, used_sets)
        old = self._changed_from(digest)
        asked, asked_resolved = (rescoring.as_before(old, each) for each in (tree, resolved))
        before, before_resolved = (
            each if old is None else before_growth(old, each) for each in (asked, asked_resolved)
        )
        drift = self._drift(before) or _environment_drift(self.origin, loaded, config_hash(before_resolved))
        new = growing.new_growth(self.run, old, tree) if before != asked else None
        if self._asked_nothing():  # by the earlier configuration, so that no answers can be mixed
            drift = ()
        return Opened(
            run=self.run,
            loaded=loaded,
            trials=trials,
            tree=tree,
            config_hash=digest,
            config_file=config_file,
            overrides=self.overrides,
            state=self.state,
            drift=drift,
            resolved_hash=config_hash(resolved),
            dry_run=self.dry_run,
            origin=self.origin,
            lost=self.lost,
            corrected=self._asked_nothing() and own_copy(self.run) is not None,
            growth=growing.growth_on_record(self.run, self.origin) + (() if new is None else (new,)),
            grows=new is not None,
            rescored=rescoring.changes(old, tree),
            trusted_code=rescoring.trusted_code(loaded, self.state, allow=self.allow_code),
        )

    def _changed_from(self, digest: str) -> dict[str, Any] | None:
        """Return the configuration that the run went by; None if nothing changed, or its state is lost."""
        if self.state is None or self.state.config_hash == digest:
            return None
        return growing.recorded_tree(self.run, self.origin)

    def _asked_nothing(self) -> bool:
        """Whether nothing was asked by what the run was started with: it may then still be corrected."""
        if self.state is None or self.origin is None or self.origin.drift:
            return False
        first = _first_to_ask()
        known = list(itertools.dropwhile(lambda entry: entry[0] != first.name, self.state.known_phases.items()))
        return not any(phase.status == "completed" for _, phase in known) and not holds_answers(self.run)

    def _drift(self, tree: dict[str, Any]) -> tuple[str, ...]:
        if self.origin is not None and self.origin.config_hash == config_hash(tree):
            return ()
        if self.origin is None and not is_begun(self.run):
            return ()
        old = growing.recorded_tree(self.run, self.origin)
        if old is None:
            return (f"{self.run.config_path.name} is missing or damaged, so the keys that changed cannot be named",)
        lines = tuple(difference(old, tree))
        return lines or (() if self.origin is None else ("the recorded hash differs, though no key does",))


def _drifted(opened: Opened) -> ConfigDriftError:
    run, lines = opened.run, "\n  ".join(opened.drift)
    return ConfigDriftError(
        f"run {run.run_id} was started with another configuration than {opened.config_file} is now:\n  {lines}",
        hint="undo the change, start a new run with another --run_id, or accept the change with --force",
    )


def _not_another(opened: Opened) -> ConfigDriftError:
    """Return the refusal to begin what has been begun already, as something else; forcing that is nothing to offer."""
    run, lines = opened.run, "\n  ".join(opened.drift)
    return ConfigDriftError(
        f"run {run.run_id} exists already, though its {run.state_path.name} is lost, "
        f"and was started with another configuration:\n  {lines}",
        hint=f"resume it as it was started: {run.rebuild_command}; or choose another --run_id",
    )


def asked_by(opened: Opened) -> AskedBy:
    """Return by which configuration the answers on disk were asked for, as far as the state tells, or the trials.

    Once a change was forced, requests may have been built that nobody has asked yet, beside answers to earlier ones;
    when all parts were submitted after that, the answers are to the requests on disk. Whether a change was ever forced
    is not known either where nothing says what the run was started with.
    """
    state, origin, drift = opened.state, opened.origin, opened.drift
    if origin is None:
        return "unknown"
    forced = origin.drift
    if not forced:
        return "earlier" if drift else "this"
    if state is None:
        return "unknown"
    first = _first_to_ask()
    built = max(state.phases[name].updated_at or "" for name in first.reads)
    submitted = state.phases[first.name]
    if submitted.status != "completed" or (submitted.updated_at or "") < built:
        return "unknown"
    return "earlier" if drift or built < forced[-1]["at"] else "this"


def _first_to_ask() -> Phase:
    """Return the first phase that asks anything: those before it are made again at no cost."""
    return next(phase for phase in phases() if phase.content_addressed)


def start(opened: Opened, spec: RunSpec, services: Services) -> RunState:
    """Write what a new run starts from: the effective configuration, the manifests and the state, in that order."""
    state = _new_state(opened, services)
    if opened.run.state_path.exists():  # it is there, and damaged: it is built again from the receipts
        set_aside(services, opened.run.state_path)
    _clear_leftovers(opened, services)
    if opened.dry_run:  # before anything else can say so: it must not be taken for a run that may spend
        atomic.make_folder(opened.run.emulator)
    _say_remarks(opened, services)
    _write_config(opened, services)
    load_manifests(spec, services)
    origin = Origin.of(state)
    for slug, manifest in services.manifests.items():
        manifest.origin = origin
        records.save(opened.run.trial(slug).manifest_path, manifest)
    records.save(opened.run.state_path, state)
    return state


def _new_state(opened: Opened, services: Services) -> RunState:
    """Return the state of a run in which nothing has begun, or of one whose state is lost."""
    state, known = records.new_state(opened.run.run_id, opened.config_hash), opened.origin
    if opened.config_file != opened.run.config_path:  # a run is never started with its own copy
        record_file(state, opened.config_file)
    elif known is not None and known.config_file is not None:
        state.config_file = known.config_file
    if known is not None and known.drift:
        state.drift = known.drift
    if opened.drift:
        _record_drift(opened, services, state)
    elif known is None and holds_work(opened.run):  # a resume that is cut short must not forget that nothing is known
        state.drift = [{"at": services.clock.now(), "from": None, "keys": [_NOT_ON_RECORD]}]
    if opened.overrides:
        state.overrides = opened.overrides
    if opened.loaded.placeholders:
        state.resolved_hash = opened.resolved_hash
    if opened.dry_run:
        state.dry_run = True
    if opened.growth:
        state.growth = list(opened.growth)
    rescoring.record(state, (), opened.trusted_code, services.clock.now(), opened.config_hash)
    return state


def _record_drift(opened: Opened, services: Services, state: RunState) -> None:
    services.events.warn("resuming with a changed configuration (--force):\n  " + "\n  ".join(opened.drift))
    earlier = state.drift if isinstance(state.drift, list) else []
    own, origin = own_copy(opened.run), opened.origin
    before = origin.config_hash if origin is not None else None if own is None else config_hash(own)
    state.drift = [*earlier, {"at": services.clock.now(), "from": before, "keys": list(opened.drift)}]


def _tell_trials(spec: RunSpec, services: Services, state: RunState) -> None:
    """Let every trial say what the run was started with, and what was forced since, for the state may be lost.

    Side effects: manifests that are on disk and say otherwise are saved.
    """
    for slug, manifest in services.manifests.items():
        origin, known = Origin.of(state), manifest.origin
        if origin.config_file is None and isinstance(known, Origin):  # an archive does not have it
            origin = msgspec.structs.replace(origin, config_file=known.config_file)
        if known != origin:
            manifest.origin = origin
            path = spec.run.trial(slug).manifest_path
            if path.exists():
                records.save(path, manifest)


def _say_remarks(opened: Opened, services: Services) -> None:
    if opened.remark:
        services.events.warn(opened.remark)
    for trial in opened.trials:
        for one, other in arms_alike(trial):
            services.events.warn(
                f"{trial.slug}: the arms {one} and {other} send the same messages to the same model (an A/A trial): "
                "a difference between them is due to chance"
            )


def take_up(opened: Opened, spec: RunSpec, services: Services) -> RunState:
    """Take up a run that has a state: record growth and forced drift, load the manifests.

    Raises
    ------
    ConfigDriftError
        If the run cannot grow as it is told to; nothing is changed then.
    """
    state = opened.state
    if state is None:
        return start(opened, spec, services)
    if opened.grows:
        growing.check_sources(spec, state)
    _clear_leftovers(opened, services)
    if opened.config_file != opened.run.config_path and not _is_recorded(opened, state):
        record_file(state, opened.config_file)
    _record_changes(opened, services, state)
    _say_remarks(opened, services)
    _write_config(opened, services)
    for phase in phases():
        if phase.manifest:
            load_whole(services, spec.run.root / phase.manifest, Manifest, read_only=False)
    load_manifests(spec, services)
    _tell_trials(spec, services, state)
    for text in changed_sources(spec):
        services.events.warn(text)
    return state


def _record_changes(opened: Opened, services: Services, state: RunState) -> None:
    """Let the state say how the configuration has changed: the sample grew, scoring changed, or a change was forced.

    Side effects: the state is saved, before the run's own copy of the configuration, by which the change is found.
    """
    if opened.grows:
        what = growing.sentence(opened.growth[-1])
        services.events.say(f"the sample grows ({what}); nothing is asked again, and new items go into new parts")
        state.growth = list(opened.growth)
    if opened.drift:
        _record_drift(opened, services, state)
    if opened.rescored:
        services.events.say("what is scored has changed; nothing is asked again:\n  " + "\n  ".join(opened.rescored))
    told = rescoring.record(state, opened.rescored, opened.trusted_code, services.clock.now(), state.config_hash)
    if state.config_hash == opened.config_hash and not (opened.drift or told):
        return
    state.config_hash = opened.config_hash
    if opened.overrides:
        state.overrides = opened.overrides
    if opened.loaded.placeholders:
        state.resolved_hash = opened.resolved_hash
    records.save(opened.run.state_path, state)


def _is_recorded(opened: Opened, state: RunState) -> bool:
    """Whether a state knows the file that is read, by its absolute path."""
    if not isinstance(state.config_path, str):
        return False
    recorded = Path(state.config_path)
    return recorded.exists() and recorded.samefile(opened.config_file)


def _clear_leftovers(opened: Opened, services: Services) -> None:
    """Remove the temporary files that an earlier process left."""
    for leftover in atomic.sweep(opened.run.root):
        services.events.event("sweep", text=f"removed {leftover.name}, left by an interrupted write")


def _write_config(opened: Opened, services: Services) -> None:
    """Write the effective configuration unless it stands there already, byte by byte.

    What stands there instead is set aside, if it is not even the configuration from which the run has drifted.
    """
    path, data = opened.run.config_path, to_yaml(opened.tree)
    if path.exists() and read_bytes(path) == data:
        return
    if path.exists() and not opened.drift and not _is_an_earlier_one(opened) and not opened.corrected:
        services.events.warn(f"{path}: damaged, or changed by hand; it is written again")
        set_aside(services, path)
    atomic.write_bytes(path, data)


def _is_an_earlier_one(opened: Opened) -> bool:
    """Whether the run's own copy is what it was before a forced change, or before it grew.

    A kill came before the new one was written, or it is about to be written.
    """
    own = own_copy(opened.run)
    forced = opened.origin.drift if opened.origin is not None else []
    earlier = {entry.get("from") for entry in forced} | {growth.config_hash for growth in opened.growth}
    earlier |= set(rescoring.earlier_hashes(opened.state))
    return own is not None and config_hash(own) in earlier


def _load_state(run: RunDir) -> tuple[RunState | None, bool]:
    """Return the state, if it is there and whole, and whether it is there and damaged."""
    try:
        return records.load(run.state_path, RunState), False
    except FileNotFoundError:
        return None, False
    except CorruptRecordError:
        return None, True


def _check_intent(request: RunRequest, run: RunDir, state: RunState | None, *, damaged: bool) -> None:
    if request.plan_only:
        return
    if state is None and not damaged and not run.config_path.exists() and not request.begins:
        raise ResumeError(
            f"run {run.run_id}: there is no such run in {run.root.parent}, and the selected steps need an existing run",
            hint="check --run_id, or begin with the prepare step",
        )
    if damaged and not request.resume and not request.steps_named:
        raise UsageError(
            f"run {run.run_id} exists already, and its {run.state_path.name} is damaged",
            hint=f"rebuild it from what is on disk: {run.resume_command}",
        )
    if state is None and request.resume and not damaged:
        rebuilt = "rebuild it from what is on disk, or migrate an older run, with"
        raise ResumeError(
            f"run {run.run_id}: nothing to resume: {run.state_path} is not there",
            hint=(
                f"{rebuilt}: python -m scripts.resume_run --run_id {run.run_id}{run.place}; "
                f"or look with: {run.command('run')} --plan_only"
                if run.root.exists()
                else f"start it without --resume, or look with: {run.command('run')} --plan_only"
            ),
        )
    exists = is_begun(run) if request.unnamed else state is not None
    if exists and not request.resume and (request.unnamed or not request.steps_named):
        raise RunExistsError(
            f"run {run.run_id} exists already",
            hint=f"resume it: {run.resume_command}; or choose another --run_id",
        )


def _config_file(request: RunRequest, run: RunDir, state: RunState | None, origin: Origin | None) -> Path:
    """Return the file to read: the one named, else the one the run was started with, else the default."""
    if request.config is not None:
        return request.config
    if origin is not None:
        recorded = recorded_file(run, state, origin)
        return recorded if recorded is not None and recorded.exists() else run.config_path
    if not DEFAULT_CONFIG.exists() and run.config_path.exists():
        return Path(run.config_path)
    if not DEFAULT_CONFIG.exists():
        raise ConfigError(
            f"{DEFAULT_CONFIG}: not found from here", hint="name one: promptrial run --config path/to/config.yaml"
        )
    return DEFAULT_CONFIG


def _dry_run(request: RunRequest, run: RunDir, state: RunState | None, origin: Origin | None) -> bool:
    """Return whether hosted providers are emulated: a run is dry from its beginning, or never.

    One of which no record says so is told by its emulator, which is there from the beginning: it must never go on with
    a provider that wants to be paid, and one that has met such a provider must not forget it.
    """
    was_dry = run.emulator.exists() if origin is None else origin.dry_run
    was_real = state is not None or (knows_jobs(run) if origin is None else holds_work(run))
    if request.dry_run and was_real and not was_dry:
        raise ResumeError(
            f"run {run.run_id} was started with real providers, and cannot continue as a dry run",
            hint="leave out --dry_run, or start a new run with another --run_id",
        )
    return was_dry or request.dry_run


def _join(path: KeyPath) -> str:
    return "/".join(str(key) for key in path)


def _environment_drift(origin: Origin | None, loaded: LoadedConfig, resolved_hash: str) -> tuple[str, ...]:
    """Return the keys that take their value from the environment, if one of those values has changed."""
    if origin is None or origin.resolved_hash in {None, resolved_hash}:
        return ()
    keys = ", ".join(f"{dotted(at)} ({text})" for at, text in loaded.placeholders.items())
    return (f"a value taken from the environment has changed; it is one of: {keys}",)

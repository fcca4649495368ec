"""Open a run: find its configuration, check it against what the run was started with, load what stands on disk.

Opening changes nothing on disk; what is written when a run starts or is resumed is ``starting``'s.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from promptrial.config.effective import config_hash, difference, effective
from promptrial.config.environment import DEFAULT_CONFIG
from promptrial.config.loading import KeyPath, LoadedConfig
from promptrial.config.tree import dotted
from promptrial.design.growth import before_growth
from promptrial.design.trials import models_asked, models_used, trials_of
from promptrial.engine import code_consent, growing, kept_labels, rescoring
from promptrial.engine.caps import caps_of, with_part_limit
from promptrial.engine.facts import phases
from promptrial.engine.looked_at import refuse_after_a_look
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
    recorded_file,
    why_own_copy,
)
from promptrial.engine.piloting import limited, pilot_of
from promptrial.engine.request import RunRequest
from promptrial.engine.resolving import Resolution, is_local, load_resolved, recorded_of
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
from promptrial.phases.spec import AskedBy
from promptrial.store import records
from promptrial.store.change_records import Growth, Pilot, Seal, SpendingCaps
from promptrial.store.part_records import set_or_none
from promptrial.store.records import Origin, RunState
from promptrial.store.rundir import RunDir

__all__ = ["Opened", "RunRequest", "asked_by", "new_run_ids", "open_run"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A run as it was found: the configuration to use, its trials, and the state (None for a new run).

    ``origin`` is what it was started with: as the state says, or, if that is lost, as the trials do; None if that is
    not on record. It is ``lost`` if it was begun and has no state. ``remark`` says why a configuration is used that
    nobody has named, or that a flag changes nothing. It is ``corrected`` if nothing was asked yet by the run's own copy
    of the configuration, which is whole and may be replaced. ``growth`` is each enlargement of the sample, oldest
    first; if it ``grows`` now, the last one is not on record yet. ``rescored`` has a line for each key that changed and
    asks nothing, ``trusted_code`` the SHA-256 of the code that may run. ``resolution`` is what the configuration left
    open, and why it has its values; ``caps`` is what may be spent, ``pilot`` what will be on record of a pilot.
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
    resolution: Resolution = field(default_factory=Resolution)
    caps: SpendingCaps = field(default_factory=SpendingCaps)
    pilot: Pilot | None = None

    @property
    def is_pilot(self) -> bool:
        """Whether the run asks no more than its pilot for now."""
        return self.pilot is not None and not self.pilot.passed


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
    if request.trusts_kept_digests:
        run.trust_kept_digests()
    state, damaged = _load_state(run)
    _check_intent(request, run, state, damaged=damaged)
    origin = find_origin(run) if state is None else Origin.of(state)
    lost = state is None and (damaged or origin is not None or is_begun(run))
    rebuilt = lost and (damaged or request.rebuild)
    goes_on = rebuilt or state is not None  # else it is begun, and is what its flags say and no more
    remembered = origin.overrides if origin is not None and goes_on else {}
    overrides = {**remembered, **{_join(path): value for path, value in request.overrides.items()}}
    was_dry = run.emulator.exists() if origin is None else origin.dry_run
    found = _Found(request, run, state, origin, lost, overrides, was_dry)
    opened = found.opened(_config_file(request, run, state, origin if goes_on else None), env)
    file_known = origin is not None or request.config is not None
    if rebuilt and opened.drift and not file_known:  # it was not the default one, then
        with suppress(ConfigError):  # its own copy is damaged too
            opened = found.opened(run.config_path, env)
    if opened.dry_run and not was_dry:
        _check_begins(run, state, origin)
    if request.config is None and not is_older(run, state):
        opened = replace(opened, remark=_remark(opened))
    if request.dry_run and not opened.dry_run:
        opened = replace(opened, remark="; ".join(filter(None, (opened.remark, _NOTHING_TO_EMULATE))))
    if opened.drift and not (request.force or request.plan_only):
        raise _drifted(opened) if goes_on else _not_another(opened)
    if not request.plan_only:
        refuse_after_a_look(run, opened.drift)
    if opened.grows and not (request.begins or request.plan_only):
        raise UsageError(
            f"the sample would grow ({growing.sentence(opened.growth[-1])}), but none of the selected steps draws "
            "items",
            hint="start with the prepare step, or select no steps",
        )
    return opened


def _remark(opened: Opened) -> str:
    """Return what is to be said of the configuration that a run resumes by, if nobody has named one."""
    if opened.config_file == opened.run.config_path:
        return why_own_copy(opened.run, opened.state, opened.origin)
    foreign = foreign_file(opened.state, opened.config_file)
    if foreign is None:
        return ""
    return f"{foreign} is ignored: this run was started with {opened.config_file}"


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a run before a configuration is read."""

    request: RunRequest
    run: RunDir
    state: RunState | None
    origin: Origin | None
    lost: bool
    overrides: dict[str, Any]
    was_dry: bool

    def opened(self, config_file: Path, env: Mapping[str, str]) -> Opened:
        """Read a configuration, and compare it with the run's."""
        overrides: dict[KeyPath, Any] = {tuple(key.split("/")): value for key, value in self.overrides.items()}
        own = config_file == self.run.config_path  # what it names stands where it stood
        loaded, resolution = load_resolved(
            config_file,
            env,
            overrides,
            recorded=recorded_of(self.run, self.origin, reads_questions=self.request.reads_questions),
            folder=own_folder(self.run, self.state, self.origin) if own else None,
            unused_may_lack=self.state is not None or self.lost,
        )
        loaded = kept_labels.with_kept(self.run, loaded) if _is_same(config_file, self.run.config_path) else loaded
        pilot = pilot_of(self.request, self.run, self.origin)
        loaded = limited(loaded, pilot)
        trials = trials_of(loaded.experiment, loaded.placeholders, str(loaded.folder))
        used_models, used_sets = models_used(trials), {trial.prompt_set for trial in trials}
        tree = effective(loaded, used_models, used_sets)
        digest = config_hash(tree)
        # Values of the environment in keys that ask nothing may change: what is scored says so itself.
        resolved = rescoring.without(effective(loaded.filled_in(), used_models, used_sets))
        old = self._changed_from(digest)
        asked = rescoring.as_before(old, tree)
        before, before_resolved = (each if old is None else before_growth(old, each) for each in (asked, resolved))
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
            dry_run=self.was_dry or (self.request.dry_run and _asks_a_server(loaded, trials)),
            origin=self.origin,
            lost=self.lost,
            corrected=self._asked_nothing() and own_copy(self.run) is not None,
            growth=growing.growth_on_record(self.run, self.origin) + (() if new is None else (new,)),
            grows=new is not None,
            rescored=rescoring.changes(old, tree),
            trusted_code=code_consent.trusted_code(
                loaded,
                named=code_consent.is_named(self.request.config, config_file, self.run.root),
                allow=self.request.allow_code,
            ),
            resolution=resolution,
            caps=self._caps(loaded, grows=new is not None),
            pilot=pilot,
        )

    def _caps(self, loaded: LoadedConfig, *, grows: bool) -> SpendingCaps:
        """Return what may be spent, and what a part may reserve: decided before its requests are written."""
        recorded = None if self.origin is None else set_or_none(self.origin.caps)
        caps = caps_of(self.request.max_cost_usd, loaded.experiment.spending, recorded)
        is_cut = (self.run.batch_inputs / "manifest.json").exists() or holds_answers(self.run)
        return caps if is_cut and not grows else with_part_limit(caps)

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
            return (f"{self.run.config_path.name} is missing or damaged, so the changed keys cannot be listed",)
        lines = tuple(difference(old, tree))
        return lines or (() if self.origin is None else ("the recorded hash differs, although no key does",))


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, however they are written."""
    return one == other or (one.exists() and other.exists() and one.samefile(other))


_NOTHING_TO_EMULATE: Final = "--dry_run changes nothing: every model of this run answers on this machine, at no cost"
_SIZE: Final = re.compile(r"(limit_items|datasets\.\w+\.size): ")


def _drifted(opened: Opened) -> ConfigDriftError:
    run, lines = opened.run, "\n  ".join(opened.drift)
    shrinks = "a sample may grow, but not shrink: " if any(map(_SIZE.match, opened.drift)) else ""
    return ConfigDriftError(
        f"run {run.run_id} was started with a different configuration from {opened.config_file}:\n  {lines}",
        hint=f"{shrinks}undo the change, start a new run with another --run_id, or accept the change with --force"
        f"{_seal_warning(opened)}",
    )


def _seal_warning(opened: Opened) -> str:
    """Return what a forced change means for a sealed run; empty for another."""
    if opened.origin is None or not isinstance(opened.origin.seal, Seal):
        return ""
    return "; the run is sealed, and its reports will always list a forced change, even one that is undone later"


def _not_another(opened: Opened) -> ConfigDriftError:
    """Return the refusal to begin what has been begun already, as something else; forcing that is nothing to offer."""
    run, lines = opened.run, "\n  ".join(opened.drift)
    return ConfigDriftError(
        f"run {run.run_id} already exists, its {run.state_path.name} is missing, and it was started with a different "
        f"configuration:\n  {lines}",
        hint=f"resume it with its own configuration: {run.rebuild_command}; or choose another --run_id",
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
            f"run {run.run_id} does not exist in {run.root.parent}, and the selected steps need an existing run",
            hint="check --run_id, or start with the prepare step",
        )
    if damaged and not request.resume and not request.steps_named:
        raise UsageError(
            f"run {run.run_id} already exists, and its {run.state_path.name} is damaged",
            hint=f"rebuild it from what is on disk: {run.resume_command}",
        )
    if state is None and request.resume and not damaged:
        rebuilt = "rebuild it from what is on disk, or migrate an older run, with"
        raise ResumeError(
            f"run {run.run_id}: nothing to resume: {run.state_path} does not exist",
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
            f"run {run.run_id} already exists",
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
            f"{DEFAULT_CONFIG}: not found from here",
            hint="name one with --config path/to/config.yaml, or write one: promptrial init",
        )
    return DEFAULT_CONFIG


def _asks_a_server(loaded: LoadedConfig, trials: Sequence[Trial]) -> bool:
    """Return whether a model of the trials is not computed in this process, so that an emulator can take its place."""
    return not all(is_local(loaded.experiment, model.provider) for model in models_asked(trials))


def _check_begins(run: RunDir, state: RunState | None, origin: Origin | None) -> None:
    """Refuse a run that has reached a real provider: a run is dry from its beginning, or never.

    Where no record says so, the folder of the emulator does: it is made first. A dry run must never reach a provider
    that is paid.
    """
    if state is not None or (knows_jobs(run) if origin is None else holds_work(run)):
        raise ResumeError(
            f"run {run.run_id} was started with real providers, and cannot continue as a dry run",
            hint="leave out --dry_run, or start a new run with another --run_id",
        )


def _join(path: KeyPath) -> str:
    return "/".join(str(key) for key in path)


def _environment_drift(origin: Origin | None, loaded: LoadedConfig, resolved_hash: str) -> tuple[str, ...]:
    """Return the keys that take their value from the environment, if one of those values has changed."""
    if origin is None or origin.resolved_hash in {None, resolved_hash}:
        return ()
    keys = ", ".join(f"{dotted(at)} ({text})" for at, text in loaded.placeholders.items())
    return (f"a value from the environment has changed; it is one of: {keys}",)

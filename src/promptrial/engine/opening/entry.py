"""Open a run, whatever is found of it: the one way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from promptrial.config.environment import DEFAULT_CONFIG
from promptrial.engine import code_consent, growing
from promptrial.engine.caps import caps_of, with_part_limit
from promptrial.engine.looked_at import refuse_after_a_look
from promptrial.engine.opening import refusals
from promptrial.engine.opening.configuring import Reading, remark_on_file
from promptrial.engine.opening.dry_runs import NOTHING_TO_EMULATE, asks_a_server, require_a_dry_beginning, was_dry
from promptrial.engine.opening.found import Found, New, Older, OnRecord, Started, StateLost, find, origin_of
from promptrial.engine.opening.names import require_names
from promptrial.engine.opening.new import open_new
from promptrial.engine.opening.older import open_older
from promptrial.engine.opening.on_record import open_on_record
from promptrial.engine.opening.opened import Changes, Configured, Opened
from promptrial.engine.opening.started import open_started
from promptrial.engine.opening.state_lost import open_state_lost
from promptrial.engine.origin import holds_answers, is_not_migrated
from promptrial.engine.request import RunRequest
from promptrial.errors import ConfigDriftError, UsageError
from promptrial.store.change_records import SpendingCaps
from promptrial.store.part_records import set_or_none
from promptrial.store.rundir import RunDir

__all__ = ["open_run"]


def open_run(request: RunRequest, env: Mapping[str, str]) -> Opened:
    """Read everything that a run is made of, and refuse what cannot go on.

    Raises
    ------
    ConfigError, UsageError
        For a wrong configuration, a run id that is taken when neither ``--resume`` nor a step is given, or a run to be
        worked on in a folder whose name is not UTF-8.
    ResumeError
        For ``--resume`` without a state, and for a run of promptrial's predecessor that is not migrated.
    ConfigDriftError
        If the configuration differs from the run's and neither ``--force`` nor ``--plan_only`` is given.
    """
    run = RunDir(request.experiments, request.run_id)
    if request.trusts_kept_digests:
        run.trust_kept_digests()
    found = find(run)
    if is_not_migrated(run):
        raise refusals.not_migrated(run)
    paths_from = DEFAULT_CONFIG.parent if DEFAULT_CONFIG.exists() else run.root
    by, changes = _configured(found, Reading(request, env, paths_from))
    opened = _opened(found, by, changes, request)
    if opened.dry_run and not was_dry(found):
        require_a_dry_beginning(found)
    if changes.drift and not (request.force or request.plan_only):
        raise _refused(opened, request)
    if not request.plan_only:
        require_names(request.experiments, by.config_file)
        refuse_after_a_look(run, changes.drift)
    if changes.growth is not None and not (request.begins or request.plan_only):
        raise UsageError(
            f"the sample would grow ({growing.sentence(changes.growth)}), but none of the selected steps draws items",
            hint="start with the prepare step, or select no steps",
        )
    return opened


def _configured(found: Found, reading: Reading) -> tuple[Configured, Changes]:
    """Return what a run is configured by, and what has changed: each case of what is found in a way of its own."""
    match found:
        case New():
            return open_new(found, reading)
        case Started():
            return open_started(found, reading)
        case OnRecord():
            return open_on_record(found, reading)
        case StateLost():
            return open_state_lost(found, reading)
        case Older():
            return open_older(found, reading)


def _opened(found: Found, by: Configured, changes: Changes, request: RunRequest) -> Opened:
    """Return a run with the terms that it uses."""
    asks = request.dry_run and asks_a_server(by)
    opened = Opened(
        found=found,
        configured=by,
        changes=changes,
        growth=(*growing.growth_on_record(found.run, origin_of(found)), *filter(None, (changes.growth,))),
        dry_run=was_dry(found) or asks,
        trusted_code=code_consent.trusted_code(
            by.loaded,
            named=code_consent.is_named(request.config, by.config_file, found.run.root),
            allow=request.allow_code,
        ),
        caps=_caps(found, by, changes, request),
    )
    remarks = (
        remark_on_file(opened, request),
        NOTHING_TO_EMULATE if request.dry_run and not opened.dry_run else "",
    )
    return replace(opened, remark="; ".join(filter(None, remarks)))


def _caps(found: Found, by: Configured, changes: Changes, request: RunRequest) -> SpendingCaps:
    """Return what may be spent, and what a part may reserve: decided before its requests are written."""
    run, origin = found.run, origin_of(found)
    recorded = None if origin is None else set_or_none(origin.caps)
    caps = caps_of(request.max_cost_usd, by.loaded.experiment.spending, recorded)
    is_cut = (run.batch_inputs / "manifest.json").exists() or holds_answers(run)
    return caps if is_cut and changes.growth is None else with_part_limit(caps)


def _refused(opened: Opened, request: RunRequest) -> ConfigDriftError:
    """Return the refusal of a changed configuration, for a run that is resumed or for one that is started again."""
    found = opened.found.now if isinstance(opened.found, Older) else opened.found
    starts_again = isinstance(found, Started) and not request.rebuild
    return refusals.started_as_another(opened) if starts_again else refusals.changed(opened)

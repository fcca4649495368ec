"""``promptrial plan`` (and ``run --plan_only``): what a run would do, changing nothing."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from promptrial.cli.options import Parser, add_run_flags, experiments_dir, overrides
from promptrial.documents.printable import escaped
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.engine.growing import Outlook
    from promptrial.engine.session import Planned

__all__ = ["DESCRIPTION", "as_json", "as_text", "configure", "execute"]

DESCRIPTION = "Show, phase by phase, what a run would do and why. Changes nothing, and works before the run exists."


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_flags(parser)


def execute(args: argparse.Namespace) -> int:
    """Print the plan."""
    from promptrial.design.plan import select_phases
    from promptrial.engine.opening import RunRequest, new_run_ids
    from promptrial.engine.session import Invocation, preview

    clock = SystemClock()
    request = RunRequest(
        experiments=experiments_dir(args),
        run_id=args.run_id or next(new_run_ids(clock.now(), experiments_dir(args))),
        config=args.config,
        overrides=overrides(args),
        plan_only=True,
        rebuild=True,
        dry_run=args.dry_run,
    )
    selection = select_phases(args.only_step, args.from_step, args.to_step)
    planned = preview(request, selection, Invocation(os.environ, clock, say_to_stderr), args.trial_filter)
    print_result(as_json(planned) if args.json else as_text(planned))
    return 0


def as_text(planned: Planned) -> str:
    """Return a plan for people."""
    opened = planned.opened
    dry = ", dry run: hosted providers are emulated on this machine" if opened.dry_run else ""
    known = "its state is lost" if opened.lost else "exists" if opened.state else "new"
    lines = [f"run {opened.run.run_id} ({known}), {len(opened.trials)} trial(s){dry}:"]
    lines += [f"  {trial.slug}" for trial in opened.trials]
    lines += [f"  {line}" for line in planned.served]
    lines += [f"{action.phase:<8} {action}" for action in planned.actions]
    lines += [*planned.limits, *(f"now {text}" for text in planned.awaited)]
    if planned.growth is not None:
        lines += [_growth(planned.growth)]
    if planned.checked is not None:
        lines += [*planned.checked.decided, *(f"note: {note}" for note in planned.checked.notes)]
        lines += [f"it would be refused: {problem}" for problem in planned.checked.problems]
    if opened.remark:
        lines += [opened.remark]
    if planned.copied:
        lines += [f"warning: {planned.copied}"]
    if opened.drift:
        lines += ["the configuration has drifted; a resume would be refused without --force:"]
        lines += [f"  {line}" for line in opened.drift]
    return escaped("\n".join(lines)) + "\n"


def _growth(growth: Outlook) -> str:
    """Return what the sample will gain, or why it cannot grow."""
    if growth.refused:
        return f"the sample would grow ({growth.change}); a resume would be refused: {growth.refused}"
    new = (
        "as many new items as there are"
        if growth.items is None
        else f"{growth.items} new items, {growth.requests} new requests"
    )
    return f"the sample grows ({growth.change}): {new}; no item that it has is asked again"


def as_json(planned: Planned) -> str:
    """Return a plan for programs."""
    opened = planned.opened
    value = {
        "run_id": opened.run.run_id,
        "exists": opened.state is not None or opened.lost,
        "dry_run": opened.dry_run,
        "config_hash": opened.config_hash,
        "trials": [trial.slug for trial in opened.trials],
        "drift": list(opened.drift),
        "phases": [
            {"phase": action.phase, "action": action.verb, "reason": action.reason} for action in planned.actions
        ],
    }
    if planned.limits:
        value["limits"] = list(planned.limits)
    if planned.awaited:
        value["awaited"] = list(planned.awaited)
    if planned.served:
        value["served"] = list(planned.served)
    if planned.copied:
        value["warnings"] = [planned.copied]
    if planned.checked is not None:
        checked = asdict(planned.checked)
        value["checks"] = {name: list(checked[name]) for name in ("problems", "notes", "decided")}
    if planned.growth is not None:
        value["growth"] = asdict(planned.growth)
    return json.dumps(value, indent=2) + "\n"

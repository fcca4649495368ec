"""``promptrial plan`` (and ``run --plan_only``): what a run would do, changing nothing."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from promptrial.cli.gate_flags import GATE_FAILED, add_gate_flags
from promptrial.cli.options import add_run_flags, experiments_dir, overrides
from promptrial.cli.parser import Parser
from promptrial.cli.plan_text import as_text, gate_text
from promptrial.cli.power_flags import add_assumption_flags, assumed_of
from promptrial.errors import UsageError
from promptrial.runtime import collector
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.comparison.planned_gates import PlannedGate
    from promptrial.design.plan import Selection
    from promptrial.design.power import Assumed
    from promptrial.engine.previewing import Planned
    from promptrial.engine.request import RunRequest
    from promptrial.engine.session import Invocation

__all__ = ["DESCRIPTION", "as_text", "configure", "execute", "previews", "printed"]

DESCRIPTION = (
    "Show what each phase of a run would do and why, and what the run would cost. Works before the run exists, "
    "and changes\nnothing."
)


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_flags(parser, saved=False)
    add_assumption_flags(parser)
    group = parser.add_argument_group("gates that this run should pass (exit code 100 if it has too few items)")
    add_gate_flags(
        parser, group, "a gate as in `compare --gate`; checks whether the planned items are enough; may be repeated"
    )


def execute(args: argparse.Namespace) -> int:
    """Print the plan."""
    collector.collect_rarely()
    from promptrial.design.plan import select_phases
    from promptrial.engine.opening import RunRequest, new_run_ids
    from promptrial.engine.session import Invocation

    clock = SystemClock()
    request = RunRequest(
        experiments=experiments_dir(args),
        run_id=args.run_id or next(new_run_ids(clock.now(), experiments_dir(args))),
        config=args.config,
        overrides=overrides(args),
        plan_only=True,
        rebuild=True,
        dry_run=args.dry_run,
        reuse=tuple(args.reuse or ()),
        pilot=args.pilot,
        max_cost_usd=args.max_cost_usd,
        trusts_kept_digests=True,
    )
    selection = select_phases(args.only_step, args.from_step, args.to_step)
    invocation = Invocation(os.environ, clock, say_to_stderr)
    plans = previews(request, selection, invocation, args, assumed_of(args))
    gates = _gates(args, plans[-1])
    print_result(printed(plans, gates, json_wanted=args.json))
    impossible = [gate for gate in gates if not gate.can_pass]
    for gate in impossible if args.json else ():
        say_to_stderr(str(gate))
    return GATE_FAILED if impossible else 0


def previews(
    request: RunRequest,
    selection: Selection,
    invocation: Invocation,
    args: argparse.Namespace,
    assumed: Assumed | None = None,
) -> list[Planned]:
    """Return the plan of a run; of one that is in its pilot, that of the pilot, and that of the whole run.

    Raises
    ------
    PromptrialError
        As the run would be refused.
    """
    from promptrial.engine.opening import require_names
    from promptrial.engine.previewing import preview

    planned = preview(request, selection, invocation, args.trial_filter, quotes=True, assumed=assumed)
    require_names(request.experiments, planned.opened.configured.config_file)
    if planned.opened.pilot is None or planned.opened.pilot.passed:
        return [planned]
    whole = replace(request, past_pilot=True)
    return [planned, preview(whole, selection, invocation, args.trial_filter, quotes=True, assumed=assumed)]


def printed(plans: Sequence[Planned], gates: Sequence[PlannedGate] = (), *, json_wanted: bool) -> str:
    """Return plans as ``previews`` makes them for people or for programs, and what they can do for gates."""
    planned, whole = plans[0], plans[-1]
    if json_wanted:
        from promptrial.cli.plan_json import as_json

        return as_json(whole, pilot=None if planned is whole else planned, gates=gates)
    text = as_text(whole) + gate_text(gates)
    if planned is whole or planned.opened.pilot is None:
        return text
    return (
        f"the pilot: {planned.opened.pilot.items} items of each data set\n\n{as_text(planned)}\n"
        f"the whole run, its pilot included\n\n{text}"
    )


def _gates(args: argparse.Namespace, planned: Planned) -> tuple[PlannedGate, ...]:
    """Return what the planned items can do for the gates of the flags.

    Raises
    ------
    UsageError
        If a gate names what does not exist, or the items are not known.
    """
    asked = getattr(args, "gate", ())
    if not asked:
        return ()
    from promptrial.comparison.planned_gates import planned_gates

    drawn = planned.drawn
    if drawn is None or drawn.absent:
        why = (
            planned.unquoted if drawn is None else f"the questions of {', '.join(drawn.absent)} are not downloaded yet"
        )
        raise UsageError(f"--gate: the number of items is not known: {why}")
    config, trials = planned.opened.loaded.experiment, planned.opened.trials
    return planned_gates(asked, config, trials, drawn.items, assumed_of(args), args.alpha)

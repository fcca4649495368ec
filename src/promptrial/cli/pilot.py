"""The end of a pilot: the plan for what it has left, and whether the run goes on to it."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from promptrial.cli import plan as plan_command
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.design.plan import Selection
    from promptrial.engine.invocation import Finished
    from promptrial.engine.previewing import Planned
    from promptrial.engine.request import RunRequest

__all__ = ["after_pilot"]


def after_pilot(
    args: argparse.Namespace, request: RunRequest, selection: Selection, finished: Finished
) -> RunRequest | None:
    """Return the request that goes on beyond a pilot; None if the run has no pilot that has just ended.

    The plan for what is left is printed before. ``--json`` prints it only if the run stops there, because one document
    is printed.

    Raises
    ------
    ActionNeeded
        If the run stops there, with the command that goes on.
    """
    if not finished.pilot_ended or finished.opened.pilot is None:
        return None
    rest = replace(request, past_pilot=True, resume=True)
    planned = _planned(args, rest, selection)
    items = finished.opened.pilot.items
    if planned.growth is None or planned.growth.items == 0:
        say_to_stderr(f"the pilot of {items} items of each data set covers every item: nothing is left to ask")
        return rest
    if not (args.json and request.yes):
        print_result(_as_json(finished, planned) if args.json else _as_text(finished, planned))
    if not request.yes:
        raise _stopped(finished, items)
    return rest


def _spent(finished: Finished) -> Decimal | None:
    """Return what the run has spent, in USD; None where no price is known."""
    from promptrial.phases.accounts import read_ledger

    return read_ledger(finished.opened.run).total.spent


def _as_text(finished: Finished, planned: Planned) -> str:
    spent, run = _spent(finished), finished.opened.run
    cost = "unknown, because a model has no price" if spent is None else f"{float(spent):.3g} USD"
    heading = f"the pilot is finished; spent so far: {cost} ({run.command('costs')})"
    return f"{heading}\n\n{plan_command.as_text(planned)}"


def _as_json(finished: Finished, planned: Planned) -> str:
    from promptrial.cli.plan_json import as_json

    spent = _spent(finished)
    value = json.loads(as_json(planned)) | {"spent_usd": None if spent is None else float(spent)}
    return json.dumps(value, indent=2) + "\n"


def _planned(args: argparse.Namespace, rest: RunRequest, selection: Selection) -> Planned:
    from promptrial.engine.previewing import preview
    from promptrial.engine.session import Invocation

    invocation = Invocation(os.environ, SystemClock(), say_to_stderr)
    return preview(replace(rest, plan_only=True, rebuild=True), selection, invocation, args.trial_filter, quotes=True)


def _stopped(finished: Finished, items: int) -> BaseException:
    from promptrial.errors import ActionNeeded

    run = finished.opened.run
    stop = ActionNeeded(
        f"the pilot of {items} items of each data set is finished, and nothing else was sent",
        ["read the plan above: what was spent, what the rest will cost, and what the whole sample can show"],
    )
    stop.resume_command = f"{run.resume_command} --yes"
    return stop

"""``promptrial status``: how far a run is, from its files alone."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from promptrial.cli.options import add_flag
from promptrial.errors import UsageError
from promptrial.store import records
from promptrial.store.records import RunState
from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Show how far a run is, from its files alone; safe while another process works on it."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_flag(parser, "run_id", "name of the run", metavar="ID", required=True)
    add_flag(parser, "experiments_dir", "where runs are kept (default: experiments)", type=Path, metavar="DIR",
             default=Path("experiments"))  # fmt: skip
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print the state.

    Raises
    ------
    UsageError
        If there is no such run.
    """
    run = RunDir(args.experiments_dir, args.run_id)
    try:
        state = records.load(run.state_path, RunState)
    except FileNotFoundError:
        raise UsageError(
            f"run {run.run_id}: no {run.state_path}", hint=f"look which runs there are: ls {args.experiments_dir}"
        ) from None
    sys.stdout.write(_as_json(state) if args.json else _as_text(state))
    return 0


def _as_json(state: RunState) -> str:
    phases = {name: {"status": phase.status, "updated_at": phase.updated_at, "last_error": phase.last_error}
              for name, phase in state.phases.items()}  # fmt: skip
    value = {
        "run_id": state.run_id,
        "config_hash": state.config_hash,
        "stop_requested": state.stop_requested,
        "phases": phases,
    }
    return json.dumps(value, indent=2) + "\n"


def _as_text(state: RunState) -> str:
    lines = [f"run {state.run_id}{', stop requested' if state.stop_requested else ''}"]
    for name, phase in state.phases.items():
        error = f"  ({phase.last_error})" if phase.last_error else ""
        lines.append(f"{name:<8} {phase.status:<12} {phase.updated_at or ''}{error}".rstrip())
    return "\n".join(lines) + "\n"

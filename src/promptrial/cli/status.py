"""``promptrial status``: how far a run is, from its files alone."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from promptrial.cli.options import Parser, add_experiments_dir, add_flag, experiments_dir
from promptrial.engine.status import RunStatus, find_run, read_status

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Show how far a run is, from its files alone; safe while another process works on it."


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_flag(parser, "run_id", "name of the run", metavar="ID", required=True)
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print how far the run is.

    Raises
    ------
    UsageError
        If there is no such run.
    """
    status = read_status(find_run(experiments_dir(args), args.run_id))
    sys.stdout.write(_as_json(status) if args.json else _as_text(status))
    return 0


def _as_json(status: RunStatus) -> str:
    state = status.state
    value = {
        "run_id": state.run_id,
        "status": status.word,
        "config_hash": state.config_hash,
        "stop_requested": state.stop_requested,
        "holder": asdict(status.holder) if status.holder else None,
        "rows": status.rows,
        "expected_rows": status.expected_rows,
        "phases": {
            name: {"status": phase.status, "updated_at": phase.updated_at, "last_error": phase.last_error}
            for name, phase in state.phases.items()
        },
    }
    return json.dumps(value, indent=2) + "\n"


def _as_text(status: RunStatus) -> str:
    answers = "" if status.rows is None else f", {status.rows} of {status.expected_rows} answers"
    by = f", by process {status.holder.pid} on {status.holder.host}" if status.holder and _works(status) else ""
    lines = [f"run {status.state.run_id}: {status.word}{answers}{by}"]
    for name, phase in status.state.phases.items():
        error = f"  ({phase.last_error})" if phase.last_error else ""
        lines.append(f"{name:<8} {phase.status:<12} {phase.updated_at or ''}{error}".rstrip())
    return "\n".join(lines) + "\n"


def _works(status: RunStatus) -> bool:
    return status.word in {"running", "stopping"}

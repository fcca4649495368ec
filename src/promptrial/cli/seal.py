"""``promptrial seal``: fix the analysis plan of a run before anything is asked, and check it afterwards."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.options import add_experiments_dir, add_run_id, experiments_dir
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import environment
from promptrial.documents.printable import escaped
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.care.seals import Sealing
    from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "as_lines", "configure", "execute"]

DESCRIPTION = """Record the analysis plan of a run, with its SHA-256, before any request is sent.

The plan states the endpoints, the family of tests, the significance level, margins, exclusions and the stopping rule,
and includes digests of the questions, prompts and scorers. The report then says that the run follows the plan, or lists
each deviation.

With --check, compare the run with its sealed plan; the exit code is 100 if it deviates. A seal proves its date only
if its SHA-256 was also published or deposited elsewhere."""
_DEVIATES: Final = 100


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser)
    add_experiments_dir(parser)
    add_flag(parser, "check", "compare the run with its sealed plan; changes nothing", action="store_true")
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Seal or check, and print; return 100 if a checked run deviates.

    Raises
    ------
    UsageError
        If there is no such run, it has asked something already, or it is not sealed.
    """
    from promptrial.care.seals import check_seal, seal_run
    from promptrial.care.status import find_run
    from promptrial.engine.session import Invocation

    run = find_run(experiments_dir(args), args.run_id)
    if args.check:
        found = check_seal(run, environment(os.environ, Path.cwd()))
    else:
        found = seal_run(run, Invocation(os.environ, SystemClock(), say_to_stderr))
    print_result(_as_json(run, found) if args.json else _as_text(run, found, checked=args.check))
    return _DEVIATES if found.deviations else 0


def _as_json(run: RunDir, found: Sealing) -> str:
    value = {
        "run_id": run.run_id,
        "sha256": found.sha256,
        "as_sealed": not found.deviations,
        "deviations": list(found.deviations),
    }
    return json.dumps(value, indent=2) + "\n"


def _as_text(run: RunDir, found: Sealing, *, checked: bool) -> str:
    from promptrial.documents.analysis_plan import DIGEST_FILE, PLAN_FILE

    if checked:
        return escaped("\n".join(as_lines(f"run {run.run_id}", found))) + "\n"
    lines = [
        f"run {run.run_id} is sealed: {run.root / PLAN_FILE}",
        f"SHA-256 (also in {DIGEST_FILE}):",
        f"  {found.sha256}",
        "To prove the date, publish or deposit this digest where others can see the date.",
        f"Continue with: {run.resume_command}",
    ]
    return escaped("\n".join(lines)) + "\n"


def as_lines(what: str, found: Sealing) -> list[str]:
    """Return whether something is as sealed, or each deviation, and the SHA-256 of the plan."""
    count = len(found.deviations)
    said = f"{count} deviation{'' if count == 1 else 's'} from the sealed plan" if count else "as sealed"
    return [f"{what}: {said}", *(f"  {line}" for line in found.deviations), "SHA-256 of the plan:", f"  {found.sha256}"]

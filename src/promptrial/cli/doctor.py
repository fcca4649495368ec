"""``promptrial doctor``: what is wrong with a run, read from its files, and the command that fixes each problem.

With ``--probe`` it asks a vendor instead what its documentation leaves open.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.options import add_config, add_experiments_dir, add_run_id, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, terminal_width

if TYPE_CHECKING:
    from promptrial.care.doctor.document import DoctorDocument, Finding

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Check the files of a run, and show the command that fixes each problem. Changes nothing.

The exit code is 100 if there is something to fix, and 0 if there are only notes.

With --probe, test a provider instead: send a few short requests with your own key to find out what the provider's
documentation does not say, and save the answers."""
_TO_MEND: Final = 100


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")
    group = parser.add_argument_group("testing a provider")
    add_flag(parser, "probe", "a provider with a batch API: one from the configuration, or a preset", group=group,
             metavar="PROVIDER")  # fmt: skip
    add_flag(parser, "model", "alias or ID of the model (default: the provider's first model)", group=group,
             metavar="ID")  # fmt: skip
    add_config(parser)
    add_flag(parser, "out",
        "where to save the answers (default: a new file in the folder that holds the runs)", group=group, type=Path,
             metavar="FILE")  # fmt: skip
    add_flag(parser, "yes", "send without asking first", group=group, action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print the findings and what the run takes on the disk; return 100 if there is something to fix.

    Raises
    ------
    UsageError
        If there is no such run, or none at all.
    """
    if args.probe is not None:
        from promptrial.cli.probe import execute_probe

        return execute_probe(args)
    from promptrial.care.doctor.examining import examine
    from promptrial.engine.session import Invocation

    run = run_or_latest(args)
    found = examine(run, Invocation(os.environ, SystemClock(), lambda _text: None))
    print_result(_as_json(found) if args.json else _as_text(found))
    return 0 if found.healthy else _TO_MEND


def _as_json(found: DoctorDocument) -> str:
    import msgspec

    return json.dumps(msgspec.to_builtins(found), indent=2) + "\n"


def _as_text(found: DoctorDocument) -> str:
    counts = [(word, sum(each.severity == word for each in found.findings)) for word in ("error", "warning", "note")]
    shown = ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for word, count in counts if count)
    health = "nothing to fix" if found.healthy else "something to fix"
    title = f"run {found.run_id}: {found.status.replace('_', ' ')}, {health}{f' ({shown})' if shown else ''}"
    return "\n".join([title, "", *map(_of_finding, found.findings), *_commands(found), _disk(found)])


def _of_finding(finding: Finding) -> str:
    from promptrial.reporting.plain import one_line

    lines = [f"{finding.severity:<8} {one_line(finding.file)}", f"{'':8} {one_line(finding.meaning)}"]
    return "\n".join([*lines, *([f"{'':8} $ {finding.command}"] if finding.command is not None else []), ""])


def _commands(found: DoctorDocument) -> list[str]:
    """Return the commands that fix something, each once, in the order in which to give them."""
    commands = dict.fromkeys(each.command for each in found.findings if each.severity != "note" and each.command)
    return ["To fix this:", *(f"  {command}" for command in commands), ""] if commands else []


def _disk(found: DoctorDocument) -> str:
    from promptrial.care.doctor.disk import size_text
    from promptrial.reporting.cells import Table, count
    from promptrial.reporting.plain import summary_text

    title = f"On disk: {size_text(found.bytes)} in {found.folder}, {size_text(found.free_bytes)} free"
    rows = tuple((use.trial or "(the run)", use.phase, count(use.files), size_text(use.bytes)) for use in found.disk)
    return summary_text(Table(title, ("Trial", "Phase", "Files", "Size"), rows, (), "llrr"), terminal_width())

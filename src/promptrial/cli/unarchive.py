"""``promptrial unarchive``: restore a run from its archive."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from promptrial.cli.options import add_experiments_dir, experiments_dir, resume_command
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import environment
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """\
Restore a run from its archive. The archive is verified first, and is unpacked completely or not at all. An existing
run is never overwritten."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument("archive", metavar="ARCHIVE", help="a folder, a .tar.zst file, or an address")
    add_flag(parser, "to", "folder to restore the run to (default: as for --experiments_dir)", type=Path, metavar="DIR")
    add_flag(parser, "run_id", "new name for the run (default: its own name)", metavar="ID")
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Restore the run, then say where it is and how to resume it.

    Raises
    ------
    UsageError
        If there is no archive, or such a run already.
    CorruptRecordError
        If the archive does not match its manifest.
    """
    from promptrial.archive.addresses import place_to_read
    from promptrial.archive.restoring import restore

    place = place_to_read(args.archive, environment(os.environ, Path.cwd()))
    args.experiments_dir = args.to or experiments_dir(args)
    restored = restore(place, args.experiments_dir, args.run_id, SystemClock())
    run, manifest = restored.run, restored.manifest
    if args.json:
        value = {
            "run_id": run.run_id,
            "folder": str(run.root),
            "complete": manifest.completeness.complete,
            "files": len(manifest.files),
            "manifest_sha256": restored.manifest_sha256,
        }
        print_result(json.dumps(value, indent=2) + "\n")
    else:
        print_result(f"Restored run {run.run_id}: {run.root}\nResume it with: {resume_command(args, run.run_id)}\n")
    return 0

"""``promptrial archive`` (and ``run --archive``): archive a finished run, so that it can be verified later."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial.archive.manifest import PACKED
from promptrial.cli.options import add_experiments_dir, add_run_id, experiments_dir
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import DEFAULT_CONFIG, archive_dir_of, environment
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:
    from promptrial.archive.writing import Archived
    from promptrial.engine.invocation import Finished

__all__ = ["DESCRIPTION", "archive_finished", "as_text", "as_values", "configure", "execute", "preflight"]

DESCRIPTION = """Archive a finished run: its files, a manifest of their digests, and a script that verifies them.

DEST is a folder, a .tar.zst file, or an address (s3://bucket/name, gs://...). An address is a single object if it
ends in .tar.zst, otherwise a prefix with one object per file. The archive is read back and verified before the
command ends. The run itself does not change."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser)
    add_experiments_dir(parser)
    add_flag(
        parser,
        "to",
        "where to write the archive (default: run_ID.tar.zst in paths.archive_dir of the configuration, or in "
        "experiments/archives)",
        metavar="DEST",
    )
    add_flag(parser, "incomplete", "archive the run even if it is not finished", action="store_true")
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Archive the run, then say where it is.

    Raises
    ------
    UsageError
        If there is no such run, or the place is taken.
    """
    from promptrial.care.status import find_run

    run = find_run(experiments_dir(args), args.run_id)
    env = environment(os.environ, Path.cwd())
    destination = args.to or _within(archive_dir_of(_config_file(run), env), run)
    archived = _archive(run, destination, incomplete=args.incomplete)
    print_result(json.dumps(as_values(archived), indent=2) + "\n" if args.json else as_text(archived))
    return 0


def _config_file(run: RunDir) -> Path:
    """Return the configuration that a run was started with, if that is known and still there; else the default one."""
    from promptrial.engine.origin import find_origin, recorded_file
    from promptrial.errors import CorruptRecordError
    from promptrial.store import records

    try:
        state: records.RunState | None = records.load(run.state_path, records.RunState)
    except (FileNotFoundError, CorruptRecordError):
        state = None
    recorded = recorded_file(run, state, find_origin(run) if state is None else records.Origin.of(state))
    return recorded if recorded is not None and recorded.exists() else DEFAULT_CONFIG


def preflight(args: argparse.Namespace) -> None:
    """Find out before a run, and not after it, that ``--archive`` cannot be done.

    Raises
    ------
    MissingDependencyError
        Naming what to install.
    UsageError
        If ``paths.archive_dir`` is an address of no known kind.
    """
    if args.archive:
        from promptrial.archive.addresses import place_to_write

        env = environment(os.environ, Path.cwd())
        place_to_write(f"{archive_dir_of(args.config or DEFAULT_CONFIG, env) or '.'}/run{PACKED}", env)


def archive_finished(args: argparse.Namespace, finished: Finished) -> Archived | None:
    """Archive a run that has ended well, if ``--archive`` asks for it."""
    if not getattr(args, "archive", False):  # resume has no such flag
        return None
    opened = finished.opened
    return _archive(opened.run, _within(opened.loaded.experiment.paths.archive_dir, opened.run), incomplete=False)


def _within(archive_dir: str | None, run: RunDir) -> str:
    folder = str(run.root.parent / "archives") if archive_dir is None else archive_dir.rstrip("/")
    return f"{folder}/{run.root.name}{PACKED}"


def _archive(run: RunDir, destination: str, *, incomplete: bool) -> Archived:
    from promptrial.archive.addresses import place_to_write
    from promptrial.archive.writing import archive_run
    from promptrial.engine.session import Invocation

    place = place_to_write(destination, environment(os.environ, Path.cwd()))
    words = ["promptrial", "archive", run.run_id, "--experiments_dir", str(run.root.parent), "--to", destination]
    again = shlex.join([*words, "--incomplete"] if incomplete else words)
    invocation = Invocation(os.environ, SystemClock(), say_to_stderr, "warning", resume_command=again)
    return archive_run(run, place, invocation, incomplete=incomplete)


def as_values(archived: Archived) -> dict[str, object]:
    """Return what JSON says about an archive."""
    manifest = archived.manifest
    return {
        "run_id": manifest.run_id,
        "archive": archived.where,
        "written": archived.written,
        "complete": manifest.completeness.complete,
        "files": len(manifest.files),
        "bytes": manifest.size,
        "manifest_sha256": archived.manifest_sha256,
    }


def as_text(archived: Archived) -> str:
    """Return what a person reads of an archive."""
    manifest = archived.manifest
    whole = "" if manifest.completeness.complete else ", not complete"
    said = "Archived and verified" if archived.written else "Already archived; verified again"
    of = f"run {manifest.run_id}{whole}, {len(manifest.files)} files, {manifest.size:,} bytes"
    return f"{said}: {of}\n  {archived.where}\n{manifest_digest(archived.manifest_sha256)}\n"


def manifest_digest(sha256: str) -> str:
    """Return the digest of a manifest in two lines, which fit 80 columns."""
    return f"SHA-256 of the manifest:\n  {sha256}"

"""``promptrial verify``: whether an archive is still what was archived. Needs no run and no configuration."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial.cli.options import Parser, add_flag
from promptrial.config.environment import environment
from promptrial.runtime.terminal import print_result

if TYPE_CHECKING:
    from promptrial.archive.reading import Verified

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Compare every file of an archive with its manifest, and name each that differs, is missing or is extra.

Exits with 1 if there is any. In an unpacked archive, python verify.py does the same."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument("archive", metavar="ARCHIVE", help="a folder, a .tar.zst file, or an address")
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Verify, then print what was found; returns 1 if anything differs.

    Raises
    ------
    UsageError
        If there is no archive.
    CorruptRecordError
        If it has no manifest that can be read.
    """
    from promptrial.archive.addresses import place_to_read
    from promptrial.archive.reading import verify

    place = place_to_read(args.archive, environment(os.environ, Path.cwd()))
    seen = verify(place)
    print_result(_as_json(place.shown, seen) if args.json else _as_text(place.shown, seen))
    return 1 if seen.differences else 0


def _as_json(where: str, seen: Verified) -> str:
    value = {
        "archive": where,
        "ok": not seen.differences,
        "run_id": seen.manifest.run_id,
        "complete": seen.manifest.completeness.complete,
        "files": len(seen.manifest.files),
        "bytes": seen.manifest.size,
        "manifest_sha256": seen.manifest_sha256,
        "differences": [{"path": each.path, "what": each.what, "why": each.why} for each in seen.differences],
    }
    return json.dumps(value, indent=2) + "\n"


def _as_text(where: str, seen: Verified) -> str:
    manifest = seen.manifest
    lines = [str(each) for each in seen.differences]
    if lines:
        count = f"{len(lines)} difference{'' if len(lines) == 1 else 's'}"
        lines.append(f"{where} does not match its manifest ({count}): take another copy, or archive the run again")
    else:
        whole = "" if manifest.completeness.complete else ", not complete"
        of = f"run {manifest.run_id}{whole}, {len(manifest.files)} files, {manifest.size:,} bytes"
        lines.append(f"{where} matches its manifest ({of})")
    return "\n".join([*lines, f"SHA-256 of its manifest: {seen.manifest_sha256}"]) + "\n"

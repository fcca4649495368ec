"""``promptrial verify``: whether an archive is still what was archived. Needs no run and no configuration."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.archive import manifest_digest
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.seal import as_lines
from promptrial.config.environment import environment
from promptrial.documents.printable import escaped
from promptrial.runtime.terminal import print_result

if TYPE_CHECKING:
    from promptrial.archive.reading import Verified
    from promptrial.care.seals import Sealing

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """\
Compare every file of an archive with its manifest, and list files that differ, are missing, or are extra.

The exit code is 1 if there are differences. In an unpacked archive, `python verify.py` does the same.

If the run has a sealed analysis plan, the run is compared with it too; the exit code is 100 if it deviates."""
_DEVIATES: Final = 100


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
    from promptrial.care.seals import RECORDS, check_records

    env = environment(os.environ, Path.cwd())
    place = place_to_read(args.archive, env)
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder, "records")
        seen = verify(place, keep={path: records / path for path in RECORDS})
        sealing = check_records(records, seen.manifest.run_id, env)
    print_result(_as_json(place.shown, seen, sealing) if args.json else _as_text(place.shown, seen, sealing))
    if seen.differences:
        return 1
    return _DEVIATES if sealing is not None and sealing.deviations else 0


def _as_json(where: str, seen: Verified, sealing: Sealing | None) -> str:
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
    if sealing is not None:
        value["seal"] = {"sha256": sealing.sha256, "deviations": list(sealing.deviations)}
    return json.dumps(value, indent=2) + "\n"


def _as_text(where: str, seen: Verified, sealing: Sealing | None) -> str:
    manifest = seen.manifest
    lines = [str(each) for each in seen.differences]
    if lines:
        count = f"{len(lines)} difference{'' if len(lines) == 1 else 's'}"
        lines.append(f"{where} does not match its manifest ({count}): use another copy, or archive the run again")
    else:
        whole = "" if manifest.completeness.complete else ", not complete"
        of = f"run {manifest.run_id}{whole}, {len(manifest.files)} files, {manifest.size:,} bytes"
        lines += [f"The archive matches its manifest: {of}", f"  {where}"]
    sealed = [] if sealing is None else as_lines("its analysis", sealing)
    return "\n".join([*lines, *map(escaped, sealed), manifest_digest(seen.manifest_sha256)]) + "\n"

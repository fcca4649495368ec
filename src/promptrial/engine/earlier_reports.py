"""Reports of before a growth: they say so in their first line until *report* writes them again.

A growth may take hours, or be interrupted, and reports are the last that it writes. Meanwhile people open the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from promptrial.documents.files import NotARegularFileError, read_bytes
from promptrial.phases import report
from promptrial.store import atomic
from promptrial.store.change_records import Growth
from promptrial.store.manifests import load_manifest
from promptrial.store.part_records import listed
from promptrial.store.records import Origin, TrialManifest
from promptrial.store.rundir import RunDir

__all__ = ["withdraw_reports"]

_NO_READER: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError, NotARegularFileError)
"""A report that is lost, or no file, needs no line; *report* deals with it."""


def withdraw_reports(run: RunDir, manifests: Mapping[str, TrialManifest], growth: list[Growth]) -> None:
    """Let the reports of trials that do not know of a growth yet say that they are of before it.

    Their receipts go: they hold for the smaller sample, and for files without the line. The caller saves the manifests,
    which then know of the growth. So after a kill at any point this is done again, and nothing is marked that was
    written after the growth.

    Parameters
    ----------
    run : RunDir
    manifests : mapping
        As they are on disk; that of each of these trials loses the receipt of its report.
    growth : list of Growth
        What the run has on record.

    Side effects: reports are written again with one line more; the receipt of the reports of the whole run is removed.
    """
    untold = [
        each for each in manifests.values() if isinstance(each.origin, Origin) and not _knows(each.origin, growth)
    ]
    if not untold:
        return
    path = run.root / report.PHASE.manifest
    whole = load_manifest(path)
    if whole is not None:
        _mark(run, whole.receipt.artifacts)
        atomic.remove(path)
    for manifest in untold:
        done = manifest.stage_status.pop(report.PHASE.stage, None)
        if done is not None:
            _mark(run, done.artifacts)


def _knows(origin: Origin, growth: list[Growth]) -> bool:
    return len(listed(origin.growth)) >= len(growth)


def _mark(run: RunDir, artifacts: Iterable[str]) -> None:
    from promptrial.reporting.facts import UnfinishedFacts
    from promptrial.reporting.warned import unfinished_warning

    found = unfinished_warning(UnfinishedFacts(None, None, grown=True))
    said = f"{found.text} A resume replaces this report."
    begins = {
        ".md": (b"", f"**{found.label}:** {said}\n\n".encode()),
        ".html": (b"<main>\n", f"<p><b>{found.label}:</b> {said}</p>\n".encode()),
    }
    for relative in artifacts:
        path = run.root / relative
        if path.suffix in begins:
            with suppress(*_NO_READER):
                _insert(path, *begins[path.suffix])


def _insert(path: Path, after: bytes, line: bytes) -> None:
    """Write a file again with a line after the first place of some bytes, unless it has it already."""
    data = read_bytes(path)
    if after + line not in data:
        atomic.write_bytes(path, data.replace(after, after + line, 1))

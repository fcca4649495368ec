"""Whether files of a run are still as their phase left them: the one check before a command shows what they hold."""

from __future__ import annotations

from collections.abc import Mapping

from promptrial.errors import CorruptRecordError
from promptrial.store.next_steps import wait_or_resume
from promptrial.store.part_records import FileRecord
from promptrial.store.rundir import RunDir

__all__ = ["check_files"]


def check_files(run: RunDir, files: Mapping[str, FileRecord]) -> None:
    """Refuse a file that is not the one on record.

    Parameters
    ----------
    run : RunDir
    files : mapping
        Path within the run -> its record in a receipt.

    Raises
    ------
    CorruptRecordError
        Names the first file whose size or SHA-256 differs or that is missing, and the command that makes it again.
    """
    for path, file in files.items():
        if problem := run.file_problem(path, file):
            raise CorruptRecordError(f"{run.root / path}: {problem}", hint=wait_or_resume(run))

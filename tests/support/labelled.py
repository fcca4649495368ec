"""A finished run of 120 questions, and sheets of it that people label."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from tests.support.finished import finish_run
from tests.support.project import Project

Rows = list[dict[str, str]]


def finished_run(root: Path) -> Path:
    """Run an experiment of 120 questions in a folder, and return the folder."""
    finish_run(root, 120, question="=Question {}?")
    return root


def sheet(path: Path) -> Rows:
    """Return the rows of a sheet."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def write(path: Path, rows: Rows, separator: str = ",") -> Path:
    """Write the rows of a sheet."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return path


def drawn(project: Project, *flags: str) -> Rows:
    """Draw a sheet of run ``r``, and return its rows."""
    path = project.root / "sheet.csv"
    path.unlink(missing_ok=True)
    assert project.call("label", "r", "--out", str(path), *flags).code == 0
    return sheet(path)

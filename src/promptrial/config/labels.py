"""Sheets with people's labels that a configuration names: the `labels` section, and reading the sheets.

A run does not record them in its own copy of the configuration, but in ``labels.json`` beside it: they are made after
the answers, and change nothing that is asked.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PrivateAttr

from promptrial.config.reading import near_files
from promptrial.config.strict import Name, Strict, Words
from promptrial.config.tree import KeyPath, Lines, dotted, place
from promptrial.documents.label_sheets import LabelSheet, read_sheet
from promptrial.errors import DataError, UsageError

__all__ = ["LabelsConfig", "listed_sheets", "read_labels"]


class LabelsConfig(Strict):
    """A sheet of `promptrial label` that a person has filled in."""

    file: Words = Field(description="the sheet, as a path from the folder of this configuration file")
    rater: Name | None = Field(None, description="who labelled; by default the name of the file without its ending")

    _sheet: LabelSheet | None = PrivateAttr(None)

    @property
    def sheet(self) -> LabelSheet:
        """What the sheet says."""
        assert self._sheet is not None  # noqa: S101 - `read_labels` has read it
        return self._sheet

    @classmethod
    def of(cls, sheet: LabelSheet) -> LabelsConfig:
        """Return the entry of a sheet that was read before."""
        entry = cls.model_construct(file=sheet.file, rater=sheet.rater)
        entry._sheet = sheet  # noqa: SLF001 - its own class
        return entry


def listed_sheets(value: object) -> object:
    """Return the entries of `labels` as a list of sections, however they are given: one path, or several."""
    entries = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [{"file": entry} if isinstance(entry, str) else entry for entry in entries]


def read_labels(
    path: Path, entries: tuple[LabelsConfig, ...], line_of: Lines, problems: list[str]
) -> tuple[LabelsConfig, ...]:
    """Return the entries with what their sheets say.

    Parameters
    ----------
    path : Path
        The configuration file, from whose folder paths start.
    entries : tuple of LabelsConfig
    line_of : mapping
        Key path -> line.
    problems : list of str
        Gets a line for each sheet that cannot be read, naming file, line and key; that sheet is left out.
    """
    found = []
    for index, entry in enumerate(entries):
        file = path.parent / Path(entry.file).expanduser()
        try:
            sheet = read_sheet(file, entry.rater or "", file=entry.file)
        except (DataError, UsageError) as error:
            at: KeyPath = ("labels", index)
            near = near_files(file) if not file.exists() else ""
            problems.append(f"{place(path, line_of, at)}: {dotted(at)}: {error.message}{near}")
        else:
            found.append(LabelsConfig.of(sheet))
    return tuple(found)

"""The labels that a run uses: as the configuration names them, and kept in ``labels.json`` in its folder.

So that a run can be resumed, archived and unpacked elsewhere without the sheets. They are no part of the configuration
that a run began with: labels are made after the answers, so that a new sheet is neither drift nor a deviation.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from promptrial.config.labels import LabelsConfig
from promptrial.config.loading import LoadedConfig
from promptrial.documents import label_sheets
from promptrial.documents.files import read_bytes
from promptrial.documents.label_sheets import LabelSheet
from promptrial.errors import CorruptRecordError
from promptrial.store import atomic
from promptrial.store.rundir import RunDir

__all__ = ["keep", "load", "with_kept"]


def with_kept(run: RunDir, loaded: LoadedConfig) -> LoadedConfig:
    """Return a run's own copy of its configuration with the labels that are kept beside it.

    Raises
    ------
    CorruptRecordError
        If they are damaged.
    """
    entries = tuple(map(LabelsConfig.of, load(run)))
    return replace(loaded, experiment=loaded.experiment.model_copy(update={"labels": entries}))


def load(run: RunDir) -> tuple[LabelSheet, ...]:
    """Return the labels that are kept with a run; none if there is no record of any.

    Raises
    ------
    CorruptRecordError
        If the record is damaged.
    NewerVersionError
        If a newer version of the program made it.
    """
    try:
        return label_sheets.decode(read_bytes(run.labels_path), str(run.labels_path))
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CorruptRecordError(
            f"{run.labels_path}: damaged, or edited by hand ({error}); it holds the labels that the run uses",
            hint=f"restore the file, or remove it and resume with the sheets in `labels` of the configuration: "
            f"{run.resume_command}",
        ) from error


def keep(run: RunDir, entries: tuple[LabelsConfig, ...]) -> bool:
    """Write down the labels that a run uses, and return whether they are others than before.

    Side effects: ``labels.json`` is written, or removed where no labels are left.
    """
    path = run.labels_path
    before = read_bytes(path) if path.exists() else b""
    data = label_sheets.encode([entry.sheet for entry in entries]) if entries else b""
    if data == before:
        return False
    if data:
        atomic.write_bytes(path, data)
    else:
        atomic.remove(path)
    return True

"""A process that records changes of one part of a trial and folds its journal again and again, until it is killed.

``python -m tests.support.checkpointing_child EXPERIMENTS`` writes to the trial ``m1-main`` of the run ``r``; the number
of the attempt rises with each change.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from promptrial.store.journal import PartEvent, fold
from promptrial.store.records import TrialManifest, load, save
from promptrial.store.rundir import RunDir

PART = "t0_control_p001"


def main(experiments: Path) -> None:
    folder = RunDir(experiments, "r").trial("m1-main")
    manifest = load(folder.manifest_path, TrialManifest)
    fold(manifest.parts, folder.journal.read())
    for attempt in itertools.count(2):
        event = PartEvent(part=PART, status="submitted", at="t", attempt=attempt, job=f"j{attempt}")
        folder.journal.append(event)
        fold(manifest.parts, [event])
        if attempt % 3 == 0:
            save(folder.manifest_path, manifest)
            folder.journal.clear()
        if attempt == 2:
            print("writing", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Whether the questions that a run has are read as before, when it is prepared again: to grow, or for a correction.

The file is the same, but a later version of this program may read it otherwise. The answers on record would then belong
to other questions, and requests that were paid for would be made again. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptrial.errors import DataError
from promptrial.model import Item
from promptrial.phases.prepared import all_items
from promptrial.phases.spec import RunSpec
from promptrial.store.manifests import load_manifest

__all__ = ["check_kept", "sent"]


def sent(item: Item) -> tuple[object, ...]:
    """Return what a request has of an item, and what identifies it."""
    return item.dataset, item.id, item.question, item.context, item.choices, item.messages


def check_kept(spec: RunSpec, items: Sequence[Item]) -> None:
    """Check that every item that was prepared, and of which requests were made, is among ``items`` as it was sent.

    Prepared items that are lost or damaged are made again from the file, and nothing is checked.

    Raises
    ------
    DataError
        Naming the first that is not.
    """
    prepared = load_manifest(spec.run.prepared / "manifest.json")
    built = load_manifest(spec.run.batch_inputs / "manifest.json")
    if prepared is None or built is None:
        return
    if any(spec.run.file_problem(path, file) for path, file in prepared.receipt.artifacts.items()):
        return
    now = {(item.dataset, item.id): item for item in items}
    for before in all_items(spec.run):
        after = now.get((before.dataset, before.id))
        if after is None or sent(after) != sent(before):
            raise _refusal(before)


def _refusal(item: Item) -> DataError:
    return DataError(
        f"datasets.{item.dataset}: this version reads the question {item.id!r} differently from the version that "
        "prepared this run, so the answers on record would belong to another question",
        hint="start a new run; this one keeps its questions and results as long as its size stays the same",
    )

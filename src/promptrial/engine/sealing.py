"""What the records of a run say about its sealed analysis plan: its digest, and what was changed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from promptrial.engine.growing import sentence
from promptrial.phases.spec import SealedPlan
from promptrial.store.change_records import Growth, Seal
from promptrial.store.part_records import listed
from promptrial.store.records import Origin, RunState

__all__ = ["record_seal", "sealed_plan"]

_NOT_ANALYSED: Final = ("name:", "pricing.", "costs.")
"""How the changes of keys begin that say nothing of the analysis."""


def sealed_plan(
    state: RunState | None, origin: Origin | None, growth: Sequence[Growth], pending: Sequence[str]
) -> SealedPlan | None:
    """Return the plan that a run was sealed with, and what was changed since; None if it was not sealed.

    ``pending`` are the lines of changes that the next resume records.
    """
    found = origin.seal if origin is not None else None
    if not isinstance(found, Seal):
        return None
    drift = [] if origin is None else origin.drift
    rescored = [] if state is None else listed(state.rescored)
    lines = [
        *(f"the sample grew after sealing ({sentence(each)})" for each in growth[found.changes.get("growth", 0) :]),
        *_changed(entry["keys"] for entry in drift[found.changes.get("drift", 0) :]),
        *_changed(entry["keys"] for entry in rescored[found.changes.get("rescored", 0) :]),
        *_changed([pending]),
    ]
    return SealedPlan(found.sha256, tuple(dict.fromkeys(lines)), found.changes.get("corrections", 0))


def _changed(changes: Iterable[Sequence[str]]) -> Iterator[str]:
    for lines in changes:
        for line in lines:
            if not line.startswith(_NOT_ANALYSED):
                yield f"changed after sealing: {line}"


def record_seal(state: RunState, sha256: str, now: str) -> None:
    """Let a state say that the plan with this SHA-256 was sealed, after the changes that it has on record."""
    counts = {
        "growth": len(listed(state.growth)),
        "drift": len(listed(state.drift)),
        "rescored": len(listed(state.rescored)),
        "corrections": len(listed(state.corrections)),
    }
    state.seal = Seal(sha256=sha256, at=now, changes={kind: count for kind, count in counts.items() if count})

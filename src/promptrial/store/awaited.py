"""What jobs wait for that a person has to do, as manifests say it."""

from __future__ import annotations

from collections.abc import Iterable

from promptrial.store.records import TrialManifest

__all__ = ["awaited_by"]


def awaited_by(manifests: Iterable[TrialManifest]) -> tuple[str, ...]:
    """Return what each job that waits for a person waits for, as ``JobWatch`` has recorded it."""
    parts = (part for manifest in manifests for part in manifest.parts.values())
    return tuple(part.reason for part in parts if part.status == "running" and part.reason is not None)

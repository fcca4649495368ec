"""A verdict as ``run --json`` and ``compare --json`` hold it: typed rows. Nothing is phrased here."""

from __future__ import annotations

import msgspec

__all__ = ["FindingDocument", "VerdictDocument", "WarningDocument"]


class FindingDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What one primary endpoint shows.

    ``state`` is ``better``, ``worse``, ``higher`` or ``lower`` (where no direction is wanted), ``equivalent``,
    ``not_worse``, ``not_shown``, ``not_estimable``, or ``not_compared`` where only one arm was run. What is said about
    all arms together is ``ranked``, or ``not_shown`` where any of them may be the best. It is
    ``unreliable`` where an arm lost too many of its answers, whatever the effect is. Between arms that send the same
    requests it is ``false_alarm`` if a difference is significant, and ``no_alarm`` if not. ``metric`` and ``contrast``
    are empty where a finding is of none, or of all.
    """

    state: str
    metric: str
    contrast: str
    temp: float
    sentence: str


class WarningDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A warning: its kind, such as ``dry_run``, and its line."""

    kind: str
    text: str


class VerdictDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown: ``sentences`` are those of the findings, and one more where they conflict."""

    sentences: tuple[str, ...]
    findings: tuple[FindingDocument, ...]
    warnings: tuple[WarningDocument, ...]

"""What manifests say besides receipts, as far as others count on it: its shape is checked when a record is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from promptrial.documents.amounts import Count, UsdAmount
from promptrial.store.change_records import Growth

__all__ = ["Facts", "check_trial", "checked_facts"]


class _PartRow(msgspec.Struct):
    """What the build phase says of a part: a ``model.Part`` and its name."""

    trial_slug: str
    part: str
    temp: float
    condition: str
    index: Count
    start: Count
    stop: Count
    rows: Count
    step: Count = 0


class _Source(msgspec.Struct):
    """What is recorded of a data set, as far as it is counted."""

    items: Count
    without_gold: Count = 0
    with_choices: Count = 0


class _DrawnFrom(msgspec.Struct):
    plan: str | None
    sources: dict[str, _Source]


class Facts(msgspec.Struct):
    """The facts in a manifest that are read back, with their shapes; there may be others, which people read alone."""

    parts: list[_PartRow] = []
    items: Count = 0
    requests: Count = 0
    sources: dict[str, _Source] = {}
    prepared_from: _DrawnFrom | None = None
    growth: list[Growth] = []
    examples: dict[str, Count] = {}
    unrecorded: dict[str, str] = {}
    cut: dict[str, str] = {}
    cut_usd: UsdAmount | None = None


_NEEDED: Final = {"batch_inputs": ("parts", "items", "requests"), "prepared": ("items", "sources")}
"""The facts that a manifest always has, by its folder."""


class _Trial(msgspec.Struct):
    """What a trial manifest says of its trial, as far as it is read back."""

    conditions: list[str] | None = None
    provider: str | None = None
    adapter: str | None = None
    model_id: str | None = None
    model_alias: str | None = None
    prompt_set: str | None = None


def checked_facts(folder: str, facts: Mapping[str, Any]) -> Facts:
    """Return the facts of the manifest of a folder.

    Raises
    ------
    ValueError
        If one has another shape than its readers expect, or is not there.
    """
    for name in _NEEDED.get(folder, ()):
        if name not in facts:
            raise ValueError(f"its facts have no {name!r}")
    return msgspec.convert(dict(facts), Facts)


def check_trial(trial: Mapping[str, Any]) -> None:
    """Check the shape of what a trial's manifest says of the trial.

    Raises
    ------
    ValueError
        If something has another shape than its readers expect.
    """
    msgspec.convert(dict(trial), _Trial)

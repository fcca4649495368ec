"""What manifests say besides receipts, as far as others count on it.

When a record is loaded, the shape and the digest of its facts are checked, and whether they agree with each other and
with the receipt. Records of versions that wrote no digest have the other checks alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from promptrial.documents.amounts import Count, UsdAmount
from promptrial.documents.files import name_problem
from promptrial.model.part_names import part_name
from promptrial.store.change_records import Growth
from promptrial.store.part_records import FileRecord

__all__ = ["check_facts", "check_trial", "digest_of_facts", "requests_path"]


class _PartRow(msgspec.Struct):
    """What the build phase says about a part: a ``model.Part`` and its name."""

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


class _Facts(msgspec.Struct):
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
    """What a trial manifest says about its trial, as far as it is read back."""

    conditions: list[str] | None = None
    provider: str | None = None
    adapter: str | None = None
    model_id: str | None = None
    model_alias: str | None = None
    prompt_set: str | None = None


def digest_of_facts(facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of facts as compact JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()


def check_facts(
    folder: str, facts: Mapping[str, Any], sha256: str | msgspec.UnsetType, artifacts: Mapping[str, FileRecord]
) -> None:
    """Check the facts of the manifest of a folder, whose receipt has such artifacts.

    Raises
    ------
    ValueError
        If one has another shape than its readers expect, does not exist, or names a file outside the run; or if they do
        not have the digest that was written with them, or contradict each other or the receipt.
    """
    for name in _NEEDED.get(folder, ()):
        if name not in facts:
            raise ValueError(f"its facts have no {name!r}")
    found = msgspec.convert(dict(facts), _Facts)
    for name in (name for row in found.parts for name in (row.trial_slug, row.part)):
        if problem := name_problem(name):
            raise ValueError(f"{name!r}: {problem}")
    if sha256 is not msgspec.UNSET and sha256 != digest_of_facts(facts):
        raise ValueError("its facts are not those whose digest it holds")
    if (check := _CHECKS.get(folder)) is not None:
        check(found, artifacts)


def requests_path(slug: str, part: str) -> str:
    """Return how receipts name the request file of a part."""
    return f"batch_inputs/{slug}/{part}.jsonl"


def _check_built(facts: _Facts, artifacts: Mapping[str, FileRecord]) -> None:
    """Check that the parts are those that requests were written of, and that they share out all items."""
    paths = {requests_path(row.trial_slug, row.part) for row in facts.parts}
    if len(paths) < len(facts.parts) or paths != artifacts.keys() | facts.unrecorded.keys():
        raise ValueError("its parts are not those that it has request files of")
    for row in facts.parts:
        _check_part(row, artifacts.get(requests_path(row.trial_slug, row.part)))
    if facts.requests != sum(row.rows for row in facts.parts):
        raise ValueError("its parts do not have as many requests as the run")
    arms: dict[tuple[str, float], dict[str, list[_Span]]] = {}
    for row in facts.parts:
        by_arm = arms.setdefault((row.trial_slug, row.temp), {})
        by_arm.setdefault(row.condition, []).append(_Span(row.step, row.start, row.stop))
    for spans, *others in (tuple(by_arm.values()) for by_arm in arms.values()):
        if any(each != spans for each in others):
            raise ValueError("its parts do not hold the same items in each arm")
        if _items_in(spans) != facts.items:
            raise ValueError("its parts do not hold as many items as the run")


def _check_part(row: _PartRow, file: FileRecord | None) -> None:
    if row.part != part_name(row.temp, row.condition, row.index):
        raise ValueError(f"part {row.part!r} is not named by what it holds")
    if file is not None and file.rows is not None and file.rows != row.rows:
        raise ValueError(f"part {row.part!r} does not have as many rows as its request file")


class _Span(NamedTuple):
    """The items of a part: positions among those that a step added."""

    step: int
    start: int
    stop: int


def _items_in(spans: Iterable[_Span]) -> int:
    """Return how many items parts hold; within each step they must follow on each other, from the first on."""
    stops: dict[int, int] = {}
    for step, start, stop in sorted(spans):
        if start != stops.get(step, 0) or stop < start:
            raise ValueError("its parts leave out items, or hold some twice")
        stops[step] = stop
    return sum(stops.values())


def _check_prepared(facts: _Facts, _artifacts: Mapping[str, FileRecord]) -> None:
    if facts.items != sum(source.items for source in facts.sources.values()):
        raise ValueError("its sources do not have as many items as the run")


_CHECKS: Final[Mapping[str, Callable[[_Facts, Mapping[str, FileRecord]], None]]] = {
    "batch_inputs": _check_built,
    "prepared": _check_prepared,
}
"""What facts and receipt must agree in, by the folder of the manifest."""


def check_trial(trial: Mapping[str, Any]) -> None:
    """Check the shape of what a trial's manifest says about the trial.

    Raises
    ------
    ValueError
        If something has another shape than its readers expect.
    """
    msgspec.convert(dict(trial), _Trial)

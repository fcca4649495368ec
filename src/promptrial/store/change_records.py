"""How a run has changed since it began, and what was agreed on: growth, corrections, seal, caps, consent."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from promptrial.documents.amounts import Count, UsdAmount

__all__ = [
    "Consent",
    "CorrectedSource",
    "Correction",
    "Drift",
    "Growth",
    "Pilot",
    "Rescored",
    "SampleSize",
    "Seal",
    "SpendingCaps",
]


class SampleSize(msgspec.Struct, frozen=True, omit_defaults=True):
    """How large a sample may be: ``limit_items``, and the ``size`` of each data set in order; None is all there are."""

    limit_items: int | None = None
    sizes: dict[str, int | None] = {}


class Growth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One growth of a run, recorded before its first new item is drawn.

    ``config_hash`` is the digest of the configuration before it; ``parts_per_dataset`` and ``lines_per_part`` are how
    the requests before it were cut into parts. ``statistics`` says whether statistics of the smaller sample existed.
    """

    config_hash: str
    before: SampleSize
    after: SampleSize
    parts_per_dataset: int | None = None
    lines_per_part: int | None = None
    statistics: bool = False


class CorrectedSource(msgspec.Struct, frozen=True, kw_only=True):
    """A question file that was corrected: its digest from then on, and how many questions of the sample differ."""

    sha256: str
    questions: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Question files, by data set, that were corrected in what is not sent; recorded before *prepare* reads them."""

    at: str
    sources: dict[str, CorrectedSource]


Drift = TypedDict("Drift", {"at": str, "from": NotRequired[str | None], "keys": list[str]})
Drift.__doc__ = """Changes of the configuration that were forced: when, from which digest, and a line for each key."""
Rescored = TypedDict("Rescored", {"at": str, "from": str, "keys": list[str]})
Rescored.__doc__ = """The same of keys that ask nothing."""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """That the analysis plan was sealed: its SHA-256, when, and how many changes of each kind were on record then."""

    sha256: str
    at: str
    changes: dict[str, Count] = {}


class SpendingCaps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The most that may be spent, in USD, as given last: by the run, and by all runs of its folder in one month.

    ``configured_usd`` is what the configuration said about the first when it did; ``part_usd`` is the most that a part
    may reserve, by which its requests were cut.
    """

    max_usd: UsdAmount | None = None
    month_max_usd: UsdAmount | None = None
    configured_usd: UsdAmount | None = None
    part_usd: UsdAmount | None = None


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run was allowed to spend, recorded before it sent anything: by when, how, and up to what.

    ``usd`` is the most that it may come to, ``unpriced`` the most requests whose price is not known.
    """

    at: str
    how: Literal["terminal", "flag", "cap", "unattended", "threshold"]
    usd: UsdAmount = 0.0
    unpriced: Count = 0


class Pilot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run that asks so many items of each data set first. It has ``passed`` once it asks the others too."""

    items: Annotated[int, msgspec.Meta(ge=1)]
    passed: bool = False

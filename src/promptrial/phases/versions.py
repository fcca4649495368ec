"""What a receipt says about the code that made an artifact: only what differs from the first version of the records.

A receipt that says nothing of a version therefore counts as the first, and the runs of older programs stay done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from promptrial import registry
from promptrial.design.plan import InputKind
from promptrial.documents.missing import MissingRule
from promptrial.model.arms import ArmName, compared_arms, contrasts_of
from promptrial.store.tables import Column

__all__ = [
    "added_columns",
    "beside_labels",
    "declared",
    "input_kind",
    "schema",
    "several_arms",
    "statistics",
    "subgroups",
    "under_looks",
]

_FIRST_STATISTICS: Final = (
    "score",
    "mcnemar",
    "paired_difference",
    "cr2",
    "bootstrap",
    "permutation",
    "wilcoxon",
    "effect_size",
    "tost",
)


def statistics() -> dict[str, str]:
    """Return the version of each statistic that is new or changed, and ``none`` for one that is gone."""
    versions = {name: registry.STATISTIC_VERSIONS.get(name, 1) for name in registry.STATISTICS}
    gone = {f"statistic {name}": "none" for name in _FIRST_STATISTICS if name not in versions}
    other = {name: version for name, version in versions.items() if name not in _FIRST_STATISTICS or version != 1}
    return gone | {f"statistic {name}": str(version) for name, version in other.items()}


def several_arms(names: Sequence[ArmName]) -> dict[str, str]:
    """Return the version of what is made of several contrasts at once: nothing for a trial with fewer than two.

    Trials of earlier versions were corrected by Holm's method over all contrasts, and say nothing.
    """
    return {"several arms": "max-T"} if len(contrasts_of(compared_arms(names))) > 1 else {}


def declared(*, trend: bool, pooled: bool) -> dict[str, str]:
    """Return the versions of the trend and of effects over several data sets: nothing of what is not declared.

    Earlier versions took the variances of fewer than five data sets as known, gave both of an endpoint that a stopping
    rule looks at, and had no cautions; they say nothing.
    """
    versions = {"trend of scores": "with cautions"} if trend else {}
    return versions | ({"several data sets": "estimated variances"} if pooled else {})


def subgroups(columns: Sequence[str]) -> dict[str, str]:
    """Return the version of differences between subgroups, whose clusters may be the same: nothing without a column.

    Earlier versions counted the degrees of freedom of such clusters in both, and say nothing.
    """
    return {"clusters in several subgroups": "count once"} if columns else {}


def under_looks() -> dict[str, str]:
    """Return the version of how other tests are corrected beside an endpoint that a stopping rule decides.

    Earlier versions counted it among the tests that they corrected together, and say nothing.
    """
    return {"corrected beside looks": "alone"}


def beside_labels(names: Sequence[ArmName], missing: MissingRule) -> dict[str, str]:
    """Return the version of the measured effect beside one that labels correct, where it is not the reported one.

    Earlier versions gave the reported one, though it can be over more items, and say nothing.
    """
    return {"measured beside labels": "of the same items"} if missing == "failure" or len(names) > 2 else {}


def schema(version: int, first: int) -> dict[str, str]:
    """Return the version of a document's schema, if it is not the first."""
    return {} if version == first else {"schema": str(version)}


def added_columns(columns: Sequence[Column], first: int) -> dict[str, str]:
    """Return the names of the columns after the first ones of a table, if there are any.

    The first ones keep their names, kinds and order; where one of them means something else, the phase has another
    version.
    """
    return {"columns": ", ".join(name for name, _ in columns[first:])} if len(columns) > first else {}


def input_kind(name: str) -> InputKind:
    """Return of what kind an input is, by its name in a receipt."""
    if name in {"plan", "questions"}:
        return "values"
    if name in registry.PHASES:
        return "upstream"
    return "scorers" if name.partition(" ")[0] in {"scorer", "scorers", "subgroups"} else "program"

"""What few clusters or questions do to intervals and p-values: the warnings that say so. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeVar

from promptrial.documents.density import Remarked, remarked
from promptrial.documents.significance import Endpoint
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import counted
from promptrial.reporting.findings import where_words
from promptrial.reporting.tables.contrasts import named_contrast
from promptrial.reporting.tables.words import listing

__all__ = ["FewKind", "few_said"]

FewKind = Literal["clusters", "questions"]
_Said = TypeVar("_Said", bound=Hashable)
_QUESTION: Final = "question"
_HASH: Final = re.compile(r"p[0-9a-f]{16}")
"""The name of a cluster of questions on one passage, which tells a reader nothing."""
_FEW: Final = re.compile(r"only \d+ (?:cluster|pair)s?(?:: no p-value can reach (\S+); at least (\d+) are needed)?")


def few_said(rows: Sequence[Endpoint], noun: str, arms: Mapping[ArmName, str]) -> Iterator[tuple[FewKind, str]]:
    """Yield what few clusters, or few questions where none share one, do to intervals and p-values.

    Where that is not true of all endpoints alike, the measures are named. ``noun`` is what a cluster is called.
    """
    kinds: tuple[tuple[FewKind, bool], ...] = (("clusters", True), ("questions", False))
    for kind, clustered in kinds:
        of_kind = [row for row in rows if row.clustered == clustered]
        said = _said(rows, of_kind, noun if clustered else _QUESTION, arms)
        yield from ((kind, text) for text in dict.fromkeys(said))


def _said(
    rows: Sequence[Endpoint], of_kind: Sequence[Endpoint], noun: str, arms: Mapping[ArmName, str]
) -> Iterator[str]:
    """Yield what there is to say about some of the rows."""
    for said in (_few_units, _large_cluster):
        found = _grouped(of_kind, partial(said, noun), rows, arms)
        for text, names in found.items():
            yield text if len(found) == 1 else f"{listing(names)}: {text}"
    for (remark, widened), names in _grouped(of_kind, _sparse, rows, arms).items():
        yield f"{listing(names)} {_sparse_text(remark, noun, widened=widened, several=len(names) > 1)}"


def _grouped(
    of_kind: Sequence[Endpoint],
    said: Callable[[Endpoint], Iterable[_Said]],
    rows: Sequence[Endpoint],
    arms: Mapping[ArmName, str],
) -> dict[_Said, list[str]]:
    """Return what is said about some of the rows, each with the names of those that it is said about."""
    found: dict[_Said, list[str]] = {}
    for row in of_kind:
        for text in said(row):
            found.setdefault(text, []).append(_named(row, rows, arms))
    return {text: list(dict.fromkeys(names)) for text, names in found.items()}


def _named(row: Endpoint, rows: Sequence[Endpoint], arms: Mapping[ArmName, str]) -> str:
    """Return the measure of a row, with its contrast and temperature where there are several."""
    contrast = f" ({named_contrast(row.compared, arms)})" if len({each.compared for each in rows}) > 1 else ""
    return where_words(row.metric, row.temp, several=len({each.temp for each in rows}) > 1) + contrast


def _few_units(noun: str, row: Endpoint) -> Iterator[str]:
    """Yield what few of them do, unless the verdict itself says that they are too few."""
    found = next(filter(None, map(_FEW.match, row.cautions)), None)
    if found is None or row.p is None or (row.clusters_needed is not None and not row.significant):
        return
    if found[1] is not None:
        effect = f"no p-value can reach {found[1]}; at least {found[2]} are needed"
    else:
        narrow = any(not widened for _, widened in _sparse(row))  # it is then said to be perhaps too narrow
        said = ["the interval is wide"] if row.ci_low is not None and not narrow else []
        effect = " and ".join([*said, *(["the p-value is coarse"] if "p-value" in found.string else [])])
    if effect:
        yield f"there are only {counted(row.n_clusters, noun)}, so {effect}."


def _large_cluster(noun: str, row: Endpoint) -> Iterator[str]:
    if row.largest_cluster_share is not None:
        is_named = row.largest_cluster is not None and not _HASH.fullmatch(row.largest_cluster)
        name = f" ({row.largest_cluster})" if is_named else ""
        yield f"the largest {noun}{name} has {100 * row.largest_cluster_share:.0f}% of the questions."


def _sparse(row: Endpoint) -> Iterator[tuple[Remarked, bool]]:
    """Yield what is said about sparse data, and whether the interval was widened for them."""
    for text in row.cautions:
        if found := remarked(text):
            yield found, text.startswith("too sparse")


def _sparse_text(found: Remarked, noun: str, *, widened: bool, several: bool) -> str:
    """Return how measures differ and what that does to the interval; ``several`` says whether it is more than one."""
    all_of, s = counted(found.of, noun), "" if several else "s"
    if found.why == "alike":
        same = f"ha{'ve' if several else 's'} the same mean difference in all {all_of}"
        return f"{same}; the interval was widened to allow for this."
    if found.why == "one_way":
        others = "all" if 0 in (found.gains, found.losses) else "almost all"
        ways = f"rise{s} in {found.gains} of {all_of} and fall{s} in {found.losses}"
        return f"{ways}; the interval was widened because {others} differences go one way."
    few = f"only {found.differ}" if found.differ else "none"
    effect = "was widened to allow for this" if widened else "is approximate and may be too narrow"
    return f"differ{s} in {few} of {all_of}; the interval {effect}."

"""What few clusters or questions do to intervals and p-values: the warnings that say so. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal

from promptrial.documents.significance import Endpoint
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import counted
from promptrial.reporting.findings import where_words
from promptrial.reporting.tables.contrasts import named_contrast
from promptrial.reporting.tables.words import listing

__all__ = ["FewKind", "few_said"]

FewKind = Literal["clusters", "questions"]
_QUESTION: Final = "question"
_HASH: Final = re.compile(r"p[0-9a-f]{16}")
"""The name of a cluster of questions on one passage, which tells a reader nothing."""
_DIFFER: Final = re.compile(r"pairs differ in (\d+) of (\d+) (?:clusters|items)")
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
    """Yield what there is to say of some of the rows."""
    for said in (_few_units, _large_cluster):
        found = _by_text(of_kind, partial(said, noun), rows, arms)
        for text, names in found.items():
            yield text if len(found) == 1 else f"{listing(names)}: {text}"
    for text, names in _by_text(of_kind, partial(_same_scores, noun), rows, arms).items():
        yield f"{listing(names)} differs in {text}"


def _by_text(
    of_kind: Sequence[Endpoint],
    said: Callable[[Endpoint], Iterable[str]],
    rows: Sequence[Endpoint],
    arms: Mapping[ArmName, str],
) -> dict[str, list[str]]:
    """Return what is said of some of the rows, each text with those that it is said of."""
    found: dict[str, list[str]] = {}
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
        said = ["the interval is wide"] if row.ci_low is not None else []
        effect = " and ".join([*said, *(["the p-value is coarse"] if "p-value" in found.string else [])])
    yield f"there are only {counted(row.n_clusters, noun)}, so {effect}."


def _large_cluster(noun: str, row: Endpoint) -> Iterator[str]:
    if row.largest_cluster_share is not None:
        is_named = row.largest_cluster is not None and not _HASH.fullmatch(row.largest_cluster)
        name = f" ({row.largest_cluster})" if is_named else ""
        yield f"the largest {noun}{name} has {100 * row.largest_cluster_share:.0f}% of the questions."


def _same_scores(noun: str, row: Endpoint) -> Iterator[str]:
    for text in row.cautions:
        if found := _DIFFER.search(text):
            effect = (
                "the interval was widened to allow for this"
                if text.startswith("too sparse")
                else "the interval is approximate and may be too narrow"
            )
            few = f"only {found[1]}" if int(found[1]) else "none"
            yield f"{few} of {counted(int(found[2]), noun)}; {effect}."

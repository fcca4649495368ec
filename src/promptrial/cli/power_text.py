"""The section of a plan that says what the run can show: a few lines of a table, and what they rest on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from promptrial.design.power import POWERS, PowerRow
from promptrial.documents.usual import DIFFERENCES
from promptrial.stats.student import normal_quantile

if TYPE_CHECKING:
    from promptrial.phases.planned_power import PlannedPower

__all__ = ["power_lines"]

_MOST_ROWS: Final = 4
_MOST_NOTES: Final = 2
_LABEL: Final = 26
_NO_FIGURE: Final = "-"
_DIFFERENCES: Final = [f"{100 * each:g}" for each in DIFFERENCES]
"""In points."""
_IN_POINTS: Final = f"{', '.join(_DIFFERENCES[:-1])} and {_DIFFERENCES[-1]}"
_WIDTHS: Final = (10, 8, 8, 7)


def power_lines(power: PlannedPower) -> list[str]:
    """Return what the primary endpoints can show; rows of several trials or contrasts that are the same are one."""
    if power.absent:
        return [f"power: not known until the questions of {', '.join(power.absent)} are downloaded from the hub"]
    notes = [f"note: {note}" for note in power.notes[:_MOST_NOTES]]
    groups = _grouped(power.rows)
    if not groups:
        return notes
    if len(groups) > _MOST_ROWS:
        groups = [rows for rows in groups if _is_safest(rows[0])]
    left = len(groups) - _MOST_ROWS
    return [
        f"power at {_level(power.rows)}: smallest detectable difference,",
        f"in points, and items needed for {_IN_POINTS} points ({POWERS[0]:.0%} power)",
        f"{'':<{_LABEL}}{'items':>7}" + "".join(f"{power:>7.0%}" for power in POWERS) + _in_columns(_DIFFERENCES),
        *(_line(rows, groups) for rows in groups[:_MOST_ROWS]),
        *([f"  and {left} more: see --json"] if left > 0 else []),
        *_absent([rows[0] for rows in groups[:_MOST_ROWS]]),
        *_sources(power.rows),
        *notes,
    ]


def _is_safest(row: PowerRow) -> bool:
    """Tell whether a row asks for the most items of those of its endpoint that differ in what is assumed."""
    return row.design is None or not _assumed_icc(row) or row.design.icc == max(row.assumed.icc)


def _grouped(rows: Sequence[PowerRow]) -> list[list[PowerRow]]:
    """Return rows that say the same, together."""
    groups: dict[tuple[object, ...], list[PowerRow]] = {}
    for row in rows:
        endpoint = row.endpoint
        said = (endpoint.scores, endpoint.temp, endpoint.replicates, endpoint.estimated, row.design, row.reason)
        groups.setdefault(said, []).append(row)
    return list(groups.values())


def _level(rows: Iterable[PowerRow]) -> str:
    """Return the level of the tests in words."""
    families = {(row.tests, row.alpha) for row in rows}
    if len(families) > 1:
        return "levels by Holm in each trial"
    ((tests, alpha),) = families
    return f"level {alpha:.3g}" + (f" (Holm over {tests} tests)" if tests > 1 else "")


def _line(rows: Sequence[PowerRow], groups: Sequence[Sequence[PowerRow]]) -> str:
    row = rows[0]
    start = f"  {_label(rows, groups):<{_LABEL - 2}}{row.endpoint.scores.items:>7,}"
    if row.reason:
        return f"{start}  {row.reason}"
    cells = [f"{_points(each):>7}" for each in row.smallest]
    return start + "".join(cells) + _in_columns([_count(n) for n in row.needed])


def _in_columns(counts: Sequence[str]) -> str:
    """Return what is shown below each difference."""
    return "".join(f"{each:>{width}}" for each, width in zip(counts, _WIDTHS, strict=True))


def _absent(rows: Sequence[PowerRow]) -> Iterator[str]:
    """Yield why cells have no figure."""
    if any(each is None for row in rows for each in row.smallest):
        yield f"  {_NO_FIGURE}: under these assumptions, no difference can be detected, however large"
    if any(each is None for row in rows for each in row.needed):
        yield f"  {_NO_FIGURE}: a difference of that size is impossible, or needs over a billion items"


def _label(rows: Sequence[PowerRow], groups: Sequence[Sequence[PowerRow]]) -> str:
    """Return the measure, and what else tells the row from the others."""
    endpoint, everything = rows[0].endpoint, [row for group in groups for row in group]
    said = [endpoint.scores.metric]
    if len({row.endpoint.temp for row in everything}) > 1:
        said.append(f"t{endpoint.temp:g}")
    if rows[0].design is not None and endpoint.scores.clustered:
        said.append(f"icc {rows[0].design.icc:.2g}")
    others = [f"{len(names)} {what}" for what, names in _others(rows).items() if len(names) > 1]
    return _cut(" ".join(said + ([f"({', '.join(others)})"] if others else [])), _LABEL - 3)


def _others(rows: Sequence[PowerRow]) -> dict[str, set[str]]:
    return {
        "trials": {row.endpoint.trial for row in rows},
        "arms": {row.endpoint.contrast for row in rows},
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _points(share: float | None) -> str:
    return _NO_FIGURE if share is None else f"{100 * share:.3g}"


def _count(n: int | None) -> str:
    return _NO_FIGURE if n is None else f"{n:,}"


# --- what the figures rest on -----------------------------------------------------------------------------------------


def _sources(rows: Sequence[PowerRow]) -> Iterator[str]:
    """Yield where the figures come from: scores that there are, and what is stated."""
    known = [row for row in rows if row.design is not None]
    for row in _each_estimate(known)[:2]:
        yield "  " + _estimate(row)
    if assumptions := list(_assumptions(known)):
        yield f"  assumed: {'; '.join(assumptions)}"


def _each_estimate(rows: Sequence[PowerRow]) -> list[PowerRow]:
    found: dict[tuple[str, float], PowerRow] = {}
    for row in rows:
        if row.endpoint.estimated is not None:
            found.setdefault((row.endpoint.scores.metric, row.endpoint.temp), row)
    return list(found.values())


def _assumed_icc(row: PowerRow) -> bool:
    return row.endpoint.estimated is None or row.endpoint.estimated.icc is None


def _estimate(row: PowerRow) -> str:
    found, scores = row.endpoint.estimated, row.endpoint.scores
    if found is None:
        return ""
    said = f"{scores.metric}, from {found.pairs:,} items scored in this run: "
    if row.endpoint.binary:
        low, high = _wilson(found.discordance, found.pairs)
        said += (
            f"at most {found.discordance:.1%} differ"
            if found.at_most
            else f"{found.discordance:.1%} differ ({low:.0%} to {high:.0%})"
        )
    else:
        said += f"differences of {'at most ' if found.at_most else ''}{found.sd:.2g} (sd)"
    effect = "" if row.design is None or _assumed_icc(row) else f", design effect {row.design.design_effect:.2g}"
    return said + (effect if scores.clustered else "")


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95% limits of a share."""
    z = normal_quantile(0.975)
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


def _assumptions(rows: Sequence[PowerRow]) -> Iterator[str]:
    """Yield what is assumed, as no scores say it; each once."""
    stated = [row for row in rows if row.endpoint.estimated is None]
    if any(row.endpoint.scores.scale == "binary" for row in stated):
        yield f"0/1 scores differ on {100 * stated[0].assumed.discordance:.3g}% of items"
    if any(row.endpoint.scores.scale == "continuous" for row in stated):
        yield f"other scores by {stated[0].assumed.sd:.3g} of their range (sd)"
    if any(row.design is not None and row.design.within for row in stated):
        yield f"{stated[0].assumed.within:.0%} of it between replicates"
    guessed = [row for row in rows if row.endpoint.scores.clustered and _assumed_icc(row)]
    if guessed:
        icc = " or ".join(f"{each:g}" for each in guessed[0].assumed.icc)
        yield f"an intraclass correlation (icc) of {icc} in a passage"

"""Sheets for people who label answers: a random, blinded sample of items with all their arms.

Whole clusters are drawn, each with the same probability. No cell names an arm: answers have letters that are shuffled
for each item, and ids from which no arm can be read. A sheet needs nothing beside the run to be read back.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptrial.documents.label_sheets import COLUMNS
from promptrial.documents.printable import defused_cell
from promptrial.errors import UsageError
from promptrial.phases.labelled import answer_digest, answer_ids, clusters_of, said
from promptrial.phases.side_by_side import SideBySide
from promptrial.stats.streams import stream

__all__ = ["Sheet", "draw_sheet", "written"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its bytes, and what is in it. ``probability`` is that of each item, and cluster, to be drawn."""

    data: bytes
    n_items: int
    n_clusters: int
    n_answers: int
    probability: float
    n_all_items: int


def temperature_place(sides: SideBySide, temp: float | None) -> int:
    """Return the place of a temperature, of the first without one, at which each arm answered each item once.

    Raises
    ------
    UsageError
        If there is no such temperature, or several answers to an item.
    """
    temps = sides.trial.temps
    if temp is not None and temp not in temps:
        raise UsageError(f"--temp {temp:g}: not a temperature of this trial",
                         hint=f"give one of {', '.join(f'{each:g}' for each in temps)}")  # fmt: skip
    place = 0 if temp is None else temps.index(temp)
    if sides.answered[_units(sides, place)].max(initial=0) > 1:
        raise UsageError(
            f"several answers of an arm to an item at temperature {temps[place]:g}: labels are for one each",
            hint="choose a temperature with one answer with --temp T",
        )
    return place


def _units(sides: SideBySide, place: int) -> slice:
    return slice(place * sides.n_items, (place + 1) * sides.n_items)


def draw_sheet(sides: SideBySide, measure: str, n: int, seed: int, temp: float | None = None) -> Sheet:
    """Draw a sheet of about ``n`` items: whole clusters, until that many items are expected.

    Only items that every arm answered, and to which the measure applies in each, can be drawn.

    Raises
    ------
    UsageError
        If there are fewer than two such items.
    """
    place = temperature_place(sides, temp)
    eligible = np.flatnonzero(np.isfinite(sides.scores[measure][_units(sides, place)]).all(axis=1))
    if len(eligible) < 2:
        raise UsageError(f"{measure}: fewer than two items have this score in every arm",
                         hint="name another measure with --measure NAME")  # fmt: skip
    clusters = clusters_of(sides, eligible)
    n_clusters = int(clusters.max()) + 1
    drawn = min(max(math.ceil(n * n_clusters / len(eligible) - 1e-9), 1), n_clusters)
    rng = stream(seed, "labels", sides.trial.slug, place)
    chosen = np.isin(clusters, rng.permutation(n_clusters)[:drawn])
    items = rng.permutation(eligible[chosen])
    probability = drawn / n_clusters
    rows = list(_rows(sides, place, items, (f"{probability:.6g}", defused_cell(measure)), rng))
    return Sheet(written(rows), len(items), drawn, len(rows), probability, len(eligible))


def _rows(
    sides: SideBySide, place: int, items: npt.NDArray[np.int64], drawn: tuple[str, str], rng: np.random.Generator
) -> Iterator[list[object]]:
    orders = [rng.permutation(len(sides.arms)) for _ in items]
    units = [place * sides.n_items + int(item) for item in items]
    answers = dict(zip(units, sides.answers_of(units), strict=True))
    texts = {unit: sides.item(unit) for unit in sorted(units)}
    ids = {at: id_ for id_, at in answer_ids(sides).items()}
    for number, (unit, order) in enumerate(zip(units, orders, strict=True), start=1):
        item = texts[unit]
        for letter, arm in zip(_letters(len(order)), order, strict=True):
            (answer,) = answers[unit][sides.arms[arm]]
            asked = (item.question, item.context or "", " | ".join(item.answers), said(answer))
            marks = (ids[unit, int(arm)], answer_digest(answer))
            yield [number, letter, *map(defused_cell, asked), "", *drawn, *marks]


def _letters(n: int) -> list[str]:
    return [chr(ord("A") + at) if at < 26 else f"A{at}" for at in range(n)]


def written(rows: Iterable[Sequence[object]]) -> bytes:
    """Return the bytes of a sheet with these rows."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode("utf-8-sig")  # a spreadsheet takes it for UTF-8 then

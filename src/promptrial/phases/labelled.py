"""Labels of people on the answers of a trial: each is found by its id, and checked against the answer. Reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from promptrial.datasets.clusters import cluster_id
from promptrial.documents.label_sheets import LabelRow, LabelSheet, refuse
from promptrial.documents.scorers import Declaration
from promptrial.errors import DataError
from promptrial.model import Trial, ids
from promptrial.model.arms import ArmName
from promptrial.phases.prepared import item_keys
from promptrial.phases.scorers import made_by
from promptrial.phases.side_by_side import Answer, SideBySide
from promptrial.registry import PAIRWISE
from promptrial.store.rundir import RunDir

__all__ = [
    "Labels",
    "RaterLabels",
    "answer_digest",
    "answer_ids",
    "check_label",
    "clusters_of",
    "compared_with",
    "expected_labels",
    "labels_in",
    "labels_of",
    "prepared_ids",
    "said",
]

_DIGITS: Final = 16
_STALE: Final = (
    "leave this sheet out, and draw a new one with promptrial label: a label holds for the answer that a person saw"
)
_MEND: Final = "leave this sheet out if it is another run's; else correct these rows, or draw a new one"


@dataclass(frozen=True, slots=True, eq=False)
class RaterLabels:
    """The labels of one person by item and arm, shape (n_items, n_arms); NaN without one.

    ``n_answers`` counts the answers of the sheet, ``empty`` those that were left without a label.
    """

    rater: str
    file: str
    values: npt.NDArray[np.float64]
    n_answers: int
    empty: int


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of one or several people, for one measure, at the temperature of place ``place``.

    ``control`` is the place of the arm that the measure compares all others with, and whose score says nothing; None
    for a measure of single answers.
    """

    measure: str
    place: int
    raters: tuple[RaterLabels, ...]
    control: int | None = None

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """All labels, shape (n_raters, n_items, n_arms)."""
        return np.stack([each.values for each in self.raters])


def answer_ids(sides: SideBySide) -> dict[str, tuple[int, int]]:
    """Return the id of each answer of a trial, with its unit and the place of its arm.

    An id says neither the arm nor the item, and is the same in a copy of the run under another id.
    """
    units = [sides.unit(number) for number in range(len(sides))]
    return {
        _answer_id(sides.trial, unit.temp, sides.keys[unit.position], arm): (number, place)
        for number, unit in enumerate(units)
        for place, arm in enumerate(sides.arms)
    }


def prepared_ids(run: RunDir, trials: Sequence[Trial]) -> set[str]:
    """Return the ids of the answers of trials to every prepared item, whether they are scored or not."""
    keys = [ids.item_key(key.dataset, key.id) for key in item_keys(run)] if trials else []
    return {
        _answer_id(trial, temp, key, arm)
        for trial in trials
        for temp in trial.temps
        for key in keys
        for arm in trial.arms_run
    }


def _answer_id(trial: Trial, temp: float, key: str, arm: ArmName) -> str:
    whole = f"{trial.slug}\0{temp!r}\0{key}\0{arm}"
    return "a" + hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]


def answer_digest(answer: Answer) -> str:
    """Return what notices that an answer has changed."""
    return "d" + hashlib.sha256(said(answer).encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def said(answer: Answer) -> str:
    """Return an answer as people read it."""
    return answer.text if answer.text is not None else f"[{answer.error or 'no text'}]"


def clusters_of(sides: SideBySide, positions: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the cluster of each item, as a code from 0, in the order of the positions."""
    names = [cluster_id(sides.item(int(position))) for position in positions]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def labels_of(sheets: Sequence[LabelSheet], sides: SideBySide) -> Labels:
    """Return what sheets of one measure say about a trial.

    Raises
    ------
    DataError
        If a sheet is none of this trial, its answers are others by now, a label is off the scale, or the sheets are
        not all of one measure and temperature, each by another person.
    """
    found = list(labels_in(sheets, sides))
    if len(found) > 1:
        said_ = " and ".join(f"{each.measure} at temperature {sides.trial.temps[each.place]:g}" for each in found)
        raise DataError(f"the sheets are of {said_}", hint="read those of one measure and temperature at a time")
    return found[0]


def labels_in(sheets: Sequence[LabelSheet], sides: SideBySide, elsewhere: Collection[str] = ()) -> Iterator[Labels]:
    """Yield what sheets say about a trial, by measure and temperature; a sheet of another trial is passed over.

    Parameters
    ----------
    sheets : sequence of LabelSheet
    sides : SideBySide
    elsewhere : collection of str
        The ids of the answers of other trials of the run.

    Raises
    ------
    DataError
        As ``labels_of``.
    """
    known, groups = answer_ids(sides), dict[tuple[str, int], list[RaterLabels]]()
    for sheet in sheets:
        if not any(row.id in known for row in sheet.rows) and all(row.id in elsewhere for row in sheet.rows):
            continue
        place, labels = _matched(sheet, sides, known)
        group = groups.setdefault((sheet.measure, place), [])
        if (other := next((each for each in group if each.rater == labels.rater), None)) is not None:
            raise DataError(
                f"{sheet.file}: {other.file} has labels of {sheet.measure} by {labels.rater!r} too",
                hint="let each file have the name of its rater, or name them with `rater`",
            )
        group.append(labels)
    for (measure, place), raters in groups.items():
        yield Labels(measure, place, tuple(raters), compared_with(sides, measure))


def compared_with(sides: SideBySide, measure: str) -> int | None:
    """Return the place of the arm whose answers a judge of pairs compares all others with; None for other measures."""
    made = made_by(sides.run.trial(sides.trial.slug).results)
    if made[measure]["type"] != PAIRWISE:
        return None
    return sides.arms.index(next(iter(sides.contrasts)).sides[0])


def _matched(sheet: LabelSheet, sides: SideBySide, known: dict[str, tuple[int, int]]) -> tuple[int, RaterLabels]:
    """Return the place of the temperature that a sheet was drawn at, and its labels."""
    scorer = _scorer(sheet, sides)
    refuse(sheet.file, [*_unknown(sheet.rows, known), *_off_scale(sheet.rows, scorer)], _MEND)
    found = [known[row.id] for row in sheet.rows]
    place = found[0][0] // sides.n_items
    refuse(sheet.file, [*_changed(sheet, sides, found), *_mixed(sheet, sides, found, place)], _STALE)
    values = np.full((sides.n_items, len(sides.arms)), np.nan)
    for row, (unit, arm) in zip(sheet.rows, found, strict=True):
        values[unit % sides.n_items, arm] = float(row.label) if row.label else np.nan
    control = compared_with(sides, sheet.measure)
    if control is not None:  # 1 where the control is worse, 0 where it is better, as the judge has it
        values = 0.5 + (values - values[:, [control]]) / 2
    empty = sum(not row.label for row in sheet.rows)
    return place, RaterLabels(sheet.rater, sheet.file, values, len(sheet.rows), empty)


def _scorer(sheet: LabelSheet, sides: SideBySide) -> Declaration:
    """Return what the measure of a sheet declares of itself."""
    if sheet.measure not in sides.scorers:
        raise DataError(
            f"{sheet.file}: column measure: {sheet.measure[:40]!r}, expected one score of {sides.trial.slug}",
            hint=f"its scores: {', '.join(sides.scorers)}; draw a new sheet with promptrial label",
        )
    return sides.scorers[sheet.measure]


def _unknown(rows: Sequence[LabelRow], known: dict[str, tuple[int, int]]) -> Iterator[str]:
    for row in rows:
        if row.id not in known:
            yield f"line {row.line}: id {row.id[:40]!r} is no answer of this trial"


def _off_scale(rows: Sequence[LabelRow], scorer: Declaration) -> Iterator[str]:
    for row in rows:
        if row.label and not check_label(row.label, scorer):
            yield f"line {row.line}: label {row.label[:40]!r}, expected {expected_labels(scorer)}"


def expected_labels(scorer: Declaration) -> str:
    """Return in words which labels a measure allows."""
    low, high = scorer.range
    return f"{low:g} or {high:g}" if scorer.scale == "binary" else f"a number from {low:g} to {high:g}"


def check_label(label: str, scorer: Declaration) -> bool:
    """Return whether a label is on the scale of a measure."""
    low, high = scorer.range
    try:
        value = float(label)
    except ValueError:
        return False
    return value in {low, high} if scorer.scale == "binary" else low <= value <= high


def _changed(sheet: LabelSheet, sides: SideBySide, found: Sequence[tuple[int, int]]) -> Iterator[str]:
    texts = sides.answers_of([unit for unit, _ in found])
    for row, (_, arm), answers in zip(sheet.rows, found, texts, strict=True):
        if [answer_digest(each) for each in answers[sides.arms[arm]]] != [row.digest]:
            yield f"line {row.line}: the answer is another one by now"


def _mixed(sheet: LabelSheet, sides: SideBySide, found: Sequence[tuple[int, int]], place: int) -> Iterator[str]:
    for row, (unit, _) in zip(sheet.rows, found, strict=True):
        if unit // sides.n_items != place:
            yield f"line {row.line}: an answer at another temperature than the first one"

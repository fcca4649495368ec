"""From answers to the table that the statistics take: the chosen arms, replicates averaged, items in one order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from promptrial.comparison.elsewhere.collecting import Answers
from promptrial.comparison.elsewhere.rows import unknown
from promptrial.documents.subgroups import MOST_LEVELS, NO_VALUE
from promptrial.errors import UsageError
from promptrial.model.arms import ARM_PATTERN, PAIR, ArmName
from promptrial.stats.pairing import FloatArray, IntArray, ScoreTable

__all__ = ["ChosenArms", "chosen_arms", "score_table"]

_LONGEST: Final = 32


@dataclass(frozen=True, slots=True)
class ChosenArms:
    """The arms to compare, control first: ``names`` as the files have them, ``places`` among the arms of the answers.

    ``arms`` are what results call them: ``control``, and ``treatment`` or a name made from its own.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    arms: tuple[ArmName, ...]

    @property
    def labels(self) -> dict[ArmName, str]:
        """The name of each arm as the files have it."""
        return dict(zip(self.arms, self.names, strict=True))


def chosen_arms(known: Sequence[str], asked: Sequence[str], first: str | None) -> ChosenArms:
    """Return which arms are compared, and with which.

    Parameters
    ----------
    known : sequence of str
        In the order of the files; the first is the control unless another is named.
    asked : sequence of str
        The arms to compare: names, or names with commas between them. All, if empty.
    first : str, optional
        The arm that the others are compared with.

    Raises
    ------
    UsageError
        If a name is not known, or fewer than two arms are left.
    """
    listed = [name for text in asked for name in _meant(text, known)]
    for name in (*listed, *([] if first is None else [first])):
        if name not in known:
            raise UsageError(
                unknown("arm", name, list(known)), hint="name arms as the files do; promptrial analyze --help"
            )
    chosen = list(dict.fromkeys(listed)) or list(known)
    baseline = chosen[0] if first is None else first
    compared = (baseline, *(name for name in chosen if name != baseline))
    if len(compared) < 2:
        raise UsageError(
            f"there is only one arm ({baseline}), so nothing can be compared",
            hint="give another file: promptrial analyze base=FILE new=FILE, or name the column of arms with --arm",
        )
    return ChosenArms(compared, tuple(map(list(known).index, compared)), _as_arms(compared))


def _meant(text: str, known: Sequence[str]) -> list[str]:
    """Return the names in a text: it may be one name that has a comma itself."""
    return [text] if text in known else [name.strip() for name in text.split(",") if name.strip()]


def _as_arms(names: Sequence[str]) -> tuple[ArmName, ...]:
    if len(names) == len(PAIR):
        return PAIR
    found = [PAIR[0]]
    for name in names[1:]:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        plain = (plain if ARM_PATTERN.match(plain) else f"arm_{plain}")[: _LONGEST - 4].rstrip("_")
        plain = f"{plain}_arm" if plain in PAIR else plain
        number, unique = 1, plain
        while unique in found:
            number += 1
            unique = f"{plain}_{number}"
        found.append(unique)
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Where each answer of the chosen arms goes: one cell for each item in each arm, ``arm * n_items + item``."""

    n_items: int
    of_rows: IntArray

    def averaged(self, rows: IntArray, scores: FloatArray, n_arms: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Return mean, standard deviation and number of the scores in each cell; NaN where there are none."""
        cells = self.of_rows[rows]
        there = (cells >= 0) & ~np.isnan(scores)
        cells, scores, size = cells[there], scores[there], n_arms * self.n_items
        counts = np.bincount(cells, minlength=size)
        sums = np.bincount(cells, weights=scores, minlength=size)
        means = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
        if len(scores):  # round-off takes no mean out of the range of the scores
            means = np.clip(means, scores.min(), scores.max())
        squares = np.bincount(cells, weights=(scores - means[cells]) ** 2, minlength=size)
        deviations = np.sqrt(np.divide(squares, counts - 1, out=np.full(size, np.nan), where=counts > 1))
        return means, deviations, counts.astype(np.int64)

    def bare(self, answers: Answers, n_arms: int) -> IntArray:
        """Return how many answers in each cell name no measure at all, as those of requests that failed."""
        named = np.zeros(len(self.of_rows), dtype=np.bool_)
        for rows, _ in answers.measures.values():
            named[rows] = True
        n_replicates = int(answers.replicate.max(initial=0)) + 1
        answer = self.of_rows * n_replicates + answers.replicate
        bare = np.setdiff1d(answer[~named & (self.of_rows >= 0)], answer[named])
        return np.bincount(bare // n_replicates, minlength=n_arms * self.n_items)


def score_table(answers: Answers, chosen: ChosenArms, measures: Mapping[str, str]) -> tuple[ScoreTable, list[str]]:
    """Return the table, and the group of each of its items (empty where none has one).

    Parameters
    ----------
    answers : Answers
    chosen : ChosenArms
    measures : mapping of str to str
        Measure -> what the table calls it.

    Notes
    -----
    An item that is not the same in all arms, or has no answer in any chosen arm, is left out. Nothing says how many
    answers were planned: those of an item that are there, with a score or without, are all. An item without any in an
    arm lacks as many as the items of the arm usually have (their lower median).
    """
    kept, cells = _cells(answers, chosen)
    size = len(chosen.arms) * cells.n_items
    given, counts = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    means, deviations = {}, {}
    for measure, name in measures.items():
        rows, scores = answers.measures[measure]
        means[name], deviations[name], of_measure = cells.averaged(rows, scores, len(chosen.arms))
        counts = np.maximum(counts, of_measure)
        in_cells = cells.of_rows[rows]
        given = np.maximum(given, np.bincount(in_cells[in_cells >= 0], minlength=size))
    given += cells.bare(answers, len(chosen.arms))
    used = np.flatnonzero(given)
    arm, item = used // cells.n_items, used % cells.n_items
    groups, names = _levels(answers.group[kept], answers.groups)
    few = len(names) <= MOST_LEVELS
    cluster, cluster_names = _clusters(answers, kept)
    of_arms = given.reshape(len(chosen.arms), cells.n_items)
    table = ScoreTable(
        item_keys=[answers.items[code] for code in kept],
        dataset_names=names if few else ["all"],
        type_names=("closed",),
        item=item,
        dataset=groups[item] if few else np.zeros_like(item),
        cluster=cluster[item],
        type=np.zeros_like(item),
        arm=arm,
        temp=np.zeros(len(used)),
        n_samples=counts[used],
        metrics={name: column[used] for name, column in means.items()},
        deviations={name: column[used] for name, column in deviations.items()},
        planned_samples={(code, 0.0): _planned(of_arm) for code, of_arm in enumerate(of_arms)},
        cluster_names=cluster_names,
        arm_names=chosen.arms,
    )
    return table, [names[code] for code in groups] if (answers.group[kept] >= 0).any() else []


def _cells(answers: Answers, chosen: ChosenArms) -> tuple[IntArray, _Cells]:
    """Return the codes of the items that are kept, and where each answer goes; -1 for one that is left out."""
    arm_of = np.full(len(answers.arms), -1, dtype=np.int64)
    arm_of[list(chosen.places)] = np.arange(len(chosen.places))
    arm = arm_of[answers.arm]
    counted = (arm >= 0) & ~answers.differing[answers.item]
    kept = np.unique(answers.item[counted])
    place = np.full(len(answers.items), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    cells = np.where(counted, arm * len(kept) + place[answers.item], -1)
    return kept, _Cells(len(kept), cells)


def _planned(given: IntArray) -> IntArray:
    """Return how many answers of each item count as planned: those that are there, or as many as are usual."""
    there = np.sort(given[given > 0])
    usual = int(there[(len(there) - 1) // 2]) if len(there) else 1
    return np.where(given > 0, given, usual)


def _levels(codes: IntArray, names: Sequence[str]) -> tuple[IntArray, list[str]]:
    """Return codes and names of the levels that are there, with one for items without any."""
    present = np.unique(codes)
    return np.searchsorted(present, codes), [NO_VALUE if code < 0 else names[code] for code in present]


def _clusters(answers: Answers, kept: IntArray) -> tuple[IntArray, Sequence[str]]:
    """Return the cluster of each kept item; one without a cluster is a cluster of its own, which has no name."""
    cluster = answers.cluster[kept].copy()
    alone = np.flatnonzero(cluster < 0)
    cluster[alone] = len(answers.clusters) + np.arange(len(alone))
    return cluster, answers.clusters

"""From rows to columns: names become codes, arms get their names, and every answer occurs once.

Memory grows with the number of answers (about 50 bytes each, and 16 for each of its scores), never with their texts.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np

from promptrial.comparison.elsewhere.rows import LONGEST_TEXT, SEE, ReadingNotes, ResultFile, RowTexts, ScoreRow
from promptrial.comparison.elsewhere.sources import Source
from promptrial.datasets.place import Place
from promptrial.errors import UsageError
from promptrial.stats.pairing import BoolArray, FloatArray, IntArray

__all__ = ["Answers", "Duplicates", "MeasureScores", "collect"]

Duplicates = Literal["error", "mean", "first"]
_MOST_MEASURES: Final = 200
_LARGEST: Final = 1e100
"""What a score may be: squares of differences, and sums of these, stay far from the end of what a number can be."""


class MeasureScores(NamedTuple):
    """The scores of one measure: the row of each answer, and its score, NaN where it is missing."""

    rows: IntArray
    scores: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Every answer, in columns.

    ``item``, ``arm`` and ``replicate`` are codes of shape (n_rows,), into ``items`` and ``arms`` where they have names.
    ``cluster`` and ``group`` have a code for each item, -1 without one. ``differing`` are items that are not the same
    in all arms though they have one name. ``questions`` by item, and ``texts`` of answers by row, are those that were
    kept.
    """

    items: Sequence[str]
    arms: Sequence[str]
    item: IntArray
    arm: IntArray
    replicate: IntArray
    measures: dict[str, MeasureScores]
    cluster: IntArray
    clusters: Sequence[str]
    group: IntArray
    groups: Sequence[str]
    differing: BoolArray
    paths: Sequence[Path]
    source: IntArray
    line: IntArray
    questions: Mapping[int, RowTexts]
    texts: Mapping[int, str]

    def place(self, row: int) -> Place:
        """Return where an answer is."""
        return Place(self.paths[int(self.source[row])], int(self.line[row]))


class _Codes(dict[str, int]):
    """Names in order of appearance, and their codes."""

    def __missing__(self, name: str) -> int:
        self[name] = code = len(self)
        return code


@dataclass(slots=True)
class _OfItem:
    """A name that every row of an item must agree on: of its cluster, its group, its content."""

    what: str
    names: _Codes = field(default_factory=_Codes)
    codes: array[int] = field(default_factory=lambda: array("q"))

    def note(self, item: int, name: str) -> bool:
        """Note what a row says; False where an earlier row of the item says something else."""
        while len(self.codes) <= item:
            self.codes.append(-1)
        if not name:
            return True
        code = self.names[name]
        if self.codes[item] < 0:
            self.codes[item] = code
        return self.codes[item] == code


class _Collector:
    def __init__(self, notes: ReadingNotes) -> None:
        self._notes = notes
        self._items, self._arms, self._replicates = _Codes(), _Codes(), _Codes()
        self._columns = {name: array("q") for name in ("item", "arm", "replicate", "source", "line")}
        self._measures: dict[str, tuple[array[int], array[float]]] = {}
        self._of_items = {what: _OfItem(what) for what in ("cluster", "group", "content")}
        self._differing: set[int] = set()
        self._questions: dict[int, RowTexts] = {}
        self._texts: dict[int, str] = {}

    def add(self, row: ScoreRow, source: int, file: ResultFile) -> None:
        item = self._items[row.item]
        for what, of_item in self._of_items.items():
            said = getattr(row, what)
            if not of_item.note(item, said):
                self._differs(row, what, of_item, item)
        named = file.named or row.arm or file.path.name.partition(".")[0]
        codes = (item, self._arms[named], self._replicates[row.replicate], source, row.place.line)
        number = len(self._columns["item"])
        for column, code in zip(self._columns.values(), codes, strict=True):
            column.append(code)
        for measure, score in row.scores.items():
            self._add_score(number, measure, score, row.place)
        if row.texts is not None:
            self._add_texts(item, number, row.texts)

    def _add_texts(self, item: int, number: int, texts: RowTexts) -> None:
        """Keep texts, each cut, as long as there is room."""
        question, gold, answer = (text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…" for text in texts)
        if item not in self._questions:
            self._questions[item] = RowTexts(question, gold)
            self._notes.room -= len(question) + len(gold)
        if answer:
            self._texts[number] = answer
            self._notes.room -= len(answer)

    def _differs(self, row: ScoreRow, what: str, of_item: _OfItem, item: int) -> None:
        if what == "content":
            self._differing.add(item)
            return
        before = list(of_item.names)[of_item.codes[item]]
        raise row.place.error(
            f"item {row.item!r} has the {what} {getattr(row, what)!r} here and {before!r} in an earlier row",
            hint=f"an item belongs to one {what}: correct the file, or name another column with --{what}; {SEE}",
        )

    def _add_score(self, number: int, measure: str, score: float | None, place: Place) -> None:
        if measure not in self._measures:
            if len(self._measures) == _MOST_MEASURES:
                raise place.error(
                    f"more than {_MOST_MEASURES} measures", hint=f"name those that count with --score; {SEE}"
                )
            self._measures[measure] = array("q"), array("d")
        if score is not None and not math.isfinite(score):
            self._notes.counts[f"scores of {measure} that are not finite, missing"] += 1
            score = None
        elif score is not None and abs(score) > _LARGEST:
            raise place.error(
                f"the score {score:g} of {measure} is too large to compute with: at most {_LARGEST:g}",
                hint=f"scale the scores, or leave this measure out with --score; {SEE}",
            )
        rows, scores = self._measures[measure]
        rows.append(number)
        scores.append(math.nan if score is None else score)

    def answers(self, files: Sequence[ResultFile]) -> Answers:
        item, arm, replicate, source, line = (_ints(column) for column in self._columns.values())
        names = list(self._arms)
        if len(names) == 1 and len({each.argument for each in files}) > 1:
            names, arm = _by_argument(files, source)
        differing = np.zeros(len(self._items), dtype=np.bool_)
        differing[list(self._differing)] = True
        cluster, group = (self._of_items[what] for what in ("cluster", "group"))
        return Answers(
            items=list(self._items),
            arms=names,
            item=item,
            arm=arm,
            replicate=replicate,
            measures={
                name: MeasureScores(_ints(rows), np.frombuffer(scores, dtype=np.float64).copy())
                for name, (rows, scores) in self._measures.items()
            },
            cluster=_ints(cluster.codes),
            clusters=list(cluster.names),
            group=_ints(group.codes),
            groups=list(group.names),
            differing=differing,
            paths=[each.path for each in files],
            source=source,
            line=line,
            questions=self._questions,
            texts=self._texts,
        )


def collect(sources: Sequence[Source], notes: ReadingNotes, duplicates: Duplicates) -> Answers:
    """Read all files into columns.

    Raises
    ------
    DataError
        If a file is wrong, or an answer occurs twice and ``duplicates`` is ``error``.
    UsageError
        If nothing was scored.
    """
    collector = _Collector(notes)
    for number, (opened, each) in enumerate(sources):
        for row in each.read(opened, notes):
            collector.add(row, number, opened.file)
    found = collector.answers([source.opened.file for source in sources])
    if not any((~np.isnan(scores)).any() for _, scores in found.measures.values()):
        raise UsageError("no score was found in these files", hint=f"name the column of scores with --score; {SEE}")
    measures = {name: _once(found, name, scores, notes, duplicates) for name, scores in found.measures.items()}
    found.measures.update(measures)
    return found


def _ints(column: Sequence[int]) -> IntArray:
    return np.array(column, dtype=np.int64)


def _by_argument(files: Sequence[ResultFile], source: IntArray) -> tuple[list[str], IntArray]:
    """Return an arm for each argument, where the files themselves name only one: what tells their paths apart."""
    arguments = list(dict.fromkeys(each.argument for each in files))
    paths = [each.parts for each in arguments]
    least = min(map(len, paths)) - 1
    begin = next((at for at in range(least) if len({parts[at] for parts in paths}) > 1), least)
    end = next((at for at in range(least - begin) if len({parts[-1 - at] for parts in paths}) > 1), least - begin)
    names = ["/".join(parts[begin : len(parts) - end]) for parts in paths]
    stems = [name.partition(".")[0] if "/" not in name else name for name in names]
    names = stems if len({*stems}) == len(stems) and all(stems) else names
    of_files = _ints([arguments.index(each.argument) for each in files])
    return names, of_files[source]


def _once(
    answers: Answers, measure: str, given: MeasureScores, notes: ReadingNotes, duplicates: Duplicates
) -> MeasureScores:
    """Return the scores of a measure with every answer once.

    Notes
    -----
    O(n log n) time for n scores, and a few arrays of their length.
    """
    rows = given.rows
    order = np.lexsort((rows, answers.replicate[rows], answers.item[rows], answers.arm[rows]))
    keys = np.stack([column[rows[order]] for column in (answers.arm, answers.item, answers.replicate)])
    again = np.concatenate([[False], (keys[:, 1:] == keys[:, :-1]).all(axis=0)])
    if not again.any():
        return given
    if duplicates == "error":
        _refuse(answers, measure, rows[order], again)
    notes.counts[f"repeated scores of {measure}, {_DONE[duplicates]}"] += int(again.sum())
    first = ~again
    kept = order[first]
    if duplicates == "mean":
        return MeasureScores(rows[kept], _means(given.scores[order], np.cumsum(first) - 1))
    return MeasureScores(rows[kept], given.scores[kept])


_DONE: Final = {"mean": "averaged", "first": "of which only the first is used"}


def _means(scores: FloatArray, groups: IntArray) -> FloatArray:
    """Return the mean of each group without what is missing; NaN where all of it is."""
    there = ~np.isnan(scores)
    sums = np.bincount(groups, weights=np.where(there, scores, 0.0))
    counts = np.bincount(groups, weights=there)
    means: FloatArray = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    if there.any():  # round-off takes no mean out of the range of the scores
        np.clip(means, np.nanmin(scores), np.nanmax(scores), out=means)
    return means


def _refuse(answers: Answers, measure: str, rows: IntArray, again: BoolArray) -> None:
    at = int(np.argmax(again))
    row, before = int(rows[at]), int(rows[at - 1])
    item, arm = answers.items[int(answers.item[row])], answers.arms[int(answers.arm[row])]
    raise answers.place(row).error(
        f"item {item!r} has a second score of {measure} in the arm {arm!r}; the first is at {answers.place(before)} "
        f"({int(again.sum()):,} such scores in all)",
        hint="say what they are: --replicate COLUMN if they are repeats, else --duplicates mean or --duplicates first",
    )

"""The items of a scored trial, side by side: what each arm answered, how that was scored, and what changed.

Scores are held in columns; items and answers are read by their place in their files, so that a few of any number can be
shown in bounded memory. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from promptrial.documents.scorers import Declaration, with_role
from promptrial.errors import CorruptRecordError
from promptrial.model import Item, Trial, ids
from promptrial.model.arms import ArmName, Contrast, contrasts_of
from promptrial.phases.answer_rows import Answer, AnswerRows, AnswerValues
from promptrial.phases.judgement_rows import JUDGEMENTS, JudgementRows
from promptrial.phases.prepared import ItemReader, item_keys, positions_with, prepared_rows
from promptrial.phases.scorers import declared, judges_in
from promptrial.phases.waves import is_kept
from promptrial.store.rundir import RunDir
from promptrial.store.tables import StoredColumns, codes_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["OUTCOMES", "Answer", "Outcome", "SideBySide", "Unit", "outcome_codes"]

Outcome = Literal["fixed", "broken", "both_right", "both_wrong", "missing", "not_applicable"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("fixed", "broken", "both_right", "both_wrong", "missing", "not_applicable")
"""Wrong in the control and right in the treatment; the reverse; right in both; wrong in both; without an answer in one
of them; and not scored, because the scorer does not apply to the item."""


class Unit(NamedTuple):
    """One item at one temperature: the place of the item in prepared order, and the temperature."""

    position: int
    temp: float


@dataclass
class SideBySide:
    """The items of a trial whose answers are scored.

    Parameters
    ----------
    run : RunDir
    trial : Trial
    primary : tuple of str
        The declared primary endpoints: where no scorer says that an answer is right, the first tells what changed.

    Raises
    ------
    FileNotFoundError
        If the answers are not scored yet, as soon as they are asked for.
    """

    run: RunDir
    trial: Trial
    primary: tuple[str, ...] = ()
    _reader: ItemReader | None = field(default=None, init=False)

    @property
    def arms(self) -> tuple[ArmName, ...]:
        """The arms, in the order of results."""
        return self.trial.arms_run

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """What is compared."""
        return contrasts_of(self.trial.conditions)

    @property
    def _results(self) -> Path:
        return self.run.trial(self.trial.slug).results

    @cached_property
    def keys(self) -> list[str]:
        """The key of each item (``data set|id``), in prepared order."""
        found: list[str] = self._known_keys.to_pylist()
        return found

    @property
    def n_items(self) -> int:
        """How many items there are, each counted once."""
        return len(self._known_keys)

    @cached_property
    def _scored_keys(self) -> pa.Array:
        """The key of each item that has scores, as the table has them."""
        import pyarrow as pa

        table = self._score_table
        places = [codes_of(table.column(name), known) for name, known in self._places_in.items()]
        return table.column("item_key").filter(pa.array((places[0] == 0) & (places[1] == 0))).combine_chunks()

    @cached_property
    def _known_keys(self) -> pa.Array:
        """The keys of the items: as they were scored, in prepared order, which takes a tenth of reading the items.

        Where others are prepared by now, those are read.
        """
        import pyarrow as pa

        if not self._has_grown and len(self.places) == len(self._scored_keys):
            return self._scored_keys
        prepared = [ids.item_key(key.dataset, key.id) for key in item_keys(self.run)]
        return pa.array([prepared[place] for place in self.places], type=pa.string())

    @cached_property
    def places(self) -> Sequence[int]:
        """Where each of these items is among all prepared items.

        Of a trial that stopped early, they are those that were asked; of one that has grown since, those that were
        scored.
        """
        kept = is_kept(self.run, self.trial.slug)
        if kept is not None:
            return [at for at, asked in enumerate(kept) if asked]
        if self._has_grown:
            scored = set(self._scored_keys.to_pylist())
            keys = (ids.item_key(key.dataset, key.id) for key in item_keys(self.run))
            return [at for at, key in enumerate(keys) if key in scored]
        return range(self._n_prepared)

    @cached_property
    def _n_prepared(self) -> int:
        rows = prepared_rows(self.run)
        return sum(1 for _ in item_keys(self.run)) if rows is None else rows

    @cached_property
    def _has_grown(self) -> bool:
        """Whether more items are prepared by now than were scored; every item that was asked has a row of scores."""
        return is_kept(self.run, self.trial.slug) is None and self._n_prepared > len(self._scored_keys)

    @cached_property
    def _places_in(self) -> dict[str, pa.Array]:
        """The arms and the temperatures of the trial, by the columns that have them, as they are there."""
        import pyarrow as pa

        temps = [repr(each) for each in self.trial.temps]
        return {"condition": pa.array(self.arms, pa.string()), "temp": pa.array(temps, pa.string())}

    @cached_property
    def scorers(self) -> dict[str, Declaration]:
        """What each scorer says about itself, by column."""
        return declared(self._results)

    def __len__(self) -> int:
        return self.n_items * len(self.trial.temps)

    def unit(self, number: int) -> Unit:
        """Return the unit of a number: all items at the first temperature come before those at the next."""
        return Unit(number % self.n_items, self.trial.temps[number // self.n_items])

    # --- items and answers ------------------------------------------------------------------------------------------

    def item(self, number: int) -> Item:
        """Return the item of a unit; quick where numbers rise.

        Raises
        ------
        CorruptRecordError
            If other items are prepared by now than were scored.
        """
        return self.items_of([number])[0]

    def items_of(self, numbers: Sequence[int]) -> list[Item]:
        """Return the same of several units, which is quicker than one by one.

        Raises
        ------
        CorruptRecordError
            As ``item``.
        """
        if self._reader is None:
            self._reader = ItemReader(self.run)
        positions = _as_range([number % self.n_items for number in numbers])
        n_places = len(self.places)
        places = [self.places[position] if position < n_places else position for position in positions]
        found = self._reader.at(_as_range(places))
        keys = [ids.item_key(item.dataset, item.id) for item in found]
        if keys != _taken(self._known_keys, positions).to_pylist():
            raise CorruptRecordError(
                f"{self.run.prepared}: its items are not those that were scored",
                hint=f"score them: {self.run.resume_command}",
            )
        return found

    def answers(self, number: int) -> dict[ArmName, list[Answer]]:
        """Return what each arm answered, replicate by replicate; an empty list where nothing came back."""
        return self.answers_of([number])[0]

    def answers_of(self, numbers: Sequence[int]) -> list[dict[ArmName, list[Answer]]]:
        """Return the same of several units, which is quicker than one by one."""
        lists, width = self._answers.of(self._cells_of(numbers)), len(self.arms)
        return [dict(zip(self.arms, lists[at : at + width], strict=True)) for at in range(0, len(lists), width)]

    def answer_values_of(self, numbers: Sequence[int]) -> list[list[list[AnswerValues]]]:
        """Return the same as plain tuples, of each unit arm by arm."""
        lists, width = self._answers.values_of(self._cells_of(numbers)), len(self.arms)
        return [lists[at : at + width] for at in range(0, len(lists), width)]

    def _cells_of(self, numbers: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the cells of units: of each, one for each arm."""
        import numpy as np

        width = len(self.arms)
        return (np.asarray(numbers, dtype=np.int64)[:, None] * width + np.arange(width)).ravel()

    def positions_that_say(self, words: str) -> set[int]:
        """Return the positions of the items that hold some words, or to which any answer does, whatever their case."""
        cells = self._answers.cells_that_say(words)
        answered = {int(cell) // len(self.arms) % self.n_items for cell in cells}
        places = positions_with(self.run, words)
        return answered | {at for at, place in enumerate(self.places) if place in places}

    @cached_property
    def _answers(self) -> AnswerRows:
        n_cells = len(self) * len(self.arms)
        return AnswerRows(self._results / "predictions.parquet", self._cells, n_cells, self._judgements(n_cells))

    def _judgements(self, n_cells: int) -> JudgementRows | None:
        """Return what the judges of these scores said; None where there were none."""
        path, judges = self._results / f"{JUDGEMENTS}.parquet", judges_in(self._results)
        found = judges and path.exists()
        return JudgementRows(path, judges, self._cells, n_cells, self.arms[0]) if found else None

    def _cells(self, key: pa.ChunkedArray, temp: pa.ChunkedArray, arm: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """Return the cell of each row: unit times arms, plus the arm; -1 for a row that is none of the trial's."""
        import numpy as np

        item = codes_of(key, self._known_keys)
        place, of_temp = codes_of(arm, self._places_in["condition"]), codes_of(temp, self._places_in["temp"])
        cell = (of_temp * self.n_items + item) * len(self.arms) + place
        return np.where((item < 0) | (place < 0) | (of_temp < 0), -1, cell)

    # --- scores -----------------------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> dict[str, npt.NDArray[np.float64]]:
        """The mean score of each unit and arm, by scorer, shape (units, arms); NaN without one."""
        import numpy as np

        found = {}
        for name in self.scorers:
            column = np.full(len(self) * len(self.arms), np.nan)
            column[self._score_cells] = self._score_table.column(name).to_numpy().astype(np.float64)
            found[name] = column.reshape(len(self), len(self.arms))
        return found

    @cached_property
    def answered(self) -> npt.NDArray[np.int64]:
        """How many answers each unit and arm has, shape (units, arms)."""
        import numpy as np

        column = np.zeros(len(self) * len(self.arms), dtype=np.int64)
        column[self._score_cells] = self._score_table.column("n_samples").to_numpy()
        return column.reshape(len(self), len(self.arms))

    @cached_property
    def _score_table(self) -> StoredColumns:
        return StoredColumns(self._results / "per_item_scores.parquet", categories=("condition", "temp"))

    @cached_property
    def _score_cells(self) -> npt.NDArray[np.int64]:
        table = self._score_table
        return self._cells(table.column("item_key"), table.column("temp"), table.column("condition"))

    # --- what changed -----------------------------------------------------------------------------------------------

    @cached_property
    def judge(self) -> str | None:
        """The scorer that tells what changed: the one that says what is right, else the first primary one."""
        right = with_role(self.scorers, "accuracy")
        if right is not None:
            return right
        return next((name for name in (*self.primary, *self.scorers) if name in self.scorers), None)

    def outcomes(self, contrast: Contrast) -> npt.NDArray[np.int64]:
        """Return what became of each unit between two arms; see ``outcome_codes``."""
        import numpy as np

        if self.judge is None:
            return np.full(len(self), OUTCOMES.index("not_applicable"))
        sides = [self.arms.index(side) for side in contrast.sides]
        lost = (self.answered[:, sides] == 0).any(axis=1)
        return outcome_codes(self.scores[self.judge][:, sides], lost, self.scorers[self.judge])

    def counts(self, contrast: Contrast) -> dict[Outcome, int]:
        """Return how many units have each outcome."""
        import numpy as np

        found = np.bincount(self.outcomes(contrast), minlength=len(OUTCOMES))
        return {outcome: int(n) for outcome, n in zip(OUTCOMES, found, strict=True)}

    def with_outcome(self, contrast: Contrast, outcome: Outcome) -> Iterator[int]:
        """Yield the numbers of the units with an outcome, in order."""
        import numpy as np

        yield from map(int, np.flatnonzero(self.outcomes(contrast) == OUTCOMES.index(outcome)))


def _as_range(places: Sequence[int]) -> Sequence[int]:
    """Return places as a range if they follow one another, because those are read at once."""
    found = range(places[0], places[0] + len(places)) if places else range(0)
    return found if places == [*found] else places


def _taken(values: pa.Array, places: Sequence[int]) -> pa.Array:
    return values.slice(places.start, len(places)) if isinstance(places, range) else values.take(places)


def outcome_codes(
    scores: npt.NDArray[np.float64], lost: npt.NDArray[np.bool_], scorer: Declaration
) -> npt.NDArray[np.int64]:
    """Return what became of each unit between two arms, as places in ``OUTCOMES``.

    A binary score counts as right from half of its range on, so that of several answers most have to be right. A
    continuous one is fixed where it became better, and right where both arms have the best score.

    Parameters
    ----------
    scores : ndarray of float, shape (n_units, 2)
        Control, then treatment; NaN where there is none.
    lost : ndarray of bool, shape (n_units,)
        Where an arm gave no answer.
    scorer : Declaration
    """
    import numpy as np

    low, high = scorer.range
    good = (scores - low) / (high - low)
    good = 1 - good if scorer.direction == "lower" else good
    if scorer.scale == "binary":
        good = np.where(np.isnan(good), np.nan, (good >= 0.5).astype(float))
    before, after = good[:, 0], good[:, 1]
    return np.select(
        [lost, np.isnan(before) | np.isnan(after), after > before, after < before, before == 1],
        [OUTCOMES.index(each) for each in ("missing", "not_applicable", "fixed", "broken", "both_right")],
        OUTCOMES.index("both_wrong"),
    )

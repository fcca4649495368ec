"""The items of a run for ``promptrial show`` and for programs: which are meant, and each as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptrial.care.opened import ReadRun
from promptrial.care.whole_results import check_scores
from promptrial.errors import UsageError
from promptrial.model import Trial
from promptrial.model.arms import ArmName, Contrast
from promptrial.phases.judgement_rows import Judgement
from promptrial.phases.side_by_side import OUTCOMES, Answer, Outcome, SideBySide
from promptrial.registry import near_misses

__all__ = ["ShownItem", "Wanted", "chosen_trial", "shown_items", "sides_of"]

_AT_ONCE: Final = 256
_CHANGED: Final[tuple[Outcome, ...]] = ("fixed", "broken")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items are meant: of these outcomes (all without any), in the contrast of this arm.

    Or only this one item, by its id or its number from 1, or those at these places from 0, which win.
    """

    outcomes: tuple[Outcome, ...] = ()
    arm: ArmName | None = None
    item: str | None = None
    places: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item with what each arm answered, how that was scored, and what became of it between two arms.

    ``number`` counts from 1: the items at the first temperature come before those at the next.
    """

    number: int
    id: str
    dataset: str
    temperature: float
    outcome: Outcome
    question: str
    passage: str | None
    gold: tuple[str, ...]
    answers: dict[ArmName, list[Answer]]
    scores: dict[ArmName, dict[str, float]]

    def values(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "number": self.number,
            "id": self.id,
            "dataset": self.dataset,
            "temperature": self.temperature,
            "outcome": self.outcome,
            "question": self.question,
            "passage": self.passage,
            "gold": list(self.gold),
            "arms": {
                arm: {"answers": [_plain(each) for each in answers], "scores": self.scores[arm]}
                for arm, answers in self.answers.items()
            },
        }


def _plain(each: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "text": each.text,
        "error": each.error,
        "finish_reason": each.finish_reason,
        "completion_tokens": each.completion_tokens,
    }
    found |= {"reasoning": each.reasoning} if each.reasoning else {}
    return found | ({"judgements": [_plain_judgement(said) for said in each.judgements]} if each.judgements else {})


def _plain_judgement(said: Judgement) -> dict[str, Any]:
    found: dict[str, Any] = {"scorer": said.scorer, "verdict": said.verdict, "reason": said.reason}
    return found | ({"A": said.shown[0], "B": said.shown[1]} if said.shown else {})


def chosen_trial(found: ReadRun, text: str | None) -> Trial:
    """Return the only trial, or the only one whose name contains a text.

    Raises
    ------
    UsageError
        If no item is meant, or several are.
    """
    trials = [trial for trial in found.spec.trials if text is None or text in trial.slug]
    if len(trials) == 1:
        return trials[0]
    names = ", ".join(trial.slug for trial in found.spec.trials)
    what = "there are several trials" if text is None else f"--trial_filter {text!r} matches {len(trials)} trials"
    raise UsageError(f"{what}; trials: {names}", hint="choose one with --trial_filter TEXT")


def sides_of(found: ReadRun, trial: Trial) -> SideBySide:
    """Return the items of a trial whose answers are scored.

    Raises
    ------
    UsageError
        If they are not.
    CorruptRecordError
        If items, answers or scores are not as they were left.
    """
    check_scores(found, trial)
    return SideBySide(found.spec.run, trial, found.spec.config.stats.primary)


def shown_items(sides: SideBySide, wanted: Wanted) -> Iterator[ShownItem]:
    """Yield the items that are meant, in order.

    Raises
    ------
    UsageError
        If there is no such arm, or no such item.
    """
    contrast = _contrast(sides, wanted.arm)
    numbers = _numbers(sides, contrast, wanted)
    codes = sides.outcomes(contrast) if contrast is not None else None
    for at in range(0, len(numbers), _AT_ONCE):
        block = numbers[at : at + _AT_ONCE]
        for number, answers in zip(block, sides.answers_of(block), strict=True):
            item = sides.item(number)
            yield ShownItem(
                number=number + 1,
                id=item.id,
                dataset=item.dataset,
                temperature=sides.unit(number).temp,
                outcome="not_applicable" if codes is None else OUTCOMES[int(codes[number])],
                question=item.question,
                passage=item.context,
                gold=item.answers,
                answers=answers,
                scores={arm: _scores(sides, number, place) for place, arm in enumerate(sides.arms)},
            )


def _scores(sides: SideBySide, number: int, place: int) -> dict[str, float]:
    found = {name: float(column[number, place]) for name, column in sides.scores.items()}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _contrast(sides: SideBySide, arm: ArmName | None) -> Contrast | None:
    """Return the contrast that is meant: the first, or the one of an arm; None where nothing is compared."""
    if arm is None:
        return next(iter(sides.contrasts), None)
    found = next((each for each in sides.contrasts if each.sides[1] == arm), None)
    if found is None:
        arms = [each.sides[1] for each in sides.contrasts]
        raise UsageError(
            f"--arm {arm!r}: no such arm is compared with the first arm{near_misses(arm, arms)}",
            hint=f"arms: {', '.join(arms) or 'none'}",
        )
    return found


def _numbers(sides: SideBySide, contrast: Contrast | None, wanted: Wanted) -> Sequence[int]:
    if wanted.places is not None:
        return wanted.places
    if wanted.item is not None:
        return _of_item(sides, wanted.item)
    if not wanted.outcomes or contrast is None:
        return range(len(sides))
    return sorted(number for each in wanted.outcomes for number in sides.with_outcome(contrast, each))


def _of_item(sides: SideBySide, text: str) -> list[int]:
    """Return the units of an item, by its id, or data set and id, at all temperatures; or else the one of a number."""
    places = [at for at, key in enumerate(sides.keys) if text in {key, key.partition("|")[2]}]
    if not places and text.isdecimal() and 1 <= int(text) <= len(sides):
        return [int(text) - 1]
    if not places:
        known = [key.partition("|")[2] for key in sides.keys]
        raise UsageError(
            f"no item {text!r} in {sides.trial.slug}{near_misses(text, known)}",
            hint=f"give the id of an item, DATASET|ID, or a number from 1 to {len(sides)}; "
            f"{sides.run.command('show')} lists them",
        )
    return [temp * len(sides.keys) + at for temp in range(len(sides.trial.temps)) for at in places]

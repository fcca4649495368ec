"""Accepted answers that are unusual, as they read as refusals or have no spaces, or that a scorer cannot use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptrial.errors import DataError
from promptrial.model import Item
from promptrial.scoring.characters import has_unspaced
from promptrial.scoring.contract import Scorer
from promptrial.scoring.normalize import EvaluationRules
from promptrial.scoring.refusals import is_abstention

__all__ = ["GoldCheck", "UnusableGolds"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class RefusalGold:
    """An accepted answer that reads as a refusal, at ``place`` (``file:line:``); ``only`` if all of its item do."""

    place: str
    item_id: str
    text: str
    only: bool

    def __str__(self) -> str:
        """The place and what to do, in one sentence."""
        what = f"{self.place} id {self.item_id!r}: the accepted answer {self.text!r} reads as an abstention"
        if self.only:
            return f"{what}; if the question has no answer, set is_unanswerable and leave the answers empty"
        return f"{what}; an answer that equals it counts as right"


class GoldCheck:
    """Notices accepted answers as items are read."""

    def __init__(self, extra_refusals: tuple[str, ...] = ()) -> None:
        self._extra = extra_refusals
        self.found: dict[str, RefusalGold] = {}
        """Item id -> its first accepted answer that reads as a refusal."""

    def notice(self, place: object, item: Item) -> None:
        """Look at the accepted answers of an item that is at ``place``."""
        refusals = [answer for answer in item.answers if is_abstention(answer, self._extra)]
        if refusals:
            only = len(refusals) == len(item.answers)
            self.found[item.id] = RefusalGold(str(place), item.id, refusals[0], only)

    def warnings(self, dataset: str, items: Iterable[Item], rules: EvaluationRules) -> Iterator[str]:
        """Yield a sentence for each kind of odd gold among the items that were drawn."""
        drawn = list(items)
        found = [self.found[item.id] for item in drawn if item.id in self.found]
        for gold in found[:_SHOWN]:
            yield str(gold)
        if len(found) > _SHOWN:
            more = len(found) - _SHOWN
            yield f"datasets.{dataset}: {more} more accepted answers read as abstentions; `promptrial audit` lists them"
        golds = [answer for item in drawn for answer in item.answers]
        unspaced = sum(map(has_unspaced, golds))
        if unspaced:
            yield f"datasets.{dataset}: {unspaced / len(golds):.0%} of the accepted answers {_about_words(rules)}"


class UnusableGolds:
    """Refuses the items of a data set whose accepted answers a scorer cannot use; it is told of them as they are read.

    ``scorers`` are by name; most take any accepted answer, and are not asked.
    """

    def __init__(self, scorers: Mapping[str, Scorer]) -> None:
        plain = Scorer.gold_problem
        self._scorers = {name: each for name, each in scorers.items() if type(each).gold_problem is not plain}
        self._found: dict[str, dict[str, str]] = {name: {} for name in self._scorers}

    def notice(self, place: object, item: Item) -> None:
        """Look at the accepted answers of an item that is at ``place``."""
        for name, scorer in self._scorers.items():
            problem = scorer.gold_problem(item) if scorer.applies(item) else None
            if problem is not None:
                self._found[name][item.id] = f"{place} id {item.id!r}: {problem}"

    def check(self, dataset: str, drawn: Sequence[str]) -> None:
        """Check the items that were drawn, by their ids.

        Raises
        ------
        DataError
            Naming the scorer, the data set, how many items there are, and the first with its place.
        """
        for name, problems in self._found.items():
            ids = set(drawn) if problems else set()
            found = [problem for item_id, problem in problems.items() if item_id in ids]  # in the order of the file
            if found:
                count = f"{len(found):,} of {len(drawn):,} questions {'has' if len(found) == 1 else 'have'}"
                raise DataError(
                    f"datasets.{dataset}: {count} accepted answers that {name} cannot use; the first: {found[0]}",
                    hint="correct them in the question file, or the settings of the scorer (docs/scorers_other.md)",
                )


def _about_words(rules: EvaluationRules) -> str:
    if rules.characters:
        return "are in a script without spaces; token F1 counts their characters"
    return (
        f"are in a script without spaces. The rules of {rules.name} treat such a text as one word, so token F1 is "
        "mostly 0 or 1; `tokens: characters` counts its characters"
    )

"""What is looked at in the questions of a data set before a run: golds, letters of choices, and what scorers lack.

*Prepare*, ``plan`` and ``config check`` look in this one way, so that a run is not refused for what they passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptrial.config.schema import ExperimentConfig
from promptrial.datasets.place import Place
from promptrial.model import Item
from promptrial.phases.needs import LackCheck
from promptrial.phases.scorers import known_needs, package_scorers
from promptrial.scoring.golds import GoldCheck, UnusableGolds
from promptrial.scoring.normalize import EvaluationRules
from promptrial.scoring.whole_sets import WholeSetCheck

__all__ = ["QuestionChecks"]


class QuestionChecks:
    """The checks of one data set; it is told of each question, with its place, as it is read."""

    def __init__(self, config: ExperimentConfig) -> None:
        self._golds = GoldCheck(config.scoring.extra_refusals)
        self._lacks = LackCheck(known_needs(config) if config.unscorable == "refuse" else {})
        self._unusable = UnusableGolds(package_scorers(config))

    def notice(self, place: Place, item: Item) -> None:
        """Look at a question."""
        self._golds.notice(place, item)
        self._lacks.notice(place, item)
        self._unusable.notice(place, item)

    def warnings(self, dataset: str, items: Sequence[Item], rules: EvaluationRules) -> list[str]:
        """Return what is odd about the questions that were drawn."""
        return [*self._golds.warnings(dataset, items, rules), *WholeSetCheck.of(items).warnings(dataset)]

    def refuse(self, dataset: str, items: Sequence[Item]) -> None:
        """Refuse questions, of those that were drawn, that a scorer could not score.

        Raises
        ------
        DataError
            Naming the scorers, the data set, how many questions there are, and the first with its place.
        """
        self._lacks.check(dataset, items)
        self._unusable.check(dataset, [item.id for item in items])

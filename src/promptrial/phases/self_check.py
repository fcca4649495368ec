"""An A/A check of a trial: what may change places in its control, and what the splits of it show. Reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptrial.documents.aa import AAResult, AASource
from promptrial.model.arms import ArmName, Contrast

if TYPE_CHECKING:
    from promptrial.documents.significance import StatsSettings
    from promptrial.stats.against_itself import Asked
    from promptrial.stats.score_table import ScoreTable

__all__ = ["SelfAsked", "result_of", "second_ask"]


@dataclass(frozen=True, slots=True)
class SelfAsked:
    """The answers of an arm that may change places: by measure and temperature.

    ``arm`` is the one that is checked, ``other`` that of a second ask, None for replicates. ``table`` is a table of
    scores over the same items, ``answers`` how many each arm of the trial has by plan, by temperature.
    """

    arm: ArmName
    table: ScoreTable
    asked: Mapping[tuple[str, float], Asked]
    answers: Mapping[float, int]
    other: ArmName | None = None

    @property
    def source(self) -> AASource:
        """Of what the sides are made."""
        return "replicates" if self.other is None else "second_ask"


def second_ask(table: ScoreTable, other: ArmName, settings: StatsSettings, metrics: Iterable[str]) -> SelfAsked:
    """Return an arm that asks what the first arm asks, and that one, as two columns."""
    import numpy as np

    from promptrial.stats.against_itself import Asked
    from promptrial.stats.analysis import pairing_of

    asked: dict[tuple[str, float], Asked] = {}
    contrast = Contrast(other)
    first = contrast.sides[0]
    answers = {temp: table.planned(first, temp) for temp in table.temps}
    for metric in metrics:
        for temp in table.temps:
            pairing = pairing_of(table, metric, temp, contrast, settings)
            score, n = (
                np.stack([getattr(arm, name) for arm in pairing.arms], axis=1) for name in ("score", "n_samples")
            )
            asked[metric, temp] = Asked(pairing, score, n, answers[temp])
    return SelfAsked(first, table, asked, answers, other)


def result_of(
    found: SelfAsked, settings: StatsSettings, n_splits: int, check_stop: Callable[[], None] = lambda: None
) -> AAResult:
    """Split the answers of each primary endpoint many times, and count what the declared test says.

    ``check_stop`` raises if a stop was asked for.
    """
    from promptrial.stats.against_itself import as_asked, endpoint_of, splits_of, verdict_alarms

    primary = {key: each for key, each in found.asked.items() if key[0] in settings.primary}
    splits = {key: splits_of(each, settings, n_splits, check_stop) for key, each in primary.items()}
    endpoints = [
        endpoint_of(
            found.asked[metric, temp],
            each,
            settings,
            found.answers[temp],
            as_asked(found.asked[metric, temp], settings) if found.other is not None else None,
        )
        for (metric, temp), each in splits.items()
    ]
    return AAResult(
        source=found.source,
        arm=found.arm,
        other=found.other,
        splits=n_splits,
        seed=settings.random_seed,
        alpha=settings.alpha,
        confidence=settings.confidence,
        endpoints=tuple(endpoints),
        verdict=verdict_alarms(list(splits.values()), settings),
    )

"""The section ``stats``: endpoints, levels, margins and resampling."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from promptrial.config.strict import Natural, Number, Strict, no_repeats
from promptrial.documents.missing import MissingRule
from promptrial.documents.significance import StatsSettings

__all__ = ["StatsConfig"]

_MOST_SAMPLES: Final = 10_000_000  # more would take hours, after every answer is paid for
ScorerName = str  # checked against the scorers that run, which another key names
Margin = Annotated[float, Field(gt=0), Number]
OpenShare = Annotated[float, Field(gt=0, lt=1), Number]
_STATS: Final = StatsSettings()  # each key of `stats` is a field of it, and has its default


_FEWEST_ORDERED: Final = 3
"""Two arms have a difference; an order is more from here on."""


def _ordered_arms(names: tuple[str, ...]) -> tuple[str, ...]:
    if names and len(names) < _FEWEST_ORDERED:
        raise ValueError(f"an order needs {_FEWEST_ORDERED} arms or more; given: {len(names)}")
    return no_repeats(names)


class StatsConfig(Strict):
    """How effects are tested."""

    unrecorded_defaults: ClassVar[frozenset[str]] = frozenset({"missing", "trend", "pooled"})

    alpha: Annotated[float, Field(gt=0, lt=0.5, description="level of the tests")] = _STATS.alpha
    confidence: OpenShare = Field(
        _STATS.confidence,
        description="level of the intervals. If it is not 1 - `alpha`, an interval may disagree with the decision, and "
        "the verdict states the level of the test",
    )
    primary: Annotated[tuple[ScorerName, ...], AfterValidator(no_repeats)] = Field(
        _STATS.primary,
        description="confirmatory endpoints, corrected together; with `stopping`, the one that is looked at is "
        "corrected on its own (family `looks`). By default the first scorer of the default pack, or the first scorer "
        "if that one is not active",
    )
    bootstrap_samples: Annotated[int, Field(ge=1000, le=_MOST_SAMPLES), Number] = _STATS.bootstrap_samples
    permutation_samples: Annotated[
        int,
        Field(ge=999, le=_MOST_SAMPLES, description="initial number of random sign flips; at least 9,999 are drawn"),
        Number,
    ] = _STATS.permutation_samples
    random_seed: Natural = _STATS.random_seed
    tost_margins: dict[ScorerName, Margin] = Field(
        _STATS.tost_margins,
        description="endpoint -> margin: adds an equivalence test for it. In units of the score, below the width of "
        "its scale: on 0 to 1, 0.05 is 5 points",
    )
    missing: MissingRule = Field(
        _STATS.missing,
        description="missing answers are excluded from the tests that decide, or count as failures in them",
    )
    trend: Annotated[tuple[str, ...], AfterValidator(_ordered_arms)] = Field(
        (), description="three or more arms in an order, such as doses: tests whether scores rise or fall along it"
    )
    pooled: bool = Field(False, description="adds the effects over several data sets, weighted by inverse variance")

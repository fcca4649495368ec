"""Which bounds of the configuration lie beyond the scale of the scores that they are about: no result could miss them.

Known before anything is asked of every scorer but a class in a file, whose code says its scale once *score* runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptrial.config.schema import ExperimentConfig
from promptrial.errors import ConfigError
from promptrial.phases.scorers import known_declaration

__all__ = ["Ranges", "bound_problems", "check_bounds", "known_ranges"]

Ranges = Mapping[str, tuple[float, float]]
"""Scorer -> its lowest and highest score."""


def known_ranges(config: ExperimentConfig) -> Ranges:
    """Return the range of each scorer whose scores are known without running code of the user's."""
    found = {name: known_declaration(config, name) for name in config.scorers_in_use}
    return {name: declared.range for name, declared in found.items() if declared is not None}


def check_bounds(config: ExperimentConfig, ranges: Ranges) -> None:
    """Refuse bounds beyond the scale of their scores; scorers that are not in ``ranges`` are not looked at.

    Raises
    ------
    ConfigError
        Naming the key of the first, and the scale.
    """
    for error in bound_problems(config, ranges):
        raise error


def bound_problems(config: ExperimentConfig, ranges: Ranges) -> Iterator[ConfigError]:
    """Yield an error for each margin that is as wide as its scale, and for a criterion outside of it."""
    for name, margin in config.stats.tost_margins.items():
        yield from _margin(f"stats.tost_margins.{name}", margin, name, ranges, "every result would be equivalent")
    if config.stopping.on and config.stopping.futility is not None:
        name, margin = config.stopping_endpoint, config.stopping.futility
        yield from _margin("stopping.futility", margin, name, ranges, "every look would stop the trial")
    criterion = config.costs.criterion
    if criterion is None or criterion.scorer not in ranges:
        return
    low, high = ranges[criterion.scorer]
    for key, value in (("at_least", criterion.at_least), ("at_most", criterion.at_most)):
        if value is not None and not low <= value <= high:
            good = "every" if (value < low) == (key == "at_least") else "no"
            yield ConfigError(
                f"costs.criterion.{key}: {value:g} is outside the scale of {criterion.scorer}, {low:g} to {high:g}: "
                f"{good} answer would be good",
                hint="give a number on the scale of the score",
            )


def _margin(key: str, margin: float, name: str, ranges: Ranges, so: str) -> Iterator[ConfigError]:
    if name not in ranges:
        return
    low, high = ranges[name]
    if margin >= high - low:
        percent = margin / 100
        points = f": for {margin:g} points write {percent:g}" if (low, high) == (0, 1) and percent < 1 else ""
        yield ConfigError(
            f"{key}: {margin:g} is as wide as the scale of {name}, {low:g} to {high:g}, or wider: {so}",
            hint=f"give a margin in units of the score, below {high - low:g}{points}",
        )

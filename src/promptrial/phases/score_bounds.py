"""Which bounds of the configuration lie beyond the scale of the scores that they are about: no result could miss them.

Known before anything is asked of every scorer but a class in a file, whose code says its scale once *score* runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptrial.config.schema import ExperimentConfig
from promptrial.documents.scorers import Declaration
from promptrial.errors import ConfigError
from promptrial.phases.scorers import known_declaration

__all__ = ["bound_problems", "check_bounds", "known_scales"]

Scales = Mapping[str, Declaration]
"""Scorer -> what it declares; its range is its lowest and highest score."""


def known_scales(config: ExperimentConfig) -> Scales:
    """Return what each scorer declares whose scores are known without running code of the user's."""
    found = {name: known_declaration(config, name) for name in config.scorers_in_use}
    return {name: declared for name, declared in found.items() if declared is not None}


def check_bounds(config: ExperimentConfig, scales: Scales) -> None:
    """Refuse bounds beyond the scale of their scores; scorers that are not in ``scales`` are not looked at.

    Raises
    ------
    ConfigError
        Naming the key of the first, and the scale.
    """
    for error in bound_problems(config, scales):
        raise error


def bound_problems(config: ExperimentConfig, scales: Scales) -> Iterator[ConfigError]:
    """Yield an error for each margin that is as wide as its scale, and for a criterion outside of it."""
    for name, margin in config.stats.tost_margins.items():
        yield from _margin(f"stats.tost_margins.{name}", margin, name, scales, "every result would be equivalent")
    if config.stopping.on and config.stopping.futility is not None:
        name, margin = config.stopping_endpoint, config.stopping.futility
        yield from _margin("stopping.futility", margin, name, scales, "every look would stop the trial")
    criterion = config.costs.criterion
    if criterion is None or criterion.scorer not in scales:
        return
    low, high = scales[criterion.scorer].range
    for key, value in (("at_least", criterion.at_least), ("at_most", criterion.at_most)):
        if value is not None and not low <= value <= high:
            good = "every" if (value < low) == (key == "at_least") else "no"
            yield ConfigError(
                f"costs.criterion.{key}: {value:g} is outside the scale of {criterion.scorer}, {low:g} to {high:g}: "
                f"{good} answer would be good",
                hint="give a number on the scale of the score",
            )


def _margin(key: str, margin: float, name: str, scales: Scales, so: str) -> Iterator[ConfigError]:
    if name not in scales:
        return
    low, high = scales[name].range
    if margin >= high - low:
        percent = margin / 100
        points = f": for {margin:g} points write {percent:g}" if (low, high) == (0, 1) and percent < 1 else ""
        yield ConfigError(
            f"{key}: {margin:g} is as wide as the scale of {name}, {low:g} to {high:g}, or wider: {so}",
            hint=f"give a margin in units of the score, below {high - low:g}{points}",
        )

"""What a plan says about the looks at a running trial: when they come, and how much is asked on average."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptrial.design.waves import Waves
from promptrial.documents.usual import POWER
from promptrial.model import Item
from promptrial.model.arms import contrasts_of
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import has_waves, over, waves_of_items

__all__ = ["planned_looks"]


def planned_looks(spec: RunSpec, items: Sequence[Item]) -> Iterator[str]:
    """Yield sentences on the looks at each trial, given its items in prepared order; none without a stopping rule."""
    stopping = spec.config.stopping
    if not stopping.on or not items or (has_waves(spec.run) and all(over(spec, each.slug) for each in spec.trials)):
        return
    waves = waves_of_items(spec, items)
    ends = [sum(waves.items[: number + 1]) for number in range(waves.n_waves)]
    yield (
        f"looks at {spec.config.stopping_endpoint} under the rule {stopping.rule}: {waves.n_waves}, after "
        f"{', '.join(f'{end:,}' for end in ends)} of {len(items):,} questions; the figures above are the most"
    )
    yield from _expected(spec, waves, len(items))


def _expected(spec: RunSpec, waves: Waves, n_items: int) -> Iterator[str]:
    """Yield how many questions are asked on average, where that is known without knowing the scores.

    It is not where a trial goes on until several contrasts or temperatures are decided.
    """
    if any(len(trial.temps) * len(contrasts_of(trial.conditions)) > 1 for trial in spec.trials):
        return
    rule = spec.config.stopping.rule
    if rule == "evalue" or rule == "none" or not spec.config.stopping.efficacy:  # noqa: PLR1714 - so that types follow
        return
    from promptrial.stats.alpha_spending import bounds, crossings, fractions_of
    from promptrial.stats.student import normal_quantile

    alpha, fractions = spec.config.stats.alpha, fractions_of(waves.clusters)
    critical = bounds(rule, fractions, alpha)
    drift = normal_quantile(1 - alpha / 2) + normal_quantile(POWER)
    without, found = (crossings(critical, fractions, each).expected_fraction(fractions) for each in (0.0, drift))
    yield (
        f"asked on average: {without * n_items:,.0f} without a difference, {found * n_items:,.0f} with one that a test "
        "of everything finds with 80% power"
    )

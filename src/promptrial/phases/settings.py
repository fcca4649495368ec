"""From the configuration's sections to the settings that the pure core takes. No decisions, only translation."""

from __future__ import annotations

from promptrial.config.schema import ExperimentConfig
from promptrial.scoring.base import ScoringSettings, load_scorers
from promptrial.significance import StatsSettings

__all__ = ["scoring_settings", "stats_settings"]


def scoring_settings(config: ExperimentConfig) -> ScoringSettings:
    """Return how answers are scored."""
    scoring = config.scoring
    return ScoringSettings(
        unsupported_strategy=scoring.unsupported.strategy,
        min_token_overlap=scoring.unsupported.min_token_overlap,
        extra_refusals=scoring.extra_refusals,
    )


def stats_settings(config: ExperimentConfig) -> StatsSettings:
    """Return how effects are tested; which metrics are graded, and what is wanted of them, is the scorers' own word."""
    stats, scorers = config.stats, load_scorers()
    return StatsSettings(
        alpha=stats.alpha,
        confidence=stats.confidence,
        primary=stats.primary,
        bootstrap_samples=stats.bootstrap_samples,
        permutation_samples=stats.permutation_samples,
        random_seed=stats.random_seed,
        tost_margins=dict(stats.tost_margins),
        graded=tuple(scorer.name for scorer in scorers if scorer.graded),
        wanted={scorer.name: scorer.wanted for scorer in scorers if scorer.wanted is not None},
    )

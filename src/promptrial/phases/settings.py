"""From the configuration's sections to the settings that the pure core takes. No decisions, only translation."""

from __future__ import annotations

from promptrial.config.schema import ExperimentConfig
from promptrial.scoring.base import ScoringSettings

__all__ = ["scoring_settings"]


def scoring_settings(config: ExperimentConfig) -> ScoringSettings:
    """Return how answers are scored."""
    scoring = config.scoring
    return ScoringSettings(
        unsupported_strategy=scoring.unsupported.strategy,
        min_token_overlap=scoring.unsupported.min_token_overlap,
        extra_refusals=scoring.extra_refusals,
    )

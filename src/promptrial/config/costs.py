"""What costs are counted for: the `costs` section of the configuration."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from promptrial.config.strict import Strict, is_none

__all__ = ["CostsConfig", "CriterionConfig"]


class CriterionConfig(Strict):
    """When an answer counts as good: one bound on one score."""

    scorer: str = Field(description="the name of an active scorer")
    at_least: float | None = Field(None, exclude_if=is_none, description="the lowest good score, on its scale")
    at_most: float | None = Field(None, exclude_if=is_none, description="the highest good score, on its scale")

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of `at_least` and `at_most`")
        return self

    def is_met(self, score: float) -> bool:
        """Tell whether a score is good."""
        return score >= self.at_least if self.at_least is not None else score <= (self.at_most or 0.0)


class CostsConfig(Strict):
    """What costs are counted for."""

    criterion: CriterionConfig | None = Field(
        None,
        description=(
            "which answers count as good in the cost per good answer; if null, those that are right by the default "
            "pack's exact match, or none if no scorer says whether an answer is right"
        ),
    )

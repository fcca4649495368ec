"""When a running trial is looked at, and may stop: the `stopping` section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from promptrial.config.strict import Number, Positive, Strict, is_none

__all__ = ["DEFAULT_LOOKS", "MOST_LOOKS", "StoppingConfig"]

MOST_LOOKS = 100
DEFAULT_LOOKS = 5

_Looks = Annotated[int, Field(ge=2, le=MOST_LOOKS), Number]
_Margin = Annotated[float, Field(gt=0), Number]


class StoppingConfig(Strict):
    """Questions are asked in waves, and after each one the trial may stop, under a rule that allows for all looks."""

    rule: Literal["none", "evalue", "obrien_fleming", "pocock"] = Field(
        "none", description="`none` asks everything at once; the others allow for all looks"
    )
    looks: _Looks | None = Field(
        None, exclude_if=is_none, description=f"how many waves of about the same size; {DEFAULT_LOOKS} by default"
    )
    waves: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=MOST_LOOKS - 1)] | None = Field(
        None, exclude_if=is_none, description="about how many items each wave has; what is left is a last one"
    )
    efficacy: bool = Field(True, description="stop once a difference is shown")
    futility: _Margin | None = Field(
        None,
        exclude_if=is_none,
        description="stop once no difference as large as this is left, in units of the score: on 0 to 1, 0.05 is 5 "
        "points",
    )
    endpoint: str | None = Field(
        None, exclude_if=is_none, description="the primary endpoint that decides; the first one by default"
    )

    @model_validator(mode="after")
    def _has_sense(self) -> Self:
        if self.looks is not None and self.waves is not None:
            raise ValueError("give only one of `looks` and `waves`")
        if self.rule != "none" and not self.efficacy and self.futility is None:
            raise ValueError("nothing could stop the trial: set `efficacy: true`, or a margin as `futility`")
        return self

    @property
    def on(self) -> bool:
        """Whether the trial is looked at while it runs."""
        return self.rule != "none"

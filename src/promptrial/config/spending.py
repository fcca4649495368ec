"""What a run may spend: the `spending` section of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from promptrial.config.strict import Number, Strict
from promptrial.documents.highest import HIGHEST_USD

__all__ = ["SpendingConfig"]

_Amount = Annotated[float, Field(ge=0, le=HIGHEST_USD), Number]
_Cap = Annotated[float, Field(gt=0, le=HIGHEST_USD), Number]


class SpendingConfig(Strict):
    """What a run may spend, in USD. Changes no answer, so no run records it, and it may change at each resume."""

    ask_above_usd: _Amount = Field(
        1.0, description="a run that may cost more than this asks for consent first; `--yes` or a cap gives it"
    )
    max_usd: _Cap | None = Field(
        None, description="maximum cost of the run, including requests in flight; `--max_cost_usd` overrides it"
    )
    month_max_usd: _Cap | None = Field(
        None, description="maximum cost of all runs in the folder of the runs in one calendar month, in UTC"
    )

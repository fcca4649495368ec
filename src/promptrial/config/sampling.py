"""What is asked how often: temperatures, replicates, limits of tokens, and the trials as a sweep or written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from promptrial.config.strict import LARGEST, Number, Positive, Strict, no_repeats
from promptrial.model import ids

__all__ = [
    "Axis",
    "MaxNewTokens",
    "Replicates",
    "SweepConfig",
    "Temperature",
    "Temperatures",
    "TopK",
    "TopP",
    "TrialConfig",
]

_Value = TypeVar("_Value")
# Rounding makes exact what is a multiple of 0.001 except for its last bit. Adding 0.0 makes -0.0 the 0.0 that it
# equals.
Temperature = Annotated[
    float, Field(ge=0, le=2, multiple_of=0.001), AfterValidator(lambda temp: round(temp, 3) + 0.0), Number
]
Temperatures = Annotated[tuple[Temperature, ...], Field(min_length=1), AfterValidator(no_repeats)]
TopP = Annotated[float, Field(gt=0, le=1), Number]
TopK = Annotated[int, Field(ge=1, le=LARGEST), Number]
Axis = Annotated[tuple[_Value, ...], Field(min_length=1), AfterValidator(no_repeats)]


def _temperature_keys(value: dict[str, _Value]) -> dict[str, _Value]:
    temps: dict[float, str] = {}
    for key in value:
        try:
            temp = float(key)
        except ValueError:
            temp = -1.0
        if not 0 <= temp <= 2:
            raise ValueError(f"{key!r} is not a temperature: give a number from 0 to 2")
        if temp in temps:
            raise ValueError(f"{temps[temp]!r} and {key!r} are the same temperature")
        temps[temp] = key
    return value


Count = Annotated[int, Field(ge=1, le=ids.MAX_SAMPLES), Number]
Replicates = Annotated[
    Annotated[Count, Tag("number")]
    | Annotated[dict[str, Count], AfterValidator(_temperature_keys), Tag("by_temperature")],
    Discriminator(lambda value: "by_temperature" if isinstance(value, Mapping) else "number"),
]


class MaxNewTokens(Strict):
    """The most tokens that an answer may have: one number for both kinds of question, or a section with these keys."""

    open_book: Positive = 64
    closed_book: Positive = 64

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: object) -> object:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return dict.fromkeys(cls.model_fields, value) if is_number else value


class SweepConfig(Strict):
    """The trials are every combination of these; null means all (models, prompt sets) or the top-level value."""

    models: Axis[str] | None = None
    prompt_sets: Axis[str] | None = None
    top_p: Axis[TopP] | None = None
    top_k: Axis[TopK] | None = None
    max_new_tokens: Axis[MaxNewTokens] | None = None


class TrialConfig(Strict):
    """One trial written out; what is not given has the top-level value."""

    model: str
    prompt_set: str
    temps: Temperatures | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    max_new_tokens: MaxNewTokens | None = None

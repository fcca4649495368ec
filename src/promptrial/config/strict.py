"""What every section of the configuration is made of: a strict section, and values that several have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from promptrial import registry

__all__ = [
    "LARGEST",
    "Name",
    "Natural",
    "Number",
    "Positive",
    "Share",
    "Strict",
    "Words",
    "is_none",
    "no_repeats",
    "registered",
]

_Values = TypeVar("_Values", bound=Sequence[object])

LARGEST: Final = 2**31 - 1
"""The largest count: as a wire format takes it."""
_TABLES: Final = {"dataset format": registry.DATASETS}

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Strict(BaseModel):
    """A section: unknown keys are errors, and values never change.

    What validates a section is built when one is first read or written by itself, so that the whole configuration
    builds most of it once. Defaults are therefore made by ``model_construct``, which validates nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False, defer_build=True)
    unrecorded_defaults: ClassVar[frozenset[str]] = frozenset()
    """Keys that are not recorded while they have their defaults: runs from before these keys keep their digests."""
    also_takes: ClassVar[tuple[str, ...]] = ()
    """Keys of a section inside it that may be in its place."""

    @model_serializer(mode="wrap")
    def _recorded(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        tree: dict[str, Any] = serialize(self)
        for name in self.unrecorded_defaults:
            if getattr(self, name) == type(self).model_fields[name].default:
                tree.pop(name, None)
        return tree


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name: use a letter or digit, then at most 63 of letters, digits, . _ -")
    return value


Name = Annotated[str, AfterValidator(_name)]


def _reject_booleans(value: object) -> object:
    """Refuse ``yes`` and ``true`` where a number is expected; Python would take them for 1."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number; given: {value}")  # noqa: TRY004 - pydantic reports ValueError, and lets TypeError pass
    return value


def is_none(value: object) -> bool:
    """Whether a key is null: what no record has of a key whose default that is."""
    return value is None


Number = BeforeValidator(_reject_booleans)
Positive = Annotated[int, Field(ge=1, le=LARGEST), Number]
Natural = Annotated[int, Field(ge=0), Number]
Share = Annotated[float, Field(ge=0, le=1), Number]
Words = Annotated[str, Field(min_length=1)]


def no_repeats(values: _Values) -> _Values:
    """Return values after checking that none occurs twice.

    Raises
    ------
    ValueError
        If one does.
    """
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"{value!r} is given twice")
    return values


def registered(kind: str, name: str) -> str:
    """Return a name that is in the table of its kind.

    Raises
    ------
    ValueError
        If it does not; the message has near misses and the known names.
    """
    table = _TABLES[kind]
    if name not in table:
        raise ValueError(f"unknown {kind} {name!r}{registry.near_misses(name, table)}")
    return name

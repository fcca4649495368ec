"""What every section of the configuration is made of: a strict section, and names of one's own choice."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

__all__ = ["Name", "Strict"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Strict(BaseModel):
    """A section: unknown keys are errors, and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)
    unrecorded_defaults: ClassVar[frozenset[str]] = frozenset()
    """Keys that are not recorded while they have their defaults: runs begun before they existed keep their digests."""
    also_takes: ClassVar[tuple[str, ...]] = ()
    """Keys of a section inside it that may stand in its place."""

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

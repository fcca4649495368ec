"""The frozen values that every module speaks in, as ``values`` defines them when one is first asked for.

Defining them takes as long as starting Python; commands that only look at what is on record do without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptrial.model.values import (
        Arm,
        Completion,
        Item,
        ItemType,
        Message,
        ModelSpec,
        Part,
        Prompt,
        Request,
        RequestId,
        Sampling,
        TaskTemplates,
        Trial,
        temperature_label,
    )

__all__ = [
    "Arm",
    "Completion",
    "Item",
    "ItemType",
    "Message",
    "ModelSpec",
    "Part",
    "Prompt",
    "Request",
    "RequestId",
    "Sampling",
    "TaskTemplates",
    "Trial",
    "temperature_label",
]


def __getattr__(name: str) -> object:
    """Return one of the values by its name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from promptrial.model import values

    globals().update({each: getattr(values, each) for each in __all__})
    return getattr(values, name)

"""Whether two names are of one model: servers answer with a fuller name than the one that was asked. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_same_model"]

_EDITION: Final = re.compile(
    r"(-(\d{3,8}|\d{4}-\d\d-\d\d|latest|v\d+(\.\d+)*))?([-.](i?q\d[a-z0-9_]*|b?f16|f32|fp8|awq|gptq)([-_].*)?)?(:.*)?"
)
"""What may follow the name of a model: a date or a version, a quantization, a tag."""


def is_same_model(named: str, asked: str) -> bool:
    """Whether a name is the one asked for, perhaps with a folder, a date or version, or how its weights are stored.

    Examples
    --------
    >>> is_same_model("gpt-4o-2024-08-06", "gpt-4o"), is_same_model("gpt-4o-mini", "gpt-4o")
    (True, False)
    """
    short, wanted = (text.rpartition("/")[2].casefold().removesuffix(".gguf") for text in (named, asked))
    wanted = wanted.removesuffix("-latest")
    rest = short.removeprefix(wanted)
    if rest != short or not wanted:
        return _EDITION.fullmatch(rest) is not None
    return wanted.startswith(f"{short}:")

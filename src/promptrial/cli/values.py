"""What flags of several commands take: each function reads one kind of value from its text."""

from __future__ import annotations

import argparse
import math
from typing import Final

from promptrial.documents.highest import HIGHEST_USD

__all__ = ["amount", "names", "number", "numbers", "port", "positive", "probability", "share", "truth", "whole"]

_PORTS: Final = 65535
_DIGITS: Final = 18
"""More than any count has, and few enough to be read."""
_LEAST: Final = 1e-12
"""How far a probability is from 0 and from 1."""


def names(text: str) -> list[str]:
    """Read names that are between commas."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("expected names separated by commas")
    return found


def numbers(text: str) -> list[float]:
    """Read numbers that are between commas."""
    try:
        found = [float(number) for number in text.split(",") if number.strip()]
    except ValueError:
        found = []
    if not found:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, got {text!r}")
    return found


def number(text: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
    return value


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def port(text: str) -> int:
    """Read a port to listen on; 0 stands for a free one."""
    if not (text.isdecimal() and len(text) <= _DIGITS and int(text) <= _PORTS):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to {_PORTS}, got {text!r}")
    return int(text)


def positive(text: str) -> int:
    """Read a whole number from 1."""
    if not (text.isdecimal() and len(text) <= _DIGITS and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def amount(text: str) -> float:
    """Read an amount of money above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= HIGHEST_USD:
        raise argparse.ArgumentTypeError(f"expected an amount above 0, such as 2.50, got {text!r}")
    return value


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def probability(text: str) -> float:
    """Read a number above 0 and below 1, and so far from either that quantiles exist."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not _LEAST <= value <= 1 - _LEAST:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and below 1, got {text!r}")
    return value


def truth(text: str) -> bool:
    """Read whether a switch is on."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise argparse.ArgumentTypeError(f"expected 1 or 0, got {text!r}")

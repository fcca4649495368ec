"""What flags of several commands take: each function reads one kind of value from its text."""

from __future__ import annotations

import argparse

__all__ = ["names", "numbers", "positive", "share", "truth"]


def names(text: str) -> list[str]:
    """Read names that stand between commas."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("expected names separated by commas")
    return found


def numbers(text: str) -> list[float]:
    """Read numbers that stand between commas."""
    try:
        return [float(number) for number in names(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, got {text!r}") from error


def positive(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def truth(text: str) -> bool:
    """Read whether a switch is on."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise argparse.ArgumentTypeError(f"expected 1 or 0, got {text!r}")

"""The flags that name gates, for ``compare``, which decides on them, and ``plan``, which tells what they need."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from promptrial.cli.parser import Parser, add_flag
from promptrial.errors import UsageError

if TYPE_CHECKING:
    from promptrial.comparison.gates import Gate

__all__ = ["GATE_FAILED", "add_gate_flags", "gates_of", "level_of"]

GATE_FAILED = 100
"""The exit code of a command that held gates to something, and one failed."""


def add_gate_flags(parser: Parser, group: argparse._ArgumentGroup, what: str) -> None:
    """Add ``--gate`` and ``--alpha``; ``what`` says what gates are for."""
    add_flag(parser, "gate", what, group=group, type=gates_of, action="extend", default=(), metavar="GATE")
    add_flag(
        parser, "alpha", "significance level (default: 0.05)", group=group, type=level_of, default=0.05, metavar="X"
    )


def gates_of(text: str) -> list[Gate]:
    """Read gates, one or several with ``;`` between them, as an environment variable needs it."""
    from promptrial.comparison.gates import parse_gates

    try:
        return parse_gates(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def level_of(text: str) -> float:
    """Read a level of significance."""
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0 < level < 0.5:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and below 0.5, got {text!r}")
    return level

"""The flags of ``plan`` that state what is assumed of scores, as ``power`` has them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import share
from promptrial.documents.usual import largest_discordance
from promptrial.errors import UsageError

if TYPE_CHECKING:
    from promptrial.design.power import Assumed

__all__ = ["ROUNDING", "add_assumption_flags", "assumed_of", "impossible_discordance"]

ROUNDING: Final = 1e-9
"""Below it, a difference is none."""


def add_assumption_flags(parser: Parser) -> None:
    """Add them, in a group of their own."""
    group = parser.add_argument_group("assumed scores, to compute the power of a run that has no scores yet")
    add_flag(parser, "discordance", "0/1 scores: share of items on which the arms differ (default: 0.2)",
             group=group, type=share, metavar="X")  # fmt: skip
    add_flag(
        parser,
        "baseline",
        "0/1 scores: mean score of the control; without --discordance, the arms are assumed to be independent",
        group=group,
        type=share,
        metavar="X",
    )
    add_flag(parser, "sd", (
        "other scores: standard deviation of the difference between the arms on an item, as a share of the range "
        "of the scores (default: 0.4)"
    ), group=group, type=share, metavar="X")  # fmt: skip
    add_flag(
        parser,
        "icc",
        "items that share a passage: intraclass correlation of their differences, 0 to 1 (default: results are shown "
        "for 0.05 and for 0.2)",
        group=group,
        type=share,
        metavar="X",
    )


def assumed_of(args: argparse.Namespace) -> Assumed:
    """Return what the flags state, with the usual values for the others and for a command without these flags.

    Raises
    ------
    UsageError
        If no scores can be like this.
    """
    from promptrial.design.power import assumptions_of

    discordance, baseline, sd, icc = (getattr(args, name, None) for name in ("discordance", "baseline", "sd", "icc"))
    if sd == 0 or discordance == 0 or baseline in {0, 1}:
        raise UsageError(
            "if no answers differ, there is nothing to detect: give a share above 0, and a baseline between 0 and 1"
        )
    assumed = assumptions_of(discordance, baseline, sd, icc)
    if baseline is not None and assumed.discordance > largest_discordance(baseline) + ROUNDING:
        raise impossible_discordance(assumed.discordance, baseline)
    return assumed


def impossible_discordance(discordance: float, baseline: float) -> UsageError:
    """Return the refusal of arms that differ on more questions than both can, if they are right as often."""
    most = largest_discordance(baseline)
    return UsageError(f"--discordance {discordance:g} is not possible with --baseline {baseline:g}: at most {most:g}")

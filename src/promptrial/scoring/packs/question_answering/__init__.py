"""The default pack: exact match, token F1, abstention, false answers and unsupported claims."""

from __future__ import annotations

from typing import Final

__all__ = ["FIRST"]

FIRST: Final = ("em", "f1", "abstain_rate", "false_answer_rate", "unsupported_rate")
"""The scorers of its first version: a receipt that names no scorers stands for these."""

"""How parts are named, by what they hold: on disk, in records, and in ids of jobs."""

from __future__ import annotations

from functools import lru_cache

from promptrial.model.arms import ArmName

__all__ = ["part_name", "resume_key", "temperature_label"]


def part_name(temp: float, condition: ArmName, index: int) -> str:
    """Resume key and number: ``t07_short_p001``."""
    return f"{resume_key(temp, condition)}_p{index:03d}"


@lru_cache(maxsize=1024)
def resume_key(temp: float, condition: ArmName) -> str:
    """Temperature and arm: ``t07_short``."""
    return f"{temperature_label(temp)}_{condition}"


def temperature_label(temp: float) -> str:
    """``0.0`` is ``t0``, ``0.7`` is ``t07``, ``1.0`` is ``t1``, ``0.25`` is ``t025``."""
    text = repr(float(temp))
    return "t" + (text[:-2] if text.endswith(".0") else text.replace(".", ""))

"""Question files of the official formats: made-up ones of ``tests/data``, and real ones where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.support.skips import SHARED

__all__ = ["FORMATS", "made_up_file", "real_file"]

FORMATS: Final = ("squad_v2", "nq_open", "triviaqa")
_MADE_UP: Final = {"squad_v2": "squad_v2.json", "nq_open": "nq_open.jsonl", "triviaqa": "triviaqa.json"}
_REAL: Final = {
    "squad_v2": "squad_v2.dev.two_articles.json",
    "nq_open": "nq_open.dev.first1500.jsonl",
    "triviaqa": "triviaqa.official_sample.json",
}


def made_up_file(format_name: str) -> Path:
    """Return the made-up file of a format."""
    return Path(__file__).parents[1] / "data/questions" / _MADE_UP[format_name]


def real_file(format_name: str) -> Path:
    """Return the real file of a format, or skip the test: its licence keeps it out of the project."""
    path = Path(__file__).parents[3] / "shared/data" / _REAL[format_name]
    if not path.exists():
        pytest.skip(SHARED)
    return path

"""The generated parts of the documentation say what the program says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import OTHER_PYTHON

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason=OTHER_PYTHON)
def test_help_texts_and_the_configuration_reference_are_up_to_date() -> None:
    outcome = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr

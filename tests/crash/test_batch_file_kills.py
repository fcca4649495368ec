"""A run by files of requests, killed around each of them: no request is lost, and none is asked for twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)


def test_after_a_kill_at_any_operation_each_file_is_requested_only_once(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.support.batch_file_kills", str(tmp_path)]
    ended = subprocess.run(words, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found = json.loads(ended.stdout)
    assert found["problems"] == []
    assert found["kills"] > 30

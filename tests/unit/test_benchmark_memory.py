"""What benchmarks say of the memory of a process is that of the process, and not of the one that started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LARGE = """
held = b"x" * 300_000_000
from processes import taken
print(taken(["-c", "import time; time.sleep(0.3)"]).megabytes)
print(taken(["-c", "import time; held = b'x' * 500_000_000; time.sleep(0.2)"]).megabytes)
"""


def test_a_small_child_of_a_large_process_is_measured_as_small() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    small, large = map(float, done.stdout.split())
    assert small < 100
    assert 480 < large < 700

"""How long the quick commands take, as a ratio to ``python -c pass``; medians of repeated runs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import environment_line

RUNS = 15
ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ["-m", "promptrial"]


def seconds(arguments: list[str], cwd: Path = ROOT) -> float:
    """Return the median time of a Python process, in seconds."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=cwd, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    print(environment_line("promptrial"))
    base = seconds(["-c", "pass"])
    print(f"{'command':<24}{'median s':>10}{'ratio':>8}")
    print(f"{'python -c pass':<24}{base:>10.3f}{1:>8.1f}")
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--experiments_dir", folder, "--run_id", "bench"]
        subprocess.run(
            [sys.executable, *PROGRAM, "run", *flags, "--to_step", "build"], cwd=ROOT, check=True, capture_output=True
        )
        for name, arguments in {
            "--version": ["--version"],
            "--help": ["--help"],
            "plan (new run)": ["plan"],
            "plan (built run)": ["plan", *flags],
            "status": ["status", *flags],
        }.items():
            taken = seconds([*PROGRAM, *arguments])
            print(f"{name:<24}{taken:>10.3f}{taken / base:>8.1f}")


if __name__ == "__main__":
    main()

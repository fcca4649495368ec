"""How long the quick commands take, as a ratio to ``python -c pass``; medians of repeated runs.

Python may keep what it compiled, as in any installation: each first run counts for nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import environment_line
from targets import add_json_flag, report, row

RUNS = 15
ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ["-m", "promptrial"]


def seconds(arguments: list[str], cwd: Path = ROOT) -> float:
    """Return the median time of a Python process, in seconds."""
    times, command = [], [sys.executable, *arguments]
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, cwd=cwd, env=keeping, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json_flag(parser)
    asked = parser.parse_args()
    line = environment_line("promptrial")
    print(line)
    base = seconds(["-c", "pass"])
    rows = [row("python -c pass", base, "s", line)]
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--experiments_dir", folder, "--run_id", "bench"]
        subprocess.run(
            [sys.executable, *PROGRAM, "run", *flags, "--to_step", "build"], cwd=ROOT, check=True, capture_output=True
        )
        for name, arguments in {
            "--version": ["--version"],
            "--help": ["--help"],
            "plan of a new run": ["plan"],
            "plan of a built run": ["plan", *flags],
            "status": ["status", *flags],
        }.items():
            taken = seconds([*PROGRAM, *arguments])
            rows.append(row(name, taken, "s", line, ratio=taken / base))
    report(rows, line, asked.json)


if __name__ == "__main__":
    main()

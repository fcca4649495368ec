"""What starting the quick commands takes, as a ratio to ``python -c pass``: processor time, user and system.

Each round runs the bare Python and every command once, so that what else the machine does falls on all of them; figures
are medians over the rounds (``--rounds 50`` takes more). Processor time, because the wall time of a process of some
milliseconds tells more about what else the machine does. Python may keep what it compiled, as in any installation: the
first round counts for nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from environment import environment_line
from processes import taken
from targets import add_json_flag, report, row

ROUNDS: Final = 25
ROOT: Final = Path(__file__).resolve().parent.parent
PROGRAM: Final = ["-m", "promptrial"]
BARE: Final = "python -c pass"


def processor_seconds(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """Return the median processor time of each command of Python; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, arguments in commands.items():
            times[name].append(taken(arguments, cwd=ROOT).processor)
    return {name: statistics.median(each[1:]) for name, each in times.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    add_json_flag(parser)
    asked = parser.parse_args()
    line = environment_line("promptrial")
    print(line)
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--experiments_dir", folder, "--run_id", "bench"]
        subprocess.run(
            [sys.executable, *PROGRAM, "run", *flags, "--to_step", "build"], cwd=ROOT, check=True, capture_output=True
        )
        commands = {
            "--version": ["--version"],
            "--help": ["--help"],
            "plan of a new run": ["plan"],
            "plan of a built run": ["plan", *flags],
            "status": ["status", *flags],
        }
        words = {BARE: ["-c", "pass"], **{name: [*PROGRAM, *each] for name, each in commands.items()}}
        found = processor_seconds(words, asked.rounds)
    print(f"processor seconds, medians of {asked.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    rows = [row(BARE, found[BARE], "s", line)]
    rows += [row(name, found[name], "s", line, ratio=found[name] / found[BARE]) for name in commands]
    report(rows, line, asked.json)


if __name__ == "__main__":
    main()

"""Parse to report by two versions of the program on the same answers: ``compare.py BASE`` (a branch, tag or commit).

The other version is in a worktree beside the checkout while this runs. Each version makes its own run from the same
seed; then the two take turns, so that what else the machine does falls on both. Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench_pipeline import ALL, DECODING, SIZES
from environment import environment_line

ROOT: Final = Path(__file__).resolve().parent.parent
Figures = dict[str, dict[str, float]]


@contextmanager
def worktree(ref: str) -> Iterator[Path]:
    """Yield a folder with the files of a commit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "base"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", "--quiet", str(folder), ref], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def bench(source: Path, *arguments: str) -> str:
    """Run the benchmark of this checkout with the program in another, and return what it prints."""
    env = {**os.environ, "PYTHONPATH": str(source / "src")}
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_pipeline.py"), *arguments]
    return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


def compared(sources: dict[str, Path], answers: int, rounds: int) -> dict[str, list[Figures]]:
    """Return the figures of each version, round by round."""
    found: dict[str, list[Figures]] = {name: [] for name in sources}
    with tempfile.TemporaryDirectory() as name:
        folders = {version: Path(name) / version for version in sources}
        for version, folder in folders.items():
            folder.mkdir()
            bench(sources[version], str(answers), "--make", str(folder))
        for _ in range(rounds):
            for version, folder in folders.items():
                found[version].append(json.loads(bench(sources[version], "--measure", str(folder))))
    return found


def print_row(version: str, found: list[Figures]) -> None:
    """Print the medians of one version."""

    def median(step: str, figure: str) -> float:
        return statistics.median(each[step][figure] for each in found)

    ratios = [median(ALL, figure) / median(DECODING, figure) for figure in ("wall", "processor")]
    print(
        f"{version:<10}{median(ALL, 'wall'):>8.2f}{median(ALL, 'processor'):>8.2f}{ratios[0]:>12.1f}{ratios[1]:>11.1f}"
        f"{median(ALL, 'megabytes'):>9.0f}",
        flush=True,
    )


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(environment_line("promptrial"))
    figures = {}
    with worktree(asked.base) as base:
        for answers in asked.sizes:
            found = compared({"base": base, "change": ROOT}, answers, asked.rounds)
            print(f"\n{answers:,} answers, parse to report, {asked.rounds} rounds, load {os.getloadavg()[0]:.1f}")
            print(f"{'version':<10}{'wall s':>8}{'CPU s':>8}{'wall ratio':>12}{'CPU ratio':>11}{'peak MB':>9}")
            for version, rounds in found.items():
                print_row(version, rounds)
            figures[answers] = found
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

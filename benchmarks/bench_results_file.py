"""One part with a very large file of results: what parse takes in one process, beside a run of as many short answers.

Both runs have the same questions and number of answers. In the second each arm is one part, and every answer of the
treatment is followed by words, until its file has as many GB (10^9 bytes) as ``--gigabytes`` says. The file is written
row by row. The folder for temporary files needs room for three times as much.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench_pipeline import WAYS, flags_of, make_run, undo
from environment import environment_line
from processes import Taken, median_of, taken
from targets import Row, add_json_flag, report, row
from zipf_words import Texts

POOL_WORDS: Final = 200_000
"""Long answers are pieces of one long text: so many words are drawn once, and not for each answer."""


def longer(gigabytes: float, rows: int) -> Callable[[str, Texts], Callable[[], str]]:
    """Return what gives the words after each answer of the treatment, so that its file has so many GB."""
    mean = int(gigabytes * 1e9 / rows)

    def more_of(part: str, texts: Texts) -> Callable[[], str]:
        if "treatment" not in part:
            return str
        pool = texts.draw(POOL_WORDS)
        while len(pool) < 2 * mean:
            pool += pool

        def more() -> str:
            start = texts.source.randrange(len(pool) - 2 * mean + 1)
            return " " + pool[start : start + texts.source.randint(mean // 2, 3 * mean // 2)]

        return more

    return more_of


def parsed(folder: Path, rounds: int) -> Taken:
    """Return the medians of what parse takes in one process."""
    found = []
    for _ in range(rounds):
        undo(folder, "parse")
        command = ["-m", "promptrial", "run", *flags_of(folder), "--only_step", "parse", *WAYS["one process"]]
        found.append(taken(command))
    return median_of(found)


def rows_of(gigabytes: float, short: Taken, long: Taken, machine: str) -> list[Row]:
    """Return the rows of the table."""
    said = f"results file of {gigabytes:g} GB"
    return [
        row(f"{said}: memory", long.megabytes, "MB", machine, ratio=long.megabytes / short.megabytes),
        row(f"{said}: time", long.wall, "s", machine, ratio=long.wall / short.wall),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--answers", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=1)
    add_json_flag(parser)
    asked = parser.parse_args()
    line = environment_line("promptrial", "msgspec", "pyarrow")
    print(line)
    with tempfile.TemporaryDirectory() as name:
        make_run(Path(name), asked.answers)
        short = parsed(Path(name), asked.rounds)
    with tempfile.TemporaryDirectory() as name:
        more = longer(asked.gigabytes, asked.answers // 2)
        make_run(Path(name), asked.answers, more, lines_per_part=asked.answers)
        (largest,) = Path(name).glob("run_bench/*/results/*treatment*/results.jsonl")
        size = largest.stat().st_size
        long = parsed(Path(name), asked.rounds)
    print(f"{asked.answers:,} answers, load {os.getloadavg()[0]:.1f}; the largest file has {size / 1e9:.2f} GB")
    print(
        f"parse of short answers {short.wall:.1f} s, {short.megabytes:.0f} MB; with the large file {long.wall:.1f} s, ",
        end="",
    )
    print(f"{long.megabytes:.0f} MB, {size / 1e6 / long.wall:.0f} MB a second")
    report(rows_of(asked.gigabytes, short, long, line), line, asked.json)


if __name__ == "__main__":
    main()

"""Whether the statistics keep their word: exact enumeration and simulated trials whose true effect is known.

Prints tables of Markdown. A cell with a target is marked as within it or not; the exit code is 1 if any misses its
target. ``--write`` puts the tables into docs/calibration*.md, which say how trials are made and what the figures show.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from calibration_aa import aa_tables
from calibration_arms import arms_tables
from calibration_exact import exact_tables
from calibration_labels import label_tables
from calibration_looks import look_tables
from calibration_oracle import oracle_tables
from calibration_program import program_tables
from calibration_simulated import interval_tables, margin_tables, sparse_tables
from calibration_tables import Mapper, Table
from environment import environment_line

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "calibration.md"
"""The page that says what the tables of all pages come to."""
TRIALS: Final = 10_000
ORACLE_TRIALS: Final = 200
QUICK_TRIALS: Final = 500

Part = Callable[[Mapper], list[Table]]


def parts(trials: int, *, quick: bool) -> dict[str, Part]:
    """Return the parts of the calibration by name."""
    chosen: dict[str, Part] = {
        "exact": partial(exact_tables, quick=quick),
        "intervals": partial(interval_tables, trials=trials, quick=quick),
        "sparse": partial(sparse_tables, trials=trials, quick=quick),
        "margins": partial(margin_tables, trials=trials, quick=quick),
        "looks": partial(look_tables, trials=trials, quick=quick),
        "labels": partial(label_tables, trials=trials, quick=quick),
        "aa": partial(aa_tables, trials=trials, quick=quick),
        "arms": partial(arms_tables, trials=trials, quick=quick),
        "program": partial(program_tables, trials=trials // 10 if quick else trials),
    }
    return chosen if quick else chosen | {"oracle": partial(oracle_tables, trials=min(trials, ORACLE_TRIALS))}


def blocks(page: str) -> dict[str, str]:
    """Return the tables of a page by name."""
    return {found["name"]: found["body"] for found in _BLOCK.finditer(page)}


def put(page: str, name: str, body: str) -> str:
    """Return the page with one block replaced.

    Raises
    ------
    ValueError
        If the page has no such block.
    """
    if name not in blocks(page):
        raise ValueError(f"there is no place for {name!r}")
    return _BLOCK.sub(
        lambda found: found[0] if found["name"] != name else f"{found['start']}{body}{found['end']}", page
    )


_BLOCK: Final = re.compile(
    r"(?P<start><!-- calibrated: (?P<name>[a-z ]+) -->\n\n)(?P<body>.*?)(?P<end>\n<!-- end -->)", re.DOTALL
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, print their tables, and return 1 if a cell misses its target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--trials", type=int, help=f"simulated trials of a cell ({TRIALS:,})")
    parser.add_argument("--part", action="append", help=f"one of {', '.join(parts(1, quick=False))}")
    parser.add_argument("--quick", action="store_true", help="few designs and trials: seconds instead of minutes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/calibration*.md")
    options = parser.parse_args(arguments)
    trials = options.trials or (QUICK_TRIALS if options.quick else TRIALS)
    chosen = parts(trials, quick=options.quick)
    unknown = [name for name in options.part or () if name not in chosen]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; parts: {', '.join(chosen)}")
    print(environment_line("promptrial", "numpy", "scipy"))
    tables: list[Table] = []
    for name in options.part or chosen:
        tables += _shown(name, chosen[name], options.jobs)
    print(summary(trials, map(str, tables)))
    if options.write:
        _write(tables, trials)
    for failure in (failure for table in tables for failure in table.failures):
        print(f"misses its target: {failure}", file=sys.stderr)
    return int(any(table.failures for table in tables))


def summary(trials: int, tables: Iterable[str]) -> str:
    """Say how many cells of some tables have a target, and how many miss it."""
    text = "".join(tables)
    met, missed = text.count(" ✓ "), text.count(" ✗ ")
    return f"{trials:,} trials a simulated cell. {met + missed} cells have a target; {missed} miss it."


def _shown(name: str, part: Part, jobs: int) -> list[Table]:
    """Run a part in processes of its own, and print its tables and how long it took."""
    started, used = time.perf_counter(), _processor_seconds()
    with _mapper(jobs) as run:
        tables = part(run)
    for table in tables:
        print(f"\n## {table.name}\n\n{table}", end="")
    took = time.perf_counter() - started
    print(f"\n{name}: {took:.0f} s, {_processor_seconds() - used:.0f} s of processor time\n", flush=True)
    return tables


def _processor_seconds() -> float:
    return sum(os.times()[:4])


@contextmanager
def _mapper(jobs: int) -> Iterator[Mapper]:
    """Give a function that maps in processes, or in this one if there is one job."""
    if jobs == 1:
        yield lambda function, values: [function(value) for value in values]
        return
    # Processes that start afresh read this: threads of a linear-algebra library would compete with the processes.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield lambda function, values: list(pool.map(function, values))


def pages() -> dict[Path, str]:
    """Return the pages that hold tables, and their texts."""
    return {path: path.read_text(encoding="utf-8") for path in sorted(PAGE.parent.glob("calibration*.md"))}


def _write(tables: Sequence[Table], trials: int) -> None:
    """Write each table into its page, and say on the first page what all tables come to."""
    texts = pages()
    for table in tables:
        path = next((path for path, text in texts.items() if table.name in blocks(text)), PAGE)
        texts[path] = put(texts[path], table.name, str(table))
    machine = environment_line("promptrial", "numpy", "scipy").removeprefix("# ").partition(", commit")[0]
    every = [table for text in texts.values() for name, table in blocks(text).items() if name != "summary"]
    texts[PAGE] = put(texts[PAGE], "summary", f"{summary(trials, every)} ({machine})\n")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

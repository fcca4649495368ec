"""The table of targets: what each benchmark has to reach, one shape for its rows, the table and the JSON. No measuring.

A row is a piece of work: a figure with its unit, what that is as a ratio to a yardstick of the same run, and whether
the target is met. A row without a target (another size, or a figure that others are worked out from) says neither yes
nor no.

``targets.py FILE ...`` prints one table of the rows that benchmarks wrote with ``--json``, and the targets that none of
them measured; where two files have the same work, the later one counts.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["TARGETS", "Row", "Target", "add_json_flag", "print_files", "read_rows", "report", "row", "table"]


@dataclass(frozen=True, slots=True)
class Target:
    """What the figure or the ratio of a row must not pass.

    Attributes
    ----------
    benchmark : str
        The script that measures it.
    of : {"ratio", "figure"}
    limit : float
        In the unit of the row where it limits the figure.
    at_least : bool
        Whether larger is better.
    large : bool
        Whether only ``make bench-large`` measures it.
    """

    benchmark: str
    of: Literal["ratio", "figure"]
    limit: float
    at_least: bool = False
    large: bool = False

    def said(self, unit: str) -> str:
        """Return the target in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g} {'x' if self.of == 'ratio' else unit}"

    def met(self, value: float) -> bool:
        """Return whether a value keeps to it."""
        return value >= self.limit if self.at_least else value <= self.limit


TARGETS: Final[dict[str, Target]] = {
    "50,000 answers, one process: time": Target("bench_pipeline.py", "ratio", 16),
    "250,000 answers, one process: time": Target("bench_pipeline.py", "ratio", 12),
    "250,000 answers, one process: memory": Target("bench_pipeline.py", "figure", 330),
    "250,000 answers, two workers: time": Target("bench_pipeline.py", "ratio", 9),
    "250,000 answers, two workers: memory": Target("bench_pipeline.py", "figure", 480),
    **{
        f"250,000 to 1,000,000 answers, {how}: {what}": Target("bench_pipeline.py", "ratio", limit, large=True)
        for how in ("one process", "two workers")
        for what, limit in (("time per answer", 1.1), ("memory", 1.3))
    },
    "results file of 5 GB: memory": Target("bench_results_file.py", "ratio", 1.1, large=True),
    "1,000,000 answers, resume --verify: time": Target("bench_pipeline.py", "ratio", 2, large=True),
    "1,000,000 answers, resume: time": Target("bench_pipeline.py", "figure", 0.3, large=True),
    "--help": Target("bench_startup.py", "ratio", 4),
    "status": Target("bench_startup.py", "ratio", 6),
    "plan of a new run": Target("bench_startup.py", "ratio", 15),
    "plan of a built run": Target("bench_startup.py", "ratio", 15),
    **{
        f"plan of 10,000 questions, {vendor}, {shape}": Target("bench_plan.py", "figure", 1)
        for vendor in ("fireworks", "openai")
        for shape in ("custom", "squad_v2")
    },
    "100 to 10,000 parts, a job event: time": Target("bench_parts.py", "ratio", 1.3, large=True),
    "100 to 10,000 parts, a job event: bytes written": Target("bench_parts.py", "ratio", 1.3, large=True),
    "10,000 parts, status": Target("bench_parts.py", "figure", 1),
    "10,000 parts, plan": Target("bench_parts.py", "figure", 1),
    "125,000 items, bootstrap": Target("bench_kernels.py", "ratio", 2),
    "125,000 items, sign flips": Target("bench_kernels.py", "ratio", 2),
    "125,000 items, max-T": Target("bench_kernels.py", "ratio", 2),
    "embedded engine, two cores": Target("bench_embedded.py", "ratio", 1.6, at_least=True),
    "10,000 live requests": Target("bench_live.py", "ratio", 1.3),
}
"""Work -> its target. The 5 GB must fit in the memory of 250,000 answers; two measurements may differ by 10%."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table; ``ratio``, ``target`` and ``met`` are None where there is none."""

    work: str
    figure: float
    unit: str
    ratio: float | None
    target: str | None
    met: bool | None
    machine: str


def row(work: str, figure: float, unit: str, machine: str, *, ratio: float | None = None, holds: bool = True) -> Row:
    """Return the row of a piece of work, judged by its target if it has one.

    Parameters
    ----------
    work : str
        A key of ``TARGETS``, or anything else.
    figure, unit
        What was measured.
    machine : str
        The line of the environment.
    ratio : float, optional
        To the yardstick of the same run.
    holds : bool
        False misses the target whatever the figure: the work was not done as it must be, for example with other bytes.

    Raises
    ------
    ValueError
        If the target is a limit of a ratio, and there is none.
    """
    target = TARGETS.get(work)
    if target is None:
        return Row(work, figure, unit, ratio, None, None, machine)
    value = ratio if target.of == "ratio" else figure
    if value is None:
        raise ValueError(f"{work}: its target is a ratio, and none was measured")
    return Row(work, figure, unit, ratio, target.said(unit), holds and target.met(value), machine)


def table(rows: Iterable[Row]) -> str:
    """Return rows as a table in Markdown."""
    lines = ["| work | figure | ratio | target | met |", "|---|---|---|---|---|"]
    for each in rows:
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        met = {True: "yes", False: "no", None: ""}[each.met]
        lines.append(f"| {each.work} | {_shown(each.figure)} {each.unit} | {ratio} | {each.target or ''} | {met} |")
    return "\n".join(lines)


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def add_json_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE`` to a benchmark."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON, too")


def report(rows: Sequence[Row], machine: str, file: Path | None, **details: object) -> None:
    """Print the rows as a table; write them to a file, if one is given, with what else was measured."""
    print(f"\n{table(rows)}", flush=True)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        found: dict[str, object] = {
            "environment": machine,
            "load": os.getloadavg()[0],
            "rows": [asdict(each) for each in rows],
            **details,
        }
        file.write_text(json.dumps(found, indent=2) + "\n")


def read_rows(files: Iterable[Path]) -> list[Row]:
    """Return the rows of several files; of rows with the same work the last."""
    found = [Row(**each) for file in files for each in json.loads(file.read_text())["rows"]]
    return list({each.work: each for each in found}.values())


def print_files(files: Sequence[Path]) -> None:
    """Print one table of the rows of files, and the targets that are not among them."""
    rows = read_rows(files)
    for machine in dict.fromkeys(each.machine for each in rows):
        print(machine)
    print(f"\n{table(rows)}")
    measured = {each.work for each in rows}
    for work in TARGETS:
        if work not in measured:
            print(f"not measured: {work}")


def main() -> None:
    """Print the table of files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    print_files(parser.parse_args().files)


if __name__ == "__main__":
    main()

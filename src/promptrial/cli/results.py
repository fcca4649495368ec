"""The results of a run on stdout: verdict and warnings, then the table, the cost, and where everything is.

Lines are as wide as the terminal, and tables hold more where there is room. A path is never broken: where it does not
fit, it is given from the run folder on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.runtime.terminal import Colour

if TYPE_CHECKING:
    from promptrial.documents.verdict import WarningDocument
    from promptrial.engine.invocation import Finished
    from promptrial.reporting.facts import TrialResult
    from promptrial.reporting.tables import Table
    from promptrial.reporting.verdict import Verdict

__all__ = ["COLOURS", "DRY_RUN", "Piece", "line_pieces", "results", "table_pieces", "warning_pieces", "widest"]

Piece = tuple[str, Colour]
"""A text, and how it stands out."""
COLOURS: Final[dict[str, Colour]] = {
    "better": "good",
    "worse": "bad",
    "unreliable": "warning",
    "false_alarm": "warning",
}
"""How findings stand out, by their state; any other is ``strong``."""
DRY_RUN: Final = "Dry run: an emulator answered; these figures say nothing about a model."
"""What precedes every number that is made from answers of an emulator."""
_DECIDED: Final = re.compile(r"(?<= )(?:lead: )?(better|worse|unreliable)$")


def results(finished: Finished, width: int) -> Iterator[Piece]:
    """Yield what is said about a finished run, in pieces.

    Parameters
    ----------
    finished : Finished
    width : int
        How many columns a line may have.
    """
    from promptrial.reporting.plain import wrapped

    run = finished.opened.run
    if not finished.results:
        dry = "Dry run, unfinished" if finished.opened.dry_run else "Unfinished"
        text = f"{dry}: there are no results yet, because this command stopped before the report phase."
        yield from line_pieces(wrapped(text, width))
        yield "\n", ""
    for result in finished.results:
        yield from _trial(finished, result, width)
    if run.aggregate_report.exists():
        yield f"All trials: {run.aggregate_report}\n", ""
    yield f"Run folder: {run.root}\n", ""
    if run.report_page.exists():
        yield f"HTML report: {run.report_page}\n", ""


def _trial(finished: Finished, result: TrialResult, width: int) -> Iterator[Piece]:
    from promptrial.care.finished_run import verdict_of
    from promptrial.reporting.money import cost_lines
    from promptrial.reporting.plain import one_line, wrapped
    from promptrial.reporting.tables.words import wording

    run = finished.opened.run
    trial = run.trial(result.facts.trial.slug)
    yield f"{trial.slug}\n\n", ""
    verdict = verdict_of(result)
    yield from _verdict(verdict, width)
    for table in _tables(result, width):
        yield from table_pieces(table, width, dry=verdict.dry)
    with wording(result.facts.scorers):
        costs = cost_lines(result.costs, result.facts.arm_labels, dry_run=result.facts.run.dry_run)
    for text in costs:
        yield from line_pieces(wrapped(one_line(text), width, "  "))
    for label, path in (("Report", trial.reports / "report.md"), ("Answers", trial.results / "predictions.csv")):
        yield f"{_located(label, path, run.root, width)}\n", ""
    yield "\n", ""


def line_pieces(lines: Sequence[str], colour: Colour = "") -> Iterator[Piece]:
    """Yield lines, all of them in one colour."""
    for line in lines:
        yield line, colour
        yield "\n", ""


def warning_pieces(warnings: Sequence[WarningDocument], width: int) -> Iterator[Piece]:
    """Yield warnings that come before every number, and a blank line after them."""
    from promptrial.reporting.plain import one_line, wrapped

    for warning in warnings:
        yield from line_pieces(wrapped(one_line(warning.text), width), "warning")
    if warnings:
        yield "\n", ""


def _verdict(verdict: Verdict, width: int) -> Iterator[Piece]:
    from promptrial.reporting.plain import one_line, wrapped

    for finding in verdict.findings:
        colour: Colour = "strong" if verdict.dry else COLOURS.get(finding.state, "strong")
        yield from line_pieces(wrapped(one_line(str(finding)), width), colour)
    if verdict.summary:
        yield from line_pieces(wrapped(verdict.summary, width), "strong")
    yield "\n", ""
    for warning in verdict.warnings:
        yield from line_pieces(wrapped(one_line(warning.line), width, "  "), "warning")
    if verdict.warnings:
        yield "\n", ""


def _tables(result: TrialResult, width: int) -> list[Table]:
    """Return the tables of a trial, with all columns where they fit."""
    from promptrial.reporting.scaling import as_shares
    from promptrial.reporting.short import effects_in_short
    from promptrial.reporting.tables.words import wording

    with wording(result.facts.scorers):
        significance, names = as_shares(result.significance), result.facts.arm_labels
        narrow, wide = (effects_in_short(significance, wide=each, names=names) for each in (False, True))
    return widest(narrow, wide, width)


def widest(narrow: list[Table], wide: list[Table], width: int) -> list[Table]:
    """Return the wide tables if all of them fit, else the narrow ones."""
    from promptrial.reporting.plain import summary_text

    fits = all(len(line) <= width for table in wide for line in _grid(summary_text(table)))
    return wide if fits else narrow


def _grid(text: str) -> Iterator[str]:
    """Yield the lines of a table that are columns: those from the header to the notes."""
    yield from text.split("\n\n")[1].splitlines()


def table_pieces(table: Table, width: int, *, dry: bool = False) -> Iterator[Piece]:
    """Yield the lines of a table; what is better or worse stands out, unless it is of a dry run."""
    from promptrial.reporting.plain import summary_text

    for line in summary_text(table, width).splitlines():
        found = None if dry else _DECIDED.search(line)
        if found is None:
            yield line, ""
        else:
            yield line[: found.start()], ""
            yield found[0], COLOURS[found[1]]
        yield "\n", ""
    yield "\n", ""


def _located(label: str, path: Path, root: Path, width: int) -> str:
    """Return where a file is; where the line would be too wide, from the run folder on, or from that of its trial."""
    inside = path.relative_to(root)
    for line in (f"{label}: {path}", f"{label}: .../{inside}"):
        if len(line) <= width:
            return line
    return f"{label}: .../{Path(*inside.parts[1:])}"

"""``promptrial analyze``: per-item results of other tools, with the statistics, the verdict and the page of a run."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial import registry
from promptrial.cli.gate_flags import GATE_FAILED, add_gate_flags
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import names
from promptrial.errors import UsageError
from promptrial.runtime.terminal import print_pieces, print_result, result_width, say_to_stderr

if TYPE_CHECKING:
    from promptrial.cli.results import Piece
    from promptrial.comparison.elsewhere.analysing import AnalysisRequest, Analyzed
    from promptrial.comparison.elsewhere.scales import Declared
    from promptrial.documents.analysis import Analysis
    from promptrial.documents.significance import Wanted
    from promptrial.reporting.tables import Table

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Analyse per-item results from another tool: verdict, paired effects with intervals, HTML report, gates.

Reads lm-evaluation-harness samples, Inspect logs, promptfoo outputs, HELM per-instance results, and tables of scores
(CSV, JSONL, Parquet) with one row per answer, one column per arm, or one file per arm. No model is called."""

_SPARE: Final = ("Pairs", "Groups")
"""The columns that a narrow terminal does without; the files hold all of them."""
_MOST_FILES: Final = 10
_WRITTEN: Final = ("significance.json", "analysis.json", "report.html")
_RANGE: Final = re.compile(r"([^:]+):([^:]+)")


def configure(parser: Parser) -> None:
    """Add the arguments and flags of the command."""
    parser.add_argument(
        "inputs", nargs="+", metavar="FILE", help="a file or folder of results; NAME=FILE sets the name of its arm"
    )
    add_flag(parser, "format", f"format of the files: {', '.join(registry.RESULTS)} (default: detected)",
             choices=tuple(registry.RESULTS), metavar="NAME")  # fmt: skip
    group = parser.add_argument_group("what to compare")
    add_flag(parser, "control", "the arm that the others are compared with (default: the first)", group=group,
             metavar="NAME")  # fmt: skip
    add_flag(parser, "arms", "arms to compare, separated by commas (default: all)", group=group, type=_whole,
             action="extend", default=(), metavar="A,B")  # fmt: skip
    add_flag(parser, "primary", "a primary measure; may be repeated (default: the format's usual one)", group=group,
             type=_whole, action="extend", default=(), metavar="NAME")  # fmt: skip
    add_flag(parser, "duplicates", (
        "what to do with an answer that occurs twice: report an error, take the mean, or keep the first (default: "
        "error)"
    ), group=group, choices=("error", "mean", "first"), default="error")  # fmt: skip
    group = parser.add_argument_group("scale of the primary measures (default: inferred, and stated in the verdict)")
    add_flag(parser, "binary", "every score is 0 or 1", group=group, action="store_true", rivals=("range",))
    add_flag(parser, "range", (
        "lowest and highest possible score, such as 0:1; if one is negative, write --range=-1:1"
    ), group=group, type=_ends, rivals=("binary",), metavar="LOW:HIGH")  # fmt: skip
    add_flag(parser, "higher_is_better", "higher scores are better", group=group, action="store_true",
             rivals=("lower_is_better",))  # fmt: skip
    add_flag(parser, "lower_is_better", "lower scores are better", group=group, action="store_true",
             rivals=("higher_is_better",))  # fmt: skip
    add_flag(parser, "margin", (
        "test for equivalence within this margin, and for non-inferiority if one direction is better; requires a "
        "declared scale"
    ), group=group, type=_margin, metavar="M")  # fmt: skip
    group = parser.add_argument_group("columns of a table (in logs, --cluster and --group name a field of an item)")
    for name, what in _COLUMNS.items():
        add_flag(parser, name, what, group=group, metavar="COL")
    add_flag(parser, "score", "one or more columns of scores (for logs, the measures to analyse)", group=group,
             type=names, action="extend", default=(), metavar="COL,COL")  # fmt: skip
    group = parser.add_argument_group("gates")
    add_gate_flags(
        parser,
        group,
        "a bound on treatment minus control: 'MEASURE >= -MARGIN' or 'MEASURE <= MARGIN'; MEASURE@GROUP for one "
        "group; may be repeated. If a gate fails, the exit code is 100",
    )
    group = parser.add_argument_group("output")
    add_flag(parser, "out", "write significance.json, analysis.json and report.html to this folder, replacing "
                            "those of an earlier analysis", group=group, type=Path, metavar="DIR")  # fmt: skip
    add_flag(parser, "no_texts", "leave questions and answers out of the HTML report", group=group, action="store_true")
    add_flag(parser, "json", "machine-readable result on stdout", group=group, action="store_true")


_COLUMNS: Final = {
    "item": "the question that was asked; answers are paired by it",
    "arm": "the arm that answered",
    "measure": "the measure, if there are several",
    "cluster": "items with the same value are not independent, such as questions about one passage",
    "replicate": "distinguishes an arm's several answers to one item",
    "group": "a task or category; effects are shown for each group, and as a mean over groups",
}


def execute(args: argparse.Namespace) -> int:
    """Analyse, print, write what is asked for, and return 100 if a gate failed.

    Raises
    ------
    UsageError, DataError
        As ``analyze``.

    Side effects: writes into the folder of ``--out``.
    """
    from promptrial.comparison.elsewhere.analysing import analyze
    from promptrial.documents import analysis as document

    if args.out is not None:
        _check_out(args.out)
    analyzed = analyze(_request(args))
    found = analyzed.document
    if args.out is not None:
        _write(analyzed, args.out)
    if args.json:
        print_result(document.encode(found).decode())
    else:
        print_pieces(_pieces(found, args.out, result_width()))
    failed = [gate for gate in found.gates if not gate.passed]
    for gate in failed:
        said = gate.reason or f"{gate.difference:+.4f}, limit {gate.limit:+.4f}"
        say_to_stderr(f"gate {gate.gate}, {gate.contrast}: failed: {said}")
    return GATE_FAILED if failed else 0


def _request(args: argparse.Namespace) -> AnalysisRequest:
    from promptrial.comparison.elsewhere.analysing import AnalysisRequest
    from promptrial.comparison.elsewhere.rows import Columns

    columns = {name: getattr(args, name) or "" for name in _COLUMNS}
    return AnalysisRequest(
        inputs=tuple(args.inputs),
        columns=Columns(scores=tuple(args.score), **columns),
        format=args.format,
        duplicates=args.duplicates,
        arms=tuple(args.arms),
        first=args.control,
        primary=tuple(args.primary),
        declared=_declared(args),
        margin=args.margin,
        gates=tuple(args.gate),
        alpha=args.alpha,
        texts=args.out is not None and not args.no_texts,
    )


def _declared(args: argparse.Namespace) -> Declared:
    from promptrial.comparison.elsewhere.scales import Declared

    for one, other in (("binary", "range"), ("higher_is_better", "lower_is_better")):
        if getattr(args, one) and getattr(args, other):
            raise UsageError(f"--{one} and --{other} cannot be combined")
    wanted: Wanted | None = "higher" if args.higher_is_better else "lower" if args.lower_is_better else None
    return Declared(args.range, args.binary, wanted)


def _check_out(folder: Path) -> None:
    """Refuse a folder whose files of the same names are those of a run, or of anything else than an analysis."""
    there = [name for name in _WRITTEN if (folder / name).exists()]
    if there and "analysis.json" not in there:
        raise UsageError(
            f"{folder} has {' and '.join(there)} but no analysis.json, so it was not written by an analysis",
            hint="choose another folder with --out; nothing was changed",
        )


def _write(analyzed: Analyzed, folder: Path) -> None:
    from promptrial.comparison.elsewhere.page import page_of
    from promptrial.documents import analysis as document
    from promptrial.documents import significance
    from promptrial.store import atomic

    made = (significance.encode(analyzed.document.significance), document.encode(analyzed.document))
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in zip(_WRITTEN, (*made, page_of(analyzed).encode()), strict=True):
        atomic.write_bytes(folder / name, data)


# --- what is printed --------------------------------------------------------------------------------------------------


def _pieces(found: Analysis, out: Path | None, width: int) -> Iterator[Piece]:
    from promptrial.cli.results import COLOURS, line_pieces, table_pieces
    from promptrial.comparison.elsewhere.analysing import declarations_of
    from promptrial.reporting.elsewhere import arms_line
    from promptrial.reporting.plain import one_line, wrapped
    from promptrial.reporting.tables.words import wording

    verdict = found.verdict
    for each in verdict.findings:
        yield from line_pieces(wrapped(one_line(each.sentence), width), COLOURS.get(each.state, "strong"))
    for sentence in verdict.sentences[len(verdict.findings) :]:
        yield from line_pieces(wrapped(one_line(sentence), width), "strong")
    yield "\n", ""
    for warning in verdict.warnings:
        yield from line_pieces(wrapped(one_line(f"Warning: {warning.text}"), width, "  "), "warning")
    yield from line_pieces([*wrapped(one_line(arms_line(found)), width, "  "), ""])
    with wording(declarations_of(found)):
        tables = _tables(found, width)
    for table in tables:
        yield from table_pieces(table, width)
    if out is not None:
        yield f"Results written to {out}\n", ""


def _tables(found: Analysis, width: int) -> list[Table]:
    from promptrial.cli.results import widest
    from promptrial.reporting import elsewhere
    from promptrial.reporting.plain import narrowed
    from promptrial.reporting.scaling import as_shares
    from promptrial.reporting.short import effects_in_short

    significance, labels = as_shares(found.significance), found.arms
    narrow, wide = (
        [elsewhere.without_temperature(table) for table in effects_in_short(significance, wide=each, names=labels)]
        for each in (False, True)
    )
    more = [
        elsewhere.group_means_table(found),
        *elsewhere.groups_tables(significance, labels),
        elsewhere.gates_table(found),
    ]
    fitted = [narrowed(each, width, _SPARE) for each in more if each.rows]
    return [*widest(narrow, wide, width), *fitted, elsewhere.inputs_table(found, _MOST_FILES)]


# --- what flags take --------------------------------------------------------------------------------------------------


def _whole(text: str) -> list[str]:
    """Take a name as it is: it may hold commas of its own."""
    return [text]


def _ends(text: str) -> tuple[float, float]:
    found = _RANGE.fullmatch(text)
    try:
        low, high = (float(end) for end in (found[1], found[2])) if found else (math.nan, math.nan)
    except ValueError:
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)):
        raise argparse.ArgumentTypeError(f"expected the lowest and the highest score, such as 0:1, got {text!r}")
    return low, high


def _margin(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value

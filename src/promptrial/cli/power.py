"""``promptrial power``: what a trial of a given size can show, and how many questions a difference needs."""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.power_flags import ROUNDING, impossible_discordance
from promptrial.cli.prose import print_prose
from promptrial.cli.values import number, probability, share
from promptrial.documents.usual import DIFFERENCES, POWER, WITHIN, independent_discordance
from promptrial.errors import UsageError
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.reporting.curves import Curve
    from promptrial.stats.planning import Design

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Show what a trial can detect, before any request is sent.

With --n: the smallest difference that N questions can detect, and the power for other differences. With --detect: how
many questions it takes to detect a difference. Both depend on assumptions about the scores: the share of questions
that only one arm answers correctly (--discordance) or, for continuous scores, the standard deviation of the
difference between the arms (--sd)."""

_USUAL_ICC: Final = 0.1
_STEPS: Final = 40
_DIGITS: Final = 10
_MOST: Final = 10**9


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    size = parser.add_argument_group("give one of these")
    add_flag(parser, "n", "number of questions", group=size, type=_count, metavar="N", rivals=("detect",))
    add_flag(parser, "detect", "the difference to detect, such as 0.03", group=size, type=_above_0, metavar="X",
             rivals=("n",))  # fmt: skip
    scores = parser.add_argument_group("assumptions about the scores")
    add_flag(parser, "baseline", "accuracy of the control prompt", group=scores, type=share, metavar="X")
    add_flag(parser, "discordance",
        "share of questions that only one arm answers correctly (default: 2 x (1 - x) for --baseline x, as if the "
        "arms were independent)", group=scores, type=share,
             metavar="X")  # fmt: skip
    add_flag(parser, "sd", (
        "continuous scores: standard deviation of the difference between the arms on a question"
    ), group=scores,
             type=_above_0, metavar="X")  # fmt: skip
    add_flag(parser, "clusters", "questions that share passages: P passages with Q questions each, such as 50x4; x4 if "
                                 "the number of passages is not fixed",
             group=scores, type=_clusters, metavar="PxQ")  # fmt: skip
    add_flag(parser, "icc",
        f"intraclass correlation of differences within a passage, 0 to 1 (default with --clusters: {_USUAL_ICC})",
             group=scores, type=share, metavar="X")  # fmt: skip
    add_flag(parser, "replicates", "number of answers per question and arm (default: 1)", group=scores, type=_count,
             default=1, metavar="K")  # fmt: skip
    add_flag(parser, "within", (
        "share of the variance that lies between replicates of one question (default with --replicates: "
        f"{WITHIN}; 0 at temperature 0)"
    ), group=scores, type=share, metavar="X")  # fmt: skip
    add_flag(
        parser,
        "alpha",
        "significance level of the two-sided test (default: 0.05)",
        type=probability,
        default=0.05,
        metavar="X",
    )
    add_flag(
        parser,
        "power",
        f"power, the probability of detecting the difference (default: {POWER})",
        type=probability,
        default=POWER,
        metavar="X",
    )
    add_flag(parser, "svg", "also draw the power curve to this new SVG file", type=Path, metavar="FILE")
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print what was asked for.

    Raises
    ------
    UsageError
        If assumptions are missing, or cannot all hold; or if the file of ``--svg`` exists.
    """
    design, said = _design(args)
    n = _questions(args, design)
    result = _result(design, n, args.detect)
    curve = _curve(design, n, args.detect)
    if args.json:
        print_result(json.dumps({"assumed": said, **result}, indent=1) + "\n")
    else:
        from promptrial.reporting.curves import as_text

        assumed = ["Assumptions:", *(f"- {each}" for each in said)]
        print_prose("\n".join([*assumed, "", *_sentences(design, result), "", as_text(curve)]))
    if args.svg is not None:
        _draw(curve, args.svg)
    return 0


# --- what is assumed --------------------------------------------------------------------------------------------------


def _design(args: argparse.Namespace) -> tuple[Design, list[str]]:
    """Return what is assumed, and the sentences that say it."""
    from promptrial.stats.planning import Design

    if args.sd is not None and (args.discordance is not None or args.baseline is not None):
        raise UsageError("--sd is for continuous scores: omit --baseline and --discordance, or omit --sd")
    if args.sd is None and args.discordance is None and args.baseline is None:
        raise UsageError(
            "assumptions about the scores are required",
            hint="give --discordance (with or without --baseline), or --baseline alone, or --sd",
        )
    if args.power <= args.alpha:
        raise UsageError(
            f"--power {args.power:g} is not above --alpha {args.alpha:g}, the power where there is no difference"
        )
    said: list[str] = []
    discordance = args.discordance
    if args.sd is not None:
        said.append(f"the difference between the arms on a question has a standard deviation of {args.sd:g}")
    else:
        guessed = discordance is None
        discordance = independent_discordance(args.baseline) if guessed else discordance
        why = ", as if the arms were independent" if guessed else ""
        said.append(f"only one arm answers {discordance:.1%} of questions correctly{why}")
    if args.baseline is not None:
        said.insert(0, f"the control answers {args.baseline:.1%} of questions correctly")
    size = 1.0 if args.clusters is None else float(args.clusters[1])
    icc = args.icc if args.icc is not None else _USUAL_ICC if size > 1 else 0.0
    if size > 1:
        said.append(
            f"{size:g} questions per passage, with an intraclass correlation of {icc:g} between their differences"
        )
    within = args.within if args.within is not None else WITHIN if args.replicates > 1 else 0.0
    if args.replicates > 1:
        said.append(f"{args.replicates} answers to each question; {within:.0%} of the variance lies between them")
    said.append(f"two-sided test at level {args.alpha:g}, power {args.power:.0%}")
    design = Design(
        discordance=discordance, sd=args.sd, baseline=args.baseline, cluster_size=size, icc=icc,
        replicates=args.replicates, within=within, alpha=args.alpha, power=args.power,
    )  # fmt: skip
    if design.largest < -ROUNDING:
        raise impossible_discordance(discordance, args.baseline)
    return design, said


def _questions(args: argparse.Namespace, design: Design) -> int | None:
    """Return the number of questions, if that is given."""
    passages = None if args.clusters is None else args.clusters[0]
    by_clusters = None if passages is None else round(passages * design.cluster_size)
    if args.n is not None and by_clusters is not None and args.n != by_clusters:
        raise UsageError(f"--n {args.n} and --clusters disagree: the clusters have {by_clusters} questions")
    n: int | None = args.n if args.n is not None else by_clusters
    if (n is None) == (args.detect is None):
        raise UsageError("give either --n (or --clusters PxQ) or --detect")
    if args.detect is None and design.largest <= ROUNDING:
        raise UsageError(
            f"under these assumptions, no difference can be larger than {design.largest:g}",
            hint=_more_differing(design),
        )
    if n is not None and n < max(2.0, design.fewest):
        raise UsageError(_too_few(design, n))
    if args.detect is not None and args.detect > design.largest:
        raise UsageError(
            f"--detect {args.detect:g}: under these assumptions, no difference can be larger than {design.largest:g}",
            hint=_smaller(args.detect, design),
        )
    return n


def _too_few(design: Design, n: int) -> str:
    """Return how many questions are needed so that any p-value can reach the level."""
    fewest = max(2, math.ceil(design.fewest))
    passages = "" if design.cluster_size == 1 else f" in {round(fewest / design.cluster_size)} passages"
    return f"{n} questions are too few: no p-value reaches {design.alpha:g} with fewer than {fewest}{passages}"


# --- what follows -----------------------------------------------------------------------------------------------------


def _result(design: Design, n: int | None, delta: float | None) -> dict[str, Any]:
    """Return the figures: as many questions find what, and a difference needs how many."""
    from promptrial.stats.planning import detectable, power_at, questions_needed

    wanted = sorted(each for each in {*DIFFERENCES, *([delta] if delta else [])} if each <= design.largest)
    found: dict[str, Any] = {
        "questions_needed": [{"difference": each, "n": questions_needed(design, each)} for each in wanted]
    }
    if n is None:
        return found
    powers = [{"difference": each, "power": power_at(design, n, each)} for each in wanted]
    return {"n": n, "detectable": detectable(design, n), "power": powers, **found}


def _sentences(design: Design, result: dict[str, Any]) -> list[str]:
    lines = []
    if "n" in result:
        found = result["detectable"]
        of = f"{result['n']:,} questions"
        lines.append(
            f"{of} cannot detect any difference with that power: under these assumptions, no possible difference "
            "is large enough."
            if found is None
            else f"{of} can detect a difference of {_written(design, found)} or more."
        )
        lines.append("")
    powers = {row["difference"]: row["power"] for row in result.get("power", ())}
    lines += ["difference   questions needed" + ("   power" if powers else "")]
    for row in result["questions_needed"]:
        needed = "more than a billion" if row["n"] is None else f"{row['n']:,}"
        power = f"{powers[row['difference']]:8.0%}" if powers else ""
        lines.append(f"{_written(design, row['difference']):>10}   {needed:>16}{power}")
    return lines


def _written(design: Design, delta: float) -> str:
    if design.discordance is None:
        return f"{delta:.3g}"
    points = f"{100 * delta:.3g}"
    return f"{points} point{'' if points == '1' else 's'}"


def _curve(design: Design, n: int | None, delta: float | None) -> Curve:
    """Return the power over the difference for a number of questions, or over the questions for a difference."""
    from promptrial.reporting.curves import Curve
    from promptrial.stats.planning import detectable, power_at, questions_needed

    if n is not None:
        found = detectable(design, n)
        last = min(design.largest, 2 * found if found else design.largest)
        points = [(last * step / _STEPS, power_at(design, n, last * step / _STEPS)) for step in range(_STEPS + 1)]
        ends = ("0", _written(design, last))
        return Curve(f"Power of {n:,} questions", "true difference", "power", tuple(points), design.power, ends)
    wanted = delta or 0.0
    most = 2 * (questions_needed(design, wanted) or 2)
    first = max(2, round(2 * design.cluster_size))
    sizes = sorted({first + round((most - first) * step / _STEPS) for step in range(_STEPS + 1)})
    points = [(float(size), power_at(design, size, wanted)) for size in sizes]
    title = f"Power for a difference of {_written(design, wanted)}"
    return Curve(title, "questions", "power", tuple(points), design.power, (f"{first:,}", f"{most:,}"))


def _smaller(detect: float, design: Design) -> str:
    """Return what to give instead of a difference that is too large; one above 1 was probably meant in points."""
    if detect > 1 and detect / 100 <= design.largest:
        return f"for a difference of {detect:g} points: --detect {detect / 100:g}"
    return _more_differing(design)


def _more_differing(design: Design) -> str:
    """Return what to give so that more of the questions can differ."""
    if design.baseline in {0, 1}:
        return "a control that answers all questions alike leaves nothing to differ: give a --baseline between 0 and 1"
    return "a larger share of questions must differ: give another --discordance"


def _draw(curve: Curve, path: Path) -> None:
    from promptrial.reporting.curves import as_svg
    from promptrial.store.new_files import write_new

    write_new(path.parent, {PurePosixPath(path.name): as_svg(curve).encode()})
    say_to_stderr(f"power curve written to {path}")


# --- what flags take --------------------------------------------------------------------------------------------------


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() and len(text) <= _DIGITS else 0
    if not 1 <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to a billion, got {text!r}")
    return value


def _above_0(text: str) -> float:
    value = number(text)
    if not ROUNDING <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a number from {ROUNDING:g} to a billion, got {text!r}")
    return value


def _clusters(text: str) -> tuple[int | None, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,8})?x([1-9][0-9]{0,5})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected passages x questions, such as 50x4, or x4, got {text!r}")
    return None if found[1] is None else int(found[1]), int(found[2])

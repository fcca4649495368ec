"""``promptrial show``: the items of a run in a terminal: what each arm answered, and what changed."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.options import add_experiments_dir, add_run_id, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import environment
from promptrial.documents.printable import defused_cell, escaped
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.care.shown_items import ShownItem
    from promptrial.phases.side_by_side import Answer, Outcome

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Show the items of a scored run: question, gold answers, and the answer of each arm, side by side.

Without ITEM: one line for each item and arm. With ITEM: everything about that item. ITEM is an ID or DATASET|ID (shown
at every temperature), or the number of a line (shown at the temperature of that line). A value that could be
either is treated as an ID."""
_MARKS: Final = {
    "fixed": "+",
    "broken": "-",
    "both_right": "=",
    "both_wrong": "x",
    "missing": "?",
    "not_applicable": " ",
}
_LEGEND: Final = "+ fixed, - broken, = right in both, x wrong in both, ? no answer"
_DECIDED: Final = ("fixed", "broken", "both_right", "both_wrong")
"""The outcomes that a measure decides."""
_NARROWEST: Final = 40


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    parser.add_argument(
        "item", nargs="?", metavar="ITEM", default=None, help="ID of an item, or its number in the list (from 1)"
    )
    group = parser.add_argument_group("items to show")
    add_flag(parser, "changed", "only items that were fixed or broken", group=group, action="store_true")
    add_flag(parser, "fixed", "only items that became right", group=group,
             action="store_true")  # fmt: skip
    add_flag(parser, "broken", "only items that became wrong", group=group,
             action="store_true")  # fmt: skip
    add_flag(
        parser,
        "missing",
        "only items without an answer in one or both of the two arms",
        group=group,
        action="store_true",
    )
    add_flag(parser, "arm", "the arm to compare with the control (default: the first treatment)", group=group,
             metavar="NAME")  # fmt: skip
    add_flag(parser, "trial_filter", "the trial whose name contains TEXT, if there are several", group=group,
             metavar="TEXT")  # fmt: skip
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout: a list of items", action="store_true")
    add_flag(
        parser,
        "csv",
        "a table on stdout: one row per answer, and one for each arm without an answer",
        action="store_true",
        rivals=("json",),
    )


def execute(args: argparse.Namespace) -> int:
    """Print the items.

    Raises
    ------
    UsageError
        If there is no such run, trial, arm or item, or the answers are not scored yet.
    """
    from promptrial.care.opened import read_run
    from promptrial.care.shown_items import Wanted, chosen_trial, shown_items, sides_of
    from promptrial.care.unfinished import unfinished_warnings
    from promptrial.engine.session import Invocation

    run = run_or_latest(args)
    env = environment(os.environ, Path.cwd())
    found = read_run(run, env, Invocation(env, SystemClock(), lambda _text: None))
    trial = chosen_trial(found, args.trial_filter)
    sides = sides_of(found, trial)
    for warning in unfinished_warnings(found, trial, "scores"):
        say_to_stderr(warning.line)
    items = shown_items(sides, Wanted(_outcomes(args), args.arm, args.item))
    measure = sides.scorers[sides.judge].label if sides.judge is not None else ""
    if args.json:
        _print(_json_lines(items))
    elif args.csv:
        _print(_csv_lines(items))
    elif args.item is not None:
        _print(line for item in items for line in _whole(item, measure))
    else:
        _print(_listed(items, _wanted_words(args), measure))
    return 0


def _outcomes(args: argparse.Namespace) -> tuple[Outcome, ...]:
    chosen: dict[Outcome, bool] = {
        "fixed": args.fixed or args.changed,
        "broken": args.broken or args.changed,
        "missing": args.missing,
    }
    return tuple(outcome for outcome, is_wanted in chosen.items() if is_wanted)


def _wanted_words(args: argparse.Namespace) -> str:
    names = [name for name in ("changed", "fixed", "broken", "missing") if getattr(args, name)]
    return " or ".join(names)


def _print(lines: Iterable[str]) -> None:
    """Print lines a block at a time, so that a reader who leaves early costs nothing."""
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) == 500:
            print_result("".join(block))
            block.clear()
    print_result("".join(block))


def _width() -> int:
    return max(_NARROWEST, shutil.get_terminal_size().columns)


# --- for people -------------------------------------------------------------------------------------------------------


def _listed(items: Iterable[ShownItem], wanted: str, measure: str) -> Iterator[str]:
    width, n = _width(), 0
    for item in items:
        n += 1
        head = f"{_MARKS[item.outcome]} {item.number:>5} {item.id}: "
        yield f"{_cut(head + _one_line(item.question), width)}\n"
        for arm, answers in item.answers.items():
            yield f"{_cut(f'        {arm}: {_one_line(_said(answers))}', width)}\n"
    if n:
        decided = f"Judged by: {measure}.\n" if measure else ""
        legend = f"\n{n} items. {_LEGEND}.\n" if width >= 90 else f"\n{n} items.\n{_wrapped(_LEGEND, width, '')}"
        yield legend + decided
    else:
        yield f"no items{f' that are {wanted}' if wanted else ''}\n"


def _whole(item: ShownItem, measure: str) -> Iterator[str]:
    width = min(_width(), 100)
    head = f"{item.number} {item.dataset}|{item.id}, temperature {item.temperature:g}: {_word(item.outcome)}"
    head += f" ({measure})" if measure and item.outcome in _DECIDED else ""
    yield f"{_wrapped(head, width)}\n"
    if item.passage is not None:
        yield _wrapped(f"Passage: {item.passage}", width)
    yield _wrapped(f"Question: {item.question}", width)
    yield _wrapped(f"Gold: {' | '.join(item.gold) or 'none'}", width)
    for arm, answers in item.answers.items():
        yield f"\n{arm}\n"
        if not answers:
            yield "  no answer\n"
        for answer in answers:
            if answer.reasoning:
                yield _wrapped(f"reasoning: {answer.reasoning}", width, "  ")
            yield _wrapped(_said([answer]), width, "  ")
            facts = [_tokens(answer.completion_tokens)] if answer.completion_tokens is not None else []
            facts += [f"ended by {answer.finish_reason}"] if answer.finish_reason not in {None, "stop"} else []
            yield f"  ({', '.join(facts)})\n" if facts else ""
        scores = ", ".join(f"{name} {value:.4g}" for name, value in item.scores[arm].items())
        yield _wrapped(scores or "no score", width, "  ")
        yield from (_wrapped(text, width, "  ") for text in _reasons(answers))
    yield "\n"


def _reasons(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield why judges gave their scores; where there are several answers, of which one it is said."""
    for number, answer in enumerate(answers, 1):
        of = f"answer {number}, " if len(answers) > 1 else ""
        yield from (f"{of}reason for {each.scorer} {each.said}: {each.reason}" for each in answer.judgements)


def _word(outcome: Outcome) -> str:
    return outcome.replace("_", " ")


def _tokens(number: int) -> str:
    return f"{number} token{'' if number == 1 else 's'}"


def _said(answers: Sequence[Answer]) -> str:
    texts = [each.text if each.text is not None else f"[{each.error or 'no text'}]" for each in answers]
    return " | ".join(texts) or "[no answer]"


def _one_line(text: str) -> str:
    return " ".join(escaped(text).split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _wrapped(text: str, width: int, indent: str = "") -> str:
    """Return a text of any number of lines, none of them wider than the terminal."""
    lines = [
        piece
        for line in escaped(text).splitlines() or [""]
        for piece in textwrap.wrap(line, width - len(indent), replace_whitespace=False) or [""]
    ]
    return "".join(f"{indent}{line}\n" for line in lines)


# --- for programs -----------------------------------------------------------------------------------------------------


def _json_lines(items: Iterable[ShownItem]) -> Iterator[str]:
    """Yield the items as one JSON list, an item a line."""
    between = "[\n"
    for item in items:
        yield between + json.dumps(item.values(), ensure_ascii=True)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def _csv_lines(items: Iterable[ShownItem]) -> Iterator[str]:
    names: list[str] | None = None
    for item in items:
        if names is None:
            names = list(dict.fromkeys(name for scores in item.scores.values() for name in scores))
            head = ("number", "id", "dataset", "temperature", "outcome", "question", "gold", "arm", "replicate")
            yield _csv([*head, "answer", "error", *names])
        for arm, answers in item.answers.items():
            lead = [item.number, item.id, item.dataset, item.temperature, item.outcome, item.question]
            scores = [item.scores[arm].get(name, "") for name in names]
            gold = " | ".join(item.gold)
            for at, answer in enumerate(answers):
                yield _csv([*lead, gold, arm, at, answer.text or "", answer.error or "", *scores])
            if not answers:
                yield _csv([*lead, gold, arm, "", "", "", *scores])


def _csv(cells: Sequence[object]) -> str:
    """Return a row; a cell that a spreadsheet would run as a formula begins with an apostrophe."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_cell(each) for each in cells])
    return line.getvalue()


def _cell(value: object) -> object:
    return defused_cell(value) if isinstance(value, str) else value

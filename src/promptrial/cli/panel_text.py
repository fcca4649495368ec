"""What the live panel says about a run, as lines that fit a terminal. Pure."""

from __future__ import annotations

from typing import Final

from promptrial.care.following import Look, Speed
from promptrial.care.live_facts import LiveFact, live_facts, standing
from promptrial.documents.printable import escaped

__all__ = ["cropped", "panel_lines"]

_BAR: Final = 20
_WIDEST: Final = 100
_ONE_LINE: Final = {9: " ", 10: " ", 13: " "}


def panel_lines(run_id: str, look: Look | None, speed: Speed, task: str, width: int, problem: str = "") -> list[str]:
    """Return the lines of the panel, none wider than the terminal.

    Parameters
    ----------
    run_id : str
    look : Look or None
        The last look at the run's files; None before there are any.
    speed : Speed
    task : str
        What the process at work says about the count that it is at; empty where another process works.
    width : int
        Columns of the terminal. The last one stays free: a terminal may wrap a line that fills it.
    problem : str
        Why the files cannot be read at this moment.
    """
    lines = [f"run {run_id}: {'starting' if look is None else standing(look)}"]
    lines += [] if look is None else [_line(look, fact) for fact in live_facts(look, speed)]
    lines += [f"now      {task}"] if task else []
    lines += [f"files    {problem}"] if problem else []
    return [cropped(escaped(line).translate(_ONE_LINE), min(width - 1, _WIDEST)) for line in lines]


def cropped(line: str, width: int) -> str:
    """Return a line of at most so many columns; an ellipsis stands for what was cut off.

    Examples
    --------
    >>> cropped("answers", 7), cropped("answers", 4), cropped("answers", 0)
    ('answers', 'a...', '')
    """
    return line if len(line) <= width else f"{line[: max(width - 3, 0)]}..."[: max(width, 0)]


def _line(look: Look, fact: LiveFact) -> str:
    if fact.name == "phase":
        return fact.text
    return f"{fact.name:<8} {_bar(look) if fact.name == 'answers' else ''}{fact.text}"


def _bar(look: Look) -> str:
    """Return the share of the answers that are there, as a bar; empty if none is expected."""
    if look.answers is None or not look.expected:
        return ""
    full = min(_BAR, _BAR * look.answers // look.expected)
    return f"[{'#' * full}{'.' * (_BAR - full)}] "

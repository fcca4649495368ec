"""Results that are sentences, as a terminal shows them. Commands to be copied stay on one line, however wide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from promptrial.reporting.plain import wrapped
from promptrial.runtime.terminal import print_result, terminal_width

__all__ = ["print_prose"]

_COMMANDS: Final = ("next:", "$ ")
"""What a line begins with that holds a command."""
_INDENT: Final = "  "


def print_prose(text: str) -> None:
    """Write lines to stdout; on a terminal, one that is too wide for it is continued below, indented.

    Raises
    ------
    OutputError, ReaderGoneError
        As ``print_result`` does.
    """
    width = terminal_width()
    print_result("".join(f"{line}\n" for each in text.splitlines() for line in _lines(each, width)))


def _lines(line: str, width: int | None) -> Iterator[str]:
    words = line.lstrip()
    if words.startswith(_COMMANDS):
        yield line
    else:
        yield from wrapped(line, width, line[: len(line) - len(words)] + _INDENT)

"""Everything that is printed: results on stdout, sentences on stderr. Text is made safe and encodable here.

A stream may be closed, full, a pipe whose reader has left, or of an encoding that lacks a letter. Stdout is where the
result of a command goes, so losing it is an error; a sentence that stderr does not take is dropped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Literal, TextIO

from promptrial.documents.printable import escaped
from promptrial.errors import OutputError, ReaderGoneError

__all__ = [
    "Colour",
    "print_pieces",
    "print_result",
    "result_width",
    "say_to_stderr",
    "takes_controls",
    "terminal_width",
]

_FALLBACK: Final = "utf-8"
_WIDTH: Final = 80
"""Of a stream that has no width, such as a pipe."""
_NARROWEST: Final = 40
Colour = Literal["", "good", "bad", "warning", "strong"]
"""How a piece of a result stands out on a terminal; a word says the same."""
_CODES: Final[dict[Colour, str]] = {"good": "1;32", "bad": "1;31", "warning": "33", "strong": "1"}


def result_width() -> int:
    """Return how wide a result may be: ``COLUMNS``, or else the width of the terminal, or else 80; at least 40."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return max(_NARROWEST, int(said))
    if sys.stdout is None or not sys.stdout.isatty():
        return _WIDTH
    return max(_NARROWEST, os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH)


def terminal_width() -> int | None:
    """Return how wide a result may be on a terminal; None where stdout is none, so that a line stays whole."""
    return result_width() if sys.stdout is not None and sys.stdout.isatty() else None


def print_pieces(pieces: Iterable[tuple[str, Colour]]) -> None:
    """Write a result whose pieces stand out on a terminal of colours; each is escaped on its own.

    There are none in a pipe or a file, with ``NO_COLOR``, and where ``TERM`` is ``dumb``.

    Raises
    ------
    OutputError, ReaderGoneError
        As ``print_result`` does.
    """
    coloured = takes_controls(sys.stdout)
    _write("".join(_shown(text, colour if coloured else "", sys.stdout) for text, colour in pieces))


def takes_controls(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal that takes colours and a moving cursor: not ``TERM=dumb``, nor ``NO_COLOR``."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in {None, "", "dumb"}
    return stream is not None and stream.isatty() and not plain


def _shown(text: str, colour: Colour, stream: TextIO | None) -> str:
    safe = text if stream is None else encodable(text, stream)
    return f"\x1b[{_CODES[colour]}m{safe}\x1b[0m" if colour else safe


def print_result(text: str) -> None:
    """Write a result to stdout, escaped, and flush it.

    Raises
    ------
    OutputError
        If stdout is closed or takes no more.
    ReaderGoneError
        If stdout is a pipe whose reader has left.
    """
    _write(text if sys.stdout is None else encodable(text, sys.stdout))


def _write(safe: str) -> None:
    """Write a text that is escaped already."""
    stream = sys.stdout
    if stream is None:
        raise OutputError("standard output is closed: the result could not be printed")
    try:
        stream.write(safe)
        stream.flush()
    except BrokenPipeError as error:
        _discard(stream)
        raise ReaderGoneError("the reader of standard output has closed it") from error
    except (OSError, ValueError) as error:
        _discard(stream)
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise OutputError(f"standard output: {why}: the result could not be printed") from error


def say_to_stderr(text: str, *, end: str = "\n") -> None:
    """Write one line to stderr, escaped; a stderr that does not take it is no reason to fail."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(encodable(text, stream) + end)
        stream.flush()
    except (OSError, ValueError):
        _discard(stream)


def encodable(text: str, stream: TextIO) -> str:
    """Return a text that is safe to print and that a stream can encode: letters that it lacks are escaped too."""
    encoding = stream.encoding or _FALLBACK
    return escaped(text).encode(encoding, "backslashreplace").decode(encoding)


def _discard(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, or Python would fail again when it flushes the stream at its end."""
    with suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)

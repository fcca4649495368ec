"""Everything that is printed: results on stdout, sentences on stderr. Text is made safe and encodable here.

A stream may be closed, full, a pipe whose reader has left, or of an encoding that lacks a letter. Stdout is where the
result of a command goes, so losing it is an error; a sentence that stderr does not take is dropped.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final, TextIO

from promptrial.documents.printable import escaped
from promptrial.errors import OutputError, ReaderGoneError

__all__ = ["are_shown_together", "encodable", "print_result", "say_to_stderr"]

_FALLBACK: Final = "utf-8"


def are_shown_together() -> bool:
    """Whether somebody sees stdout and stderr side by side: both are terminals."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def print_result(text: str, *, before: str = "") -> None:
    """Write a result to stdout, escaped, and flush it.

    Parameters
    ----------
    text : str
    before : str
        Control sequences for the terminal, which are written as they are.

    Raises
    ------
    OutputError
        If stdout is closed or takes no more.
    ReaderGoneError
        If stdout is a pipe whose reader has left.
    """
    stream = sys.stdout
    if stream is None:
        raise OutputError("standard output is closed: the result could not be printed")
    try:
        stream.write(before + encodable(text, stream))
        stream.flush()
    except BrokenPipeError as error:
        _discard(stream)
        raise ReaderGoneError("the reader of standard output has left") from error
    except (OSError, ValueError) as error:
        _discard(stream)
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise OutputError(f"standard output: {why}: the result could not be printed") from error


def say_to_stderr(text: str) -> None:
    """Write one line to stderr, escaped; a stderr that does not take it is no reason to fail."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(encodable(text, stream) + "\n")
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

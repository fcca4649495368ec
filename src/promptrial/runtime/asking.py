"""A question at the terminal that somebody sits at: it is put on stderr, and a line of stdin is the answer."""

from __future__ import annotations

import select
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

from promptrial.runtime.terminal import say_to_stderr

__all__ = ["terminal_question"]

_WIDTH: Final = 80
_LOOK_EVERY_S: Final = 0.5
"""How often it is looked, while nobody answers, whether to give up."""


def terminal_question(
    quiet: Callable[[], AbstractContextManager[None]],
) -> Callable[[str, Callable[[], bool]], bool] | None:
    """Return what puts a question, waits for the answer, and returns whether it was a yes.

    Only ``y`` and ``yes`` are; anything else, an end of the input, SIGINT and giving up are a no. None where nobody can
    be asked, because stdin or stderr is not a terminal.

    Parameters
    ----------
    quiet : callable
        Returns a context in which nothing else is shown.
    """
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return None

    def ask(text: str, give_up: Callable[[], bool]) -> bool:
        with quiet(), _sigint_raises():
            try:
                return _answer(text, give_up) in {"y", "yes"}
            except KeyboardInterrupt:
                say_to_stderr("")
                return False

    return ask


def _answer(text: str, give_up: Callable[[], bool]) -> str:
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        say_to_stderr("\n".join(textwrap.wrap(line, _WIDTH, subsequent_indent=indent)))
    _forget_what_was_typed()
    say_to_stderr("Continue? [y/N] ", end="")
    while not give_up():
        if select.select([sys.stdin], [], [], _LOOK_EVERY_S)[0]:
            return sys.stdin.readline().strip().lower()
    say_to_stderr("")
    return ""


def _forget_what_was_typed() -> None:
    """Drop what was typed before the question was there to be read: it is not an answer to it."""
    with suppress(ImportError, OSError):
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


@contextmanager
def _sigint_raises() -> Iterator[None]:
    """Within the block SIGINT raises ``KeyboardInterrupt``, where signal handlers can be set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)

"""Signals outside of a run, from the first moment on; ``runtime.stop`` handles those that come while a run works.

The first process of a container gets no signal that it has no handler for, and Python's own handler of SIGINT ends an
import with a traceback. So handlers are set before anything else is imported; that is why this module takes
``_signal``, the part of ``signal`` that is in C, and no ``typing``: both cost more than all that is here. A signal that
was ignored when the program started (``nohup``, a shell's background) stays ignored.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # it has no stubs
import atexit
import os
import sys

TYPE_CHECKING = False  # as typing has it
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Terminated", "end_on_signals", "fill_closed_streams", "handled", "keep_exit_code", "raise_on_signals"]

_IMPORTING = "<frozen importlib._bootstrap>"
_SAID = {_signal.SIGINT: b"interrupted\n", _signal.SIGTERM: b"terminated\n"}


class Terminated(KeyboardInterrupt):
    """SIGTERM came where no run handles it."""


def handled() -> tuple[int, ...]:
    """Return those of SIGINT and SIGTERM that were not ignored when the program started."""
    return tuple(number for number in _SAID if _signal.getsignal(number) != _signal.SIG_IGN)


def end_on_signals() -> None:
    """Let SIGINT and SIGTERM end the process at once, with 130 or 143: there is nothing to undo.

    Side effects: sets signal handlers; for the main thread alone.
    """
    _set(_end)


def raise_on_signals() -> None:
    """Let SIGINT raise ``KeyboardInterrupt`` and SIGTERM ``Terminated``, for a command to clean up.

    An exception that is raised while a module is imported may be taken for that module's failure, and one that is
    raised in a destructor is lost. There the process ends immediately; what is on disk is as whole as after a kill.

    Side effects: sets signal handlers and ``sys.unraisablehook``; for the main thread alone.
    """
    usual = sys.unraisablehook

    def end_if_interrupted(raised: sys.UnraisableHookArgs) -> None:
        if issubclass(raised.exc_type, KeyboardInterrupt):
            _end(_signal.SIGTERM if issubclass(raised.exc_type, Terminated) else _signal.SIGINT, None)
        usual(raised)

    sys.unraisablehook = end_if_interrupted
    _set(_raise)


def keep_exit_code() -> None:
    """Ignore SIGINT and SIGTERM once Python takes itself down: it would let them end the process with their own code.

    To be called first: what is registered first with ``atexit`` is called last, when nothing of the program is left.

    Side effects: registers a function with ``atexit``.
    """
    atexit.register(_ignore)


def fill_closed_streams() -> None:
    """Open the null device in place of each standard stream that is closed, so that no file takes its number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _set(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in handled():
        _signal.signal(number, handler)


def _ignore() -> None:
    for number in handled():
        _signal.signal(number, _signal.SIG_IGN)


def _raise(number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        _end(number, frame)
    raise Terminated if number == _signal.SIGTERM else KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False


def _end(number: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, _SAID[number])
    except OSError:
        pass
    finally:
        os._exit(128 + number)

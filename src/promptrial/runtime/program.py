"""A program of the user's that reads from standard input and writes to standard output: run once, within limits.

It gets no shell and no key: its environment holds only what is listed here. It runs in a process group of its own. That
is killed when the program has ended, takes too long, writes too much, or a stop is asked for. A program that leaves its
group on purpose can outlive that.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

from promptrial.config.environment import is_secret_variable

__all__ = ["Ended", "Limits", "bare_environment", "run_program"]

_KEPT: Final = frozenset({"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"})
"""The variables that a program gets, besides ``LC_*``."""
_CHUNK: Final = 1 << 16
_LOOK_S: Final = 0.1
"""How long it may take until a stop or the end of the program is noticed."""
_STDERR_KEPT: Final = 4_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a program may run, in seconds, and how many bytes it may write to standard output."""

    seconds: float
    stdout_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    ``code`` is its exit code, negative for a signal. ``stderr`` is the end of what it wrote there. ``took_too_long``
    and ``wrote_too_much`` say that it was killed for that; ``stdout`` is then what came before.
    """

    code: int
    stdout: bytes
    stderr: bytes
    took_too_long: bool = False
    wrote_too_much: bool = False


def bare_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a program gets: no key, and no relative folder to find programs in."""
    kept = {name: value for name, value in env.items() if name in _KEPT or _is_of_the_locale(name)}
    folders = [folder for folder in kept.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]  # noqa: PTH117 - text of a variable
    return kept | {"PATH": os.pathsep.join(folders)}


def _is_of_the_locale(name: str) -> bool:
    return name.startswith("LC_") and not is_secret_variable(name)


def run_program(
    argv: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    lines: Iterable[bytes],
    limits: Limits,
    monotonic: Callable[[], float],
    check_stop: Callable[[], None],
) -> Ended:
    """Run a program, give it lines, and return what it wrote and how it ended.

    Parameters
    ----------
    argv : sequence of str
        The program and its arguments; no shell looks at them.
    folder : Path
        Its current folder.
    env : mapping
        Its whole environment.
    lines : iterable of bytes
        What it reads; it may stop to read whenever it likes.
    limits : Limits
    monotonic : callable
        The clock, in seconds.
    check_stop : callable
        Raises if a stop was asked for.

    Raises
    ------
    OSError
        If it cannot be started.

    Side effects: runs the program, and kills its process group before it returns or raises.
    """
    process = subprocess.Popen(  # noqa: S603 - what the user configured, and without a shell
        list(argv),
        cwd=folder,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with _Exchange(process, lines, limits) as exchange:
        end = monotonic() + limits.seconds
        while exchange.goes_on():
            check_stop()
            if monotonic() >= end:
                return exchange.ended(took_too_long=True)
            if exchange.step() > limits.stdout_bytes:
                return exchange.ended(wrote_too_much=True)
        return exchange.ended()


class _Exchange:
    """The three pipes of a program that runs, read and written side by side so that neither end waits for the other."""

    def __init__(self, process: subprocess.Popen[bytes], lines: Iterable[bytes], limits: Limits) -> None:
        self._process = process
        self._lines = iter(lines)
        self._limit = limits.stdout_bytes
        self._waiting = b""
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._selector = selectors.DefaultSelector()
        self._code: int | None = None

    def __enter__(self) -> Self:
        process = self._process
        for pipe, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            assert pipe is not None  # noqa: S101 - all three were asked for
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event)
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def goes_on(self) -> bool:
        """Whether the program runs, or something is left to read; a child of its own that lives on does not count."""
        if self._process.poll() is None:
            return True
        self._close(self._process.stdin)
        return bool(self._selector.get_map()) and bool(self._selector.select(0))

    def step(self) -> int:
        """Write and read what can be, waiting a moment if nothing can; return the bytes of standard output so far."""
        for key, _ in self._selector.select(_LOOK_S):
            pipe = key.fileobj
            if pipe is self._process.stdin:
                self._write()
            else:
                self._read(pipe)
        return len(self._stdout)

    def ended(self, *, took_too_long: bool = False, wrote_too_much: bool = False) -> Ended:
        """Return how the program ended; it is killed if it has not."""
        code = self._kill()
        return Ended(code, bytes(self._stdout[: self._limit]), bytes(self._stderr), took_too_long, wrote_too_much)

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - likewise
        while len(self._waiting) < _CHUNK and (line := next(self._lines, None)) is not None:
            self._waiting += line
        if not self._waiting:
            self._close(stdin)
            return
        try:
            sent = os.write(stdin.fileno(), self._waiting[:_CHUNK])
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no more, and may still be right
            self._close(stdin)
            return
        self._waiting = self._waiting[sent:]

    def _read(self, pipe: object) -> None:
        out = pipe is self._process.stdout
        source = self._process.stdout if out else self._process.stderr
        assert source is not None  # noqa: S101 - likewise
        try:
            data = os.read(source.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._close(source)
        elif out:
            self._stdout += data
        else:
            self._stderr = (self._stderr + data)[-_STDERR_KEPT:]

    def _close(self, pipe: IO[bytes] | None) -> None:
        if pipe is not None and not pipe.closed:
            self._selector.unregister(pipe)
            pipe.close()

    def _kill(self) -> int:
        """Kill the program and all that it has started in its group; return its exit code."""
        if self._code is None:  # once: later its number may be that of another process
            self._process.poll()
            with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
                os.killpg(self._process.pid, signal.SIGKILL)
            self._code = self._process.wait()
        return self._code

"""Programs at a pseudo-terminal: a keyboard, the bytes that they write, and what these make of a screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.fake_provider import BEFORE_ROW
from tests.support.project import Outcome, Project, import_path

__all__ = ["PROGRAM", "Screen", "Terminal", "allow_rows", "at_a_terminal", "hold_rows", "shown_at_a_terminal"]

PROGRAM: Final = """
import fcntl, sys, termios
if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches it
from promptrial import registry
from tests.support.terminals import hold_rows
registry.PROVIDERS["fake"] = "tests.support.fake_provider:%s"
hold_rows()
from promptrial.cli.start import entry_point
entry_point(sys.argv[1:])
"""
_ALLOWED: Final = Path("rows_allowed")
_CONTROL: Final = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
_WAIT_S: Final = 60


def allow_rows(project: Project, count: int) -> None:
    """Let programs answer so many requests in all; without this they answer every one."""
    new = project.root / "rows_allowed.new"
    new.write_text(str(count))
    new.replace(project.root / _ALLOWED)


def hold_rows() -> None:
    """In a program: answer no more requests than are allowed; those on disk when it began count."""
    answered = sum(path.read_bytes().count(b"\n") for path in Path("experiments").glob("run_*/*/results/*/*.jsonl"))

    def hold(_row: object) -> None:
        nonlocal answered
        while _ALLOWED.exists() and answered >= int(_ALLOWED.read_text()):
            time.sleep(0.02)
        answered += 1

    BEFORE_ROW.append(hold)


class Screen:
    """What a terminal shows after it got some text: lines, as far as the program has not erased them.

    It knows the controls that a panel needs. ``wrapped`` counts the lines that were too long for it.
    """

    def __init__(self, columns: int) -> None:
        self.lines = [""]
        self.columns, self.row, self.column, self.wrapped = columns, 0, 0, 0
        self.cursor_shown = True

    def feed(self, text: str) -> None:
        """Take what a program wrote."""
        at = 0
        while at < len(text):
            control = _CONTROL.match(text, at)
            if control is not None:
                self._control(control[1], control[2])
                at = control.end()
            else:
                self._put(text[at])
                at += 1

    def _control(self, arguments: str, kind: str) -> None:
        if kind == "A":
            self.row = max(0, self.row - int(arguments or 1))
        elif kind == "K":
            self.lines[self.row] = "" if arguments == "2" else self.lines[self.row][: self.column]
        elif kind in "hl" and arguments == "?25":
            self.cursor_shown = kind == "h"
        else:
            assert kind == "m", f"a control that this screen does not know: {arguments}{kind}"

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self._down()
        else:
            if self.column >= self.columns:
                self.wrapped += 1
                self.column = 0
                self._down()
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        self.lines += [""] * (self.row + 1 - len(self.lines))


@dataclass
class Terminal:
    """A program at a terminal: what it shows, and a keyboard."""

    process: subprocess.Popen[bytes]
    fd: int
    screen: Screen = field(default_factory=lambda: Screen(80))
    shown: str = ""

    def wait_for(self, text: str) -> None:
        """Wait until a text was shown, at whatever time."""
        self.wait_until(lambda: text in self.shown, text)

    def wait_until_on_screen(self, text: str) -> None:
        """Wait until a text is on the screen."""
        self.wait_until(lambda: any(text in line for line in self.screen.lines), text)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Read until something holds."""
        end = time.monotonic() + _WAIT_S
        while not holds():
            assert self._read(end), f"{what!r} was not shown, but: {self.shown}"

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.fd, keys.encode())

    def resize(self, columns: int) -> None:
        """Give the window another width; its content stays."""
        _set_size(self.fd, columns)
        self.screen.columns = columns

    def end(self) -> int:
        """Wait until the program has ended, and return its exit code."""
        while self._read(time.monotonic() + _WAIT_S):
            pass
        return self.process.wait(_WAIT_S)

    def read_for(self, seconds: float) -> None:
        """Take what the program shows within a time."""
        end = time.monotonic() + seconds
        while self._read(end):
            pass

    def _read(self, end: float) -> bool:
        watched = select.poll()  # unlike select, it takes any number of a file
        watched.register(self.fd, select.POLLIN)
        if not watched.poll(max(0.0, end - time.monotonic()) * 1000):
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # the program has ended
            return False
        text = data.decode(errors="replace")
        self.shown += text
        self.screen.feed(text)
        return bool(data)

    @property
    def lines(self) -> list[str]:
        """All that was shown, line by line, without controls."""
        return _CONTROL.sub("", self.shown).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def shown_at_a_terminal(call: Callable[[], Outcome], columns: int = 80) -> tuple[Outcome, str]:
    """Run something in this process whose stderr is a terminal; return its outcome and what the terminal got."""
    fd, program_end = pty.openpty()
    _set_size(program_end, columns)
    got = list[bytes]()

    def drain() -> None:
        with suppress(OSError):  # all that has the terminal open has closed it
            while data := os.read(fd, 4096):
                got.append(data)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        with os.fdopen(program_end, "w") as terminal, redirect_stderr(terminal):
            outcome = call()
    finally:
        reader.join()
        os.close(fd)
    return outcome, b"".join(got).decode()


def _set_size(fd: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


@contextmanager
def at_a_terminal(
    project: Project,
    *words: str,
    provider: str = "FakeProvider",
    columns: int = 80,
    env: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run the program at a terminal of 24 lines."""
    fd, program_end = pty.openpty()
    _set_size(fd, columns)
    unset = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM % provider, *words],
        cwd=project.root,
        env={**unset, "PYTHONPATH": import_path(), "TERM": "xterm", **(env or {})},
        stdin=program_end,
        stdout=program_end,
        stderr=program_end,
        start_new_session=True,
    ) as process:
        os.close(program_end)
        try:
            yield Terminal(process, fd, Screen(columns))
        finally:
            process.kill()
            os.close(fd)

"""The points at which a run can be killed: before, during and after every operation of ``promptrial.store.atomic``.

The operations are that module's private functions, whatever they are called, so a new one is a new kill point. One that
is called by another is part of it. An append can also be stopped in the middle of its line.
"""

from __future__ import annotations

import inspect
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from promptrial.store import atomic

Moment = Literal["before", "amid", "after"]
At = Callable[[Moment, str, tuple[Any, ...]], None]


_NEEDS_ROOM = ("_create", "_open_to_append", "_mkdir", "_append", "_fsync", "_fsync_folder")


class Point(NamedTuple):
    """Where a run can be killed."""

    moment: Moment
    operation: str
    path: str

    def __str__(self) -> str:
        return f"{self.moment} {self.operation.lstrip('_')} {self.path}"


def operations() -> dict[str, Callable[..., Any]]:
    """Return the small functions through which everything durable goes."""
    return {
        name: function
        for name, function in vars(atomic).items()
        if name.startswith("_") and inspect.isfunction(function)
    }


def instrument(at: At) -> None:
    """Call ``at`` at every point from now on. Side effects: replaces functions of ``promptrial.store.atomic``."""
    depth = threading.local()

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any) -> Any:
            if getattr(depth, "inside", False):
                return real(*arguments)
            depth.inside = True
            try:
                at("before", name, arguments)
                if name == "_append":
                    at("amid", name, arguments)
                result = real(*arguments)
                at("after", name, arguments)
            finally:
                depth.inside = False
            return result

        return operation

    for name, function in operations().items():
        setattr(atomic, name, watched(name, function))


def on_return(check: Callable[[str], None]) -> None:
    """Call ``check`` from now on whenever a function or method that promises something durable has kept its promise."""

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def promise(*arguments: Any, **options: Any) -> Any:
            result = real(*arguments, **options)
            check(name)
            return result

        return promise

    for name in ("write_bytes", "make_folder", "truncate", "remove", "publish", "move", "set_aside"):
        setattr(atomic, name, watched(name, getattr(atomic, name)))
    for kind, method in ((atomic.AtomicFile, "__exit__"), (atomic.Appender, "append")):
        setattr(kind, method, watched(f"{kind.__name__}.{method}", getattr(kind, method)))


def list_points(found: list[Point]) -> None:
    """Note every point that this process comes to."""

    def at(moment: Moment, name: str, arguments: tuple[Any, ...]) -> None:
        found.append(Point(moment, name, _place(arguments)))

    instrument(at)


def kill_at(number: int) -> None:
    """Kill this process, as the kernel does when memory runs out, at the point with this number, counted from 0."""
    left = number

    def at(moment: Moment, _name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if left == 0:
            _die(moment, arguments)
        left -= 1

    instrument(at)


def refuse_from(number: int, error: int) -> None:
    """From the point with this number on, let what needs room on the disk fail: the disk is full, or read-only."""
    left = number

    def at(moment: Moment, name: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if left <= 0 and moment == "before" and name in _NEEDS_ROOM:
            raise OSError(error, os.strerror(error))
        left -= 1

    instrument(at)


def kill_amid(path: str, number: int) -> None:
    """Kill this process in the middle of the append with this number, counted from 1, to a file with this name."""
    left = number

    def at(moment: Moment, _name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if moment == "amid" and _place(arguments).endswith(path):
            left -= 1
            if left == 0:
                _die(moment, arguments)

    instrument(at)


def _die(moment: Moment, arguments: tuple[Any, ...]) -> None:
    if moment == "amid":
        write_half(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)


def write_half(fd: int, data: bytes) -> None:
    """Write half of what is about to be appended, as a kill in the middle of it does."""
    os.write(fd, data[: len(data) // 2])


def _place(arguments: tuple[Any, ...]) -> str:
    """Return the file or folder that an operation works on, as a person would name it."""
    for argument in reversed(arguments):
        if isinstance(argument, Path):
            return "/".join(argument.parts[-2:])
    try:
        return "/".join(Path(f"/proc/self/fd/{arguments[0]}").readlink().parts[-2:])
    except OSError:
        return f"file {arguments[0]}"

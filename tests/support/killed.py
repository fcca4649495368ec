"""A process that is killed at a durable operation, simulated within this one by an exception that nothing may catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from promptrial.store import atomic

__all__ = ["Killed", "killed_at"]

OPERATIONS: Final = ("_append", "_fsync", "_replace", "_unlink", "_mkdir", "_fsync_folder", "_cut")


class Killed(BaseException):
    """The process is dead: nothing may catch this, and no durable operation happens after it."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, moment: str) -> Iterator[None]:
    """Within the block the durable operation of a number is the last one, or does not happen, or happens by half."""
    left, is_dead = [number], [False]

    def deadly(plain: Callable[..., Any], name: str) -> Callable[..., Any]:
        def operation(*args: Any) -> Any:
            if is_dead[0]:
                raise Killed
            left[0] -= 1
            if left[0] >= 0:
                return plain(*args)
            is_dead[0] = True
            if moment == "after":
                plain(*args)
            elif moment == "within" and name == "_append":
                plain(args[0], args[1][: len(args[1]) // 2])
            raise Killed

        return operation

    with monkeypatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(atomic, name, deadly(getattr(atomic, name), name))
        yield

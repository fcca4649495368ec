"""Files that are read again only when they have changed, as far as the file system can tell (see ``known_digests``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from promptrial.runtime.clock import SystemClock
from promptrial.store.known_digests import Stat, stat_of

__all__ = ["Unchanged"]

_Value = TypeVar("_Value")
_MOST: Final = 4


class Unchanged(Generic[_Value]):
    """Reads files, and holds what the last few of them said.

    Parameters
    ----------
    read : callable
        Returns what a file says, as a value that nobody changes.
    """

    def __init__(self, read: Callable[[Path], _Value]) -> None:
        self._read = read
        self._held: dict[Path, tuple[Stat, _Value]] = {}

    def __call__(self, path: Path) -> _Value:
        """Return what a file says.

        Raises
        ------
        OSError
            If it does not exist, or cannot be read.
        """
        stat, began = stat_of(str(path), follow_links=True), SystemClock().timestamp()
        held = self._held.pop(path, None)
        if held is None or held[0] != stat:
            held = stat, self._read(path)
            if not stat.settled_at(began) or stat_of(str(path), follow_links=True) != stat:
                return held[1]
        self._held[path] = held
        if len(self._held) > _MOST:
            del self._held[next(iter(self._held))]
        return held[1]

"""How many requests may be in flight at once, by the files that this process may have open; raises the soft limit.

A request in flight has a connection of its own. Where its part holds no other request, both files of the part are open
as well, and in a dry run this process has the other end of the connection too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

__all__ = ["Room", "room_for"]

_EACH: Final = 4
"""Files of a request, as above."""
_SPARE: Final = 48
"""Files for everything else that is opened while requests are in flight: records, look-ups of names, libraries."""
_USUAL: Final = 32
"""Files that are open before, where the system does not list them."""
_MACOS_MOST: Final = 10_240
"""``OPEN_MAX``: what macOS allows at least where the hard limit is infinite; it refuses more than it really has."""


class Room(NamedTuple):
    """How many requests of each server may be in flight; ``limit`` is that of open files where it is too low."""

    in_flight: tuple[int, ...]
    limit: int | None


def room_for(wanted: Sequence[int]) -> Room:
    """Make room for so many requests in flight, one number for each server that is asked at the same time.

    Where the hard limit is too low, every server gets the same share of the room, those that want less no more than
    that, and each at least one.

    Side effects: raises the soft limit of open files of this process as far as is needed and allowed.
    """
    others = _open_now() + _SPARE
    needed = others + _EACH * sum(wanted)
    limit = _raised_to(needed)
    if limit >= needed:
        return Room(tuple(wanted), None)
    return Room(_shares(wanted, (limit - others) // _EACH), limit)


def _shares(wanted: Sequence[int], room: int) -> tuple[int, ...]:
    shares = list(wanted)
    for done, place in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        shares[place] = min(wanted[place], max(1, room // (len(wanted) - done)))
        room -= shares[place]
    return tuple(shares)


def _open_now() -> int:
    try:
        return len(os.listdir("/dev/fd"))  # noqa: PTH208 - names alone
    except OSError:
        return _USUAL


def _raised_to(needed: int) -> int:
    """Return the soft limit of open files, once it is raised to what is needed, or as near to that as is allowed."""
    if sys.platform == "win32":  # it has no such limit
        return needed
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    for most in (needed, _MACOS_MOST):
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        if allowed > soft:
            with suppress(ValueError, OSError):  # more than the system allows, whatever the hard limit says
                resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
                return allowed
    return soft

"""How memory goes back to the system: that of large arrays at once, and the rest at the end of a phase.

The C library of Linux (glibc) otherwise keeps what was freed, in ever larger pieces, and Arrow's own allocator does so
too: a run then needs what all of its phases need together. Elsewhere this changes nothing but Arrow's allocator.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ctypes

__all__ = ["VARIABLES", "give_back_freed", "keep_little"]

_LARGE: Final = 1 << 20
"""Bytes from which on memory goes back as soon as it is freed. With 128 KiB statistics take a third longer."""
_LARGEST_ON_THE_HEAP: Final = -3
"""``M_MMAP_THRESHOLD`` of mallopt(3)."""


VARIABLES: Final = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_MMAP_THRESHOLD_": str(_LARGE)}
"""The variables with which a process that is started does what ``keep_little`` does in this one."""


def keep_little() -> None:
    """Let memory of a mebibyte or more go back to the system when it is freed; Arrow asks the C library for its own.

    Side effects: sets a variable of the environment that Arrow reads when it is loaded, unless it is set.
    """
    for_arrow, for_glibc = VARIABLES
    os.environ.setdefault(for_arrow, VARIABLES[for_arrow])
    library = _glibc()
    if library is not None and for_glibc not in os.environ:
        library.mallopt(_LARGEST_ON_THE_HEAP, _LARGE)


def give_back_freed() -> None:
    """Give all memory that was freed back to the system."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None

"""pyarrow without pandas, which it imports where it is installed, when it converts its first value."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

from promptrial.runtime import memory

__all__ = ["settle_without_pandas"]


def settle_without_pandas() -> None:
    """Have pyarrow look for pandas now, and find none: it looks once, and the import takes 0.2 s and 50 MB.

    What asks for a DataFrame later gets one. Where pandas is imported already, nothing is done.
    """
    if "pandas" in sys.modules:
        return
    memory.keep_little()  # says from where pyarrow takes its memory, and is too late once that is imported
    import pyarrow as pa

    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(hidden)


class _Hidden(MetaPathFinder):
    """Says that there is no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Raise for pandas; others are looked for elsewhere."""
        del path, target
        if fullname == "pandas":
            raise ImportError("not needed here", name=fullname)

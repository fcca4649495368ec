"""A copy of the sources to put bugs into, compiled so that tests need not compile it each time."""

from __future__ import annotations

import compileall
import py_compile
import shutil
from pathlib import Path
from typing import Final

__all__ = ["copied_sources"]

ROOT: Final = Path(__file__).parents[2]


def copied_sources(folder: Path) -> None:
    """Copy the sources into ``folder``; a module that is changed there is compiled again, however soon."""
    for name in ("src", "config", "data/sample"):  # the package looks for its sample beside the sources
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    compileall.compile_dir(folder / "src", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)

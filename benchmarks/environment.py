"""The line that every benchmark prints first: what it ran on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent


def environment_line(*packages: str) -> str:
    """Return machine, Python and the versions of packages, on one line."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=_HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"# {platform.system()} {platform.machine()}, {_processor()}{os.cpu_count()} cores, "
        f"Python {sys.version.split()[0]}, {versions}, commit {commit.stdout.strip() or 'unknown'}"
    )


def _processor() -> str:
    """Return the name of the processor, where the system says it."""
    try:
        named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        named = None
    return f"{named[1].strip()}, " if named else ""

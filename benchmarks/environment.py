"""The line that every benchmark prints first: what it ran on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version


def environment_line(*packages: str) -> str:
    """Return machine, Python and the versions of packages, on one line."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"# {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
        f"{versions}, commit {commit.stdout.strip() or 'unknown'}"
    )

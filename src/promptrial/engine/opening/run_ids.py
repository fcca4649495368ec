"""Names for runs that were given none."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from promptrial.store.rundir import RunDir

__all__ = ["new_run_ids"]


def new_run_ids(now: str, experiments: Path) -> Iterator[str]:
    """Yield run ids made from the time that no run has: ``20260131-093000``, then with ``-2`` and so on behind it."""
    first = now[:19].replace("-", "").replace(":", "").replace("T", "-")
    for number in itertools.count(1):
        run_id = first if number == 1 else f"{first}-{number}"
        if not os.path.lexists(RunDir(experiments, run_id).root):
            yield run_id

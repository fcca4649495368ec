"""Tasks for the run machine, and what came of them. ``carry_out`` shares them among a process for each core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.support.copies import copies

__all__ = ["Found", "Task", "carry_out"]

_PROJECT: Final = Path(__file__).parents[2]
_MOST_COPIES: Final = 4


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to do.

    Parameters
    ----------
    seed, examples : int
        For the machine: the same seed gives the same examples.
    bug : str
        A key of ``crash_bugs.BUGS`` to plant, or nothing. With a bug the machine ends when it is seen.
    """

    seed: int = 1
    examples: int = 0
    bug: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The first problem that was seen, with the steps to it (empty if there is none); steps taken by kind; seconds."""

    problem: str
    steps: dict[str, int]
    seconds: float

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.steps.items()))
        return f"{sum(self.steps.values())} steps in {self.seconds:.1f} s: {kinds}"


def carry_out(tasks: Sequence[Task]) -> list[Found]:
    """Carry out tasks, and return what was found in the same order."""
    number = copies(_MOST_COPIES)
    shares = [tasks[copy::number] for copy in range(number)]
    one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.run_machine_child", json.dumps([asdict(task) for task in share])],
            cwd=_PROJECT,
            env={**os.environ, **one_thread},
            stdout=subprocess.PIPE,
        )
        for share in shares
    ]
    outputs = [process.communicate()[0] for process in running]
    codes = [process.returncode for process in running]
    if any(codes):
        raise RuntimeError(f"the machine's processes ended with {codes}; stderr says why")
    found = [[Found(**each) for each in json.loads(output)] for output in outputs]
    return [found[task % number][task // number] for task in range(len(tasks))]

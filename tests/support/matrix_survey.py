"""Surveys of the fault matrix: which cases, under which planted bug, at which vendor; and what was found.

``carry_out`` starts ``matrix_child`` once for each core (at most twice); each copy works through its share.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.support.copies import copies

__all__ = ["Found", "Matrix", "carry_out"]

_PROJECT: Final = Path(__file__).parents[2]
_MOST_COPIES: Final = 2


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """What to look at.

    Parameters
    ----------
    stride : int
        Look at every so many-th case only: of each fault, and of kills without one at each call, from the first on.
    only : str
        Look only at cases whose description matches this regular expression.
    bug : str
        A key of ``matrix_bugs.BUGS``, or nothing. With a bug the survey ends when it is seen.
    repeats : bool
        Whether the vendor accepts a second job of one key.
    keyed : bool
        Whether the program counts on the vendor to refuse one. If not, a run may end with a part parked as unknown.
    vendor : str
        A provider of the registry, or one of ``other_vendors``. Those give their jobs names of their own.
    """

    stride: int = 1
    only: str = ""
    bug: str = ""
    repeats: bool = False
    keyed: bool = True
    vendor: str = "fireworks"


@dataclass(kw_only=True)
class Found:
    """How many cases there could be, were to be looked at, and were, what was met in them, and what was wrong.

    ``faults`` are the names and variants, ``operations`` the calls at which they were met or a process was killed.
    """

    possible: int = 0
    wanted: int = 0
    cases: int = 0
    kills: int = 0
    resumes: int = 0
    parked: int = 0
    faults: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cases} of {self.possible} combinations of {len(self.faults)} faults at {len(self.operations)} "
            f"operations, {self.kills} kills, {self.resumes} resumes, {self.parked} parked, "
            f"{len(self.problems)} problems, {self.seconds:.1f} s"
        )

    def __add__(self, other: Found) -> Found:
        return Found(
            possible=max(self.possible, other.possible),
            wanted=max(self.wanted, other.wanted),
            cases=self.cases + other.cases,
            kills=self.kills + other.kills,
            resumes=self.resumes + other.resumes,
            parked=self.parked + other.parked,
            faults=sorted({*self.faults, *other.faults}),
            operations=sorted({*self.operations, *other.operations}),
            seconds=max(self.seconds, other.seconds),
            problems=self.problems + other.problems,
        )


def carry_out(surveys: Sequence[Matrix]) -> list[Found]:
    """Carry out surveys, one after the other, each in as many processes as there are cores (at most two)."""
    number = copies(_MOST_COPIES)
    settings = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")} | {"PROMPTRIAL_YES": "1"}
    command = [sys.executable, "-m", "tests.support.matrix_child", json.dumps([asdict(survey) for survey in surveys])]
    running = [
        subprocess.Popen(
            [*command, str(copy), str(number)], cwd=_PROJECT, env=os.environ | settings, stdout=subprocess.PIPE
        )
        for copy in range(number)
    ]
    outputs = [process.communicate()[0] for process in running]
    codes = [process.returncode for process in running]
    if any(codes):
        raise RuntimeError(f"the surveys ended with {codes}; stderr says why")
    shares = [[Found(**found) for found in json.loads(output)] for output in outputs]
    return [sum(share, Found()) for share in zip(*shares, strict=True)]

"""Surveys of crashes: where a run was killed or lost its power, and what was wrong afterwards.

``carry_out`` starts copies of ``crash_child`` (see ``copies``); each works through its share of the crashes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from tests.support.copies import copies

__all__ = ["Findings", "Survey", "carry_out"]

_PROJECT: Final = Path(__file__).parents[2]
_MOST_COPIES: Final = 4


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What to look at.

    Parameters
    ----------
    crash : {"kill", "power", "full", "read-only"}
        The last two are no crashes: from some operation on, the disk refuses what needs room on it.
    scenario : str
        A key of ``crash_lab.SCENARIOS``.
    bug : str
        A key of ``crash_bugs.BUGS``, or nothing. With a bug the survey ends when it is seen.
    lookup : str
        How the vendor can be asked for a job by its key: a value of ``JobLookup``. Where it cannot, a job whose answer
        was lost may be created again; otherwise never.
    stride : int
        Look at every so many-th crash only.
    real : int
        Of kills: bring every so many-th about, and look at the others in copies of a run that goes on (see
        ``crash_copies``). All of them, if 1.
    only : str
        Look only at crashes whose description matches this regular expression.
    """

    crash: Literal["kill", "power", "full", "read-only"]
    scenario: str = "first run"
    bug: str = ""
    lookup: str = "key is name"
    stride: int = 1
    real: int = 1
    only: str = ""


@dataclass(kw_only=True)
class Findings:
    """How many crashes there could be, how many there were, how many different wrecks were resumed, what was wrong.

    ``kills`` are those crashes that were brought about where the others are copies.
    ``kinds`` are the kinds of operation that a run came to; ``seconds`` is the time of the slowest copy.
    """

    possible: int = 0
    operations: int = 0
    kinds: list[str] = field(default_factory=list)
    crashes: int = 0
    kills: int = 0
    resumes: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.operations} operations, {self.crashes} of {self.possible} crashes, "
            f"{f'({self.kills} of them brought about, the others copied), ' if self.kills else ''}"
            f"{self.resumes} different wrecks resumed, {len(self.problems)} problems, {self.seconds:.1f} s"
        )

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            possible=max(self.possible, other.possible),
            operations=max(self.operations, other.operations),
            kinds=sorted({*self.kinds, *other.kinds}),
            crashes=self.crashes + other.crashes,
            kills=self.kills + other.kills,
            resumes=self.resumes + other.resumes,
            seconds=max(self.seconds, other.seconds),
            problems=self.problems + other.problems,
        )


def carry_out(surveys: Sequence[Survey]) -> list[Findings]:
    """Carry out surveys, one after the other, each in as many processes as there are cores (at most four)."""
    number = copies(_MOST_COPIES)
    env = {name: value for name, value in os.environ.items() if name != "PROMPTRIAL_YES"}  # a pilot would not stop
    one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, "-m", "tests.support.crash_child", json.dumps([asdict(survey) for survey in surveys])]
    running = [
        subprocess.Popen(
            [*command, str(copy), str(number)],
            cwd=_PROJECT,
            env={**env, **one_thread},
            stdout=subprocess.PIPE,
        )
        for copy in range(number)
    ]
    outputs = [process.communicate()[0] for process in running]
    codes = [process.returncode for process in running]
    if any(codes):
        raise RuntimeError(f"the surveys ended with {codes}; stderr says why")
    shares = [[Findings(**found) for found in json.loads(output)] for output in outputs]
    return [sum(share, Findings()) for share in zip(*shares, strict=True)]

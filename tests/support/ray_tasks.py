"""What tests let workers of Ray do: die once, take their node with them, fail, or wait to be noticed.

Workers get nothing of the environment of a test, so each is told by files: ``deaths`` beside the run's folder.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptrial.cli.main import main
from promptrial.phases import parse_parts

__all__ = ["DyingParser", "OnlyHere", "Recorder", "begin_slowly"]

_DEATHS = "deaths"


@dataclass(frozen=True)
class Recorder:
    """Says of each task in which process it was done; a number below 0 kills that process, once for each number."""

    folder: Path

    def __call__(self, number: int) -> tuple[int, int]:
        if number < 0 and _first(self.folder / f"death{number}"):
            os.kill(os.getpid(), signal.SIGKILL)
        return number, os.getpid()


@dataclass(frozen=True)
class OnlyHere:
    """Makes what returns its task; another process than the one that is named fails as ``how`` says."""

    process: int
    how: str

    def __call__(self) -> Callable[[int], int]:
        if os.getpid() != self.process and self.how == "made":
            raise ImportError("no library\nhere")
        return self.do

    def do(self, number: int) -> int:
        if os.getpid() != self.process and self.how == "ends":
            os._exit(3)
        if os.getpid() != self.process:
            raise ImportError("no library\nhere")
        return number


@dataclass(frozen=True, slots=True)
class DyingParser(parse_parts.PartParser):
    """Parses a part; the first worker that does so after a file appeared in the folder ``deaths`` does what it says.

    ``worker`` kills the worker; ``node`` kills the node with the process id in the file, if it is that of this worker;
    ``wait`` reports that it has started, and waits.
    """

    def __call__(self, task: Any) -> parse_parts.ParsedPart:
        deaths = self.spec.run.root.parent.absolute() / _DEATHS
        if (deaths / "worker").exists() and _first(deaths / "worker.done"):
            os.kill(os.getpid(), signal.SIGKILL)
        if (deaths / "node").exists() and (deaths / "node").read_text() == os.environ.get("RAY_RAYLET_PID"):
            (deaths / "node.done").touch()
            os.kill(int(os.environ["RAY_RAYLET_PID"]), signal.SIGKILL)
            time.sleep(60)
        if (deaths / "wait").exists():
            (deaths / "waits").touch()
            time.sleep(60)
        return parse_parts.PartParser.__call__(self, task)


def _first(path: Path) -> bool:
    """Whether this is the first to ask of this path, over all processes."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def begin_slowly(arguments: list[str]) -> int:
    """Run the program with a parser that dies or waits."""
    made: Callable[..., Any] = DyingParser
    parse_parts.PartParser = made  # type: ignore[misc, assignment]
    return main(arguments)


if __name__ == "__main__":
    from tests.support.ray_tasks import begin_slowly as begin  # so that a worker finds the class by this name

    sys.exit(begin(sys.argv[1:]))

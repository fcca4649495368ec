"""A process that archives and restores a small run again and again, killed each time at another durable operation.

``python -m tests.support.archive_child FOLDER WHAT`` writes one JSON line for each kill: how the killed process and the
one after it ended, and what stood under the final name in between and at the end. WHAT is ``packed``, ``folder`` or
``restore``.
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from promptrial.cli.main import main
from tests.support.archives import make_run
from tests.support.crash_points import kill_at

FILES = {"a/results/rows.jsonl": b'{"answer":"Paris"}\n' * 40, "run.log": b"one\n"}


def words(folder: Path, what: str) -> tuple[list[str], Path]:
    """Return the command, and where its work appears."""
    if what == "restore":
        return ["unarchive", str(folder / "kept.tar.zst"), "--to", str(folder / "out")], folder / "out/run_r"
    target = folder / "out" / ("run_r.tar.zst" if what == "packed" else "run_r")
    return ["archive", "r", "--experiments_dir", str(folder / "exp"), "--incomplete", "--to", str(target)], target


def forked(work: Callable[[], int]) -> int:
    """Return how a process that does this work ended: its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed(command: list[str], number: int) -> int:
    """Do what a command says, up to the point with this number."""

    def work() -> int:
        kill_at(number)
        return main(command)

    return forked(work)


def look(target: Path, what: str) -> str:
    """Return what exists under the final name: nothing, a complete archive, or something else."""
    if not target.exists():
        return "nothing"
    if what == "restore":
        there = {path: (target / path).read_bytes() for path in FILES if (target / path).is_file()}
        return "whole" if there == FILES else "torn"
    return "whole" if forked(lambda: main(["verify", str(target)])) == 0 else "torn"


def warm_up(folder: Path) -> None:
    """Import all that the commands import, so that no fork has to."""
    make_run(folder / "exp", FILES)
    archive = str(folder / "kept.tar.zst")
    with redirect_stdout(io.StringIO()):
        assert main(["archive", "r", "--experiments_dir", str(folder / "exp"), "--incomplete", "--to", archive]) == 0
        assert main(["verify", archive]) == 0
        assert main(["unarchive", archive, "--to", str(folder / "out")]) == 0
    gc.freeze()  # so that collecting garbage does not copy the memory that forks share


def run(folder: Path, what: str) -> None:
    """Kill at the first point, then at the second, until one process comes to its end."""
    warm_up(folder / "warm")
    make_run(folder / "exp", FILES)
    command, target = words(folder, what)
    if what == "restore":
        kept = ["archive", "r", "--experiments_dir", str(folder / "exp"), "--incomplete", "--to", command[1]]
        assert forked(lambda: main(kept)) == 0
    code, number = -9, 0
    while code == -9:
        code, between = killed(command, number), look(target, what)
        again = forked(lambda: main(command))
        rest = sorted(path.name for path in target.parent.iterdir())
        said = {"code": code, "between": between, "again": again, "end": look(target, what), "rest": rest}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        target.parent.rename(folder / f"out.{number}")
        number += 1


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])

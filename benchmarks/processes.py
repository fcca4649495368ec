"""What a process takes: wall time, processor time and memory, those of the processes that it starts included."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Taken", "median_of", "taken"]

_LOOK_EVERY_S: Final = 0.05
_KB: Final = 1024


class Taken(NamedTuple):
    """Seconds of wall time and of processor time, and the most memory in MB (10^6 bytes)."""

    wall: float
    processor: float
    megabytes: float


def median_of(found: Sequence[Taken]) -> Taken:
    """Return the median of each figure."""
    return Taken(*map(statistics.median, zip(*found, strict=True)))


def taken(arguments: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Taken:
    """Run a Python process and return what it took; ``env`` is added to the environment.

    Python may keep what it compiled, as in any installation.
    Memory is the largest sum over all its processes of the memory that is theirs (a page that two share counts half for
    each), looked at 20 times a second; where the system does not say that, the peak of the largest process. A system
    that says no less of a process than what the one that started it once held is not believed.
    """
    env = {name: value for name, value in {**os.environ, **(env or {})}.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env,
                               cwd=cwd)  # fmt: skip
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    watch = _Memory(process.pid)
    watch.start()
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    watch.ended.set()
    watch.join()
    if status:
        raise SystemExit(error.decode())
    said, ours = usage.ru_maxrss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = watch.most if watch.most and said <= ours else max(watch.most, said * _KB)
    return Taken(wall, usage.ru_utime + usage.ru_stime, peak / 1e6)


class _Memory(threading.Thread):
    """Looks again and again at the memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.most = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until the end."""
        while not self.ended.wait(_LOOK_EVERY_S):
            family = _family(self.pid)
            held = sum(map(_proportional_bytes, family)) if len(family) > 1 else _peak_bytes(self.pid)
            self.most = max(self.most, held)


def _family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    parents = {int(path.parent.name): _parent(path) for path in Path("/proc").glob("[0-9]*/stat")}
    found = [pid]
    for each in found:  # it grows
        found.extend(child for child, parent in parents.items() if parent == each)
    return found


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return -1


def _proportional_bytes(pid: int) -> int:
    return _bytes_of(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")


def _peak_bytes(pid: int) -> int:
    return _bytes_of(Path(f"/proc/{pid}/status"), "VmHWM:")


def _bytes_of(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) * _KB for line in lines if line.startswith(name))

"""One run that stops at points and is copied there: what a kill at each would have left, without a run for each.

What a process has written is there for all others, whether it is killed then or not. So the copy at a point holds the
very bytes that a kill leaves; ``crash_child`` brings some of these kills about as well, and compares.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from tests.support import crash_points
from tests.support.crash_lab import Lab
from tests.support.crash_points import Moment

__all__ = ["CopiedRun"]

_WRITTEN: Final = ("experiments", "vendor")
"""The changing files below the folder of a run."""


class CopiedRun:
    """A run of a scenario in a process of its own, which goes on to the next point whenever a copy is asked for.

    It ends with this process.

    Parameters
    ----------
    lab : Lab
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._orders, asked = os.pipe()
        done, self._answers = os.pipe()
        folder = lab.folder()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(asked)
            os.close(done)
            self._run(folder)
        os.close(self._orders)
        os.close(self._answers)
        self._asked, self._done = asked, done

    def copy_at(self, number: int) -> Path:
        """Let it run to the point with this number, later than those before, and return a copy of what it wrote.

        Raises
        ------
        RuntimeError
            If it ends before.
        """
        folder = self._lab.folder(empty=True)
        os.write(self._asked, f"{number} {folder}\n".encode())
        if os.read(self._done, 1) != b".":
            raise RuntimeError(f"the run ended before point {number}: {os.waitpid(self._pid, 0)[1]}")
        return folder

    # --- in the process of the run ---------------------------------------------------------------------------------

    def _run(self, folder: Path) -> None:
        orders = os.fdopen(self._orders)
        wanted, reached = _order(orders), 0

        def at(moment: Moment, _name: str, arguments: tuple[Any, ...]) -> None:
            nonlocal wanted, reached
            number, place = wanted
            if reached == number:
                with _half_written(moment, arguments):
                    _copy(place)
                os.write(self._answers, b".")
                wanted = _order(orders)
            reached += 1

        try:
            os.chdir(folder)
            crash_points.instrument(at)
            self._lab.run()
        except BaseException:  # noqa: BLE001 - the edge of the process
            traceback.print_exc()
        finally:
            os._exit(1)


def _order(orders: IO[str]) -> tuple[int, Path]:
    """Return the number of the next point and the folder of its copy; end this process if no more are wanted."""
    number, _, place = orders.readline().rstrip("\n").partition(" ")
    if not number:
        os._exit(0)
    return int(number), Path(place)


@contextmanager
def _half_written(moment: Moment, arguments: tuple[Any, ...]) -> Iterator[None]:
    """Within the block, during an append, half of the appended bytes are written."""
    if moment != "amid":
        yield
        return
    fd, _ = arguments
    size = os.fstat(fd).st_size
    crash_points.write_half(*arguments)
    yield
    os.ftruncate(fd, size)


def _copy(folder: Path) -> None:
    for name in _WRITTEN:
        if Path(name).exists():
            shutil.copytree(name, folder / name, symlinks=True)

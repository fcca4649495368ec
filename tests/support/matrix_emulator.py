"""An emulator in a process of its own, for the fault matrix; it ends with its stdin. Prints its address.

With ``--repeats`` it is a vendor that keeps no keys apart: a second job of one key is accepted like the first. With
``--own-names`` it ignores what a client wants its job to be called, so that every job is accepted.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from starlette.responses import Response

from promptrial_emulator.fireworks.jobs import Jobs
from promptrial_emulator.operation import Call
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings, JobNames
from tests.support.matrix_vendors import ACCOUNT, KEY

__all__ = ["running"]

_PROJECT: Final = Path(__file__).parents[2]


def accept_repeats() -> None:
    """Let a job take the place of an earlier one of its id, in this process."""
    create = Jobs.create

    def anyway(self: Jobs, call: Call) -> Response:
        name = call.query["batchInferenceJobId"]
        self._fireworks.jobs.remove(name)
        self._fireworks.datasets.remove(f"{name}-out")
        return create(self, call)

    Jobs.create = anyway  # type: ignore[method-assign]


@contextmanager
def running(folder: Path, *, repeats: bool = False, own_names: bool = False) -> Iterator[str]:
    """Run an emulator in another process within the block; gives its address."""
    flags = [flag for flag, wanted in (("--repeats", repeats), ("--own-names", own_names)) if wanted]
    command = [sys.executable, "-m", "tests.support.matrix_emulator", str(folder), *flags]
    with subprocess.Popen(command, cwd=_PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the emulator did not start")
        try:
            yield url
        finally:
            process.stdin.close()


if __name__ == "__main__":
    if "--repeats" in sys.argv:
        accept_repeats()
    names: JobNames = "vendor" if "--own-names" in sys.argv else "client"
    with EmulatorServer(Path(sys.argv[1]), EmulatorSettings(key=KEY, account=ACCOUNT, job_names=names)) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()

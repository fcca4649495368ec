"""The program behind ``test_run_machine``: it runs the machine in a process that the lab may change permanently.

Each task is a fork, because planted bugs are permanent too. It prints its findings as JSON. Argument: the tasks as
JSON.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.crash_bugs import BUGS
from tests.support.crash_lab import SCENARIOS, Lab, in_fork, warm_up
from tests.support.run_machine import RunMachine
from tests.support.run_machine_tasks import Found, Task
from tests.support.run_machine_world import World

_STEPS = 12


def main(tasks: list[Task]) -> list[Found]:
    """Carry out the tasks one after the other."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        warm_up(root)
        os.chdir(home)
        _set_up(root / "lab")
        gc.freeze()  # so that collecting garbage does not copy the memory that forks share
        return [_in_fork(root, task) for task in tasks]


def _set_up(place: Path) -> None:
    place.mkdir()
    lab = Lab(place, SCENARIOS["first run"])
    RunMachine.lab, RunMachine.whole = lab, World(lab.measure(each_job_once=True)).end()


def _in_fork(root: Path, task: Task) -> Found:
    ended = in_fork(root, partial(_carry_out, task, root / "found"))
    if ended.code != 0:
        raise RuntimeError(f"{task}: {ended.said}")
    return Found(**json.loads((root / "found").read_text()))


def _carry_out(task: Task, found: Path) -> None:
    began = time.perf_counter()
    problem = _drive(task)
    seconds = time.perf_counter() - began
    found.write_text(json.dumps(asdict(Found(problem=problem, steps=dict(RunMachine.steps), seconds=seconds))))


def _drive(task: Task) -> str:
    if task.bug:
        BUGS[task.bug]()
    chosen = settings(
        max_examples=task.examples,
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate,) if task.bug else (Phase.generate, Phase.shrink),
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(task.seed)(RunMachine), settings=chosen)
    except Exception as error:  # noqa: BLE001 - the edge of the process: the finding is what it is for
        return "".join(traceback.format_exception(error))
    return ""


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # forking beside the threads of Arrow is what is done here
    with redirect_stdout(sys.stderr):  # where Hypothesis says how its search went
        results = main([Task(**task) for task in json.loads(sys.argv[1])])
    sys.stdout.write(json.dumps([asdict(found) for found in results]))

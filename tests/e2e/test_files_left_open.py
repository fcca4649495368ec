"""A process that carries out many runs, such as a notebook, holds none of their files open."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject
from tests.support.project import Project

__all__ = ["hosted", "process"]


def held(run: Path) -> list[str]:
    """Return the files of a run that this process has open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(each.readlink()))
        except FileNotFoundError:
            continue
    return [name for name in found if name.startswith(f"{run.resolve()}/")]


@pytest.fixture(autouse=True)
def without_collection() -> Iterator[None]:
    """Nothing is closed because it happens to be collected."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("flags", [(), ("--to_step", "submit"), ("--to_step", "poll")])
def test_a_run_that_ended_or_stopped_between_phases_has_no_open_file(project: Project, flags: tuple[str, ...]) -> None:
    assert project.run(*flags).code == 0
    assert held(project.run_root()) == []


def test_a_run_with_a_failed_part_has_no_open_file(hosted: HostedProject) -> None:
    hosted.emulator.fault("F2", "create_job", count=-1)
    assert hosted.run().code == 1
    assert held(hosted.project.run_root()) == []

"""Memory that was freed goes back to the system, in a process of its own, since it is a setting of the C library."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from promptrial.runtime import memory
from promptrial.runtime.workers import worker_environment

MADE_AND_FREED = """
import resource, sys
from promptrial.runtime import memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

{first}
first = bytearray(30_000_000)  # once this is freed, glibc takes arrays of its size from what it keeps
del first
arrays, between = [], []
for _ in range({count}):
    arrays.append(bytearray({size}))
    between.append(bytearray(2_000))
before = resident()
del arrays
{last}
print(before - resident())
"""
GLIBC = platform.libc_ver()[0] == "glibc"


def printed(code: str, **variables: str) -> str:
    env = {name: value for name, value in os.environ.items() if name not in memory.VARIABLES}
    ran = subprocess.run([sys.executable, "-c", code], env=env | variables, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def goes_back(first: str, last: str, *, count: int, size: int) -> bool:
    """Return whether 80 MB go back when so many arrays are freed, with a small one kept beside each."""
    megabytes = float(printed(MADE_AND_FREED.format(first=first, last=last, count=count, size=size)))
    assert megabytes < 20 or megabytes > 70
    return megabytes > 70


def test_large_arrays_are_returned_to_the_system_when_freed() -> None:
    if GLIBC:
        assert not goes_back("", "", count=20, size=4_000_000)
        assert goes_back("memory.keep_little()", "", count=20, size=4_000_000)


def test_all_freed_memory_is_returned_to_the_system_at_the_end_of_a_phase() -> None:
    if GLIBC:
        assert not goes_back("memory.keep_little()", "", count=800, size=100_000)
        assert goes_back("memory.keep_little()", "memory.give_back_freed()", count=800, size=100_000)


def test_with_another_c_library_only_the_variable_of_arrow_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    for name in memory.VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is restored, whether it was set or not
        monkeypatch.delenv(name)
    before = dict(os.environ)
    memory.keep_little()
    memory.give_back_freed()
    assert os.environ == before | {"ARROW_DEFAULT_MEMORY_POOL": "system"}


@pytest.mark.parametrize(
    ("set_before", "used"), [({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc")]
)
def test_arrow_uses_the_allocator_of_the_c_library_unless_overridden(set_before: dict[str, str], used: str) -> None:
    made = "from promptrial.runtime import memory; memory.keep_little()"
    assert printed(f"{made}; import pyarrow; print(pyarrow.default_memory_pool().backend_name)", **set_before) == used


def test_arrow_without_pandas_uses_the_allocator_of_the_c_library_too() -> None:
    made = "from promptrial.runtime.arrow import settle_without_pandas; settle_without_pandas()"
    assert printed(f"{made}; import pyarrow; print(pyarrow.default_memory_pool().backend_name)") == "system"


def test_a_worker_keeps_as_little_memory_unless_overridden() -> None:
    assert memory.VARIABLES.items() <= worker_environment({}).items()
    assert worker_environment({"MALLOC_MMAP_THRESHOLD_": "7"})["MALLOC_MMAP_THRESHOLD_"] == "7"

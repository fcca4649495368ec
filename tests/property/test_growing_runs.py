"""However a run grows, through the program: no part changes, nothing is asked twice, and a fresh run has its files.

``tests/e2e/test_growing.py`` compares the reports.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrial import registry
from tests.support import fake_provider
from tests.support.project import Project

pytestmark = pytest.mark.timeout(900)

PARTS = st.sampled_from([{}, {"parts_per_dataset": 1}, {"parts_per_dataset": 3}, {"lines_per_part": 4}])
SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=4, unique=True).map(sorted)
STEPS = st.sampled_from(["prepare", "build", "poll", "parse", "score"])


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")


def files(root: Path, *patterns: str) -> dict[str, bytes]:
    found = (path for pattern in patterns for path in sorted(root.glob(pattern)) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=SIZES,
    parts=PARTS,
    samples=st.integers(1, 2),
    set_size=st.none() | st.integers(2, 6),
    stops=st.lists(STEPS, min_size=4, max_size=4),
)
def test_a_run_that_grows_ends_with_the_files_of_a_fresh_run(
    sizes: list[int], parts: dict[str, int], samples: int, set_size: int | None, stops: list[str]
) -> None:
    before, fake_provider_calls = os.getcwd(), fake_provider.CALLS  # noqa: PTH109
    fake_provider_calls.clear()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            _grow(Project.make(Path(folder)), sizes, {**parts, "samples_per_item": samples}, set_size, stops)
        finally:
            os.chdir(before)


def _grow(project: Project, sizes: list[int], changes: dict[str, Any], set_size: int | None, stops: list[str]) -> None:
    datasets = {
        "open_set": {"format": "squad_v2", "path": "open.json"},
        "closed_set": {"format": "custom", "path": "closed.jsonl", "size": set_size},
    }
    project.write_config({"parts_per_dataset": None, **changes, "datasets": datasets})
    root, frozen = project.run_root(), dict[str, bytes]()
    for number, size in enumerate(sizes):
        flags = ["--limit_items", str(size), *(["--resume"] if number else [])]
        outcome = project.run(*flags, "--to_step", "score" if size == sizes[-1] else stops[number])
        assert outcome.code == 0, outcome.err
        kept = files(root, "batch_inputs/*/*.jsonl", "*/results/t0*/results.jsonl")
        assert frozen.items() <= kept.items()
        frozen = kept
    assert set(fake_provider.CALLS.values()) == {1}
    asked = set(fake_provider.CALLS)
    fake_provider.CALLS.clear()
    outcome = project.run("--limit_items", str(sizes[-1]), "--to_step", "score", "--experiments_dir", "fresh")
    assert outcome.code == 0, outcome.err
    assert set(fake_provider.CALLS) == asked
    fresh = project.root / "fresh/run_r"
    made = ("prepared/*.jsonl", "*/results/*.*")
    grown_files, fresh_files = files(root, *made), files(fresh, *made)
    for found in (grown_files, fresh_files):
        for name in [name for name in found if name.endswith("manifest.json")]:
            del found[name]
    assert len(fresh_files) > 7
    assert grown_files == fresh_files

"""A finished run is kept elsewhere as one thing that can be verified, and made a run again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import Project

pytest.importorskip("zstandard", reason="packed archives need zstandard: make setup")
pytest.importorskip("fsspec", reason="archives at an address need fsspec: make setup")
RESULTS = "m1-main-tp1-tk50-mx64-64/results"


def flip(path: Path, at: int = -40) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_a_run_archived_to_a_folder_verifies_until_a_byte_is_changed(project: Project) -> None:
    project.run()
    kept = project.root / "kept"
    outcome = project.call("archive", "r", "--to", str(kept))
    assert outcome.code == 0, outcome.err
    manifest = json.loads((kept / "archive_manifest.json").read_text())
    listed = {file["path"] for file in manifest["files"]}
    assert {f"{RESULTS}/predictions.csv", "run_state.json", "verify.py"} <= listed
    assert ".state.lock" not in listed
    assert project.call("verify", str(kept)).code == 0
    alone = subprocess.run([sys.executable, "verify.py"], cwd=kept, capture_output=True, text=True, check=False)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    flip(kept / RESULTS / "costs.json")
    outcome = project.call("verify", str(kept))
    assert outcome.code == 1
    assert f"{RESULTS}/costs.json" in outcome.out + outcome.err
    alone = subprocess.run([sys.executable, "verify.py"], cwd=kept, capture_output=True, text=True, check=False)
    assert alone.returncode == 1
    assert f"{RESULTS}/costs.json" in alone.stdout + alone.stderr


def test_the_same_run_packs_to_the_same_bytes_and_is_made_a_run_again(project: Project) -> None:
    project.run()
    first, second = project.root / "a.tar.zst", project.root / "b.tar.zst"
    for place in (first, second):
        outcome = project.call("archive", "r", "--to", str(place))
        assert outcome.code == 0, outcome.err
    assert first.read_bytes() == second.read_bytes()
    assert project.call("verify", str(first)).code == 0
    again = project.call("archive", "r", "--to", str(first))
    assert again.code == 0, "what is there already verifies"
    restored = project.call("unarchive", str(first), "--run_id", "again")
    assert restored.code == 0, restored.err
    resumed = project.run("--resume", run_id="again")
    assert resumed.code == 0, resumed.err
    assert "nothing was left to do" in resumed.err
    assert project.call("unarchive", str(first), "--run_id", "again").code != 0, "a run that exists is not written over"
    flip(second, at=len(second.read_bytes()) // 2)
    assert project.call("verify", str(second)).code == 1
    assert project.call("unarchive", str(second), "--run_id", "other").code != 0
    assert not project.run_root("other").exists()


def test_an_unfinished_run_is_archived_only_if_that_is_asked_for(project: Project) -> None:
    project.run("--to_step", "parse")
    kept = project.root / "kept"
    outcome = project.call("archive", "r", "--to", str(kept))
    assert outcome.code != 0
    assert "--incomplete" in outcome.err
    assert not kept.exists()
    assert project.call("archive", "r", "--to", str(kept), "--incomplete").code == 0
    assert project.call("verify", str(kept)).code == 0


def test_an_archive_at_an_address_verifies_and_is_restored(project: Project) -> None:
    project.run()
    outcome = project.call("archive", "r", "--to", "memory://kept/r")
    assert outcome.code == 0, outcome.err
    assert project.call("verify", "memory://kept/r").code == 0
    assert project.call("unarchive", "memory://kept/r", "--run_id", "again").code == 0
    assert (project.run_root("again") / "aggregate_report.md").exists()

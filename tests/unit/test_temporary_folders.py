"""Temporary folders of tests are in memory where that is possible, and elsewhere otherwise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.memory import keep_temporary_files_in_memory, memory_folder


def test_a_folder_without_enough_room_is_not_used(tmp_path: Path) -> None:
    assert memory_folder(tmp_path, needed=1) == tmp_path
    assert memory_folder(tmp_path, needed=2**80) is None


def test_a_folder_that_does_not_exist_is_not_used(tmp_path: Path) -> None:
    assert memory_folder(tmp_path / "none") is None


def test_a_folder_mounted_without_execution_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _folder: SimpleNamespace(f_bavail=1, f_frsize=1, f_flag=os.ST_NOEXEC))
    assert memory_folder(tmp_path, needed=1) is None


def test_a_folder_chosen_by_the_user_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    keep_temporary_files_in_memory()
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(tmp_path)

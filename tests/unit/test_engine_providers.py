"""The adapters of a run: where the folders of their instances are."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrial.config.providers import ProviderConfig
from promptrial.engine.providers import Providers
from promptrial.model import ModelSpec

MODEL = ModelSpec("small", "org/small", "files", adapter="batch_file")


@pytest.mark.parametrize(
    ("folder", "expected"), [("for the vendor", "conf/for the vendor"), (None, "run/batch_files"), ("/{}", "away")]
)
def test_the_folder_of_batch_files_does_not_depend_on_where_the_run_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None, expected: str
) -> None:
    given = None if folder is None else folder.replace("/{}", str(tmp_path / "away"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    entries = {"files": ProviderConfig(type="batch_file", folder=given)}
    providers = Providers({}, entries, run=tmp_path / "run", config_folder=tmp_path / "conf")
    providers("files").check(MODEL)
    providers.close()
    assert (tmp_path / expected).is_dir()
    assert not any((tmp_path / "elsewhere").iterdir())

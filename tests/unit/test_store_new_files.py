"""Files for a person to change: none is replaced, and all appear or none."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from promptrial.errors import UsageError
from promptrial.store import atomic
from promptrial.store.new_files import write_new

FILES = {PurePosixPath("prompts/a.txt"): b"A", PurePosixPath("prompts/b.txt"): b"B", PurePosixPath("c.yaml"): b"C"}


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("exists", [False, True])
def test_all_files_are_written_into_a_folder_that_exists_or_not(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "new/deep"
    if exists:
        folder.mkdir(parents=True)
        (folder / "other.txt").write_bytes(b"mine")
    write_new(folder, FILES)
    expected = {str(name): data for name, data in FILES.items()}
    assert content(folder) == expected | ({"other.txt": b"mine"} if exists else {})
    assert [path.name for path in folder.parent.iterdir()] == ["deep"], "nothing temporary is left"


def test_files_that_exist_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/b.txt").write_bytes(b"mine")
    (tmp_path / "c.yaml").symlink_to("nowhere")
    with pytest.raises(UsageError, match=r"prompts/b\.txt, .*c\.yaml exist already"):
        write_new(tmp_path, FILES)
    assert content(tmp_path) == {"prompts/b.txt": b"mine"}


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"mine")
    with pytest.raises(UsageError, match="taken: a file, not a folder"):
        write_new(tmp_path / "taken/below", FILES)


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_error_at_any_file_leaves_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool, at: int
) -> None:
    folder = tmp_path / "new"
    if exists:
        folder.mkdir()
    replace, calls = atomic._replace, iter(range(1, 100))

    def fail(source: Path, target: Path) -> None:
        if next(calls) == at:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(atomic, "_replace", fail)
    if exists and at == 4:  # a folder that exists is not renamed
        write_new(folder, FILES)
        return
    with pytest.raises(OSError, match="No space left"):
        write_new(folder, FILES)
    assert content(tmp_path) == {}
    assert folder.exists() == exists


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_in_an_existing_folder_leaves_no_configuration_and_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    replace, calls = atomic._replace, iter(range(1, 100))

    class Killed(BaseException):
        pass

    def stop(source: Path, target: Path) -> None:
        if next(calls) == at:
            raise Killed
        replace(source, target)

    monkeypatch.setattr(atomic, "_replace", stop)
    monkeypatch.setattr(atomic, "remove", lambda _: None)  # a killed process cleans nothing up
    with pytest.raises(Killed):
        write_new(tmp_path, FILES)
    assert content(tmp_path) == {str(name): data for name, data in [*FILES.items()][: at - 1]}

"""Only regular files are read; opening anything else fails immediately with an error that says what it is."""

import ast
import os
import re
import socket
from pathlib import Path

import pytest

import promptrial
from promptrial.documents import files


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    assert files.read_bytes(path) == b"\xef\xbb\xbfone\r\ntwo\n"
    assert files.read_text(path) == "one\ntwo\n"


@pytest.mark.timeout(10)
def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(files.NotARegularFileError, match="a FIFO, not a regular file") as caught:
        files.open_regular(path)
    assert caught.value.filename == str(path)


@pytest.mark.timeout(10)
def test_a_fifo_that_takes_the_place_of_a_file_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, regular = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(path)
    regular.write_bytes(b"")
    looked_at = regular.stat()
    monkeypatch.setattr(Path, "stat", lambda *_args, **_kwargs: looked_at)  # as if swapped after the look
    with pytest.raises(files.NotARegularFileError, match="a FIFO"):
        files.open_regular(path)


@pytest.mark.timeout(10)
def test_a_device_is_refused() -> None:
    with pytest.raises(files.NotARegularFileError, match="a device, not a regular file"):
        files.read_bytes(Path("/dev/zero"))


def test_a_socket_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(files.NotARegularFileError, match="a socket"):
            files.open_regular(path)


def test_a_folder_is_refused_as_open_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        files.open_regular(tmp_path)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.open_regular(tmp_path / "none")


def test_a_link_is_followed_unless_links_are_refused(tmp_path: Path) -> None:
    target, link = tmp_path / "a", tmp_path / "link"
    target.write_bytes(b"x")
    link.symlink_to(target)
    assert files.read_bytes(link) == b"x"
    with pytest.raises(files.NotARegularFileError, match="a link, not a regular file"):
        files.open_regular(link, follow_links=False)


def test_a_link_that_takes_the_place_of_a_file_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, link = tmp_path / "a", tmp_path / "link"
    target.write_bytes(b"x")
    link.symlink_to(target)
    looked_at = target.stat()
    monkeypatch.setattr(Path, "stat", lambda *_args, **_kwargs: looked_at)
    with pytest.raises(files.NotARegularFileError, match="a link"):
        files.open_regular(link, follow_links=False)


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert files.read_bytes(path, 5) == b"12345"
    with pytest.raises(files.FileTooLargeError, match="larger than 4 bytes"):
        files.read_bytes(path, 4)


_ALLOWED = {"files.py", "archive/verify.py"}  # the second is copied into archives, and runs on its own
_OTHER_OPENS = {"os", "tarfile", "self.system", "content", "table.content", "open_content(path, encoding)"}
"""The third is a file system elsewhere, the last three are the opened content of a question file."""
_RESOURCES = "files("
"""What of the package itself is read by ``importlib.resources``."""
_SOURCE = Path(promptrial.__file__).parent


def _opens_by_itself(call: ast.Call) -> bool:
    """Whether a call opens a file for reading without ``promptrial.documents.files``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in {"read_text", "read_bytes"}:
        return isinstance(call.func, ast.Attribute) and not ast.unparse(call.func.value).startswith(_RESOURCES)
    if name != "open" or (isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in _OTHER_OPENS):
        return False
    modes = [word.value for word in call.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return any(re.fullmatch("r[bt]?|[bt]?r", mode) for mode in modes) or bool(call.keywords and not modes)


def test_no_other_module_opens_a_file_for_reading_by_itself() -> None:
    found = [
        f"{path.relative_to(_SOURCE)}:{node.lineno}"
        for path in sorted(_SOURCE.rglob("*.py"))
        if path.relative_to(_SOURCE).as_posix() not in _ALLOWED
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _opens_by_itself(node)
    ]
    assert found == []

"""Programs that a configuration names: which may be named, and the digest of what they are. Nothing is run here.

What a command does depends on its words and on those files among them that lie beside the configuration. Both make up
its digest, which is what a user allows to run. The interpreter, if it is named by its bare name, is the machine's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from promptrial.documents.files import open_regular
from promptrial.errors import ConfigError

__all__ = ["COMMAND", "command_digest", "program_path"]

COMMAND: Final = "command"
"""The type of a scorer that is a program."""
_SCRIPT: Final = re.compile(r"[^-\s]\S*\.(?:awk|jl|js|lua|mjs|php|pl|py|[rR]|rb|sh|ts)")
"""A word that is the script of an interpreter, if it is the first such one."""
_PYTHON: Final = re.compile(r"(?:python|pypy)[0-9.]*")
_INTERPRETER: Final = re.compile(
    rf"{_PYTHON.pattern}|(?:ba|da|k|z)?sh|bun|deno|julia|lua[0-9.]*|node|perl|php[0-9.]*|Rscript|ruby"
)
_NO_SCRIPT: Final = re.compile(r"-[A-Za-z]*[cemr]|--(?:eval|print|require)")
"""An option of an interpreter whose value is code or a module, so that a file after it may be anything."""
_MODULE: Final = re.compile(r"-[A-Za-ln-z]*m(?P<name>.*)")
"""The option of Python that runs a module, on its own or with the name behind it."""
_MAX_FILE_BYTES: Final = 1 << 30


def command_digest(folder: Path, words: Sequence[str], files: Sequence[str], env: Mapping[str, str]) -> str:
    """Return the SHA-256 of a command: of its words, and of the files beside the configuration.

    Parameters
    ----------
    folder : Path
        The folder of the configuration, from which relative paths start.
    words : sequence of str
        The program and its arguments. The program is a bare name, found on the path, or a file below the folder
        (``./score.sh``). Any argument that is a file counts as part of the program, and must lie there too. So does
        the module of ``python3 -m NAME``, if it lies there, or every Python file of it if it is a package.
    files : sequence of str
        Further files that the program is made of.
    env : mapping
        Where ``PATH`` is looked up.

    Raises
    ------
    ConfigError
        If the program does not exist or cannot be run, or a file leads out of the folder or cannot be read.
    """
    program_path(folder, words[0], env)
    _check_script(folder, words)
    own = [*_files_among(folder, words), *_module_files(folder, words), *files]
    digests = {word: _digest(folder, word) for word in dict.fromkeys(own)}
    made = json.dumps({"command": list(words), "files": digests}, sort_keys=True)
    return hashlib.sha256(made.encode()).hexdigest()


def program_path(folder: Path, program: str, env: Mapping[str, str]) -> str:
    """Return the absolute path of a program: a bare name as the path has it, or a file below the folder.

    Raises
    ------
    ConfigError
        If there is no such program, or it may not be run.
    """
    if os.sep not in program:
        found = shutil.which(program, path=env.get("PATH", ""))
        if found is None:
            beside = (
                f"; for the file next to the configuration write ./{program}" if (folder / program).is_file() else ""
            )
            raise ConfigError(f"the program {program!r} is not found on the PATH{beside}")
        return found
    path = _inside(folder, program)
    if not os.access(path, os.X_OK):
        raise ConfigError(f"{program} cannot be executed: chmod +x {path}, or name its interpreter first")
    return str(path)


def _files_among(folder: Path, words: Sequence[str]) -> Iterator[str]:
    """Yield the words that are files: of the program if it is not a bare name, and of the arguments."""
    for number, word in enumerate(words):
        if number == 0 and os.sep not in word:
            continue
        if word and os.path.lexists(folder / word):
            if (folder / word).is_dir() and word.strip("./") and word != _module(words):
                raise ConfigError(f"{word} is a folder: name each file of the program, under `files`")
            if (folder / word).is_file():
                yield word


def _check_script(folder: Path, words: Sequence[str]) -> None:
    """Refuse an interpreter whose script does not exist; any further word may be a file that the program writes."""
    if not _INTERPRETER.fullmatch(Path(words[0]).name):
        return
    for word in words[1:]:
        if _NO_SCRIPT.fullmatch(word) or _is_file(folder / word):
            return
        if _SCRIPT.fullmatch(word):
            raise ConfigError(f"{word}: file not found in the folder of the configuration")


def _module_files(folder: Path, words: Sequence[str]) -> Iterator[str]:
    """Yield the files of the module that Python runs, if it lies in the folder; else it is one of the machine's."""
    name = _module(words)
    top = name.partition(".")[0]
    if not top.isidentifier():
        return
    if _is_file(folder / f"{top}.py"):
        yield f"{top}.py"
    for place, folders, names in os.walk(folder / top):
        for linked in (each for each in folders if (Path(place) / each).is_symlink()):
            raise ConfigError(f"{Path(place, linked).relative_to(folder)} is a link to a folder, in a package")
        folders.sort()
        yield from (str(Path(place, each).relative_to(folder)) for each in sorted(names) if each.endswith(".py"))


def _is_file(path: Path) -> bool:
    return os.path.lexists(path) and path.is_file()  # the first is false for what can be no name of a file


def _module(words: Sequence[str]) -> str:
    """Return the name of the module that Python is told to run; empty if there is none."""
    pythons = [number for number, word in enumerate(words) if _PYTHON.fullmatch(Path(word).name)]
    rest = iter(words[pythons[0] + 1 :] if pythons else ())
    for word in rest:
        if found := _MODULE.fullmatch(word):
            return found["name"] or next(rest, "")
        if _NO_SCRIPT.fullmatch(word) or _SCRIPT.fullmatch(word):
            return ""
    return ""


def _inside(folder: Path, file: str) -> Path:
    """Return the real path of a file below the folder; a path or a link that leads out of it is refused."""
    relative = Path(file)
    try:
        real = (folder / file).resolve(strict=True)
    except (OSError, RuntimeError):
        raise ConfigError(f"{file}: file not found in the folder of the configuration") from None
    if relative.is_absolute() or ".." in relative.parts or not real.is_relative_to(folder.resolve()):
        raise ConfigError(f"{file} is outside the folder of the configuration; a program must be below it")
    return real


def _digest(folder: Path, file: str) -> str:
    path = _inside(folder, file)
    if not path.is_file():
        raise ConfigError(f"{file} is not a file")
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigError(f"{file} has more than {_MAX_FILE_BYTES:,} bytes")
        with open_regular(path) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error

"""The sample experiment: where its files are, and whether a configuration still has its name or its question.

The files are in the package, or in the checkout that the package runs from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import promptrial
from promptrial.config.yaml_text import load_file
from promptrial.documents.files import read_bytes
from promptrial.errors import PromptrialError

__all__ = ["copied_words", "sample_config", "sample_folder"]

_PACKAGE: Final = Path(promptrial.__file__).resolve().parent
_PLACES: Final = (_PACKAGE / "sample", _PACKAGE.parents[1])
"""A wheel has the sample beside the modules; a checkout at its root, so that there is one copy (``setup.py``)."""
_CONFIG: Final = Path("config/eval_config.yaml")


def sample_folder() -> Path:
    """Return the folder that holds ``config`` and ``data/sample`` of the sample experiment.

    Raises
    ------
    PromptrialError
        If they are in neither place.
    """
    for folder in _PLACES:
        if (folder / _CONFIG).is_file() and (folder / "data/sample").is_dir():
            return folder
    raise PromptrialError(
        "the sample experiment is missing from this installation", hint="install again: pip install --force-reinstall "
        "--no-deps promptrial"
    )  # fmt: skip


def sample_config() -> Path:
    """Return the configuration file of the sample experiment."""
    return sample_folder() / _CONFIG


@dataclass(frozen=True, slots=True)
class _Sample:
    """What the sample's configurations say about themselves, and the SHA-256 of its prompts and question files."""

    names: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()


@cache
def _sample() -> _Sample:
    """Read the sample; without one nothing can have been copied from it."""
    try:
        folder = sample_folder()
    except PromptrialError:
        return _Sample()
    configs = [load_file(path) for path in sorted((folder / "config").glob("*.yaml"))]
    prompts = [read_bytes(path).rstrip(b"\n") for path in (folder / "config/prompts").glob("*.txt")]
    questions = [read_bytes(path) for path in (folder / "data/sample").iterdir()]
    return _Sample(
        frozenset(config["name"] for config in configs),
        frozenset(config["question"] for config in configs),
        frozenset(hashlib.sha256(data).hexdigest() for data in (*prompts, *questions)),
    )


def copied_words(
    name: str, question: str, prompts: Collection[str], question_files: Callable[[], Collection[str]]
) -> str:
    """Return a warning if a configuration was copied from the sample's, and its name or question was not changed.

    Parameters
    ----------
    name, question : str
        As the configuration gives them.
    prompts : collection of str
        The SHA-256 of each system prompt in use.
    question_files : callable
        Returns the SHA-256 of each question file; called only if a name or a question is the sample's. Any text that
        is not a digest counts as another file.

    Returns
    -------
    str
        Empty where nothing was copied, or prompts and questions are the sample's too.
    """
    sample = _sample()
    copied = [key for key, same in (("name", name in sample.names), ("question", question in sample.questions)) if same]
    if not copied:
        return ""
    others = [
        what
        for what, digests in (("prompts", prompts), ("questions", question_files()))
        if not sample.digests.issuperset(digests)
    ]
    if not others:
        return ""
    keys, verb = " and ".join(f"`{key}`" for key in copied), "is" if len(copied) == 1 else "are"
    return (
        f"{keys} {verb} still what the sample experiment says, but the {' and '.join(others)} are not the sample's: "
        "write into the configuration what this trial is called and asks"
    )

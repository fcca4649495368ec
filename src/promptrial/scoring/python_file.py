"""Scorers in a Python file of the user's: from its text to its module, and to the class that it calls ``SCORER``.

This runs the user's code, so only *score* calls it. Whether the code may run, and where its text comes from, is decided
elsewhere.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any, Final

from promptrial.errors import INTERRUPTS, ScoreError, in_one_sentence
from promptrial.scoring.contract import Scorer

__all__ = ["load_module", "scorer_class"]

_ALONE: Final = (
    "a scorer is one file: put everything it needs in that file, or install it as a package; other files next to it "
    "are not imported, because the run would not keep them"
)


def load_module(name: str, path: str, text: str) -> ModuleType:
    """Run the text of a file and return the module that it makes.

    Parameters
    ----------
    name : str
        The scorer, as messages name it.
    path : str
        The file, as messages and tracebacks name it.
    text : str

    Raises
    ------
    ScoreError
        If the code fails.
    """
    module = ModuleType(f"promptrial_scorer_{hashlib.sha256(text.encode()).hexdigest()[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses and pydantic look annotations up there
    try:
        exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - this is what the user configured
    except INTERRUPTS:
        raise
    except BaseException as error:
        hint = _ALONE if isinstance(error, ModuleNotFoundError) else "correct the file, then resume the run"
        raise ScoreError(f"scorer {name}: {path} cannot be imported: {in_one_sentence(error)}", hint=hint) from error
    return module


def scorer_class(name: str, path: str, text: str) -> type[Scorer]:
    """Run the text of a file and return its ``SCORER``; parameters and errors as for ``load_module``.

    Raises
    ------
    ScoreError
        If the code fails, or has no ``SCORER`` that is a frozen dataclass below ``Scorer``.
    """
    found: Any = getattr(load_module(name, path, text), "SCORER", None)
    is_scorer = isinstance(found, type) and issubclass(found, Scorer) and is_dataclass(found)
    if not is_scorer:
        raise ScoreError(
            f"scorer {name}: {path} has no SCORER that is a dataclass derived from promptrial.scoring.contract.Scorer",
            hint=f"docs/extending_scorers.md shows one; if a function scores, write `file: {path}:FUNCTION`",
        )
    kind: type[Scorer] = found
    return kind

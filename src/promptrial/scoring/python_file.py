"""Scorers in a Python file of the user's: from its text to the class that it calls ``SCORER``.

This runs the user's code, so only *score* calls it. Whether the code may run, and where its text comes from, is decided
elsewhere.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any

from promptrial.errors import ScoreError
from promptrial.scoring.base import in_one_sentence
from promptrial.scoring.contract import Scorer

__all__ = ["scorer_class"]


def scorer_class(name: str, path: str, text: str) -> type[Scorer]:
    """Run the text of a file and return its ``SCORER``.

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
        If the code fails, or has no ``SCORER`` that is a frozen dataclass below ``Scorer``.
    """
    module = ModuleType(f"promptrial_scorer_{hashlib.sha256(text.encode()).hexdigest()[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses and pydantic look annotations up there
    try:
        exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - this is what the user configured
    except (Exception, SystemExit) as error:
        raise ScoreError(
            f"scorer {name}: {path} cannot be imported: {in_one_sentence(error)}",
            hint="correct the file, then resume the run",
        ) from error
    found: Any = getattr(module, "SCORER", None)
    is_scorer = isinstance(found, type) and issubclass(found, Scorer) and is_dataclass(found)
    if not is_scorer:
        raise ScoreError(
            f"scorer {name}: {path} has no SCORER that is a dataclass derived from promptrial.scoring.contract.Scorer",
            hint="docs/extending.md shows one",
        )
    kind: type[Scorer] = found
    return kind

"""The slow pure functions of a run, computed once for the same arguments: a third of the time of a small run.

Most runs of tests ask the same few questions, and so have the same statistics. What a function returns is decided by
its arguments and the registry alone: the layers of ``pyproject.toml`` allow it no file, clock or randomness of its own,
and ``unit/test_stats_analysis`` calls it itself, twice for the same bytes. A function that raises is called again.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest

from promptrial import registry
from promptrial.scoring import selftest

__all__ = ["remember_pure_functions"]

_KNOWN: Final[dict[bytes, Any]] = {}


def remember_pure_functions(patch: pytest.MonkeyPatch | None = None) -> None:
    """Let runs remember statistics and self-tests of scorers, until ``patch`` is undone or the process ends."""
    from promptrial.stats import analysis  # imported late, since it imports scipy

    patch = patch or pytest.MonkeyPatch()
    patch.setattr(analysis, "analyse", _remembering(analysis.analyse))
    patch.setattr(selftest, "run", _remembering(selftest.run))


def _remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def remembered(*arguments: Any, **named: Any) -> Any:
        statistics = dict(registry.STATISTICS)
        key = pickle.dumps((function.__module__, function.__qualname__, statistics, arguments, named))
        if key not in _KNOWN:
            _KNOWN[key] = function(*arguments, **named)
        return _KNOWN[key]

    return remembered

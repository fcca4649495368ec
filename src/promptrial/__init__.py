"""promptrial: controlled A/B trials of system prompts on language models.

``run`` and ``load_run`` are here for programs and notebooks. They are imported when they are asked for, so that
``import promptrial`` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing is not imported: see ``runtime.interrupts``
if TYPE_CHECKING:
    from promptrial.care.python_api import Run, load_run, run

__all__ = ["Run", "__version__", "load_run", "run"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return a name of the Python interface."""
    if name in {"Run", "load_run", "run"}:
        import importlib

        found: object = getattr(importlib.import_module("promptrial.care.python_api"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

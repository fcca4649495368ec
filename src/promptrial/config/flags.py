"""Which flags of the command line give which keys of a configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # reading YAML costs time that --help can do without
    from promptrial.config.tree import KeyPath

__all__ = ["FLAGS", "flag_of"]

FLAGS: Final[Mapping[KeyPath, tuple[str, ...]]] = {
    ("trials",): ("models", "prompt_sets"),
    ("sweep", "models"): ("models",),
    ("sweep", "prompt_sets"): ("prompt_sets",),
    ("temps",): ("temps",),
    ("conditions",): ("arms", "condition"),
    ("aa",): ("aa",),
    ("limit_items",): ("limit_items",),
    ("parts_per_dataset",): ("parts_per_dataset",),
    ("lines_per_part",): ("lines_per_part",),
    ("execution", "max_concurrent_jobs"): ("max_concurrent_jobs",),
    ("execution", "workers"): ("workers",),
    ("execution", "executor"): ("executor",),
    ("execution", "ray_address"): ("ray_address",),
    ("execution", "recheck_items"): ("recheck",),
    ("execution", "share_identical_arms"): ("no_sharing",),
}
"""The flags that give a key, without hyphens."""


def flag_of(at: KeyPath, given: Collection[KeyPath], env: Mapping[str, str]) -> str:
    """Return what gave a key, or one below it, in place of the file: its flags, and its variables that are set.

    Parameters
    ----------
    at : tuple
        The key.
    given : collection of tuple
        The keys whose values are not those of the file.
    env : mapping
        The environment.

    Returns
    -------
    str
        Empty if the file gave it.

    Examples
    --------
    >>> flag_of(("sweep", "models", 0), {("sweep", "models")}, {}), flag_of(("models",), set(), {})
    ('--models', '')
    """
    names = next((FLAGS[key] for key in given if key in FLAGS and at[: len(key)] == key), ())
    variables = [name for name in (f"PROMPTRIAL_{name.upper()}" for name in names) if env.get(name)]
    return " or ".join([*(f"--{name}" for name in names), *variables])

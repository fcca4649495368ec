"""Whether code that a configuration names may run, and where it is kept that somebody has allowed it.

Nothing in the folder of a run can answer that: such a folder may come from anybody. So what was allowed is kept in a
folder of the user's, one file for each SHA-256 of a text of code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from promptrial.config.code import allowed_as, lies_in_a_run
from promptrial.config.environment import DEFAULT_CONFIG
from promptrial.config.loading import LoadedConfig
from promptrial.errors import PromptrialError
from promptrial.store import atomic

__all__ = ["is_known", "is_named", "may_run", "remember", "trusted_code"]

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def may_run(*, from_file: bool, named: bool, known: bool, allow: bool) -> bool:
    """Decide whether a text of code may run.

    Parameters
    ----------
    from_file : bool
        Whether it is in a file beside the configuration, and not in the configuration itself. No file in the folder
        of a run is ever read for code.
    named : bool
        Whether the user named the configuration, and no record of a run led to it.
    known : bool
        Whether this user let the same text run before.
    allow : bool
        Whether the command says that all of it may run.
    """
    return allow or known or (from_file and named)


def trusted_code(loaded: LoadedConfig, *, named: bool, allow: bool) -> frozenset[str]:
    """Return the digests of the code of a configuration that may run; see ``config.code.allowed_as``."""
    found = {
        allowed_as(entry, loaded.folder): entry for entry in loaded.experiment.scorers_in_use.values() if entry.is_code
    }
    return frozenset(
        digest
        for digest, entry in found.items()
        if may_run(from_file=entry.sha256 not in loaded.carried, named=named, known=is_known(digest), allow=allow)
    )


def is_named(asked: Path | None, used: Path, run: Path) -> bool:
    """Whether the user named a configuration: with the command, or as the default one of the current folder.

    Paths are compared as they are written: a link has other code beside it than the file it leads to. None that
    lies in the folder of a run counts, nor one below ``run``, the folder of this run, whatever that holds.
    """
    if lies_in_a_run(used) or used.resolve().is_relative_to(run.resolve()):
        return False
    return os.path.abspath(asked or DEFAULT_CONFIG) == os.path.abspath(used)  # noqa: PTH100 - links are not followed


def is_known(sha256: str) -> bool:
    """Whether this user let code with this digest run before."""
    folder = _folder()
    return folder is not None and bool(_SHA256.fullmatch(sha256)) and os.path.isfile(folder / sha256)  # noqa: PTH113 - it never raises


def remember(digests: Iterable[str]) -> str | None:
    """Keep that code may run; return what is to be said if that cannot be kept.

    Side effects: writes an empty file for each digest that is not known.
    """
    new = [sha256 for sha256 in sorted(digests) if not is_known(sha256)]
    if not new:
        return None
    folder = _folder()
    if folder is None:
        return _not_kept("there is no home folder")
    try:
        atomic.make_folder(folder)
        for sha256 in new:
            atomic.write_bytes(folder / sha256, b"")
    except (OSError, PromptrialError) as error:
        return _not_kept(str(error))
    return None


def _not_kept(why: str) -> str:
    return f"the permission to run this code cannot be saved ({why}); another resume may need --allow_code"


def _folder() -> Path | None:
    """Return where it is kept what the user allowed; None if the user has no home.

    A ``.env`` has no say in it, because it may be in a folder that came from elsewhere; nor has a relative path.
    """
    given = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(given) if Path(given).is_absolute() else Path.home() / ".local/state"
    except RuntimeError:
        return None
    return state / "promptrial/allowed_code"

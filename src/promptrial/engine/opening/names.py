"""Names of folders that a run can be kept in, and configured from: its records and tables hold them as text."""

from __future__ import annotations

from pathlib import Path

from promptrial.errors import UsageError

__all__ = ["require_names"]


def require_names(experiments: Path, config_file: Path) -> None:
    """Refuse a folder of runs, or a configuration file, of which a name is not UTF-8: *score* could not end.

    Raises
    ------
    UsageError
        Names the first such folder or file, from the root on.
    """
    _require(experiments, "rename it, or keep the runs in another folder: --experiments_dir DIR")
    _require(config_file, "rename it, or use a configuration in another folder: --config FILE")


def _require(path: Path, remedy: str) -> None:
    whole = path.absolute()
    for place in (*reversed(whole.parents), whole):
        if not _is_text(place.name):
            shown = str(place).encode(errors="surrogateescape").decode(errors="backslashreplace")
            raise UsageError(f"{shown}: this name is not UTF-8, and the records of a run cannot hold it", hint=remedy)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

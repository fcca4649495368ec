"""What to say about a run that does not exist: which one was probably meant, and which there are."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path
from typing import Final

from promptrial.config.environment import place_flag
from promptrial.errors import UsageError
from promptrial.store.rundir import RUN_ID_PATTERN, RUN_NAME, check_run_id, known_runs

__all__ = ["near_run", "no_such_run"]

_FOLDER: Final = "run_"
_MOST_SHOWN: Final = 10
_CONFIGURATIONS: Final = (".yaml", ".yml")


def no_such_run(experiments: Path, run_id: str) -> UsageError:
    """Return the error for a run that does not exist.

    Parameters
    ----------
    experiments : Path
        The folder of the runs.
    run_id : str
        As it was given: a slip in a name, the folder of a run, or a file.

    Raises
    ------
    UsageError
        If no run can have this name.
    """
    folder = experiments / f"{_FOLDER}{run_id}"
    if not RUN_ID_PATTERN.fullmatch(run_id) and folder.parent == experiments and folder.is_dir():
        return UsageError(
            f"{folder}: this name is none that a run can have: expected run_ and {RUN_NAME}", hint="rename the folder"
        )
    near = near_run(experiments, run_id)
    if not near and Path(run_id).suffix in _CONFIGURATIONS:
        place = place_flag(experiments)
        return UsageError(
            f"{run_id} is a configuration, and the name of a run is expected here",
            hint=f"see which runs there are: promptrial list{place}; start one: promptrial run --config "
            f"{shlex.quote(run_id)}{place}",
        )
    if not near and not RUN_ID_PATTERN.fullmatch(run_id):
        check_run_id(run_id)
    meant = f"; did you mean {near!r}?" if near else ""
    return UsageError(
        f"no run {run_id} in {experiments}{meant}",
        hint=f"known runs: {', '.join(known_runs(experiments)[-_MOST_SHOWN:]) or 'none'}",
    )


def near_run(experiments: Path, run_id: str) -> str | None:
    """Return the run that was probably meant, by a name like it or by its folder; None if there is none."""
    known, of_folder = known_runs(experiments), Path(run_id).name.removeprefix(_FOLDER)
    near = [of_folder] if of_folder in known else difflib.get_close_matches(run_id, known, n=1)
    return next(iter(near), None)

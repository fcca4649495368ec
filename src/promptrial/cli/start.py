"""Where the program starts: signals and streams are put in order before anything else is imported."""

from __future__ import annotations

from promptrial.runtime.interrupts import end_on_signals, fill_closed_streams, keep_exit_code

TYPE_CHECKING = False  # typing is not imported yet: see ``runtime.interrupts``
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["entry_point"]


def entry_point(arguments: Sequence[str] | None = None, *, unattended: bool = False) -> None:
    """Run the program and end the process; an ``unattended`` one never asks before it spends money.

    Side effects: sets signal handlers; see ``runtime.interrupts``.
    """
    end_on_signals()
    keep_exit_code()
    fill_closed_streams()
    from promptrial.cli.main import entry_point as run

    run(arguments, unattended=unattended)

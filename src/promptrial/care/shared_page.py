"""The page of a run, made again from its results, to be shared."""

from __future__ import annotations

from functools import partial

from promptrial.care.opened import ReadRun
from promptrial.care.unfinished import unfinished
from promptrial.errors import UsageError
from promptrial.phases.report import run_page
from promptrial.store.next_steps import wait_or_resume

__all__ = ["shared_page"]


def shared_page(found: ReadRun, *, texts: bool) -> str:
    """Return ``report.html`` of a run, with or without its texts; with them it is what the finished run itself holds.

    Of a run that has grown since its results were made, it says first that the run is unfinished.

    Raises
    ------
    UsageError
        If a phase before *report* is not done.
    """
    try:
        return run_page(found.spec, found.services, texts=texts, unfinished=partial(unfinished, found))
    except FileNotFoundError as error:
        raise UsageError(
            f"run {found.spec.run.run_id} is not finished: {error.filename} does not exist",
            hint=wait_or_resume(found.spec.run),
        ) from None

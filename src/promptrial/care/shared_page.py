"""The page of a run, made again from its results, to be shared."""

from __future__ import annotations

from functools import partial

from promptrial.care.opened import ReadRun
from promptrial.care.unfinished import unfinished
from promptrial.care.whole_results import check_finished
from promptrial.phases.report import run_page

__all__ = ["shared_page"]


def shared_page(found: ReadRun, *, texts: bool) -> str:
    """Return ``report.html`` of a run, with or without its texts; with them it is what the finished run itself holds.

    Of a run that has grown since its results were made, it says first that the run is unfinished.

    Raises
    ------
    UsageError
        If a phase before *report* is not done.
    CorruptRecordError
        If results are not as they were left.
    """
    for trial in found.spec.trials:
        check_finished(found, trial)
    return run_page(found.spec, found.services, texts=texts, unfinished=partial(unfinished, found))

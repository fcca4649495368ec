"""Weaknesses that the machine has found and that are not mended yet, each as the shortest way to it.

The model passes over them where it says ``forgiving``. One that is mended makes its test fail: then it goes from here,
and from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.support.run_machine_model import RunModel

__all__ = ["KNOWN"]

_RESULTS: Final = "m1-other-tp1-tk50-mx64-64/results"


def a_plan_does_not_see_that_an_engine_recorded_anew_changes_the_report(run: RunModel) -> None:
    """A report written while the engine is not on record is written again, though the plan says it is done."""
    run.call()
    run.spoil(f"{_RESULTS}/trial_manifest.json", "delete")
    run.call("--from_step", "parse")


def a_summary_needs_the_questions_of_a_run_that_is_done(run: RunModel) -> None:
    """A step that has nothing to do ends with 1, because the summary after it reads a damaged file."""
    run.call()
    run.spoil("prepared/closed_book.jsonl", "garble")
    run.call("--only_step", "poll")


KNOWN: Final[dict[str, Callable[[RunModel], None]]] = {
    script.__name__: script
    for script in (
        a_plan_does_not_see_that_an_engine_recorded_anew_changes_the_report,
        a_summary_needs_the_questions_of_a_run_that_is_done,
    )
}

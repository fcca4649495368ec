"""Weaknesses that the machine has found and that are not mended yet, each as the shortest way to it.

The machine passes over them where it says ``forgiving``. One that is mended makes its test fail: then it goes from
here, and from there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from tests.support.run_machine import RunMachine
from tests.support.run_machine_faults import stop_at

__all__ = ["KNOWN"]

_RESULTS: Final = "m1-other-tp1-tk50-mx64-64/results"


def a_rebuilt_manifest_lacks_the_stage_downloaded(machine: RunMachine) -> None:
    """A phase that the state calls completed is not committed again, though its receipt was lost."""
    machine.go_on()
    machine.spoil(f"{_RESULTS}/trial_manifest.json", "delete")


def the_first_of_two_trials_cannot_lose_its_manifest(machine: RunMachine) -> None:
    """Rebuilding it asks for every trial's manifest, and the second is not loaded yet: even the plan ends with 1."""
    machine.go_on()
    machine.spoil(f"{machine.slugs[0]}/results/trial_manifest.json", "delete")


def a_plan_without_built_requests_promises_too_much(machine: RunMachine) -> None:
    """It says that all is submitted and polled again; the run builds the same requests, and skips both."""
    machine.go_on()
    machine.spoil("batch_inputs/manifest.json", "delete")


def a_rebuilt_manifest_names_jobs_that_no_vendor_knows(machine: RunMachine) -> None:
    """A part that was answered half way is asked for under ``recovered-...``; the vendor has no such job."""
    machine.call(disturb=partial(stop_at, 5, "sentinel"), exits=5)
    machine.spoil(f"{_RESULTS}/trial_manifest.json", "delete")


def answers_without_manifest_and_requests_are_bought_again(machine: RunMachine) -> None:
    """The requests can be built again and are the same, but by then the answers have been set aside."""
    machine.go_on()
    machine.spoil(f"{_RESULTS}/trial_manifest.json", "delete")
    machine.spoil("batch_inputs/manifest.json", "delete")


def a_summary_needs_the_questions_of_a_run_that_is_done(machine: RunMachine) -> None:
    """A step that has nothing to do ends with 1, because the summary after it reads a damaged file."""
    machine.go_on()
    machine.spoil("prepared/closed_book.jsonl", "garble")
    machine.call("--only_step", "poll")


def the_parse_step_does_not_ask_whether_the_questions_are_whole(machine: RunMachine) -> None:
    """It reads them, but prepare is not among the phases that it says it reads: it fails instead of being blocked."""
    machine.call("--to_step", "poll")
    machine.spoil("prepared/closed_book.jsonl", "garble")
    machine.call("--only_step", "parse")


def a_wrong_parse_is_taken_for_done(machine: RunMachine) -> None:
    """Questions of other names, parsed alone, and then mended: nothing makes the predictions anew."""
    machine.call("--to_step", "poll")
    machine.spoil("prepared/closed_book.jsonl", "flip", 8)
    machine.call("--only_step", "parse")
    machine.call("--only_step", "prepare")


KNOWN: Final[dict[str, Callable[[RunMachine], None]]] = {
    script.__name__: script
    for script in (
        a_rebuilt_manifest_lacks_the_stage_downloaded,
        the_first_of_two_trials_cannot_lose_its_manifest,
        a_plan_without_built_requests_promises_too_much,
        a_rebuilt_manifest_names_jobs_that_no_vendor_knows,
        answers_without_manifest_and_requests_are_bought_again,
        a_summary_needs_the_questions_of_a_run_that_is_done,
        the_parse_step_does_not_ask_whether_the_questions_are_whole,
        a_wrong_parse_is_taken_for_done,
    )
}
